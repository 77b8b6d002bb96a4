//! The configuration of the client.

use std::time::Duration;

use hyper::header::HeaderValue;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::policy::AddressPolicy;
use crate::proxy::Proxy;

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
    pub(crate) roots: RootCertStore,
}

/// The error of bytes that are not a certificate in DER.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a root certificate: {reason}")]
pub struct InvalidCertificate {
    reason: String,
}

impl InvalidCertificate {
    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
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

    /// Trusts one more authority for HTTPS, beside the Mozilla ones: a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificate`] if it is none.
    pub fn root_certificate(mut self, der: &[u8]) -> Result<Self, InvalidCertificate> {
        let added = self.roots.add(CertificateDer::from(der));
        added.map_err(|error| InvalidCertificate {
            reason: error.to_string(),
        })?;
        Ok(self)
    }
}
