//! The listening port: one for all torrents, for both address families.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tailwater_types::ports;
use tailwater_utp::driver::UtpSocket;
use tokio::net::TcpListener;

#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryListener;
use super::{Carrier, Stream, tcp};

/// Accepts connections. Dropped, it is closed.
#[derive(Debug)]
pub(crate) enum Listener {
    /// On a TCP port.
    Tcp(TcpListener),
    /// Over uTP.
    Utp(Arc<UtpSocket>),
    /// On a port of a [`MemoryNetwork`](crate::memory_network::MemoryNetwork).
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryListener),
}

impl Listener {
    /// Opens a TCP port. Without an address: the first free port from 6881, on all interfaces.
    ///
    /// # Errors
    ///
    /// When the address is taken or not ours.
    pub(super) fn bind(addr: Option<SocketAddr>) -> io::Result<Self> {
        if let Some(addr) = addr {
            return tcp::listen(addr).map(Self::Tcp);
        }
        ports::open_usual(bind_everywhere).map(Self::Tcp)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr(),
            Self::Utp(socket) => (socket.local_addr()).ok_or(io::ErrorKind::NotConnected.into()),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(listener) => Ok(listener.local_addr()),
        }
    }

    /// Waits for a connection. The address is the peer's, an IPv4 one in IPv4's form.
    ///
    /// # Errors
    ///
    /// Those of one connection, and those of the process, such as too many open files. The listener goes on.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    pub(crate) async fn accept(&mut self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, addr) = listener.accept().await?;
                let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
                tcp::configure(&stream)?;
                Ok((Carrier::Tcp(stream).into(), addr))
            }
            Self::Utp(socket) => {
                let Ok(stream) = socket.accept().await else {
                    // The port is closed, and so is the session soon: there will be no more.
                    return std::future::pending().await;
                };
                let addr = stream.peer_addr();
                Ok((Carrier::Utp(stream).into(), addr))
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(listener) => {
                let stream = listener.accept().await?;
                let addr = stream.peer_addr();
                Ok((Carrier::Memory(stream).into(), addr))
            }
        }
    }
}

/// One socket for both families where the machine has IPv6, else IPv4 alone.
fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match tcp::listen(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            tcp::listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        outcome => outcome,
    }
}
