//! Whether a piece is what its torrent says.

use std::fmt;

use sha1::{Digest, Sha1};

/// The first 8 bytes of a block's SHA-1: enough to tell which peer's block was not that of the verified piece.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockDigest([u8; 8]);

impl BlockDigest {
    /// The digest of a block's bytes.
    #[must_use]
    pub fn of(block: &[u8]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha1::digest(block)[..8]);
        Self(first)
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

/// What [`MemoryStorage::verify`](crate::MemoryStorage::verify) found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an invalid piece must be fetched again, and somebody is to blame"]
pub enum Verdict {
    /// The hash is right; the piece can be read from now on.
    Valid,
    /// The hash is wrong. The piece is still reserved, and empty again.
    Invalid {
        /// The digest of each block as it was, to compare with [`MemoryStorage::block_digests`] once the piece is valid.
        ///
        /// [`MemoryStorage::block_digests`]: crate::MemoryStorage::block_digests
        block_digests: Vec<BlockDigest>,
    },
}
