//! The sockets of the session's UDP port: one for each address family, or the memory of a test.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::{Mutex, RwLock};
use socket2::{Domain, Protocol, Socket, Type};
use tailwater_types::ports::{self, Families};
use tailwater_utp::Transmit;
use tailwater_utp::driver::{Datagrams, ReceiveBuffer, UdpDatagrams};
use tokio::net::UdpSocket;

#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryDatagrams;
use super::{Network, Relay, Uplink};

/// Calls of the system in one turn, for each family: then connections get theirs.
const CALLS_A_TURN: usize = 4;

/// What a turn of receiving has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is nothing more.
    Drained,
    /// There may be more.
    More,
    /// Nothing but errors.
    Failed,
}

/// The sockets of a port.
#[derive(Debug)]
pub(super) enum PortSockets {
    /// The system's.
    System(SystemSockets),
    /// The relay of a proxy.
    Relayed(Arc<Relay>),
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryDatagrams),
}

/// One socket for each address family, opened anew whenever the network interface changes.
#[derive(Debug)]
pub(super) struct SystemSockets {
    sockets: RwLock<Arc<Families<UdpDatagrams>>>,
    /// The address to open, with its port.
    addr: SocketAddr,
    link: Uplink,
    /// The task that waits to send more.
    sender: Mutex<Option<Waker>>,
}

impl SystemSockets {
    fn bind(addr: Option<SocketAddr>, link: &Uplink) -> io::Result<Self> {
        let sockets = open(addr, link)?;
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
        let opened = [&sockets.v4, &sockets.v6].into_iter().flatten().next();
        let port = opened.map(UdpDatagrams::local_addr).transpose()?;
        let port = port.map_or(0, |addr| addr.port());
        Ok(Self {
            sockets: RwLock::new(Arc::new(sockets)),
            addr: SocketAddr::new(addr.unwrap_or(any).ip(), port),
            link: link.clone(),
            sender: Mutex::default(),
        })
    }

    fn now(&self) -> Arc<Families<UdpDatagrams>> {
        Arc::clone(&self.sockets.read())
    }

    /// Opens them on the interface as it is now.
    fn reopen(&self) -> io::Result<()> {
        let none = Families { v4: None, v6: None };
        // The old ones first, which have the port.
        *self.sockets.write() = Arc::new(none);
        *self.sockets.write() = Arc::new(open(Some(self.addr), &self.link)?);
        if let Some(waker) = self.sender.lock().take() {
            waker.wake();
        }
        Ok(())
    }
}

fn open(addr: Option<SocketAddr>, link: &Uplink) -> io::Result<Families<UdpDatagrams>> {
    let port = |socket: &UdpDatagrams| socket.local_addr().map(|addr| addr.port());
    ports::open_families(addr, |addr| open_one(addr, link), port)
}

fn open_one(addr: SocketAddr, link: &Uplink) -> io::Result<UdpDatagrams> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    link.bind_port(&socket, addr)?;
    UdpDatagrams::new(UdpSocket::from_std(socket.into())?)
}

/// The memory to receive into.
#[derive(Debug, Default)]
pub(super) struct PortBuffer(ReceiveBuffer);

impl PortSockets {
    pub(super) fn bind(network: &Network, addr: Option<SocketAddr>) -> io::Result<Self> {
        match network {
            Network::System(link) => SystemSockets::bind(addr, link).map(Self::System),
            #[cfg(any(test, feature = "memory-network"))]
            Network::Memory(host) => {
                let bound = host.datagrams(addr.map(|addr| addr.port()));
                bound.map(Self::Memory)
            }
        }
    }

    /// Whether datagrams are carried, or may be soon.
    pub(super) fn may_carry(&self) -> bool {
        match self {
            Self::Relayed(relay) => relay.may_carry(),
            _ => true,
        }
    }

    /// Opens the port on the network interface as it is now.
    pub(super) fn reopen(&self) -> io::Result<()> {
        match self {
            Self::System(sockets) => sockets.reopen(),
            _ => Ok(()),
        }
    }

