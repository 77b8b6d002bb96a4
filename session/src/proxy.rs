//! The proxy that a session's traffic goes through: its URL.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// The port of a SOCKS proxy whose URL has none (RFC 1928).
const SOCKS_PORT: u16 = 1080;
/// The port of an HTTP proxy whose URL has none.
const HTTP_PORT: u16 = 80;
/// The longest user name and password of SOCKS5, in bytes (RFC 1929).
const MAX_CREDENTIAL_LEN: usize = 255;

/// A proxy: `socks5://[USER:PASSWORD@]HOST[:PORT]`, or `http://…` for one that speaks HTTP and has `CONNECT`. `socks5h`
/// means the same as `socks5`: names are always resolved by the proxy. See
/// [`SessionBuilder::proxy`](crate::SessionBuilder::proxy).
///
/// ```
/// use tailwater_session::Proxy;
///
/// let proxy: Proxy = "socks5://me:secret@192.0.2.1".parse()?;
/// assert_eq!(proxy.to_string(), "socks5://192.0.2.1:1080");
/// # Ok::<(), tailwater_session::InvalidProxy>(())
/// ```
///
/// Its text has no user name and no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    kind: ProxyKind,
    host: Host<String>,
    port: u16,
    credentials: Option<Credentials>,
}

/// The protocol that a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Socks5,
    Http,
}

/// A user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// A text that names no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a proxy: write socks5://[USER:PASSWORD@]HOST:PORT or http://…{}", .0.map(|why| format!(" ({why})")).unwrap_or_default())]
pub struct InvalidProxy(Option<&'static str>);

impl Proxy {
    /// Whether it can carry datagrams (uTP, DHT, UDP trackers). An HTTP proxy cannot; one that speaks SOCKS5 may refuse.
    #[must_use]
    pub const fn may_carry_udp(&self) -> bool {
        matches!(self.kind, ProxyKind::Socks5)
    }

    pub(crate) const fn kind(&self) -> ProxyKind {
        self.kind
    }

    pub(crate) const fn host(&self) -> &Host<String> {
        &self.host
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    pub(crate) const fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }
}

/// The same for an HTTP client.
impl From<&Proxy> for tailwater_http::Proxy {
    fn from(proxy: &Proxy) -> Self {
        Self::all(proxy.url.as_str()).expect("the schemes of a proxy are those of the HTTP client")
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidProxy(None))?;
        let (kind, default_port) = match url.scheme() {
            "socks5" | "socks5h" => (ProxyKind::Socks5, SOCKS_PORT),
            "http" => (ProxyKind::Http, HTTP_PORT),
            _ => return Err(InvalidProxy(Some("it speaks SOCKS5 or HTTP"))),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidProxy(Some("nothing follows the port")));
        }
        let host = url.host_str().ok_or(InvalidProxy(None))?;
        // Of a scheme that it does not know, the parser leaves an IPv4 address a name.
        let host = Host::parse(host).map_err(|_| InvalidProxy(Some("the host is none")))?;
        let port = url.port().unwrap_or(default_port);
        let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let credentials =
            (!url.username().is_empty() || url.password().is_some()).then(|| Credentials {
                user: decoded(url.username()),
                password: decoded(url.password().unwrap_or_default()),
            });
        if let Some(Credentials { user, password }) = &credentials
            && (user.is_empty() || user.len().max(password.len()) > MAX_CREDENTIAL_LEN)
        {
            let why = "user name and password have 1 to 255 bytes";
            return Err(InvalidProxy(Some(why)));
        }
        // The HTTP client would take another default.
        url.set_port(Some(port))
            .map_err(|()| InvalidProxy(Some("the port is none")))?;
        Ok(Self {
            url,
            kind,
            host,
            port,
            credentials,
        })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Socks5 => "socks5",
            ProxyKind::Http => "http",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    // Without the password, which would end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Proxy {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_proxy_has_a_host_and_a_port() {
        for (text, shown) in [
            ("socks5://proxy.example", "socks5://proxy.example:1080"),
            ("socks5h://10.0.0.1:9050", "socks5://10.0.0.1:9050"),
            ("socks5://[2001:db8::1]:1", "socks5://[2001:db8::1]:1"),
            ("http://10.0.0.1:8888/", "http://10.0.0.1:8888"),
            ("http://proxy", "http://proxy:80"),
        ] {
            assert_eq!(parse(text).to_string(), shown);
        }
        let literal = parse("socks5://10.0.0.1");
        assert!(matches!(literal.host(), Host::Ipv4(_)));
        assert!(literal.may_carry_udp());
        assert!(!parse("http://proxy").may_carry_udp());
        for text in [
            "",
            "proxy:1080",
            "socks4://proxy",
            "https://proxy",
            "socks5://",
            "socks5://proxy/path",
            "http://proxy?query",
            "socks5://:password@proxy",
            "socks5://proxy:70000",
        ] {
            assert!(text.parse::<Proxy>().is_err(), "{text}");
        }
        let long = format!("socks5://{}@proxy", "u".repeat(256));
        assert!(long.parse::<Proxy>().is_err());
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        let proxy = parse("socks5://m%40e:s%3Aecret@proxy");
        let credentials = proxy.credentials().unwrap();
        assert_eq!(credentials.user, b"m@e");
        assert_eq!(credentials.password, b"s:ecret");
        let shown = format!("{proxy} {proxy:?} {credentials:?}");
        assert!(
            !shown.contains("ecret") && !shown.contains("m@e"),
            "{shown}"
        );
    }
}
