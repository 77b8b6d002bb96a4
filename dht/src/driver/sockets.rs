//! A node's own UDP sockets.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, Socket, Type};
use tailwater_types::ports::{self, Families};
use tokio::net::UdpSocket;

use super::datagrams::{DatagramBatch, Datagrams, MAX_BATCH_LEN};
use crate::Family;

/// The sockets of a node, one for each network that it is in.
#[derive(Debug, Default)]
// Not `#[non_exhaustive]`: there are two families.
pub struct Sockets {
    /// For IPv4.
    pub v4: Option<UdpSocket>,
    /// For IPv6. It must not take IPv4 datagrams too.
    pub v6: Option<UdpSocket>,
}

impl From<UdpSocket> for Sockets {
    fn from(socket: UdpSocket) -> Self {
        match socket.local_addr() {
            Ok(addr) if Family::of(&addr) == Family::V6 => Self {
                v4: None,
                v6: Some(socket),
            },
            _ => Self {
                v4: Some(socket),
                v6: None,
            },
        }
    }
}

impl Datagrams for Sockets {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        let socket = match family {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        };
        socket?.local_addr().ok()
    }

    async fn receive(&self, batch: &mut DatagramBatch) {
        tokio::select! {
            () = readable(self.v4.as_ref()) => {}
            () = readable(self.v6.as_ref()) => {}
        }
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            take(socket, batch);
        }
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
        let socket = match Family::of(&to) {
            Family::V4 => self.v4.as_ref(),
            Family::V6 => self.v6.as_ref(),
        };
        if let Some(socket) = socket {
            Datagrams::send(socket, to, payload).await;
        }
    }
}

impl Datagrams for UdpSocket {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        let addr = Self::local_addr(self).ok()?;
        (Family::of(&addr) == family).then_some(addr)
    }

    async fn receive(&self, batch: &mut DatagramBatch) {
        readable(Some(self)).await;
        take(self, batch);
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
        // A datagram may be lost on its way, and may just as well be lost here.
        let _ = self.send_to(payload, to).await;
    }
}

async fn readable(socket: Option<&UdpSocket>) {
    match socket {
        Some(socket) => {
            if socket.readable().await.is_err() {
                // The runtime shuts down: there will be no more.
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}

/// Drains the socket into the batch, so that a burst does not pass through the node's task one by one.
fn take(socket: &UdpSocket, batch: &mut DatagramBatch) {
    // Bounded by attempts, not by datagrams: errors must not keep it in this loop.
    for _ in 0..MAX_BATCH_LEN {
        if batch.is_full() {
            return;
        }
        match batch.push_with(|space| socket.try_recv_from(space)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // An error tells of an earlier datagram that did not arrive (ICMP): its query will time out.
            Ok(()) | Err(_) => {}
        }
    }
}

impl Sockets {
    /// Binds a node's UDP sockets.
    ///
    /// | `addr` | families | port |
    /// |---|---|---|
    /// | `None` | both | 6881 or the next free one of 32, else any; the same one for both |
    /// | `[::]:port` | both | that one; 0 for any |
    /// | another IPv6 address | IPv6 | that one |
    /// | an IPv4 address | IPv4 | that one |
    ///
    /// Where both are asked for and the machine lacks one, the other is enough.
    ///
    /// # Errors
    ///
    /// When the address or the port cannot be had.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn bind(addr: Option<SocketAddr>) -> io::Result<Self> {
        let port = |socket: &UdpSocket| socket.local_addr().map(|addr| addr.port());
        let Families { v4, v6 } = ports::open_families(addr, bind_one, port)?;
        Ok(Self { v4, v6 })
    }
}

fn bind_one(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        // Not all systems agree on the default, and the other family has a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    UdpSocket::from_std(socket.into())
}
