//! Checks whether a `Host` header names this server.
//!
//! A web site can make its own name resolve to this machine ("DNS rebinding") and then read from us with a visitor's
//! browser, which believes that it talks to that site. The name in the `Host` header gives it away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

/// The port of `http` URLs that name none.
const HTTP_PORT: u16 = 80;
/// The port of `https` URLs that name none.
const HTTPS_PORT: u16 = 443;

/// The longest host name in DNS, in bytes.
const MAX_NAME: usize = 253;

/// A host name or address, without a port, that the user says leads to this server and to no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

/// A text that is not a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a host name; write it as it stands in the URL, without scheme, port and path: films.example"
)]
pub struct ParseHostError;

impl FromStr for HostName {
    type Err = ParseHostError;

    fn from_str(text: &str) -> Result<Self, ParseHostError> {
        let name = text.trim_end_matches('.');
        if matches!(parse(name), Named::Addr(_)) {
            return Ok(Self(name.to_owned()));
        }
        // Underscores are no part of host names, but machines are called so.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let is_name = (1..=MAX_NAME).contains(&name.len())
            && name.bytes().all(is_plain)
            && name.split('.').all(|label| !label.is_empty());
        match is_name {
            true => Ok(Self(name.to_owned())),
            false => Err(ParseHostError),
        }
    }
}

impl HostName {
    fn is(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match (parse(&self.0), parse(host)) {
            (Named::Addr(ours), Named::Addr(theirs)) => ours == theirs,
            _ => self.0.eq_ignore_ascii_case(host),
        }
    }
}

/// The addresses and names of a server. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts {
    addr: SocketAddr,
    /// Names that the user allows besides.
    names: Arc<[HostName]>,
    /// The port of URLs that name none.
    default_port: u16,
}

impl Hosts {
    /// Those of a server at this address, which has its true port.
    pub fn of(addr: SocketAddr) -> Self {
        Self {
            addr,
            names: Arc::default(),
            default_port: HTTP_PORT,
        }
    }

    /// Those of a server with TLS.
    pub fn with_tls(self) -> Self {
        Self {
            default_port: HTTPS_PORT,
            ..self
        }
    }

    /// Allows these names too, with any port: a reverse proxy has a port of its own.
    pub fn with_names(self, names: &[HostName]) -> Self {
        Self {
            names: names.into(),
            ..self
        }
    }

    /// Whether a `Host` header names us.
    ///
    /// On a loopback address that is the address, `localhost`, and the other family's loopback address; on one of the
    /// machine's addresses that address; on all of them any address, and `localhost`. No other name, unless the user has
    /// allowed it: the owner of a name can give it another address at any time.
    pub fn allow(&self, host: &str) -> bool {
        let Some((host, port)) = split(host) else {
            return false;
        };
        let port = port.unwrap_or(self.default_port);
        if self.names.iter().any(|name| name.is(host)) {
            return true;
        }
        if port != self.addr.port() {
            return false;
        }
        let ours = self.addr.ip().to_canonical();
        match parse(host) {
            Named::Localhost => ours.is_loopback() || ours.is_unspecified(),
            Named::Addr(_) if ours.is_unspecified() => true,
            Named::Addr(addr) if ours.is_loopback() => addr == ours || is_usual_loopback(addr),
            Named::Addr(addr) => addr == ours,
            Named::Other => false,
        }
    }

    /// An address and port to reach the server at from this machine, for URLs.
    pub fn reachable(&self) -> SocketAddr {
        let ip = match self.addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.addr.port())
    }
}

fn is_usual_loopback(addr: IpAddr) -> bool {
    addr == Ipv4Addr::LOCALHOST || addr == Ipv6Addr::LOCALHOST
}

enum Named {
    Addr(IpAddr),
    Localhost,
    Other,
}

fn parse(host: &str) -> Named {
    if host.eq_ignore_ascii_case("localhost") {
        return Named::Localhost;
    }
    let addr = match host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        Some(v6) => v6.parse::<Ipv6Addr>().map(IpAddr::from),
        None => host.parse::<Ipv4Addr>().map(IpAddr::from),
    };
    addr.map_or(Named::Other, |addr| Named::Addr(addr.to_canonical()))
}

