//! The sockets of the session's UDP port: one for each address family, or the memory of a test.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tailwater_types::ports::{self, Families};
use tailwater_utp::Transmit;
use tailwater_utp::driver::{Datagrams, ReceiveBuffer, UdpDatagrams};

use super::Network;
#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryDatagrams;

/// Calls of the system in one turn, for each family: then connections get theirs.
const CALLS_A_TURN: usize = 4;

/// The sockets of a port.
#[derive(Debug)]
pub(super) enum PortSockets {
    /// One for each address family.
    System(Families<UdpDatagrams>),
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryDatagrams),
}

/// The memory to receive into.
#[derive(Debug, Default)]
pub(super) struct PortBuffer(ReceiveBuffer);

impl PortSockets {
    pub(super) fn bind(network: &Network, addr: Option<SocketAddr>) -> io::Result<Self> {
        match network {
            Network::System => {
                let port = |socket: &UdpDatagrams| socket.local_addr().map(|addr| addr.port());
                ports::open_families(addr, UdpDatagrams::bind, port).map(Self::System)
            }
            #[cfg(any(test, feature = "memory-network"))]
            Network::Memory(host) => {
                let bound = host.datagrams(addr.map(|addr| addr.port()));
                bound.map(Self::Memory)
            }
        }
    }

    /// The address of a family's socket.
    pub(super) fn local_addr(&self, v4: bool) -> Option<SocketAddr> {
        match self {
            Self::System(Families { v4: four, v6: six }) => {
                let socket = if v4 { four } else { six };
                socket.as_ref()?.local_addr().ok()
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => {
                let addr = datagrams.addr();
                (addr.is_ipv4() == v4).then_some(addr)
            }
        }
    }

    fn of(sockets: &Families<UdpDatagrams>, to: SocketAddr) -> io::Result<&UdpDatagrams> {
        let socket = match to {
            SocketAddr::V4(_) => sockets.v4.as_ref(),
            SocketAddr::V6(_) => sockets.v6.as_ref(),
        };
        socket.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// Waits until something can be received.
    pub(super) async fn readable(&self) {
        async fn one(socket: Option<&UdpDatagrams>) {
            match socket {
                // Failed: the runtime shuts down, and there will be no more.
                Some(socket) if socket.readable().await.is_ok() => {}
                _ => std::future::pending().await,
            }
        }
        match self {
            Self::System(sockets) => tokio::select! {
                () = one(sockets.v4.as_ref()) => {}
                () = one(sockets.v6.as_ref()) => {}
            },
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.readable().await,
        }
    }

    /// Receives what there is; says whether anything came but errors. Those of earlier datagrams (ICMP) are passed over.
    pub(super) fn receive(
        &self,
        buffer: &mut PortBuffer,
        mut handle: impl FnMut(SocketAddr, &[u8], usize),
    ) -> bool {
        match self {
            Self::System(sockets) => {
                let (mut has_received, mut has_failed) = (false, false);
                for socket in [&sockets.v4, &sockets.v6].into_iter().flatten() {
                    for _ in 0..CALLS_A_TURN {
                        let mut is_empty = true;
                        let received = socket.try_receive(&mut buffer.0, |from, run, len| {
                            is_empty = false;
                            handle(from, run, len);
                        });
                        has_received |= !is_empty;
                        has_failed |= received.is_err();
                        if is_empty {
                            break;
                        }
                    }
                }
                has_received || !has_failed
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => {
                let _ = buffer;
                datagrams.receive_all(|from, datagram| handle(from, datagram, datagram.len()));
                true
            }
        }
    }

    /// Sends one datagram; one that cannot be sent is lost, as it may be on its way.
    pub(super) async fn send(&self, to: SocketAddr, payload: &[u8]) {
        match self {
            Self::System(sockets) => {
                if let Ok(socket) = Self::of(sockets, to) {
                    let _ = socket.send_to(to, payload).await;
                }
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.send_now(to, payload),
        }
    }
}

impl Datagrams for PortSockets {
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self {
            Self::System(sockets) => Self::of(sockets, transmit.destination)?.try_send(transmit),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => {
                for datagram in transmit.datagrams() {
                    datagrams.send_now(transmit.destination, datagram);
                }
                Ok(())
            }
        }
    }

    fn poll_send_ready(&self, context: &mut Context<'_>, to: SocketAddr) -> Poll<io::Result<()>> {
        match self {
            Self::System(sockets) => Self::of(sockets, to)?.poll_send_ready(context, to),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => {
                let _ = context;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn max_segments(&self) -> usize {
        match self {
            Self::System(Families { v4, v6 }) => {
                let sockets = [v4, v6].into_iter().flatten();
                sockets.map(Datagrams::max_segments).min().unwrap_or(1)
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => 1,
        }
    }
}
