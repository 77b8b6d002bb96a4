//! The configuration of the client.

use std::time::Duration;

use tailwater_http::{AddressPolicy, Proxy, RootCertificates};
use tailwater_types::interface::Interface;

use super::route::UdpRoute;
use crate::error::TrackerError;

/// The configuration of a [`Client`](super::Client). [`Default`] gives the values named.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientConfig {
    /// The `User-Agent` over HTTP. Default: `tailwater/VERSION`.
    pub user_agent: String,
    /// The longest time for one request over HTTP, from resolving the name to the last byte of
    /// the answer, redirects included. Default: 15 s.
    pub http_timeout: Duration,
    /// The same over UDP. BEP 15 repeats a lost packet after 15 s, then after 30: a time below
    /// 15 s means that nothing is repeated. Default: 40 s.
    pub udp_timeout: Duration,
    /// The longest answer over HTTP in bytes, before and after decompression: the memory that
    /// one request can take. Default: 1 MiB.
    pub max_response_len: usize,
    /// How many redirects in a row are followed. Default: 5.
    pub max_redirects: usize,
    /// Which addresses may be asked. Default: [`AddressPolicy::guarded`].
    pub address_policy: AddressPolicy,
    /// The proxy that HTTP requests go through; it resolves the names. Default: none.
    pub proxy: Proxy,
    /// How UDP trackers are reached. Default: by sockets.
    pub udp_route: UdpRoute,
    /// The network interface that all requests are bound to. While it is not there, they fail, and no name is looked up.
    /// Default: none.
    pub interface: Option<Interface>,
    /// The fields of the HTTP client's configuration that are not above: the trusted authorities.
    base: tailwater_http::ClientConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            user_agent: concat!("tailwater/", env!("CARGO_PKG_VERSION")).to_owned(),
            http_timeout: Duration::from_secs(15),
            udp_timeout: Duration::from_secs(40),
            max_response_len: 1024 * 1024,
            max_redirects: 5,
            address_policy: AddressPolicy::default(),
            proxy: Proxy::none(),
            udp_route: UdpRoute::default(),
            interface: None,
            base: tailwater_http::ClientConfig::default(),
        }
    }
}

impl ClientConfig {
    /// Trusts one more authority for HTTPS, beside the Mozilla ones: a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Io`] if it is not a certificate.
    pub fn add_root_certificate(&mut self, der: &[u8]) -> Result<(), TrackerError> {
        let added = self.base.clone().root_certificate(der);
        self.base = added.map_err(|error| TrackerError::Io {
            operation: "read root certificate",
            kind: std::io::ErrorKind::InvalidData,
            message: error.reason().to_owned(),
        })?;
        Ok(())
    }

    /// Trusts these authorities for HTTPS too, beside the Mozilla ones.
    pub fn add_root_certificates(&mut self, more: &RootCertificates) {
        self.base = self.base.clone().root_certificates(more);
    }

    /// The same for the HTTP client.
    pub(super) fn http(&self) -> tailwater_http::ClientConfig {
        let base = match &self.interface {
            Some(interface) => self.base.clone().interface(interface.clone()),
            None => self.base.clone(),
        };
        base.timeout(self.http_timeout)
            // Half the time, so that an address which swallows packets leaves some for the next.
            .connect_timeout(self.http_timeout / 2)
            // The whole time bounds a silence too.
            .read_timeout(self.http_timeout)
            .max_body_len(self.max_response_len)
            .max_redirects(self.max_redirects)
            .address_policy(self.address_policy.clone())
            .proxy(self.proxy.clone())
    }
}
