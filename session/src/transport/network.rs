//! The network that connections and datagrams use: the system's sockets, or the memory of a test.

use std::io;
use std::net::{IpAddr, SocketAddr};

#[cfg(any(test, feature = "memory-network"))]
use super::memory::MemoryHost;
use super::{Carrier, Listener, Stream, Uplink, tcp};

/// The network of a session.
#[derive(Clone, Debug)]
pub(crate) enum Network {
    /// The system's sockets, by a link.
    System(Uplink),
    /// A host of a [`MemoryNetwork`](crate::memory_network::MemoryNetwork).
    #[cfg(any(test, feature = "memory-network"))]
    Memory(MemoryHost),
}

impl Default for Network {
    fn default() -> Self {
        Self::System(Uplink::default())
    }
}

impl Network {
    /// The link that its sockets are bound to.
    pub(crate) fn link(&self) -> Uplink {
        match self {
            Self::System(link) => link.clone(),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(_) => Uplink::default(),
        }
    }

    /// Opens the listening port.
    ///
    /// # Errors
    ///
    /// When the address is taken or not ours.
    pub(crate) fn listen(&self, addr: Option<SocketAddr>) -> io::Result<Listener> {
        match self {
            Self::System(link) => Listener::bind(addr, link),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(host) => host
                .listen(addr.map(|addr| addr.port()))
                .map(Listener::Memory),
        }
    }

    pub(super) async fn connect(
        &self,
        addr: SocketAddr,
        from: Option<IpAddr>,
    ) -> io::Result<Stream> {
        let carrier = match self {
            Self::System(link) => tcp::connect(addr, from, link).await.map(Carrier::Tcp),
            #[cfg(any(test, feature = "memory-network"))]
            Self::Memory(host) => host.connect(addr).await.map(Carrier::Memory),
        };
        carrier.map(Stream::from)
    }
}
