//! Which `Host` headers are ours.
//!
//! A web site can make its own name resolve to this machine ("DNS rebinding") and then read from us with a visitor's
//! browser, which believes that it talks to that site. The name in the `Host` header gives it away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of `http` URLs that name none.
const DEFAULT_PORT: u16 = 80;

/// The addresses and names that a server listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hosts(SocketAddr);

impl Hosts {
    /// Those of a server at this address, which has its true port.
    pub(crate) const fn of(addr: SocketAddr) -> Self {
        Self(addr)
    }

    /// Whether a `Host` header names us.
    ///
    /// On a loopback address that is the address, `localhost`, and the other family's loopback address; on one of the
    /// machine's addresses that address; on all of them any address, and `localhost`. No other name: whoever gives a
    /// machine a name can give it another address.
    pub(crate) fn allow(self, host: &str) -> bool {
        let Some((host, port)) = split(host) else {
            return false;
        };
        if port != self.0.port() {
            return false;
        }
        let ours = self.0.ip().to_canonical();
        match parse(host) {
            Named::Localhost => ours.is_loopback() || ours.is_unspecified(),
            Named::Addr(_) if ours.is_unspecified() => true,
            Named::Addr(addr) if ours.is_loopback() => addr == ours || is_usual_loopback(addr),
            Named::Addr(addr) => addr == ours,
            Named::Other => false,
        }
    }

    /// An address and port to reach the server at from this machine, for URLs.
    pub(crate) fn reachable(self) -> SocketAddr {
        let ip = match self.0.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.0.port())
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

/// The host, with its brackets, and the port.
fn split(host: &str) -> Option<(&str, u16)> {
    // The colons of an IPv6 address stand before its bracket.
    let after = host.rfind(']').map_or(0, |bracket| bracket + 1);
    match host[after..].split_once(':') {
        None => Some((host, DEFAULT_PORT)),
        Some((before, port)) => {
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = digits.then(|| port.parse().ok())??;
            Some((&host[..after + before.len()], port))
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
