//! The rules of the protocol that a peer can break, and the consequences.

use std::time::Duration;

use tailwater_metainfo::{BitfieldError, GeometryError};
use tailwater_wire::WireError;

/// A rule that a peer broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// Its bytes are not messages.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A piece or range that the torrent does not have.
    #[error("{message}: {error}")]
    OutOfRange {
        /// The message that named it.
        message: &'static str,
        /// What is wrong with it.
        error: GeometryError,
    },
    /// A bitfield of the wrong size, or with spare bits set.
    #[error("{0}")]
    Bitfield(#[from] BitfieldError),
    /// A message of the fast extension, which was not agreed on (BEP 6).
    #[error("{0} without the fast extension")]
    FastNotAgreed(&'static str),
    /// A block that was never requested.
    #[error("an unrequested block of piece {piece}")]
    UnrequestedBlock {
        /// The piece it claims to be of.
        piece: u32,
    },
    /// A request for more than [`MAX_REQUEST_LEN`](super::MAX_REQUEST_LEN) bytes.
    #[error("a request for {0} bytes")]
    RequestTooLong(u32),
    /// More requests waiting than we said that we queue.
    #[error("more than {0} requests at once")]
    RequestFlood(usize),
    /// More requests while choked than may be on their way by mistake.
    #[error("more than {0} requests while choked")]
    RequestsWhileChoked(usize),
    /// Hashes that were not asked for.
    #[error("hashes that were not asked for")]
    UnrequestedHashes,
    /// More or fewer hashes than were asked for, with their proof.
    #[error("{found} hashes instead of {expected}")]
    HashCount {
        /// How many came.
        found: usize,
        /// How many the request and its proof have.
        expected: u32,
    },
    /// Hashes that do not lead to the root of their file.
    #[error("false hashes")]
    FalseHashes,
    /// Nothing was received for too long.
    #[error("silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// A message began and did not end.
    #[error("a message was not finished within {} s", .0.as_secs())]
    SlowMessage(Duration),
}

/// The consequence of a [`Violation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Consequence {
    /// The connection ends; the address may be tried again later.
    Disconnect,
    /// The connection ends and the address is not used again.
    Ban,
}

impl Violation {
    /// Every violation has one consequence. Only what no honest client does by mistake is answered with a ban.
    #[must_use]
    pub const fn consequence(&self) -> Consequence {
        match self {
            Self::RequestFlood(_) | Self::RequestTooLong(_) | Self::FalseHashes => Consequence::Ban,
            Self::Wire(_)
            | Self::OutOfRange { .. }
            | Self::Bitfield(_)
            | Self::FastNotAgreed(_)
            | Self::UnrequestedBlock { .. }
            | Self::RequestsWhileChoked(_)
            | Self::UnrequestedHashes
            | Self::HashCount { .. }
            | Self::Silent(_)
            | Self::SlowMessage(_) => Consequence::Disconnect,
        }
    }
}
