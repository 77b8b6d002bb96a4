//! Whether bytes are those that the metainfo promises.

use crate::BlockDigest;
use sha1::{Digest, Sha1};

/// The digest of a block's bytes: equal blocks have equal digests, and a peer cannot make two that share one.
#[must_use]
pub fn block_digest(block: &[u8]) -> BlockDigest {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha1::digest(block)[..8]);
    BlockDigest::new(first)
}
