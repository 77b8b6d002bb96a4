//! The events of a simulation, and the ids in them.

use std::net::SocketAddr;

/// A host of one [`Network`](crate::Network).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) u32);

impl HostId {
    /// The index of the host: hosts are counted from 0 in the order in which they were added.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

/// One end of a stream connection. The two ends have different ids.
///
/// An id is never used twice; using it after its connection has ended is harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// Something that happens to a host at a moment of simulated time.
///
/// ```text
/// connect() ──► Connected ──► (Data | Writable)* ──► Closed
///     │                                    ▲
///     └───────► Refused       Accepted ────┘
/// ```
///
/// Nothing is reported to an end that has called [`Network::close`](crate::Network::close).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection that the host began is established.
    Connected {
        /// The host that called `connect`.
        host: HostId,
        /// Its end.
        conn: ConnId,
    },
    /// No node accepts at the address; the id is spent.
    Refused {
        /// The host that called `connect`.
        host: HostId,
        /// What `connect` returned.
        conn: ConnId,
    },
    /// Another host has connected to this one.
    Accepted {
        /// The host that was connected to.
        host: HostId,
        /// Its end.
        conn: ConnId,
        /// The other's IP address, and a port that is not the one it accepts on.
        from: SocketAddr,
    },
    /// Bytes have arrived, in order.
    Data {
        /// The host that receives.
        host: HostId,
        /// Its end.
        conn: ConnId,
        /// What arrived, never empty.
        bytes: Vec<u8>,
    },
    /// There is room again after [`Network::send`](crate::Network::send) accepted less than it was given.
    Writable {
        /// The host that wanted to send.
        host: HostId,
        /// Its end.
        conn: ConnId,
    },
    /// The other end has closed, and everything that it sent has been delivered; the id is spent.
    Closed {
        /// The host that is told.
        host: HostId,
        /// What was its end.
        conn: ConnId,
    },
    /// A datagram has arrived.
    Datagram {
        /// The host that receives.
        host: HostId,
        /// The address of the sender.
        from: SocketAddr,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// A timer is due.
    Timer {
        /// The host that set it.
        host: HostId,
        /// What it was set with.
        token: u64,
    },
}

impl Event {
    /// The host that it happens to.
    #[must_use]
    pub const fn host(&self) -> HostId {
        match *self {
            Self::Connected { host, .. }
            | Self::Refused { host, .. }
            | Self::Accepted { host, .. }
            | Self::Data { host, .. }
            | Self::Writable { host, .. }
            | Self::Closed { host, .. }
            | Self::Datagram { host, .. }
            | Self::Timer { host, .. } => host,
        }
    }
}
