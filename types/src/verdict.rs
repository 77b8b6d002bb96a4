//! The expected hash of a piece, and the outcome of checking it.

use crate::{MerkleHash, PieceHash};
use std::fmt;

/// The expected hash of one piece, from the metainfo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a storage that ignored a new kind of hash would accept wrong bytes"
)]
pub enum Expected {
    /// The SHA-1 of all bytes of the piece (BEP 3).
    V1(PieceHash),
    /// The root of a hash tree over the piece's blocks (BEP 52).
    V2(MerkleRoot),
    /// Both of a hybrid torrent: a piece must match both (BEP 52, Upgrade Path).
    Both {
        /// The SHA-1 of all bytes of the piece, padding included.
        v1: PieceHash,
        /// The root over the bytes of the file that begins or goes on in the piece.
        v2: MerkleRoot,
    },
}

/// The root of the hash tree over the blocks of one piece (BEP 52).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "all that it takes to check a piece, by BEP 52"
)]
pub struct MerkleRoot {
    /// The hash that the tree has to have.
    pub root: MerkleHash,
    /// How many layers the root is above the leaves. The tree has 2^`height` leaves; those past the last block are zero.
    pub height: u32,
    /// How many bytes at the beginning of the piece the tree covers. In a hybrid torrent the rest is padding, which v2
    /// hashes do not cover; otherwise it is the whole piece.
    pub len: u32,
}

/// The first 8 bytes of a block's SHA-1: enough to tell which peer's block was not that of the verified piece, and too
/// many to find a bad block with the digest of a good one by chance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockDigest([u8; 8]);

impl BlockDigest {
    /// Wraps the raw bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Debug for BlockDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockDigest({:016x})", u64::from_be_bytes(self.0))
    }
}

/// The outcome of a piece's hash check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an invalid piece must be fetched again, and a peer is to blame"]
#[expect(
    clippy::exhaustive_enums,
    reason = "an engine that ignored a new outcome would wait for ever"
)]
pub enum Verdict {
    /// The bytes are those that the metainfo promises.
    Valid,
    /// They are not.
    Invalid {
        /// One for each block of the piece as it was, in order: compared later with those of the valid piece, they tell
        /// which peer's block was wrong.
        block_digests: Vec<BlockDigest>,
    },
}

impl Verdict {
    /// Whether the piece has the expected hash.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }
}
