//! The socket of one multicast group.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tailwater_wire::{LocalAnnounce, LsdGroup};
use tokio::net::UdpSocket;

use super::interfaces::Surroundings;
use crate::transport::Uplink;

/// Routers that an announce may pass. BEP 14 has it more than none, as the groups are those of a site; what is further away
/// is no neighbour.
const HOPS: u32 = 4;

/// One socket for all interfaces: several would each receive everything, as membership is the machine's, not the
/// socket's, on most systems.
#[derive(Debug)]
pub(super) struct Group {
    socket: UdpSocket,
    group: LsdGroup,
}

impl Group {
    /// Binds the group's port, which other clients have as well.
    ///
    /// # Errors
    ///
    /// When the machine lacks the family, or another program has the port for itself.
    pub(super) fn open(group: LsdGroup, link: &Uplink) -> io::Result<Self> {
        let addr = group.addr();
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_reuse_address(true)?;
        #[cfg(all(unix, not(any(target_os = "solaris", target_os = "illumos"))))]
        socket.set_reuse_port(true)?;
        socket.set_nonblocking(true)?;
        if let Some(interface) = link.interface() {
            interface.bind_device(&socket)?;
        }
        // Bound to no address in particular: not every system can bind a group's. Packets that were sent to us alone
        // are told apart by their sender.
        match group {
            LsdGroup::V4 => {
                socket.set_multicast_ttl_v4(HOPS)?;
                socket.set_multicast_loop_v4(true)?;
                socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, addr.port())).into())?;
            }
            LsdGroup::V6 => {
                socket.set_only_v6(true)?;
                socket.set_multicast_hops_v6(HOPS)?;
                socket.set_multicast_loop_v6(true)?;
                socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, addr.port())).into())?;
            }
        }
        let socket = UdpSocket::from_std(socket.into())?;
        Ok(Self { socket, group })
    }

    /// Joins the group on every interface. Where that fails, announces are not received.
    pub(super) fn join(&self, around: &Surroundings) {
        let told = |interface: &dyn std::fmt::Debug, joined: io::Result<()>| match joined {
            // It has been joined before.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => tracing::debug!(?interface, "no local discovery: {error}"),
            Ok(()) => tracing::debug!(?interface, "local discovery listens"),
        };
        match self.group {
            LsdGroup::V4 => {
                for (_, addr) in &around.v4 {
                    let joined = self.socket.join_multicast_v4(LsdGroup::IPV4, *addr);
                    told(addr, joined);
                }
            }
            LsdGroup::V6 => {
                for index in &around.v6 {
                    let joined = self.socket.join_multicast_v6(&LsdGroup::IPV6, *index);
                    told(index, joined);
                }
            }
        }
    }

    /// Sends an announce out of every interface. A packet that cannot leave at once is lost, as any datagram may be.
    pub(super) fn send(&self, announce: &LocalAnnounce, around: &Surroundings) {
        let packet = match announce.encode(self.group) {
            Ok(packet) => packet,
            Err(error) => return tracing::warn!("local discovery: {error}"),
        };
        // Not tokio's way to send: that waits until the socket can be written to.
        let socket = SockRef::from(&self.socket);
        let send = |chosen: io::Result<()>| {
            chosen.and_then(|()| socket.send_to(&packet, &self.group.addr().into()))
        };
        match self.group {
            LsdGroup::V4 => {
                for (_, addr) in &around.v4 {
                    note(addr, send(socket.set_multicast_if_v4(addr)));
                }
            }
            LsdGroup::V6 => {
                for index in &around.v6 {
                    note(index, send(socket.set_multicast_if_v6(*index)));
                }
            }
        }
    }

    /// The next packet: its length and its sender.
    ///
    /// # Errors
    ///
    /// When the socket is of no use any more.
    pub(super) async fn receive(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.recv_from(buf).await
    }
}

fn note(interface: &dyn std::fmt::Debug, sent: io::Result<usize>) {
    match sent {
        Ok(len) => tracing::trace!(?interface, len, "local discovery announces"),
        Err(error) => tracing::debug!(?interface, "a local announce did not leave: {error}"),
    }
}
