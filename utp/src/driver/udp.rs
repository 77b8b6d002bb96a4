//! Datagrams over a UDP socket, with the system's offloads.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use super::datagrams::Datagrams;
use super::receiver::Receiver;
use crate::Transmit;

/// What the system is asked to buffer, in bytes each way; it may give less. A few batches of segments.
const SYSTEM_BUFFER: usize = 4 * 1024 * 1024;

/// Datagrams, or runs of them (GRO), that are received with one call.
const BATCH: usize = 16;

/// Room for one of these, in bytes.
const RECEIVE_LEN: usize = 64 * 1024;

/// The pause after an error that is not of a datagram: it must not keep a processor busy.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(10);

/// The memory for what one call receives: 1 MiB.
#[derive(Debug)]
pub struct ReceiveBuffer(Vec<u8>);

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self(vec![0; BATCH * RECEIVE_LEN])
    }
}

/// A UDP socket that sends many datagrams with one call (GSO) and receives many with one (GRO, `recvmmsg`), where the
/// system can.
#[derive(Debug)]
pub struct UdpDatagrams {
    socket: UdpSocket,
    state: UdpSocketState,
    is_ipv4: bool,
}

impl UdpDatagrams {
    /// Binds a socket. An IPv6 address takes no IPv4 datagrams.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        Self::new(UdpSocket::from_std(socket.into())?)
    }

    /// Takes a socket, and has the system give it more room to buffer.
    ///
    /// # Errors
    ///
    /// When its options cannot be set.
    pub fn new(socket: UdpSocket) -> io::Result<Self> {
        let options = SockRef::from(&socket);
        // The system gives what it can.
        let _ = options.set_recv_buffer_size(SYSTEM_BUFFER);
        let _ = options.set_send_buffer_size(SYSTEM_BUFFER);
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let is_ipv4 = socket.local_addr()?.is_ipv4();
        let datagrams = Self {
            socket,
            state,
            is_ipv4,
        };
        datagrams.set_fragmentation(true)?;
        Ok(datagrams)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// When the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Receives for as long as the socket lives.
    pub(super) async fn run(self: Arc<Self>, mut receiver: Receiver) {
        let mut buffer = ReceiveBuffer::default();
        loop {
            let received = match self.readable().await {
                Ok(()) => self.try_receive(&mut buffer, |from, contents, len| {
                    receiver.handle(from, contents, len);
                }),
                Err(error) => Err(error),
            };
            match received {
                Ok(()) => receiver.flush(),
                Err(_) => tokio::time::sleep(PAUSE_AFTER_ERROR).await,
            }
            // While datagrams keep coming, nothing above makes way for other tasks.
            tokio::task::coop::consume_budget().await;
        }
    }

    /// Waits until datagrams can be received. It may be wrong about that.
    ///
    /// # Errors
    ///
    /// When the runtime ends.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Sends one datagram, and waits for room in the system's buffer.
    ///
    /// # Errors
    ///
    /// When the system does not take it.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the datagram may not have been sent.
    pub async fn send_to(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.socket.send_to(datagram, to).await.map(drop)
    }

    /// Receives the datagrams that one call of the system returns, if there are any. `handle` gets them in runs: the sender,
    /// one datagram behind the other, and the length of each but the last one (GRO).
    ///
    /// # Errors
    ///
    /// Those of the system, also such as tell of an earlier datagram that did not arrive (ICMP).
    pub fn try_receive(
        &self,
        buffer: &mut ReceiveBuffer,
        mut handle: impl FnMut(SocketAddr, &[u8], usize),
    ) -> io::Result<()> {
        let mut slices = buffer.0.chunks_mut(RECEIVE_LEN).map(IoSliceMut::new);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let mut metas = [RecvMeta::default(); BATCH];
        let mut count = 0;
        let received = self.socket.try_io(Interest::READABLE, || {
            let socket = UdpSockRef::from(&self.socket);
            count = self.state.recv(socket, &mut slices, &mut metas)?;
            if count < BATCH {
                // There are no more: said here, it saves the call that finds it out.
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        match received {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        for (meta, slice) in metas.iter().zip(&slices).take(count) {
            let contents = slice.get(..meta.len).unwrap_or_default();
            handle(meta.addr, contents, meta.stride);
        }
        Ok(())
    }

    /// Whether routers may fragment what is sent from now on.
    #[cfg(target_os = "linux")]
    fn set_fragmentation(&self, is_allowed: bool) -> io::Result<()> {
        use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};
        // IPv6's routers never do.
        if self.is_ipv4 {
            let mode = if is_allowed {
                Ipv4PathMtuDiscovery::DONT
            } else {
                Ipv4PathMtuDiscovery::PROBE
            };
            set_ip_mtu_discover(&self.socket, mode)?;
        }
        Ok(())
    }

    /// Elsewhere no datagram is fragmented, where the system can be told.
    #[cfg(not(target_os = "linux"))]
    fn set_fragmentation(&self, _is_allowed: bool) -> io::Result<()> {
        let _ = self.is_ipv4;
        Ok(())
    }

    fn send(&self, destination: SocketAddr, contents: &[u8], segment: usize) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: (segment < contents.len()).then_some(segment),
            src_ip: None,
        };
        self.socket.try_io(Interest::WRITABLE, || {
            let socket = UdpSockRef::from(&self.socket);
            self.state.try_send(socket, &transmit)
        })
    }
}

impl Datagrams for UdpDatagrams {
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let (to, len) = (transmit.destination, transmit.segment_len);
        if transmit.dont_fragment {
            // Other datagrams that are sent meanwhile are not fragmented either, which does them no harm.
            self.set_fragmentation(false)?;
            let sent = self.send(to, transmit.contents, len);
            self.set_fragmentation(true)?;
            return sent;
        }
        match self.send(to, transmit.contents, len) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                // The network card may not know how to segment: one by one then, from now on.
                for datagram in transmit.datagrams() {
                    self.send(to, datagram, len)?;
                }
                Ok(())
            }
            sent => sent,
        }
    }

    fn poll_send_ready(&self, context: &mut Context<'_>, _to: SocketAddr) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(context)
    }

    fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }
}
