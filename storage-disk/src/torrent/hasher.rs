//! Incremental hashes of pieces, while their blocks are written.

use bytes::Bytes;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use tailwater_metainfo::{BlockRef, Expected, PieceHashes, PieceIndex, PieceMatch};

/// The most pieces of one torrent that are hashed at a time; about 400 bytes each, and of v2 torrents 32 more for each
/// block. A piece beyond that is read back when it is verified.
const MAX_HASHERS: usize = 1024;

/// Bytes of blocks that came ahead of their turn and are kept, for one torrent. A peer that reads from several threads
/// sends neighbours in swapped order; without this the rest of the piece would be read back. Each may keep a receive
/// buffer alive, which is why they are few.
const MAX_AHEAD_BYTES: usize = 512 * 1024;

/// The hashes of a piece's first bytes.
pub(crate) struct PieceHasher {
    expected: Expected,
    hasher: tailwater_metainfo::PieceHasher,
    next: u32,
}

impl PieceHasher {
    /// A hasher that has seen no byte.
    pub(crate) fn new(expected: Expected) -> Self {
        Self {
            expected,
            hasher: tailwater_metainfo::PieceHasher::new(expected),
            next: 0,
        }
    }

    /// What the piece has to be, as it was known when it was begun.
    pub(crate) const fn expected(&self) -> Expected {
        self.expected
    }

    /// How many bytes of the piece are in the hash.
    pub(crate) const fn hashed(&self) -> u32 {
        self.next
    }

    /// Takes the bytes that follow.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.hasher.update(data);
        // A piece is under 512 MiB, so the count fits.
        self.next = self
            .next
            .saturating_add(u32::try_from(data.len()).unwrap_or(u32::MAX));
    }

    /// What all bytes taken are.
    pub(crate) fn finish(self) -> PieceMatch {
        self.hasher.finish()
    }
}

/// The pieces of one torrent whose hashes are under way.
#[derive(Default)]
pub(crate) struct Hashers {
    open: HashMap<PieceIndex, Open>,
    ahead_bytes: usize,
}

/// A piece that is being hashed.
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

    /// Hashes a block that has been written: now if it is the next of its piece, or when the gap before it closes. No
    /// block is hashed of a piece whose expected hash is not known.
    ///
    /// A block that was hashed before and comes again forgets the piece's hash: the disk no longer holds what was
    /// hashed. So it is too when a write failed in the middle of a block, which then comes again.
    pub(crate) fn hash(&mut self, block: BlockRef, data: &Bytes, hashes: &PieceHashes) {
        let piece = block.piece();
        let is_full = self.open.len() >= MAX_HASHERS;
        let open = match self.open.entry(piece) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(_) if is_full => return,
            Entry::Vacant(place) => {
                let Some(expected) = hashes.expected(piece) else {
                    return;
                };
                place.insert(Open {
                    hasher: PieceHasher::new(expected),
                    ahead: BTreeMap::new(),
                })
            }
        };
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

    /// Takes a piece's hasher out, if it has one.
    pub(crate) fn take(&mut self, piece: PieceIndex) -> Option<PieceHasher> {
        self.forget(piece)
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
    use sha1::{Digest, Sha1};
    use tailwater_metainfo::{Geometry, MerkleHash, MerkleRoot, PieceHash, merkle};

    const LEN: u32 = 6 * 16_384;

    type Step = (u32, u8, bool);

    /// Writes blocks; returns what is on the disk then, and what the piece's hasher has taken.
    fn run(steps: &[Step], expected: Expected) -> (Vec<u8>, PieceHasher) {
        let geometry = Geometry::new(u64::from(LEN), LEN).unwrap();
        let hashes = PieceHashes::from_iter([Some(expected)]);
        let piece = geometry.piece(0).unwrap();
        let mut disk = vec![0; LEN as usize];
        let mut hashers = Hashers::default();
        for &(number, byte, skip) in steps {
            let block = geometry.nth_block(piece, number).unwrap();
            let data = Bytes::from(vec![byte; 16_384]);
            let at = block.offset() as usize;
            disk[at..at + 16_384].copy_from_slice(&data);
            if skip {
                hashers.skip(block);
            } else {
                hashers.hash(block, &data, &hashes);
            }
        }
        let hasher = hashers.take(piece);
        assert_eq!(hashers.ahead_bytes, 0);
        (disk, hasher.unwrap_or_else(|| PieceHasher::new(expected)))
    }

    fn v1(bytes: &[u8]) -> Expected {
        Expected::V1(PieceHash::new(Sha1::digest(bytes).into()))
    }

    fn v2(bytes: &[u8]) -> Expected {
        let mut leaves: Vec<_> = bytes.chunks(16_384).map(merkle::block_hash).collect();
        leaves.resize(8, MerkleHash::new([0; 32]));
        Expected::V2(MerkleRoot {
            root: merkle::root(leaves, 0).unwrap(),
            height: 3,
            len: LEN,
        })
    }

    proptest! {
        /// Whatever order blocks come in, and however often, the hash taken out covers the beginning of what lies on
        /// the disk.
        #[test]
        fn the_hash_is_always_of_what_was_written_last(
            steps in proptest::collection::vec((0u32..6, any::<u8>(), any::<bool>()), 1..40),
        ) {
            let (disk, hasher) = run(&steps, v1(b""));
            let hashed = hasher.hashed() as usize;
            let (_, hasher) = run(&steps, v1(&disk[..hashed]));
            prop_assert_eq!(hasher.finish(), PieceMatch::Right);
            let (_, mut hasher) = run(&steps, v2(&disk));
            prop_assert_eq!(hasher.hashed() as usize, hashed);
            hasher.update(&disk[hashed..]);
            prop_assert_eq!(hasher.finish(), PieceMatch::Right);
        }
    }

    #[test]
    fn swapped_neighbours_are_hashed_without_reading_back() {
        let steps = [1, 0, 3, 2, 5, 4].map(|number| (number, 9, false));
        for expected in [v1(&[9; LEN as usize]), v2(&[9; LEN as usize])] {
            let (_, hasher) = run(&steps, expected);
            assert_eq!(hasher.hashed(), LEN);
            assert_eq!(hasher.finish(), PieceMatch::Right);
        }
    }

    #[test]
    fn nothing_is_hashed_where_the_hash_is_not_known() {
        let geometry = Geometry::new(u64::from(LEN), LEN).unwrap();
        let piece = geometry.piece(0).unwrap();
        let mut hashers = Hashers::default();
        let block = geometry.nth_block(piece, 0).unwrap();
        let unknown = PieceHashes::from_iter([None::<Expected>]);
        hashers.hash(block, &Bytes::from(vec![9; 16_384]), &unknown);
        assert!(!hashers.has(piece));
    }
}