/// The host, with its brackets, and the port if it is named.
fn split(host: &str) -> Option<(&str, Option<u16>)> {
    // The colons of an IPv6 address stand before its bracket.
    let after = host.rfind(']').map_or(0, |bracket| bracket + 1);
    match host[after..].split_once(':') {
        None => Some((host, None)),
        Some((before, port)) => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = digits.then(|| port.parse().ok())??;
            Some((&host[..after + before.len()], Some(port)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(addr: &str, host: &str) -> bool {
        Hosts::of(addr.parse().unwrap()).allow(host)
    }

    #[test]
    fn a_loopback_server_is_called_by_its_own_names() {
        for addr in ["127.0.0.1:8000", "[::1]:8000"] {
            for host in [
                "localhost:8000",
                "LOCALHOST:8000",
                "127.0.0.1:8000",
                "[::1]:8000",
            ] {
                assert!(allowed(addr, host), "{addr} {host}");
            }
            for host in [
                "",
                ":8000",
                "localhost",
                "127.0.0.1",
                "127.0.0.1:8001",
                "127.0.0.1:",
                "127.0.0.1:+8000",
                "127.0.0.1:8000:8000",
                "127.0.0.2:8000",
                "192.168.1.2:8000",
                "0.0.0.0:8000",
                "::1:8000",
                "[::1]8000",
                "[::1",
                "]:8000",
                "evil.example:8000",
                "localhost.evil.example:8000",
                "127.0.0.1.evil.example:8000",
                "localhost.:8000",
                "evil@localhost:8000",
                "2130706433:8000",
                "0x7f000001:8000",
            ] {
                assert!(!allowed(addr, host), "{addr} {host}");
            }
        }
        assert!(allowed("127.0.0.2:8000", "127.0.0.2:8000"));
    }

    #[test]
    fn a_server_at_an_address_is_called_by_that_address() {
        assert!(allowed("192.168.1.2:8000", "192.168.1.2:8000"));
        assert!(allowed("[fd00::2]:8000", "[FD00:0::2]:8000"));
        for host in [
            "192.168.1.3:8000",
            "localhost:8000",
            "127.0.0.1:8000",
            "name:8000",
        ] {
            assert!(!allowed("192.168.1.2:8000", host), "{host}");
        }
    }

    #[test]
    fn a_server_at_every_address_is_called_by_any_address() {
        for addr in ["0.0.0.0:8000", "[::]:8000"] {
            for host in [
                "192.168.1.3:8000",
                "[fd00::2]:8000",
                "localhost:8000",
                "0.0.0.0:8000",
            ] {
                assert!(allowed(addr, host), "{addr} {host}");
            }
            for host in ["evil.example:8000", "192.168.1.3:8001"] {
                assert!(!allowed(addr, host), "{addr} {host}");
            }
        }
    }

    #[test]
    fn names_that_the_user_allows_are_ours_with_any_port_and_no_others_are() {
        let names =
            ["films.example", "Shelf.local.", "192.0.2.7"].map(|name| name.parse().unwrap());
        let hosts = Hosts::of("127.0.0.1:8000".parse().unwrap()).with_names(&names);
        for host in [
            "films.example",
            "FILMS.example:8443",
            "films.example.",
            "shelf.local:8000",
            "192.0.2.7:80",
            "localhost:8000",
        ] {
            assert!(hosts.allow(host), "{host}");
        }
        for host in [
            "example",
            "evil.films.example",
            "films.example.evil",
            "films.example:x",
            "shelf",
            "192.0.2.8:8000",
            "localhost:8001",
        ] {
            assert!(!hosts.allow(host), "{host}");
        }
        for text in [
            "",
            "*",
            "*.example",
            "http://a",
            "a:80",
            "a/b",
            "a b",
            "a..b",
            ".",
        ] {
            assert!(text.parse::<HostName>().is_err(), "{text:?}");
        }
        assert!("[fd00::2]".parse::<HostName>().is_ok());
    }

    #[test]
    fn port_80_need_not_be_said() {
        assert!(allowed("127.0.0.1:80", "localhost"));
        assert!(allowed("[::1]:80", "[::1]"));
    }

    #[test]
    fn urls_name_an_address_that_can_be_reached() {
        let reachable = |addr: &str| Hosts::of(addr.parse().unwrap()).reachable().to_string();
        assert_eq!(reachable("0.0.0.0:8000"), "127.0.0.1:8000");
        assert_eq!(reachable("[::]:8000"), "[::1]:8000");
        assert_eq!(reachable("192.168.1.2:8000"), "192.168.1.2:8000");
    }
}
