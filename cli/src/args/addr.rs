//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// Where to listen: `ADDR:PORT`, or a port alone for all IPv4 interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddr(pub(crate) SocketAddr);

/// A text that is not an address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address and port; write 0.0.0.0:6881, [::]:6881 for IPv6 too, or a port alone")]
pub(crate) struct ParseAddrError;

impl FromStr for ListenAddr {
    type Err = ParseAddrError;

    fn from_str(text: &str) -> Result<Self, ParseAddrError> {
        if let Ok(addr) = text.parse() {
            return Ok(Self(addr));
        }
        let port = text.strip_prefix(':').unwrap_or(text).parse();
        let everywhere = |port| Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port));
        port.map(everywhere).map_err(|_| ParseAddrError)
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where to serve this machine, or others if told so: `ADDR:PORT`, or a port alone for the loopback interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServeAddr(pub(crate) SocketAddr);

/// A text that is not an address to serve at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an address and port; write 127.0.0.1:8000, 0.0.0.0:8000 for other machines too, or a port alone"
)]
pub(crate) struct ParseServeAddrError;

impl FromStr for ServeAddr {
    type Err = ParseServeAddrError;

    fn from_str(text: &str) -> Result<Self, ParseServeAddrError> {
        let parsed: Result<ListenAddr, _> = text.parse();
        let ListenAddr(mut addr) = parsed.map_err(|_| ParseServeAddrError)?;
        if text.parse::<SocketAddr>().is_err() {
            addr.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        Ok(Self(addr))
    }
}

impl Default for ServeAddr {
    /// A free port of the loopback interface.
    fn default() -> Self {
        Self(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_every_interface() {
        let cases = [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:80", "[::1]:80"),
            ("6969", "0.0.0.0:6969"),
            (":6969", "0.0.0.0:6969"),
        ];
        for (text, addr) in cases {
            assert_eq!(
                text.parse::<ListenAddr>()
                    .map(|addr| addr.to_string())
                    .as_deref(),
                Ok(addr)
            );
        }
        for text in ["", ":", "127.0.0.1", "host:80", "65536", "::1", "1.2.3.4:"] {
            assert_eq!(text.parse::<ListenAddr>(), Err(ParseAddrError), "{text}");
        }
    }

    #[test]
    fn a_port_alone_serves_this_machine_only() {
        let cases = [
            ("8000", "127.0.0.1:8000"),
            (":0", "127.0.0.1:0"),
            ("0.0.0.0:8000", "0.0.0.0:8000"),
            ("[::]:80", "[::]:80"),
        ];
        for (text, addr) in cases {
            assert_eq!(text.parse(), Ok(ServeAddr(addr.parse().unwrap())), "{text}");
        }
        assert_eq!(
            "localhost:80".parse::<ServeAddr>(),
            Err(ParseServeAddrError)
        );
    }
}
