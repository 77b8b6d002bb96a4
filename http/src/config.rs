//! The configuration of the client.

use std::time::Duration;

use hyper::header::HeaderValue;
use rustls::RootCertStore;
use tailwater_types::interface::Interface;

use crate::policy::AddressPolicy;
use crate::proxy::Proxy;
use crate::roots::{InvalidCertificate, RootCertificates};

/// The configuration of a [`Client`](crate::Client). [`Default`] gives the values named at each setter.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    pub(crate) user_agent: HeaderValue,
    pub(crate) timeout: Option<Duration>,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) max_body_len: usize,
    pub(crate) max_redirects: usize,
    pub(crate) allow_downgrade: bool,
    pub(crate) address_policy: AddressPolicy,
    pub(crate) proxy: Proxy,
    pub(crate) http2: bool,
    pub(crate) interface: Option<Interface>,
    pub(crate) roots: RootCertStore,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            user_agent: HeaderValue::from_static(concat!("tailwater/", env!("CARGO_PKG_VERSION"))),
            timeout: None,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(20),
            max_body_len: 1024 * 1024,
            max_redirects: 5,
            allow_downgrade: false,
            address_policy: AddressPolicy::default(),
            proxy: Proxy::none(),
            http2: false,
            interface: None,
            roots: webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        }
    }
}

impl ClientConfig {
    /// The `User-Agent` of requests. Default: `tailwater/VERSION`.
    #[must_use]
    pub fn user_agent(mut self, name: HeaderValue) -> Self {
        self.user_agent = name;
        self
    }

    /// The longest time for a whole request, from resolving the name to the last byte of the body, redirects included.
    /// Default: no limit but those of the steps.
    #[must_use]
    pub const fn timeout(mut self, after: Duration) -> Self {
        self.timeout = Some(after);
        self
    }

    /// The longest time to connect to a host, divided among its addresses. Default: 10 s.
    #[must_use]
    pub const fn connect_timeout(mut self, after: Duration) -> Self {
        self.connect_timeout = after;
        self
    }

    /// The longest silence: of a body from chunk to chunk, and of a head after the time to connect. Default: 20 s.
    #[must_use]
    pub const fn read_timeout(mut self, after: Duration) -> Self {
        self.read_timeout = after;
        self
    }

    /// The longest body in bytes, where [`Request::max_body_len`](crate::Request::max_body_len) does not say otherwise.
    /// Default: 1 MiB.
    #[must_use]
    pub const fn max_body_len(mut self, bytes: usize) -> Self {
        self.max_body_len = bytes;
        self
    }

    /// How many redirects in a row are followed. Default: 5.
    #[must_use]
    pub const fn max_redirects(mut self, limit: usize) -> Self {
        self.max_redirects = limit;
        self
    }

    /// Whether redirects from HTTPS to HTTP are followed: the URL, which may hold a secret, then travels in clear.
    /// Default: no.
    #[must_use]
    pub const fn allow_downgrade(mut self, is_allowed: bool) -> Self {
        self.allow_downgrade = is_allowed;
        self
    }

    /// The addresses that may be asked. Default: [`AddressPolicy::guarded`].
    #[must_use]
    pub fn address_policy(mut self, policy: AddressPolicy) -> Self {
        self.address_policy = policy;
        self
    }

    /// The proxy that connections go through. Default: none, whatever the environment says.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = proxy;
        self
    }

    /// Whether HTTP/2 is offered to hosts over TLS. All requests to a host then share one connection, which is worth it
    /// for many and long answers. What a host can have waiting in memory is bounded: 1 MiB for each answer, 2 MiB for all.
    /// Default: no.
    #[must_use]
    pub const fn http2(mut self, is_offered: bool) -> Self {
        self.http2 = is_offered;
        self
    }

    /// The network interface that all connections are bound to, those to a proxy included. While it is not there, requests
    /// fail, and no name is looked up. Where it is by looking: [`Interface::refresh`]. Names are looked up by the system's
    /// resolver, which goes its own way. Default: none: the system's routes decide.
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interface = Some(interface);
        self
    }

    /// Trusts one more authority for HTTPS, beside the Mozilla ones: a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificate`] if it is none.
    pub fn root_certificate(self, der: &[u8]) -> Result<Self, InvalidCertificate> {
        Ok(self.root_certificates(&RootCertificates::from_der(der)?))
    }

    /// Trusts these authorities for HTTPS too, beside the Mozilla ones.
    #[must_use]
    pub fn root_certificates(mut self, more: &RootCertificates) -> Self {
        self.roots.extend(more.anchors().iter().cloned());
        self
    }
}
