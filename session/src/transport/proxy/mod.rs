//! The proxy that connections and datagrams go through.
//!
//! | question | file |
//! |---|---|
//! | How is a SOCKS5 proxy asked? | `socks5.rs` |
//! | How is an HTTP proxy asked? | `http_connect.rs` |
//! | How do datagrams go through it? | `relay.rs` |
//!
//! The text of a [`ProxyError`] names the proxy's fault; which proxy it is, the user knows.

mod http_connect;
mod relay;
mod socks5;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tailwater_types::system::message;
use tokio::net::{TcpStream, lookup_host};
use url::Host;

pub(crate) use self::relay::Relay;
use super::{Uplink, tcp};
use crate::proxy::{Proxy, ProxyKind};

/// Why a proxy does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("the proxy cannot be reached: {}", message(.0))]
    Unreachable(io::Error),
    #[error("the proxy: {}", message(.0))]
    Io(#[from] io::Error),
    #[error("the proxy: it closed the connection")]
    Closed,
    #[error("the proxy answers wrongly: {0}")]
    Malformed(&'static str),
    #[error("the proxy: it wants a user name and a password")]
    CredentialsNeeded,
    #[error("the proxy: it refuses the user name or the password")]
    CredentialsRefused,
    /// The reply's code.
    #[error("the proxy refuses: {}", socks5::meaning(*.0))]
    Refused(u8),
    #[error("the proxy refuses: HTTP status {0}")]
    HttpStatus(u16),
}

impl ProxyError {
    /// Whether it is the proxy that fails, rather than its way to one peer.
    const fn is_of_every_peer(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Malformed(_)
                | Self::CredentialsNeeded
                | Self::CredentialsRefused
        )
    }
}

/// Connects through a proxy.
#[derive(Debug)]
pub(crate) struct ProxyDialer {
    proxy: Proxy,
    /// The address that connections to the proxy are made from.
    from: Option<IpAddr>,
    /// Where the proxy was found last: its name is looked up again only when it is there no more.
    found: Mutex<Option<SocketAddr>>,
    /// Whether the user has been told that it fails.
    is_told: AtomicBool,
}

impl ProxyDialer {
    pub(crate) const fn new(proxy: Proxy, from: Option<IpAddr>) -> Self {
        Self {
            proxy,
            from,
            found: Mutex::new(None),
            is_told: AtomicBool::new(false),
        }
    }

    /// Connects to a peer.
    ///
    /// # Cancel safety
    ///
    /// The attempt ends when the future is dropped.
    pub(super) async fn connect(&self, to: SocketAddr) -> Result<TcpStream, ProxyError> {
        let connected = self.tunnel(to).await;
        match &connected {
            Ok(_) => self.is_told.store(false, Ordering::Relaxed),
            Err(error) if error.is_of_every_peer() => {
                if !self.is_told.swap(true, Ordering::Relaxed) {
                    tracing::warn!("no peers for now: {error}");
                }
            }
            Err(_) => {}
        }
        connected
    }

    async fn tunnel(&self, to: SocketAddr) -> Result<TcpStream, ProxyError> {
        let (mut stream, _) = self.reach().await?;
        let credentials = self.proxy.credentials();
        match self.proxy.kind() {
            ProxyKind::Socks5 => {
                let command = socks5::Command::Connect;
                socks5::request(&mut stream, credentials, command, to).await?;
            }
            ProxyKind::Http => http_connect::connect(&mut stream, credentials, to).await?,
        }
        Ok(stream)
    }

    /// Asks for a relay for datagrams: the control connection, for as long as which there is one, and where it is.
    ///
    /// # Cancel safety
    ///
    /// The attempt ends when the future is dropped.
    async fn associate(&self) -> Result<(TcpStream, SocketAddr), ProxyError> {
        let (mut control, proxy) = self.reach().await?;
        let credentials = self.proxy.credentials();
        // We have no port yet: the proxy takes that of our first datagram.
        let from = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let command = socks5::Command::UdpAssociate;
        let bound = socks5::request(&mut control, credentials, command, from).await?;
        Ok((control, relay::relay_at(&bound, proxy)))
    }

    /// Connects to the proxy itself.
    async fn reach(&self) -> Result<(TcpStream, SocketAddr), ProxyError> {
        let known = self.found.lock().take();
        let mut failure = io::ErrorKind::NotFound.into();
        let found = match known {
            Some(addr) => vec![addr],
            None => self.look_up().await.map_err(ProxyError::Unreachable)?,
        };
        for addr in found {
            match tcp::connect(addr, self.from, &Uplink::default()).await {
                Ok(stream) => {
                    *self.found.lock() = Some(addr);
                    return Ok((stream, addr));
                }
                Err(error) => failure = error,
            }
        }
        Err(ProxyError::Unreachable(failure))
    }

    /// The proxy's own name is the only one that is looked up with a proxy.
    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let port = self.proxy.port();
        match self.proxy.host() {
            Host::Ipv4(ip) => Ok(vec![(*ip, port).into()]),
            Host::Ipv6(ip) => Ok(vec![(*ip, port).into()]),
            Host::Domain(name) => lookup_host((&**name, port)).await.map(Iterator::collect),
        }
    }
}
