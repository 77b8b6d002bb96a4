//! The state of each piece. This is the one place where a piece changes state.
//!
//! ```text
//!            start              last block            valid
//! Missing ─────────▶ Partial ───────────▶ Verifying ─────────▶ Have
//!    ▲                  │ abandon             │ invalid          │ evict
//!    └──────────────────┴─────────────────────┘                  ▼
//!    └───────────────────────── want again ────────────────── Evicted
//! ```

use std::collections::{BTreeMap, BTreeSet};

use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};

use crate::torrent::{Origin, PeerKey, SupplierKey};

/// The state of a piece. `Have` is not for ever: a bounded storage may evict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum PieceState {
    /// Nothing of it is held and no space is reserved.
    #[default]
    Missing,
    /// Space is reserved; some blocks are requested or stored.
    Partial,
    /// Every block is stored; its hash is being checked.
    Verifying,
    /// Held and verified.
    Have,
    /// It was held and verified; the storage evicted it to make room.
    Evicted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Free,
    /// Requested from this many peers at once.
    Requested(u8),
    /// Stored; a position in [`Partial::contributors`].
    Stored(u16),
}

/// A piece that is being downloaded.
#[derive(Debug)]
struct Partial {
    blocks: Box<[Block]>,
    free: usize,
    /// No block before this one is free: where the search for the next begins.
    first_free: usize,
    /// Blocks not yet stored.
    missing: usize,
    /// Each supplier that a stored block came from, and the origin that is blamed for it.
    contributors: Vec<(SupplierKey, Origin)>,
    /// Only this peer may fetch it: an earlier attempt failed with several contributors.
    reserved_for: Option<PeerKey>,
}

impl Partial {
    fn is_for(&self, peer: PeerKey) -> bool {
        self.reserved_for.is_none_or(|owner| owner == peer)
    }

    /// No peer is asked for this block any more.
    fn free(&mut self, number: usize) {
        self.blocks[number] = Block::Free;
        self.free += 1;
        self.first_free = self.first_free.min(number);
    }
}

/// The outcome of a block that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It filled a gap. `others` peers have been asked for it too.
    Stored { others: u8, complete: bool },
    /// It was stored already, or its piece was given up.
    Redundant,
}

#[derive(Debug)]
pub(crate) struct Pieces {
    geometry: Geometry,
    states: Vec<PieceState>,
    have: Bitfield,
    partials: BTreeMap<PieceIndex, Partial>,
    /// Partial pieces with a block that no supplier has been asked for.
    open: BTreeSet<PieceIndex>,
}

impl Pieces {
    pub(crate) fn new(geometry: Geometry, have: Bitfield) -> Self {
        let states = geometry
            .pieces()
            .map(|piece| match have.has(piece) {
                true => PieceState::Have,
                false => PieceState::Missing,
            })
            .collect();
        Self {
            geometry,
            states,
            have,
            partials: BTreeMap::new(),
            open: BTreeSet::new(),
        }
    }

    pub(crate) fn state(&self, piece: PieceIndex) -> PieceState {
        self.states[piece.as_usize()]
    }

    pub(crate) const fn have(&self) -> &Bitfield {
        &self.have
    }

    pub(crate) fn partial_count(&self) -> usize {
        self.partials.len()
    }

    /// Bytes of verified pieces.
    pub(crate) fn verified_bytes(&self) -> u64 {
        self.geometry.len_of(&self.have)
    }

    /// `Missing` or `Evicted` → `Partial`; the caller has reserved the space.
    pub(crate) fn start(&mut self, piece: PieceIndex, reserved_for: Option<PeerKey>) {
        debug_assert!(matches!(
            self.state(piece),
            PieceState::Missing | PieceState::Evicted
        ));
        let count = self.geometry.block_count(piece) as usize;
        self.states[piece.as_usize()] = PieceState::Partial;
        self.open.insert(piece);
        self.partials.insert(
            piece,
            Partial {
                blocks: vec![Block::Free; count].into_boxed_slice(),
                free: count,
                first_free: 0,
                missing: count,
                contributors: Vec::new(),
                reserved_for,
            },
        );
    }

