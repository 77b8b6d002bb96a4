//! Which blocks of partial pieces somebody's data is already on its way to the disk for.
//!
//! The first copy of a block counts and later ones are turned away, so that the peer that is remembered as a block's
//! sender is the one whose bytes are on the disk. A piece takes blocks only between [`Claims::open`] and
//! [`Claims::close`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tailwater_metainfo::{BlockRef, Geometry, PieceIndex};

/// Locks among which the pieces are shared out, so that connections seldom meet at one.
const SHARDS: usize = 16;

#[derive(Debug)]
pub(crate) struct Claims {
    geometry: Geometry,
    shards: [Mutex<HashMap<PieceIndex, Box<[u64]>>>; SHARDS],
}

impl Claims {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            shards: Default::default(),
        }
    }

    /// The piece takes blocks from now on.
    pub(crate) fn open(&self, piece: PieceIndex) {
        let words = (self.geometry.block_count(piece) as usize).div_ceil(64);
        self.shard(piece).insert(piece, vec![0; words].into());
    }

    /// The piece takes no more blocks.
    pub(crate) fn close(&self, piece: PieceIndex) {
        self.shard(piece).remove(&piece);
    }

    /// Whether the caller is the first with this block.
    pub(crate) fn claim(&self, block: BlockRef) -> bool {
        self.change(block, |word, bit| {
            let first = *word & bit == 0;
            *word |= bit;
            first
        })
    }

    /// The block was lost on its way; it may come again.
    pub(crate) fn disclaim(&self, block: BlockRef) {
        self.change(block, |word, bit| {
            *word &= !bit;
            true
        });
    }

    fn change(&self, block: BlockRef, change: impl FnOnce(&mut u64, u64) -> bool) -> bool {
        let number = block.number();
        self.shard(block.piece())
            .get_mut(&block.piece())
            .and_then(|words| words.get_mut(number as usize / 64))
            .is_some_and(|word| change(word, 1 << (number % 64)))
    }

    fn shard(&self, piece: PieceIndex) -> MutexGuard<'_, HashMap<PieceIndex, Box<[u64]>>> {
        self.shards[piece.as_usize() % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_copy_of_a_block_counts_and_only_while_the_piece_is_open() {
        let geometry = Geometry::new(10 * 1024 * 1024, 2 * 1024 * 1024).unwrap();
        let claims = Claims::new(geometry);
        let piece = geometry.piece(3).unwrap();
        let block = geometry.nth_block(piece, 127).unwrap();
        assert!(!claims.claim(block));
        claims.open(piece);
        assert!(claims.claim(block));
        assert!(!claims.claim(block));
        claims.disclaim(block);
        assert!(claims.claim(block));
        claims.close(piece);
        assert!(!claims.claim(block));
        claims.open(piece);
        assert!(claims.claim(block));
    }
}
