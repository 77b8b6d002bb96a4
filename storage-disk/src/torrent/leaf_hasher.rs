//! The leaves of pieces (BEP 52) that are hashed while their blocks are written.
//!
//! Each block is a message of its own, so that their order does not matter, and blocks of several pieces are hashed side by
//! side: they wait until there are as many as the processor hashes at once.

use std::collections::HashMap;

use bytes::Bytes;
use tailwater_metainfo::merkle;
use tailwater_storage::StorageError;
use tailwater_types::{BlockRef, Expected, MerkleHash, PieceIndex};

use crate::torrent::Shared;
use crate::torrent::jobs::{block_len, len_of};

/// How many blocks wait to be hashed together: 256 KiB, which are in the processor's cache when the last of them has been
/// written. Each may keep a receive buffer alive.
const TOGETHER: usize = 16;
/// The most blocks of one torrent that leaves are kept for, 33 bytes each: 4 MiB for pieces of 2 GiB that are not whole. A
/// piece beyond that is read back when it is verified.
const MAX_LEAVES: usize = 1 << 17;

/// The leaves of a piece, by the numbers of their blocks; `None` for a block that has to be read back.
pub(crate) type Leaves = Box<[Option<MerkleHash>]>;

/// The leaves of the pieces of one torrent.
#[derive(Debug, Default)]
pub(crate) struct LeafHashers {
    pieces: HashMap<PieceIndex, Leaves>,
    /// How many blocks `pieces` has room for.
    room: usize,
    /// Blocks that have been written and not hashed.
    waiting: Vec<(BlockRef, Bytes)>,
}

impl LeafHashers {
    /// A block is about to be written over. What was hashed is not there if that fails.
    fn clear(&mut self, block: BlockRef) {
        self.waiting.retain(|(waiting, _)| *waiting != block);
        if let Some(leaves) = self.pieces.get_mut(&block.piece())
            && let Some(leaf) = leaves.get_mut(number(block))
        {
            *leaf = None;
        }
    }

    /// A block of a piece of `count` blocks has been written.
    fn add(&mut self, block: BlockRef, data: &Bytes, count: u32) {
        if !self.pieces.contains_key(&block.piece()) {
            let leaves: Leaves = (0..count).map(|_| None).collect();
            if self.room + leaves.len() > MAX_LEAVES {
                return;
            }
            self.room += leaves.len();
            self.pieces.insert(block.piece(), leaves);
        }
        self.waiting.push((block, data.clone()));
        if self.waiting.len() >= TOGETHER {
            self.hash_waiting();
        }
    }

    fn hash_waiting(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let blocks: Vec<_> = waiting.iter().map(|(_, data)| &data[..]).collect();
        for ((block, _), leaf) in waiting.iter().zip(merkle::block_hashes(&blocks)) {
            if let Some(leaves) = self.pieces.get_mut(&block.piece())
                && let Some(slot) = leaves.get_mut(number(*block))
            {
                *slot = Some(leaf);
            }
        }
    }

    /// Takes out what is known of a piece.
    pub(crate) fn take(&mut self, piece: PieceIndex) -> Option<Leaves> {
        if self.waiting.iter().any(|(block, _)| block.piece() == piece) {
            self.hash_waiting();
        }
        let leaves = self.pieces.remove(&piece)?;
        self.room -= leaves.len();
        Some(leaves)
    }

    /// Forgets everything.
    pub(crate) fn clear_all(&mut self) {
        *self = Self::default();
    }
}

impl Shared {
    /// Whether pieces have no hash but that of their tree, so that their leaves are all that has to be hashed.
    fn has_trees_alone(&self) -> bool {
        self.hashes.has_trees() && !self.hashes.has_v1()
    }

    /// Blocks are about to be written over.
    pub(crate) fn clear_leaves(&self, run: &[(BlockRef, Bytes)]) {
        if self.has_trees_alone() {
            let mut leaves = self.leaves.lock();
            run.iter().for_each(|(block, _)| leaves.clear(*block));
        }
    }

    /// A block has been written. Says whether its leaf is all that has to be hashed of it.
    pub(crate) fn hash_leaf(&self, block: BlockRef, data: &Bytes) -> bool {
        let is_hashed = self.has_trees_alone();
        // Without an expected hash, it is not known what a piece is checked by, and it is not verified.
        if is_hashed && self.hashes.expected(block.piece()).is_some() {
            let count = self.store.layout().geometry().block_count(block.piece());
            self.leaves.lock().add(block, data, count);
        }
        is_hashed
    }

