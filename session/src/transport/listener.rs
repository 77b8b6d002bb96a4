//! The listening port: one for all torrents, for both address families.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tailwater_types::ports;
use tailwater_types::system::message;
use tailwater_utp::driver::UtpSocket;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryListener;
use super::{Carrier, Stream, Tie, Uplink, tcp};

/// The pause before a port is tried again that could not be opened anew.
const REOPEN_AFTER: Duration = Duration::from_secs(1);

/// Accepts connections. Dropped, it is closed.
#[derive(Debug)]
pub(crate) enum Listener {
    /// On a TCP port.
    Tcp(TcpPort),
    /// Over uTP, on a port of this link.
    Utp(Arc<UtpSocket>, Uplink),
    /// On a port of a [`MemoryNetwork`](crate::memory_network::MemoryNetwork).
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryListener),
}

/// A TCP port. It is opened anew whenever the network interface changes.
#[derive(Debug)]
pub(crate) struct TcpPort {
    /// `None` when it could not be opened anew.
    listener: Option<TcpListener>,
    addr: SocketAddr,
    link: Uplink,
}

impl TcpPort {
    fn open(addr: SocketAddr, link: &Uplink) -> io::Result<Self> {
        // Marks a change that comes meanwhile as new.
        let link = link.clone();
        let listener = tcp::listen(addr, &link)?;
        let addr = SocketAddr::new(addr.ip(), listener.local_addr()?.port());
        Ok(Self {
            listener: Some(listener),
            addr,
            link,
        })
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr, Tie)> {
        loop {
            let Some(listener) = &self.listener else {
                self.reopen().await;
                continue;
            };
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, addr) = accepted?;
                    // Accepted while there is no interface: it came from this machine.
                    if let Ok(tie) = self.link.tie() {
                        return Ok((stream, addr, tie));
                    }
                }
                () = self.link.changed() => self.listener = None,
            }
        }
    }

    /// Opens it on the interface as it is now.
    async fn reopen(&mut self) {
        match tcp::listen(self.addr, &self.link) {
            Ok(listener) => self.listener = Some(listener),
            Err(error) => {
                let addr = self.addr;
                tracing::warn!(%addr, "no incoming connections: {}", message(&error));
                sleep(REOPEN_AFTER).await;
            }
        }
    }
}

impl Listener {
    /// Opens a TCP port on a link. Without an address: the first free port from 6881, on all interfaces.
    ///
    /// # Errors
    ///
    /// When the address is taken or not ours.
    pub(super) fn bind(addr: Option<SocketAddr>, link: &Uplink) -> io::Result<Self> {
        if let Some(addr) = addr {
            return TcpPort::open(addr, link).map(Self::Tcp);
        }
        ports::open_usual(|port| bind_everywhere(port, link)).map(Self::Tcp)
    }

    /// Where it listens.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Tcp(port) => match &port.listener {
                Some(listener) => listener.local_addr(),
                None => Ok(port.addr),
            },
            Self::Utp(socket, _) => (socket.local_addr()).ok_or(io::ErrorKind::NotConnected.into()),
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
            Self::Tcp(port) => {
                let (stream, addr, tie) = port.accept().await?;
                let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
                tcp::configure(&stream)?;
                Ok((Stream::from(Carrier::Tcp(stream)).tied(tie), addr))
            }
            Self::Utp(socket, link) => {
                let Ok(stream) = socket.accept().await else {
                    // The port is closed, and so is the session soon: there will be no more.
                    return std::future::pending().await;
                };
                let addr = stream.peer_addr();
                let tie = link.tie()?;
                Ok((Stream::from(Carrier::Utp(stream)).tied(tie), addr))
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
fn bind_everywhere(port: u16, link: &Uplink) -> io::Result<TcpPort> {
    match TcpPort::open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)), link) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpPort::open(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), link)
        }
        outcome => outcome,
    }
}
