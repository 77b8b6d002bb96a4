//! The inputs and outputs of the fetcher.

use super::MAX_METADATA_LEN;
use super::fetcher::{MAX_REJECTS, STALLED_AFTER};

/// A connection of a fetch, by a number that its driver gives to no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number and nothing else")]
pub struct LinkKey(pub u64);

/// An output of the fetcher: what its driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle every one: what is new breaks it on purpose"
)]
pub enum Output {
    /// Request a block from a peer (BEP 9 calls it a piece).
    Request {
        /// Which one.
        peer: LinkKey,
        /// Block, from 0.
        block: u32,
    },
    /// Close a connection; the fetcher has forgotten the peer already.
    Drop {
        /// Whose.
        peer: LinkKey,
        /// Why.
        reason: DropReason,
    },
    /// The fetch is complete: the info dictionary, with the right hash. Nothing comes after it.
    Complete(Vec<u8>),
}

/// Why the fetcher drops a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// It claims a size beyond [`MAX_METADATA_LEN`](super::MAX_METADATA_LEN), or none.
    #[error("it claims metadata of {0} bytes, and at most {MAX_METADATA_LEN} are believed")]
    Size(u32),
    /// It claimed two different sizes.
    #[error("it claims metadata of {now} bytes after {before}")]
    Inconsistent {
        /// The size before.
        before: u32,
        /// The size now.
        now: u32,
    },
    /// It sent a block that it was not asked for.
    #[error("it sent metadata block {0}, for which it was not asked")]
    Unrequested(u32),
    /// A block is longer or shorter than it must be.
    #[error("it sent metadata block {0} with a wrong length")]
    Length(u32),
    /// All blocks were its own, and the whole does not have the right hash.
    #[error("its metadata does not match the info-hash")]
    Lied,
    /// It rejected requests again and again.
    #[error("it rejected {MAX_REJECTS} requests for metadata in a row")]
    Rejects,
    /// It left requests unanswered.
    #[error("it left requests for metadata unanswered for {} s", STALLED_AFTER.as_secs())]
    Stalled,
}

impl DropReason {
    /// Whether it is of no use to try the same address again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Rejects | Self::Stalled)
    }
}

/// The progress of the fetch, by the draft that is farthest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchState {
    /// Peers that claim to have the metadata.
    pub holders: usize,
    /// Bytes of the metadata, as these peers claim.
    pub size: Option<u32>,
    /// Blocks that have come.
    pub have: usize,
    /// Blocks in all.
    pub total: usize,
}