    /// Whether a piece is the right one: by its blocks, if all have been judged, else by its leaves, of which those that are
    /// not known are read back. `None` if nothing is known of it.
    pub(crate) fn is_right_by_leaves(
        &self,
        piece: PieceIndex,
        scratch: &mut [u8],
    ) -> Result<Option<bool>, StorageError> {
        let leaves = self.leaves.lock().take(piece);
        if self.is_right_by_blocks(piece) {
            return Ok(Some(true));
        }
        let (Some(leaves), Some(Expected::V2(tree))) = (leaves, self.hashes.expected(piece)) else {
            return Ok(None);
        };
        let mut leaves = leaves;
        let missing: Vec<_> = (0..)
            .zip(&leaves)
            .filter(|(_, leaf)| leaf.is_none())
            .collect();
        let missing: Vec<u32> = missing.into_iter().map(|(number, _)| number).collect();
        let geometry = self.store.layout().geometry();
        let mut cursor = self.store.cursor();
        let at_once = (scratch.len() / block_len()).max(1);
        for group in missing.chunks(at_once) {
            let mut read = Vec::with_capacity(group.len());
            for (number, part) in group.iter().zip(scratch.chunks_mut(block_len())) {
                let block = geometry.nth_block(piece, *number);
                let Some((block, bytes)) =
                    block.and_then(|block| Some((block, part.get_mut(..len_of(block))?)))
                else {
                    return Ok(None);
                };
                cursor.read(geometry.block_start(block), bytes)?;
                read.push((block, &*bytes));
            }
            let bytes: Vec<_> = read.iter().map(|(_, bytes)| *bytes).collect();
            for ((block, _), leaf) in read.iter().zip(merkle::block_hashes(&bytes)) {
                if let Some(slot) = leaves.get_mut(number(*block)) {
                    *slot = Some(leaf);
                }
            }
        }
        let whole: Vec<_> = leaves.into_iter().flatten().collect();
        Ok(Some(merkle::is_tree_of(&tree, &whole)))
    }
}

fn number(block: BlockRef) -> usize {
    usize::try_from(block.number()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tailwater_types::Geometry;

    use super::*;

    const PIECE: u32 = 8 * 16_384;

    #[test]
    fn leaves_of_so_many_blocks_are_kept_and_no_more() {
        let count = 1024;
        let len = count * 16_384;
        let most = u32::try_from(MAX_LEAVES).unwrap() / count;
        let geometry = Geometry::new(u64::from(most + 1) * u64::from(len), len).unwrap();
        let mut hashers = LeafHashers::default();
        let data = Bytes::from_static(&[7; 16_384]);
        for piece in geometry.pieces() {
            hashers.add(geometry.nth_block(piece, 0).unwrap(), &data, count);
        }
        assert_eq!(hashers.pieces.len(), MAX_LEAVES / 1024);
        // There is room again.
        let (first, last) = (geometry.piece(0).unwrap(), geometry.piece(most).unwrap());
        assert!(hashers.take(first).is_some());
        assert!(hashers.take(last).is_none());
        hashers.add(geometry.nth_block(last, 0).unwrap(), &data, count);
        assert!(hashers.take(last).is_some());
    }

    proptest! {
        /// Whatever is written in whatever order, however often, and whichever writes fail: a leaf that is known is that of what
        /// lies on the disk, and all are known of what was written well.
        #[test]
        fn leaves_are_those_of_what_was_written_last(
            steps in proptest::collection::vec((0u32..24, any::<u8>(), prop::bool::weighted(0.1)), 1..80),
        ) {
            let geometry = Geometry::new(u64::from(3 * PIECE), PIECE).unwrap();
            let mut hashers = LeafHashers::default();
            let mut disk = HashMap::new();
            for (number, byte, fails) in steps {
                let piece = geometry.piece(number / 8).unwrap();
                let block = geometry.nth_block(piece, number % 8).unwrap();
                hashers.clear(block);
                match fails {
                    true => drop(disk.remove(&block)),
                    false => {
                        let data = Bytes::from(vec![byte; 16_384]);
                        hashers.add(block, &data, 8);
                        disk.insert(block, data);
                    }
                }
            }
            for piece in geometry.pieces() {
                let found = hashers.take(piece).into_iter().flatten();
                let blocks = geometry.blocks(piece);
                let expected = blocks.map(|block| Some(merkle::block_hash(disk.get(&block)?)));
                let expected: Vec<_> = expected.collect();
                let found: Vec<_> = found.collect();
                prop_assert!(found == expected || (found.is_empty() && expected.iter().all(Option::is_none)));
            }
            prop_assert!(hashers.pieces.is_empty() && hashers.waiting.is_empty());
        }
    }
}
