//! Proxies: HTTP with CONNECT, and SOCKS5.

use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

/// The default port of a SOCKS proxy (RFC 1928).
const SOCKS_PORT: u16 = 1080;

/// The proxy that connections go through.
///
/// A proxy resolves the names itself. The [`AddressPolicy`](crate::AddressPolicy) then judges only addresses in URLs:
/// the host's own address stays unknown, and in [`Hop::via`](crate::Hop::via) it is the unspecified address.
#[derive(Clone, Debug)]
pub struct Proxy(Option<Arc<Matcher>>);

/// The error of a URL that names no proxy which the client can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no proxy: it takes http://, socks5:// or socks5h://, and a host")]
pub struct InvalidProxy {
    url: String,
}

/// The way of one connection through a proxy.
pub(crate) enum Way {
    /// The proxy speaks HTTP. It is asked for a tunnel, or itself where the request is in clear.
    Http(Intercept),
    Socks5(Intercept),
}

impl Proxy {
    /// No proxy.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// The proxy of the environment, in the variables that curl reads: `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY` and
    /// `NO_PROXY`, in capitals or not. They are read now, once.
    #[must_use]
    pub fn from_env() -> Self {
        Self(Some(Arc::new(Matcher::from_env())))
    }

    /// All connections go through the proxy at `url`: `http://`, `socks5://` or `socks5h://`, with a user name and password
    /// where it asks for them.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`] if the URL is none, or of another kind of proxy.
    pub fn all(url: &str) -> Result<Self, InvalidProxy> {
        let invalid = || InvalidProxy {
            url: url.to_owned(),
        };
        let parsed = Url::parse(url).map_err(|_| invalid())?;
        let is_known = matches!(parsed.scheme(), "http" | "socks5" | "socks5h");
        if !is_known || !parsed.has_host() {
            return Err(invalid());
        }
        let matcher = Matcher::builder().all(url.to_owned()).build();
        Ok(Self(Some(Arc::new(matcher))))
    }

    /// The way to `target`; a direct connection if `None`.
    pub(crate) fn way(&self, target: &Uri) -> Option<Way> {
        let intercept = self.0.as_ref()?.intercept(target)?;
        Some(match intercept.uri().scheme_str() {
            Some("socks5" | "socks5h") => Way::Socks5(intercept),
            _ => Way::Http(intercept),
        })
    }

    /// The credentials for a proxy that asks for them, in a request in clear.
    pub(crate) fn authorization(&self, target: &Uri) -> Option<HeaderValue> {
        match self.way(target) {
            Some(Way::Http(intercept)) if target.scheme_str() == Some("http") => {
                intercept.basic_auth().cloned()
            }
            _ => None,
        }
    }
}

/// The address of a SOCKS proxy: its URL, with a port.
pub(crate) fn socks_address(uri: &Uri) -> Uri {
    match (uri.port(), uri.host()) {
        (None, Some(host)) => {
            let with_port = format!("socks5://{host}:{SOCKS_PORT}").parse();
            with_port.unwrap_or_else(|_| uri.clone())
        }
        _ => uri.clone(),
    }
}

/// The same URL with its port written: hyper's SOCKS connector takes one without for HTTPS.
pub(crate) fn with_port(uri: Uri) -> Uri {
    let port = match uri.scheme_str() {
        Some("http") => 80,
        _ => 443,
    };
    match (uri.port(), uri.scheme_str(), uri.host()) {
        (None, Some(scheme), Some(host)) => {
            let with_port = format!("{scheme}://{host}:{port}/").parse();
            with_port.unwrap_or(uri)
        }
        _ => uri,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_http_or_socks5() {
        for url in [
            "",
            "proxy",
            "ftp://proxy",
            "https://proxy",
            "socks4://proxy",
            "http://",
        ] {
            assert!(Proxy::all(url).is_err(), "{url}");
        }
        let target = "https://host/".parse().unwrap();
        let way = |url: &str| Proxy::all(url).unwrap().way(&target);
        assert!(matches!(way("http://u:p@proxy:3128"), Some(Way::Http(_))));
        assert!(matches!(way("socks5://proxy"), Some(Way::Socks5(_))));
        assert!(matches!(way("socks5h://[::1]:9"), Some(Way::Socks5(_))));
        assert!(Proxy::none().way(&target).is_none());
    }

    #[test]
    fn a_target_has_the_port_of_its_scheme() {
        let at = |uri: &str| with_port(uri.parse().unwrap()).to_string();
        assert_eq!(at("http://seed.example/"), "http://seed.example:80/");
        assert_eq!(at("https://[::1]/"), "https://[::1]:443/");
        assert_eq!(at("http://seed.example:8080/"), "http://seed.example:8080/");
    }

    #[test]
    fn a_socks_proxy_has_a_port() {
        let at = |uri: &str| socks_address(&uri.parse().unwrap()).to_string();
        assert_eq!(at("socks5://proxy"), "socks5://proxy:1080/");
        assert_eq!(at("socks5h://[::1]"), "socks5://[::1]:1080/");
        assert_eq!(at("socks5://proxy:9"), "socks5://proxy:9/");
    }
}
