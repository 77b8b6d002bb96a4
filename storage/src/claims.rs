//! Claims: which supplier's copy of a block counts while its piece is being downloaded.
//!
//! The first copy of a block counts and later ones are refused, so that the supplier that is remembered as a block's
//! sender is the one whose bytes are stored: it is banned if they are wrong. A piece takes blocks only between
//! [`Claims::open`] and [`Claims::close`].
//!
//! A piece may be released and reserved again while a copy is on its way: the copy waits for room in a queue, or its
//! connection has not reported it yet. So each reservation of a piece begins an *attempt* of its own, and a claim of one
//! attempt counts for nothing in the next.

use std::collections::HashMap;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{BlockRef, Geometry, PieceIndex};

use crate::key::SupplierKey;

/// The shards of the pieces, each with its own lock, so that connections seldom wait for each other.
const SHARDS: usize = 16;

/// The claims to the blocks of all pieces of one torrent that are being downloaded. `A` tells attempts apart.
///
/// Every storage has one, calls [`open`](Self::open) when a piece is reserved, [`close`](Self::close) when it is released
/// or settled, and [`claim`](Self::claim) before it takes a block. The locks are held for a lookup.
#[derive(Debug)]
pub struct Claims<A> {
    geometry: Geometry,
    shards: [Mutex<Pieces<A>>; SHARDS],
}

type Pieces<A> = HashMap<PieceIndex, Piece<A>>;

#[derive(Debug)]
struct Piece<A> {
    attempt: A,
    blocks: Box<[Claim]>,
}

/// The claim to one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Free,
    /// A copy of this supplier is on its way.
    Claimed(SupplierKey),
    /// The copy of this supplier is stored, or is ahead of everything that is done to the block later.
    Stored(SupplierKey),
}

impl<A: Copy + PartialEq> Claims<A> {
    /// No piece takes blocks.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// The piece takes blocks from now on, in a new attempt.
    pub fn open(&self, piece: PieceIndex, attempt: A) {
        let count = self.geometry.block_count(piece) as usize;
        let blocks = vec![Claim::Free; count].into();
        self.shard(piece).insert(piece, Piece { attempt, blocks });
    }

    /// The piece takes no more blocks.
    pub fn close(&self, piece: PieceIndex) {
        self.shard(piece).remove(&piece);
    }

    /// The attempt for which `supplier` brings the block; `None` if another copy was first or the piece takes none.
    pub fn claim(&self, block: BlockRef, supplier: SupplierKey) -> Option<A> {
        self.with(block, |attempt, claim| {
            (*claim == Claim::Free).then(|| {
                *claim = Claim::Claimed(supplier);
                attempt
            })
        })
        .flatten()
    }

    /// What was claimed has been handed over to the storage.
    pub fn stored(&self, block: BlockRef, supplier: SupplierKey, attempt: A) {
        self.settle(block, supplier, attempt, Claim::Stored(supplier));
    }

    /// What was claimed never got to the storage; another copy may come.
    pub fn disclaim(&self, block: BlockRef, supplier: SupplierKey, attempt: A) {
        self.settle(block, supplier, attempt, Claim::Free);
    }

    /// A block that was stored is lost, because the storage failed. Another copy may come.
    pub fn lose(&self, block: BlockRef) {
        self.with(block, |_, claim| *claim = Claim::Free);
    }

    /// A block that was stored in an attempt is taken out again. Returns whose it was, if the attempt is still under way.
    pub fn withdraw(&self, block: BlockRef, attempt: A) -> Option<SupplierKey> {
        self.with(block, |now, claim| match *claim {
            Claim::Claimed(supplier) | Claim::Stored(supplier) if now == attempt => {
                *claim = Claim::Free;
                Some(supplier)
            }
            _ => None,
        })
        .flatten()
    }

    /// Whether the piece is still in that attempt.
    pub fn is_current(&self, block: BlockRef, attempt: A) -> bool {
        self.with(block, |now, _| now == attempt).unwrap_or(false)
    }

    /// Whether the block's bytes are those of `supplier`, in the attempt that is under way.
    pub fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        self.with(block, |_, claim| *claim == Claim::Stored(supplier))
            .unwrap_or(false)
    }

    fn settle(&self, block: BlockRef, supplier: SupplierKey, attempt: A, becomes: Claim) {
        self.with(block, |now, claim| {
            if now == attempt && *claim == Claim::Claimed(supplier) {
                *claim = becomes;
            }
        });
    }

    fn with<T>(&self, block: BlockRef, f: impl FnOnce(A, &mut Claim) -> T) -> Option<T> {
        let mut shard = self.shard(block.piece());
        let piece = shard.get_mut(&block.piece())?;
        let claim = piece.blocks.get_mut(block.number() as usize)?;
        Some(f(piece.attempt, claim))
    }

    fn shard(&self, piece: PieceIndex) -> MutexGuard<'_, Pieces<A>> {
        self.shards[piece.as_usize() % SHARDS].lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: SupplierKey = SupplierKey::new(1);
    const BOB: SupplierKey = SupplierKey::new(2);

    fn claims() -> (Claims<u64>, BlockRef) {
        let geometry = Geometry::new(10 * 1024 * 1024, 2 * 1024 * 1024).unwrap();
        let piece = geometry.piece(3).unwrap();
        let block = geometry.nth_block(piece, 127).unwrap();
        (Claims::new(geometry), block)
    }

    #[test]
    fn only_the_first_copy_of_a_block_counts_and_only_while_the_piece_is_open() {
        let (claims, block) = claims();
        assert_eq!(claims.claim(block, ALICE), None);
        claims.open(block.piece(), 1);
        assert_eq!(claims.claim(block, ALICE), Some(1));
        assert_eq!(claims.claim(block, BOB), None);
        claims.disclaim(block, ALICE, 1);
        assert_eq!(claims.claim(block, BOB), Some(1));
        claims.close(block.piece());
        assert_eq!(claims.claim(block, ALICE), None);
        claims.open(block.piece(), 2);
        assert_eq!(claims.claim(block, ALICE), Some(2));
    }

    #[test]
    fn a_block_is_the_peers_whose_copy_was_stored_in_this_attempt() {
        let (claims, block) = claims();
        claims.open(block.piece(), 1);
        assert_eq!(claims.claim(block, ALICE), Some(1));
        assert!(!claims.is_stored(block, ALICE), "it is on its way");
        claims.close(block.piece());
        claims.open(block.piece(), 2);
        assert!(!claims.is_current(block, 1));
        assert_eq!(claims.claim(block, BOB), Some(2));
        // Nothing that is left of the first attempt has any effect.
        claims.stored(block, ALICE, 1);
        assert!(!claims.is_stored(block, ALICE));
        claims.disclaim(block, ALICE, 1);
        claims.disclaim(block, BOB, 1);
        assert!(!claims.is_stored(block, ALICE) && !claims.is_stored(block, BOB));
        claims.stored(block, BOB, 2);
        assert!(claims.is_stored(block, BOB) && !claims.is_stored(block, ALICE));
        claims.lose(block);
        assert!(!claims.is_stored(block, BOB));
    }
}
