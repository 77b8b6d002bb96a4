//! Host names, and who resolves them.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::lookup_host;

/// How the session's host names become addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Names {
    /// By the system's resolver.
    #[default]
    System,
    /// Not at all: a query of ours would go around the proxy.
    Unresolved,
}

impl Names {
    /// The addresses of a host.
    ///
    /// # Errors
    ///
    /// When it has none, or is not looked up.
    pub(crate) async fn look_up(self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        match self {
            Self::System => lookup_host((host, port)).await.map(Iterator::collect),
            Self::Unresolved => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "with a proxy, names are not looked up here",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn with_a_proxy_only_addresses_are_found() {
        for names in [Names::System, Names::Unresolved] {
            let found = names.look_up("[2001:db8::1]", 7).await.unwrap();
            assert_eq!(found, ["[2001:db8::1]:7".parse().unwrap()]);
        }
        let refused = Names::Unresolved.look_up("localhost", 1).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::Unsupported);
    }
}
