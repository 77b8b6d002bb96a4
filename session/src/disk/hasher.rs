//! SHA-1 of pieces while their blocks pass by.

use sha1::{Digest, Sha1};
use std::collections::HashMap;
use tailwater_metainfo::{PieceHash, PieceIndex};

/// The most pieces of one torrent that one I/O thread hashes at a time; about 150 bytes each. A piece beyond that is
/// read back when it is verified.
const MAX_HASHERS: usize = 1024;

/// Zeros to hash in place of padding.
static ZEROS: [u8; 4096] = [0; 4096];

/// The hash of a piece's first bytes.
#[derive(Clone, Default)]
pub(crate) struct PieceHasher {
    state: Sha1,
    next: u32,
}

impl PieceHasher {
    /// How many bytes of the piece are in the hash.
    pub(crate) const fn hashed(&self) -> u32 {
        self.next
    }

    /// Takes the bytes that follow.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.state.update(data);
        // A piece is at most 256 MiB, so the count fits.
        self.next = self
            .next
            .saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }

    /// Takes `len` zeros.
    pub(crate) fn update_zeros(&mut self, mut len: usize) {
        while len > 0 {
            let part = len.min(ZEROS.len());
            self.update(&ZEROS[..part]);
            len -= part;
        }
    }

    /// The hash of all bytes taken.
    pub(crate) fn finish(self) -> PieceHash {
        PieceHash::new(self.state.finalize().into())
    }
}

/// The pieces that one I/O thread is hashing for one torrent.
#[derive(Default)]
pub(crate) struct Hashers {
    open: HashMap<PieceIndex, PieceHasher>,
}

impl Hashers {
    /// The hasher that should take the bytes at `offset` of `piece`, if they are the next ones in order.
    ///
    /// Bytes that were hashed before and come again forget the piece's hash: the disk no longer holds what was hashed.
    /// So it is too when a write failed in the middle of a block, which then comes again.
    pub(crate) fn for_write(&mut self, piece: PieceIndex, offset: u32) -> Option<&mut PieceHasher> {
        if offset == 0 && (self.open.len() < MAX_HASHERS || self.open.contains_key(&piece)) {
            self.open.insert(piece, PieceHasher::default());
        } else if self.open.get(&piece).is_some_and(|it| offset < it.next) {
            self.open.remove(&piece);
        }
        self.open.get_mut(&piece).filter(|it| it.next == offset)
    }

    /// Takes a piece's hasher out, or a fresh one if the piece has none.
    pub(crate) fn take(&mut self, piece: PieceIndex) -> PieceHasher {
        self.open.remove(&piece).unwrap_or_default()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.open = HashMap::new();
    }
}

/// A short digest of one block, to find out later which of two copies was the wrong one: the first 64 bits of its SHA-1,
/// so that nobody can make a bad block with the digest of the good one.
pub(crate) fn block_digest(data: &[u8]) -> u64 {
    let hash: [u8; 20] = Sha1::digest(data).into();
    let mut head = [0; 8];
    head.copy_from_slice(&hash[..8]);
    u64::from_be_bytes(head)
}
