//! Incremental SHA-1 of pieces, while their blocks are written.

use bytes::Bytes;
use sha1::{Digest, Sha1};
use std::collections::{BTreeMap, HashMap};
use tailwater_metainfo::{BlockRef, PieceHash, PieceIndex};

/// The most pieces of one torrent that are hashed at a time; about 150 bytes each. A piece beyond that is read back
/// when it is verified.
const MAX_HASHERS: usize = 1024;

/// Bytes of blocks that came ahead of their turn and are kept, for one torrent. A peer that reads from several threads
/// sends neighbours in swapped order; without this the rest of the piece would be read back. Each may keep a receive
/// buffer alive, which is why they are few.
const MAX_AHEAD_BYTES: usize = 512 * 1024;

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
        // A piece is under 512 MiB, so the count fits.
        self.next = self
            .next
            .saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }

    /// The hash of all bytes taken.
    pub(crate) fn finish(self) -> PieceHash {
        PieceHash::new(self.state.finalize().into())
    }
}

/// The pieces of one torrent whose hashes are under way.
#[derive(Default)]
pub(crate) struct Hashers {
    open: HashMap<PieceIndex, Open>,
    ahead_bytes: usize,
}

/// A piece that is being hashed.
#[derive(Default)]
struct Open {
    hasher: PieceHasher,
    /// Blocks beyond the first gap, by offset.
    ahead: BTreeMap<u32, Bytes>,
}

impl Hashers {
    /// Whether a piece is being hashed.
    pub(crate) fn has(&self, piece: PieceIndex) -> bool {
        self.open.contains_key(&piece)
    }

    /// Hashes a block that has been written: now if it is the next of its piece, or when the gap before it closes.
    ///
    /// A block that was hashed before and comes again forgets the piece's hash: the disk no longer holds what was
    /// hashed. So it is too when a write failed in the middle of a block, which then comes again.
    pub(crate) fn hash(&mut self, block: BlockRef, data: &Bytes) {
        let piece = block.piece();
        if !self.open.contains_key(&piece) && self.open.len() >= MAX_HASHERS {
            return;
        }
        let open = self.open.entry(piece).or_default();
        let offset = block.offset();
        if offset < open.hasher.next {
            self.forget(piece);
        } else if offset > open.hasher.next {
            let room = self.ahead_bytes + data.len() <= MAX_AHEAD_BYTES;
            let replaced = match room {
                true => {
                    self.ahead_bytes += data.len();
                    open.ahead.insert(offset, data.clone())
                }
                false => open.ahead.remove(&offset),
            };
            self.ahead_bytes -= replaced.map_or(0, |old| old.len());
        } else {
            open.hasher.update(data);
            self.ahead_bytes -= open.ahead.remove(&offset).map_or(0, |old| old.len());
            while let Some(next) = open.ahead.remove(&open.hasher.next) {
                self.ahead_bytes -= next.len();
                open.hasher.update(&next);
            }
        }
    }

    /// A block has been written whose bytes are not to be hashed as they came.
    pub(crate) fn skip(&mut self, block: BlockRef) {
        let Some(open) = self.open.get_mut(&block.piece()) else {
            return;
        };
        if block.offset() < open.hasher.next {
            self.forget(block.piece());
        } else if let Some(old) = open.ahead.remove(&block.offset()) {
            self.ahead_bytes -= old.len();
        }
    }

    /// Takes a piece's hasher out, or a fresh one if the piece has none.
    pub(crate) fn take(&mut self, piece: PieceIndex) -> PieceHasher {
        self.forget(piece).unwrap_or_default()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn forget(&mut self, piece: PieceIndex) -> Option<PieceHasher> {
        let open = self.open.remove(&piece)?;
        self.ahead_bytes -= open.ahead.values().map(Bytes::len).sum::<usize>();
        Some(open.hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tailwater_metainfo::Geometry;

    proptest! {
        /// Whatever order blocks come in, and however often, the hash taken out covers the beginning of what lies on
        /// the disk.
        #[test]
        fn the_hash_is_always_of_what_was_written_last(
            steps in proptest::collection::vec((0u32..6, any::<u8>(), any::<bool>()), 1..40),
        ) {
            let geometry = Geometry::new(6 * 16_384, 6 * 16_384).unwrap();
            let piece = geometry.piece(0).unwrap();
            let mut disk = vec![0; 6 * 16_384];
            let mut hashers = Hashers::default();
            for (number, byte, skip) in steps {
                let block = geometry.nth_block(piece, number).unwrap();
                let data = Bytes::from(vec![byte; 16_384]);
                let at = block.offset() as usize;
                disk[at..at + 16_384].copy_from_slice(&data);
                if skip {
                    hashers.skip(block);
                } else {
                    hashers.hash(block, &data);
                }
            }
            let hasher = hashers.take(piece);
            let hashed = hasher.hashed() as usize;
            let mut expected = PieceHasher::default();
            expected.update(&disk[..hashed]);
            prop_assert_eq!(hasher.finish(), expected.finish());
            prop_assert_eq!(hashers.ahead_bytes, 0);
        }
    }

    #[test]
    fn swapped_neighbours_are_hashed_without_reading_back() {
        let geometry = Geometry::new(4 * 16_384, 4 * 16_384).unwrap();
        let piece = geometry.piece(0).unwrap();
        let mut hashers = Hashers::default();
        for number in [1, 0, 3, 2] {
            let block = geometry.nth_block(piece, number).unwrap();
            hashers.hash(block, &Bytes::from(vec![9; 16_384]));
        }
        assert_eq!(hashers.take(piece).hashed(), 4 * 16_384);
    }
}