    /// Partial pieces that `peer` may be asked for a free block of, in order.
    pub(crate) fn open_for(
        &self,
        peer: PeerKey,
    ) -> impl DoubleEndedIterator<Item = PieceIndex> + '_ {
        let pieces = self.open.iter().copied();
        pieces.filter(move |piece| self.is_for(*piece, peer))
    }

    /// Like [`Self::open_for`], from `first` on.
    pub(crate) fn open_from(
        &self,
        first: PieceIndex,
        peer: PeerKey,
    ) -> impl Iterator<Item = PieceIndex> + '_ {
        let pieces = self.open.range(first..).copied();
        pieces.filter(move |piece| self.is_for(*piece, peer))
    }

    fn is_for(&self, piece: PieceIndex, peer: PeerKey) -> bool {
        let partial = self.partials.get(&piece);
        partial.is_some_and(|partial| partial.is_for(peer))
    }

    /// Whether `peer` may be asked for a free block of this piece.
    pub(crate) fn is_open_for(&self, piece: PieceIndex, peer: PeerKey) -> bool {
        let has_free = |partial: &Partial| partial.free > 0 && partial.is_for(peer);
        self.partials.get(&piece).is_some_and(has_free)
    }

    /// The pieces that lack blocks, in order.
    pub(crate) fn partial(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        let filling = |(_, partial): &(&PieceIndex, &Partial)| partial.missing > 0;
        self.partials
            .iter()
            .filter(filling)
            .map(|(piece, _)| *piece)
    }

    /// How many peers have been asked for a block that has not come.
    pub(crate) fn copies(&self, block: BlockRef) -> u8 {
        let partial = self.partials.get(&block.piece());
        match partial.and_then(|partial| partial.blocks.get(block.number() as usize)) {
            Some(Block::Requested(count)) => *count,
            _ => 0,
        }
    }

    /// Whether a block of a piece that is not whole is stored.
    pub(crate) fn is_stored(&self, block: BlockRef) -> bool {
        let partial = self.partials.get(&block.piece());
        let block = partial.and_then(|partial| partial.blocks.get(block.number() as usize));
        matches!(block, Some(Block::Stored(_)))
    }

    /// Whether nothing of a piece is stored.
    pub(crate) fn is_empty(&self, piece: PieceIndex) -> bool {
        let partial = self.partials.get(&piece);
        partial.is_none_or(|partial| partial.missing == partial.blocks.len())
    }

    /// Whether some peer has been asked for a block of it that has not come.
    pub(crate) fn is_in_flight(&self, piece: PieceIndex) -> bool {
        let requested = |block: &Block| matches!(block, Block::Requested(_));
        self.partials
            .get(&piece)
            .is_some_and(|partial| partial.blocks.iter().any(requested))
    }

    pub(crate) fn is_open(&self, piece: PieceIndex) -> bool {
        self.open.contains(&piece)
    }

    pub(crate) fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The first block of `piece` that no supplier has been asked for, but for those in `except`; it counts as asked for from
    /// now on.
    pub(crate) fn request_next(
        &mut self,
        piece: PieceIndex,
        except: &[BlockRef],
    ) -> Option<BlockRef> {
        self.request_from(piece, 0, except)
    }

    /// As [`Self::request_next`], of block `from` and those behind it.
    pub(crate) fn request_from(
        &mut self,
        piece: PieceIndex,
        from: u32,
        except: &[BlockRef],
    ) -> Option<BlockRef> {
        let partial = self.partials.get_mut(&piece)?;
        let begin = partial.first_free.max(from as usize);
        let searched = partial.blocks.get(begin..)?;
        let numbered = (u32::try_from(begin).ok()?..).zip(searched);
        let mut free = numbered.filter_map(|(number, block)| match block {
            Block::Free => Some(number),
            Block::Requested(_) | Block::Stored(_) => None,
        });
        let first = free.next()?;
        let nth_block = |number| self.geometry.nth_block(piece, number);
        let is_excepted = |number| nth_block(number).is_some_and(|block| except.contains(&block));
        let chosen = match except {
            [] => first,
            _ => std::iter::once(first)
                .chain(free)
                .find(|number| !is_excepted(*number))?,
        };
        if begin == partial.first_free {
            partial.first_free = first as usize + usize::from(chosen == first);
        }
        partial.blocks[chosen as usize] = Block::Requested(1);
        partial.free -= 1;
        if partial.free == 0 {
            self.open.remove(&piece);
        }
        nth_block(chosen)
    }

    /// Whether no supplier has been asked for some block of a piece, from block `from` on.
    pub(crate) fn has_free_from(&self, piece: PieceIndex, from: u32) -> bool {
        self.partials.get(&piece).is_some_and(|partial| {
            let begin = partial.first_free.max(from as usize);
            let mut blocks = partial.blocks.iter().skip(begin);
            partial.free > 0 && blocks.any(|block| *block == Block::Free)
        })
    }

    /// Requests a block from one more peer, although others were asked for it already (end-game).
    pub(crate) fn request_again(&mut self, block: BlockRef) {
        if let Some(Block::Requested(count)) = self.block_mut(block) {
            *count = count.saturating_add(1);
        }
    }

    /// Blocks that were asked for and have not come, of pieces that `peer` may fetch.
    pub(crate) fn outstanding_for(
        &self,
        peer: PeerKey,
    ) -> impl Iterator<Item = (BlockRef, u8)> + '_ {
        self.partials
            .iter()
            .filter(move |(_, partial)| partial.reserved_for.is_none_or(|owner| owner == peer))
            .flat_map(move |(&piece, partial)| {
                let requested = move |(number, block): (u32, &Block)| match *block {
                    Block::Requested(count) => {
                        Some((self.geometry.nth_block(piece, number)?, count))
                    }
                    Block::Free | Block::Stored(_) => None,
                };
                (0..).zip(partial.blocks.iter()).filter_map(requested)
            })
    }

    /// One peer will not deliver this block after all.
    pub(crate) fn unrequest(&mut self, block: BlockRef) {
        let Some(partial) = self.partials.get_mut(&block.piece()) else {
            return;
        };
        let number = block.number() as usize;
        match partial.blocks.get_mut(number) {
            Some(Block::Requested(1)) => {
                partial.free(number);
                self.open.insert(block.piece());
            }
            Some(Block::Requested(count)) => *count -= 1,
            Some(Block::Free | Block::Stored(_)) | None => {}
        }
    }

    /// A peer's block has been stored. `Partial` → `Verifying` when it was the last.
    pub(crate) fn store(
        &mut self,
        block: BlockRef,
        supplier: impl Into<SupplierKey>,
        from: Origin,
    ) -> Arrival {
        let supplier = supplier.into();
        let piece = block.piece();
        let Some(partial) = self.partials.get_mut(&piece) else {
            return Arrival::Redundant;
        };
        let Some(slot) = partial.blocks.get_mut(block.number() as usize) else {
            return Arrival::Redundant;
        };
        let others = match *slot {
            Block::Stored(_) => return Arrival::Redundant,
            Block::Requested(count) => count - 1,
            Block::Free => {
                partial.free -= 1;
                if partial.free == 0 {
                    self.open.remove(&piece);
                }
                0
            }
        };
        let contributor = match partial
            .contributors
            .iter()
            .position(|(key, _)| *key == supplier)
        {
            Some(position) => position,
            None => {
                partial.contributors.push((supplier, from));
                partial.contributors.len() - 1
            }
        };
        *slot = Block::Stored(u16::try_from(contributor).unwrap_or(u16::MAX));
        partial.missing -= 1;
        let complete = partial.missing == 0;
        if complete {
            self.states[piece.as_usize()] = PieceState::Verifying;
        }
        Arrival::Stored { others, complete }
    }

    /// A stored block is gone again: the storage could not keep it. `Verifying` → `Partial`.
    pub(crate) fn lose(&mut self, block: BlockRef) {
        let piece = block.piece();
        let Some(partial) = self.partials.get_mut(&piece) else {
            return;
        };
        let number = block.number() as usize;
        if let Some(Block::Stored(_)) = partial.blocks.get(number) {
            partial.free(number);
            partial.missing += 1;
            self.open.insert(piece);
            self.states[piece.as_usize()] = PieceState::Partial;
        }
    }

    /// As [`Self::lose`], if the block is this supplier's.
    pub(crate) fn lose_of(&mut self, block: BlockRef, supplier: SupplierKey) {
        let partial = self.partials.get(&block.piece());
        let stored = partial.and_then(|partial| partial.blocks.get(block.number() as usize));
        if let (Some(partial), Some(Block::Stored(contributor))) = (partial, stored)
            && let Some((key, _)) = partial.contributors.get(usize::from(*contributor))
            && *key == supplier
        {
            self.lose(block);
        }
    }

    /// The origin of a supplier that has sent blocks of this block's piece.
    pub(crate) fn sender(&self, block: BlockRef, supplier: SupplierKey) -> Option<Origin> {
        let partial = self.partials.get(&block.piece())?;
        let mut contributors = partial.contributors.iter();
        let contributor = contributors.find(|(key, _)| *key == supplier)?;
        Some(contributor.1)
    }

    /// `Verifying` → `Have`.
    pub(crate) fn verified(&mut self, piece: PieceIndex) {
        self.forget_partial(piece);
        self.states[piece.as_usize()] = PieceState::Have;
        self.have.set(piece);
    }

    /// `Verifying` → `Missing`. Returns the sender of each block.
    pub(crate) fn failed(&mut self, piece: PieceIndex) -> Vec<Origin> {
        let sources = self.sources(piece);
        self.abandon(piece);
        sources
    }

    /// Any state without verified data → `Missing`.
    pub(crate) fn abandon(&mut self, piece: PieceIndex) {
        self.forget_partial(piece);
        if !self.have.has(piece) {
            self.states[piece.as_usize()] = PieceState::Missing;
        }
    }

    /// `Have` → `Evicted`. Says whether it was held.
    pub(crate) fn evicted(&mut self, piece: PieceIndex) -> bool {
        let held = self.have.clear(piece);
        if held {
            self.states[piece.as_usize()] = PieceState::Evicted;
        }
        held
    }

    /// Lets all peers fetch the pieces that only `peer` was to fetch.
    pub(crate) fn unreserve(&mut self, peer: PeerKey) {
        for partial in self.partials.values_mut() {
            if partial.reserved_for == Some(peer) {
                partial.reserved_for = None;
            }
        }
    }

    /// The sender of each stored block of a partial piece, in block order.
    fn sources(&self, piece: PieceIndex) -> Vec<Origin> {
        let Some(partial) = self.partials.get(&piece) else {
            return Vec::new();
        };
        let source = |block: &Block| match *block {
            Block::Stored(contributor) => {
                let contributor = partial.contributors.get(usize::from(contributor));
                contributor.map(|(_, origin)| *origin)
            }
            Block::Free | Block::Requested(_) => None,
        };
        partial.blocks.iter().filter_map(source).collect()
    }

    fn block_mut(&mut self, block: BlockRef) -> Option<&mut Block> {
        self.partials
            .get_mut(&block.piece())?
            .blocks
            .get_mut(block.number() as usize)
    }

    fn forget_partial(&mut self, piece: PieceIndex) {
        self.partials.remove(&piece);
        self.open.remove(&piece);
    }

    /// Panics if an invariant does not hold; tests and simulations call it after every step.
    pub(crate) fn check_invariants(&self) {
        for (&piece, partial) in &self.partials {
            let free = partial.blocks.iter().filter(|b| **b == Block::Free).count();
            let stored = partial
                .blocks
                .iter()
                .filter(|b| matches!(b, Block::Stored(_)))
                .count();
            assert_eq!(partial.free, free, "piece {piece}: free blocks");
            let before = partial.blocks.iter().take(partial.first_free);
            assert_eq!(before.filter(|b| **b == Block::Free).count(), 0);
            assert_eq!(partial.missing, partial.blocks.len() - stored);
            assert_eq!(self.open.contains(&piece), free > 0, "piece {piece}: open");
            let expected = match partial.missing {
                0 => PieceState::Verifying,
                _ => PieceState::Partial,
            };
            assert_eq!(self.state(piece), expected);
        }
        assert!(self.open.iter().all(|p| self.partials.contains_key(p)));
        for piece in self.geometry.pieces() {
            let state = self.state(piece);
            assert_eq!(state == PieceState::Have, self.have.has(piece));
            let partial = matches!(state, PieceState::Partial | PieceState::Verifying);
            assert_eq!(partial, self.partials.contains_key(&piece));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const ALICE: Origin = Origin::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    const BOB: Origin = Origin::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));

    const ALICE_KEY: SupplierKey = SupplierKey::new(1);
    const BOB_KEY: SupplierKey = SupplierKey::new(2);

    fn pieces() -> (Geometry, Pieces) {
        let geometry = Geometry::new(3 * 32_768 - 1, 32_768).unwrap();
        let pieces = Pieces::new(geometry.clone(), Bitfield::none(&geometry));
        (geometry, pieces)
    }

    #[test]
    fn a_piece_is_requested_stored_verified_and_evicted() {
        let (geometry, mut pieces) = pieces();
        let piece = geometry.piece(2).unwrap();
        pieces.start(piece, None);
        let first = pieces.request_next(piece, &[]).unwrap();
        let second = pieces.request_next(piece, &[]).unwrap();
        assert_eq!(pieces.request_next(piece, &[]), None);
        assert_eq!(second.len(), 16_383);
        pieces.request_again(second);
        pieces.check_invariants();
        assert_eq!(
            pieces.store(second, BOB_KEY, BOB),
            Arrival::Stored {
                others: 1,
                complete: false
            }
        );
        assert_eq!(pieces.store(second, ALICE_KEY, ALICE), Arrival::Redundant);
        assert_eq!(
            pieces.store(first, ALICE_KEY, ALICE),
            Arrival::Stored {
                others: 0,
                complete: true
            }
        );
        assert_eq!(pieces.state(piece), PieceState::Verifying);
        pieces.verified(piece);
        assert_eq!(pieces.verified_bytes(), 32_767);
        pieces.check_invariants();
        assert!(pieces.evicted(piece));
        assert!(!pieces.evicted(piece));
        assert_eq!(pieces.state(piece), PieceState::Evicted);
        pieces.check_invariants();
    }

    #[test]
    fn a_failed_piece_names_the_sender_of_each_block_and_starts_again() {
        let (geometry, mut pieces) = pieces();
        let piece = geometry.piece(0).unwrap();
        pieces.start(piece, None);
        let blocks: Vec<_> = geometry.blocks(piece).collect();
        pieces.store(blocks[1], ALICE_KEY, ALICE);
        pieces.store(blocks[0], BOB_KEY, BOB);
        assert_eq!(pieces.failed(piece), [BOB, ALICE]);
        assert_eq!(pieces.state(piece), PieceState::Missing);
        pieces.check_invariants();
    }

    #[test]
    fn a_lost_block_is_fetched_again() {
        let (geometry, mut pieces) = pieces();
        let piece = geometry.piece(0).unwrap();
        pieces.start(piece, None);
        let blocks: Vec<_> = geometry.blocks(piece).collect();
        for &block in &blocks {
            pieces.store(block, ALICE_KEY, ALICE);
        }
        pieces.lose(blocks[1]);
        pieces.check_invariants();
        assert_eq!(pieces.request_next(piece, &[]), Some(blocks[1]));
        assert_eq!(pieces.request_next(piece, &[]), None);
    }

    #[test]
    fn a_block_that_nobody_will_deliver_is_free_again() {
        let (geometry, mut pieces) = pieces();
        let piece = geometry.piece(0).unwrap();
        pieces.start(piece, None);
        let block = pieces.request_next(piece, &[]).unwrap();
        pieces.request_again(block);
        pieces.unrequest(block);
        assert_ne!(pieces.request_next(piece, &[]), Some(block));
        pieces.unrequest(block);
        assert_eq!(pieces.request_next(piece, &[]), Some(block));
        pieces.check_invariants();
    }

    #[test]
    fn a_piece_reserved_for_one_peer_is_closed_to_the_others() {
        let (geometry, mut pieces) = pieces();
        let piece = geometry.piece(0).unwrap();
        let (mine, other) = (PeerKey::new(1, 1), PeerKey::new(2, 2));
        pieces.start(piece, Some(mine));
        assert_eq!(pieces.open_for(mine).count(), 1);
        assert_eq!(pieces.open_for(other).count(), 0);
        pieces.unreserve(mine);
        assert_eq!(pieces.open_for(other).count(), 1);
    }
}
