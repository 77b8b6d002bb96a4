//! The sources of peers' addresses. Which addresses a source can know, `tailwater-types` says.

pub(crate) use tailwater_types::address::{Scope, can_name, is_usable};

/// The source of a peer's address, the most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum PeerSource {
    /// Named by the user; tried for ever.
    User,
    /// Named by the magnet link (`x.pe`); tried for ever.
    Magnet,
    /// A peer of the local network named itself (BEP 14).
    Local,
    /// A tracker.
    Tracker,
    /// It connected to us and told its listening port.
    Incoming,
    /// A node of the DHT named it (BEP 5).
    Dht,
    /// A peer named it (BEP 11).
    Exchange,
    /// A relay told us to connect to it there and then (BEP 55); tried once.
    Holepunch,
}

impl PeerSource {
    /// Whether a private torrent may connect to what comes from there (BEP 27): its tracker is the only stranger that
    /// may name peers. A peer that connects to us is accepted, because the tracker told it of us, but it is not connected to
    /// later.
    #[must_use]
    pub const fn allowed_in_private(self) -> bool {
        match self {
            Self::User | Self::Tracker => true,
            Self::Magnet
            | Self::Local
            | Self::Incoming
            | Self::Dht
            | Self::Exchange
            | Self::Holepunch => false,
        }
    }

    /// Whether the user chose the address.
    pub(crate) const fn is_named(self) -> bool {
        matches!(self, Self::User | Self::Magnet)
    }

    /// Whether an address from there is worth another try when it has failed.
    pub(crate) const fn is_retried(self) -> bool {
        !matches!(self, Self::Holepunch)
    }
}
