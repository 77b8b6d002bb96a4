//! How UDP trackers are reached: by a socket for each, through a port that is shared or relayed, or not at all.

#![expect(clippy::disallowed_types, reason = "the driver owns the sockets")]

use std::fmt::Debug;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use socket2::{Domain, Protocol, Type};
use tailwater_types::interface::Interface;
use tokio::net::UdpSocket;

use crate::error::TrackerError;

/// How UDP trackers are reached.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum UdpRoute {
    /// By a socket of its own for each tracker; names are resolved by the system.
    #[default]
    Sockets,
    /// Through a relay, which resolves the names.
    Relay(Arc<dyn UdpRelay>),
    /// Not at all: [`TrackerError::NoUdp`].
    Off,
}

/// Carries datagrams, in place of sockets: the relay of a proxy, for one.
pub trait UdpRelay: Debug + Send + Sync + 'static {
    /// A conversation with one tracker; `None` when the relay carries no datagrams, now and later.
    fn open(&self) -> Option<Box<dyn UdpConversation>>;
}

/// A conversation with one tracker. Dropped, it ends.
pub trait UdpConversation: Debug + Send + Sync {
    /// Sends a request, or loses it: the network may lose it just as well.
    fn send(&self, to: UdpTarget<'_>, request: &[u8]);

    /// A response to one of the requests, by its transaction id (bytes 4 to 7), and who sent it. Only one task asks.
    ///
    /// # Errors
    ///
    /// When there will be none.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(SocketAddr, Bytes)>>;
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `#[non_exhaustive]`: an implementation has to know each.
#[expect(clippy::exhaustive_enums, reason = "a relay has to know each")]
pub enum UdpTarget<'a> {
    /// An address.
    Addr(SocketAddr),
    /// A host name and a port.
    Name(&'a str, u16),
}

/// What one tracker is talked to by.
#[derive(Debug)]
pub(super) enum Socket {
    /// A connected socket: the system drops what others send, and reports an unreachable tracker.
    System(UdpSocket, SocketAddr),
    Relayed(Box<dyn UdpConversation>, SocketAddr),
}

impl Socket {
    pub(super) async fn open(
        route: &UdpRoute,
        remote: SocketAddr,
        interface: Option<&Interface>,
    ) -> Result<Self, TrackerError> {
        match route {
            UdpRoute::Sockets => {
                let socket = connect(remote, interface).await;
                let socket =
                    socket.map_err(|error| TrackerError::io("open a UDP socket", &error))?;
                Ok(Self::System(socket, remote))
            }
            UdpRoute::Relay(relay) => {
                let conversation = relay.open().ok_or(TrackerError::NoUdp)?;
                Ok(Self::Relayed(conversation, remote))
            }
            UdpRoute::Off => Err(TrackerError::NoUdp),
        }
    }

    pub(super) async fn send(&self, datagram: &[u8]) -> io::Result<()> {
        match self {
            Self::System(socket, _) => socket.send(datagram).await.map(drop),
            Self::Relayed(conversation, remote) => {
                conversation.send(UdpTarget::Addr(*remote), datagram);
                Ok(())
            }
        }
    }

    /// The next datagram and its sender. What does not fit `buf` is cut off.
    pub(super) async fn receive(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match self {
            Self::System(socket, remote) => {
                let len = socket.recv(buf).await?;
                Ok((len, *remote))
            }
            Self::Relayed(conversation, _) => {
                let (from, datagram) =
                    poll_fn(|context| conversation.poll_receive(context)).await?;
                let len = datagram.len().min(buf.len());
                buf[..len].copy_from_slice(&datagram[..len]);
                Ok((len, from))
            }
        }
    }
}

async fn connect(remote: SocketAddr, interface: Option<&Interface>) -> io::Result<UdpSocket> {
    let local: SocketAddr = match remote {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let domain = Domain::for_address(local);
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    match interface {
        Some(interface) => interface.bind(&socket, local)?,
        None => socket.bind(&local.into())?,
    }
    let socket = UdpSocket::from_std(socket.into())?;
    socket.connect(remote).await?;
    Ok(socket)
}