    /// The address of a family's socket. Where a relay's datagrams come from is not known, and it stands for IPv4.
    pub(super) fn local_addr(&self, v4: bool) -> Option<SocketAddr> {
        match self {
            Self::System(sockets) => {
                let sockets = sockets.now();
                let socket = if v4 { &sockets.v4 } else { &sockets.v6 };
                socket.as_ref()?.local_addr().ok()
            }
            Self::Relayed(_) => v4.then_some((Ipv4Addr::UNSPECIFIED, 0).into()),
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
            Self::System(sockets) => {
                let sockets = sockets.now();
                tokio::select! {
                    () = one(sockets.v4.as_ref()) => {}
                    () = one(sockets.v6.as_ref()) => {}
                }
            }
            Self::Relayed(relay) => relay.readable().await,
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.readable().await,
        }
    }

    /// Receives what there is, as much as makes one turn. Errors of earlier datagrams (ICMP) are passed over.
    pub(super) fn receive(
        &self,
        buffer: &mut PortBuffer,
        mut handle: impl FnMut(SocketAddr, &[u8], usize),
    ) -> Turn {
        match self {
            Self::System(sockets) => {
                let sockets = sockets.now();
                let (mut has_received, mut has_failed) = (false, false);
                let mut is_drained = true;
                for socket in [&sockets.v4, &sockets.v6].into_iter().flatten() {
                    let mut is_socket_drained = false;
                    for _ in 0..CALLS_A_TURN {
                        let mut is_empty = true;
                        let received = socket.try_receive(&mut buffer.0, |from, run, len| {
                            is_empty = false;
                            handle(from, run, len);
                        });
                        has_received |= !is_empty;
                        has_failed |= received.is_err();
                        is_socket_drained = is_empty;
                        if is_empty {
                            break;
                        }
                    }
                    is_drained &= is_socket_drained;
                }
                match is_drained {
                    _ if has_failed && !has_received => Turn::Failed,
                    true => Turn::Drained,
                    false => Turn::More,
                }
            }
            Self::Relayed(relay) => {
                for _ in 0..CALLS_A_TURN {
                    let mut is_empty = true;
                    let received = relay.try_receive(&mut buffer.0, |from, payload| {
                        is_empty = false;
                        handle(from, payload, payload.len());
                    });
                    if received.is_err() {
                        return Turn::Failed;
                    }
                    if is_empty {
                        return Turn::Drained;
                    }
                }
                Turn::More
            }
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => {
                let _ = buffer;
                datagrams.receive_all(|from, datagram| handle(from, datagram, datagram.len()));
                Turn::Drained
            }
        }
    }

    /// Sends one datagram; one that cannot be sent is lost, as it may be on its way.
    pub(super) async fn send(&self, to: SocketAddr, payload: &[u8]) {
        match self {
            Self::System(sockets) => {
                if let Ok(socket) = Self::of(&sockets.now(), to) {
                    let _ = socket.send_to(to, payload).await;
                }
            }
            Self::Relayed(relay) => relay.send(to, payload).await,
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(datagrams) => datagrams.send_now(to, payload),
        }
    }
}

impl PortSockets {
    /// Sends one datagram now, or loses it.
    pub(super) fn send_now(&self, to: SocketAddr, payload: &[u8]) {
        // Lost, as it may be on its way.
        let _ = self.try_send(&Transmit::new(to, payload, payload.len()));
    }

    /// Sends one datagram now to a host that a relay resolves, or loses it; without a relay it is lost.
    pub(super) fn send_named(&self, host: &str, port: u16, payload: &[u8]) {
        if let Self::Relayed(relay) = self {
            relay.send_named(host, port, payload);
        }
    }
}

impl Datagrams for PortSockets {
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match self {
            Self::System(sockets) => {
                let sockets = sockets.sockets.read();
                Self::of(&sockets, transmit.destination)?.try_send(transmit)
            }
            Self::Relayed(relay) => relay.try_send(transmit),
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
            Self::System(sockets) => {
                if sockets.link.interface().is_some() {
                    *sockets.sender.lock() = Some(context.waker().clone());
                }
                Self::of(&sockets.now(), to)?.poll_send_ready(context, to)
            }
            Self::Relayed(relay) => relay.poll_send_ready(context, to),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => {
                let _ = context;
                Poll::Ready(Ok(()))
            }
        }
    }

    fn max_segments(&self) -> usize {
        match self {
            Self::System(sockets) => {
                let sockets = sockets.now();
                let sockets = [&sockets.v4, &sockets.v6].into_iter().flatten();
                sockets.map(Datagrams::max_segments).min().unwrap_or(1)
            }
            Self::Relayed(relay) => relay.max_segments(),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => 1,
        }
    }
}
