//! Whose bytes each block of a partial piece is, from when they are on their way to the storage.
//!
//! The first copy of a block counts and later ones are turned away, so that the peer that is remembered as a block's
//! sender is the one whose bytes are stored. A piece takes blocks only between [`Claims::open`] and [`Claims::close`].
//!
//! A piece may be given up and begun anew while a copy is on its way: it waits for room in the queue to the disk, or
//! its sender's connection has not told the torrent of it yet. So each beginning of a piece is an *attempt* of its own,
//! and what was claimed in one counts for nothing in the next. Otherwise one peer's bytes would stand in another's name,
//! who would be banned if they are wrong.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tailwater_metainfo::{BlockRef, Geometry, PieceIndex};

use crate::torrent::PeerKey;

/// Locks among which the pieces are shared out, so that connections seldom meet at one.
const SHARDS: usize = 16;

/// The claims to the blocks of all partial pieces of one torrent. `A` tells attempts apart.
#[derive(Debug)]
pub(crate) struct Claims<A> {
    geometry: Geometry,
    shards: [Mutex<Pieces<A>>; SHARDS],
}

type Pieces<A> = HashMap<PieceIndex, Piece<A>>;

#[derive(Debug)]
struct Piece<A> {
    attempt: A,
    blocks: Box<[Claim]>,
}

/// What is known of one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    Free,
    /// This peer's copy is on its way.
    Claimed(PeerKey),
    /// This peer's copy is stored, or nothing that is done to the block later can come before it.
    Stored(PeerKey),
}

impl<A: Copy + PartialEq> Claims<A> {
    pub(crate) fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// The piece takes blocks from now on, in a new attempt.
    pub(crate) fn open(&self, piece: PieceIndex, attempt: A) {
        let count = self.geometry.block_count(piece) as usize;
        let blocks = vec![Claim::Free; count].into();
        self.shard(piece).insert(piece, Piece { attempt, blocks });
    }

    /// The piece takes no more blocks.
    pub(crate) fn close(&self, piece: PieceIndex) {
        self.shard(piece).remove(&piece);
    }

    /// The attempt for which `peer` brings the block; `None` if another was first or the piece takes none.
    pub(crate) fn claim(&self, block: BlockRef, peer: PeerKey) -> Option<A> {
        self.with(block, |attempt, claim| {
            (*claim == Claim::Free).then(|| {
                *claim = Claim::Claimed(peer);
                attempt
            })
        })
        .flatten()
    }

    /// What was claimed has been handed over to the storage.
    pub(crate) fn stored(&self, block: BlockRef, peer: PeerKey, attempt: A) {
        self.settle(block, peer, attempt, Claim::Stored(peer));
    }

    /// What was claimed never got to the storage; another copy may come.
    pub(crate) fn disclaim(&self, block: BlockRef, peer: PeerKey, attempt: A) {
        self.settle(block, peer, attempt, Claim::Free);
    }

    /// The block was lost behind this peer's and everybody's back: the disk failed. Another copy may come.
    pub(crate) fn lose(&self, block: BlockRef) {
        self.with(block, |_, claim| *claim = Claim::Free);
    }

    /// Whether the piece is still in that attempt.
    pub(crate) fn is_current(&self, block: BlockRef, attempt: A) -> bool {
        self.with(block, |now, _| now == attempt).unwrap_or(false)
    }

    /// Whether the block's bytes are those of `peer`, in the attempt that is under way.
    pub(crate) fn is_stored(&self, block: BlockRef, peer: PeerKey) -> bool {
        self.with(block, |_, claim| *claim == Claim::Stored(peer))
            .unwrap_or(false)
    }

    fn settle(&self, block: BlockRef, peer: PeerKey, attempt: A, becomes: Claim) {
        self.with(block, |now, claim| {
            if now == attempt && *claim == Claim::Claimed(peer) {
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
        self.shards[piece.as_usize() % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: PeerKey = PeerKey::new(1, 1);
    const BOB: PeerKey = PeerKey::new(2, 1);

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
