//! The requests of a peer that have not been served.

use std::collections::VecDeque;

use tailwater_metainfo::{Bitfield, BlockRef, PieceIndex};

/// Requests that a choked peer may make in vain before it is disconnected (as in libtorrent). Those that may have been
/// on their way when it was choked are forgiven.
pub(super) const MAX_REFUSALS: usize = 50;
/// How often the bytes of an allowed-fast piece are served to a choked peer: once, and twice more if its data was lost.
const ALLOWED_FAST_SERVINGS: u64 = 3;

#[derive(Debug)]
pub(super) struct Uploads {
    limit: usize,
    choking: bool,
    /// The pieces that are served, if not all (BEP 16).
    told: Option<Bitfield>,
    /// Pieces that the peer may request while it is choked, each with the bytes that it may still have.
    allowed_fast: Vec<(PieceIndex, u64)>,
    /// Requests that may still be refused until the peer is unchoked.
    refusals_left: usize,
    queue: VecDeque<BlockRef>,
    /// Taken by [`Self::next`] and neither sent nor refused yet.
    in_flight: usize,
}

/// The decision on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Queued,
    /// The peer is choked, or the piece is one that it was not told of: the request is rejected, where the peer knows
    /// rejects.
    Refused,
    /// The same, and the peer has requested in vain too often.
    TooManyRefused,
    /// The peer has more requests waiting than we said that we queue.
    Flood,
}

impl Uploads {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            choking: true,
            told: None,
            allowed_fast: Vec::new(),
            refusals_left: MAX_REFUSALS,
            queue: VecDeque::new(),
            in_flight: 0,
        }
    }

    pub(super) fn handle_request(&mut self, block: BlockRef) -> Ruling {
        if self.queue.len() + self.in_flight >= self.limit {
            return Ruling::Flood;
        }
        let is_told = self.told.as_ref();
        if is_told.is_some_and(|told| !told.has(block.piece())) {
            return self.refuse();
        }
        if self.choking && !spend_allowed_fast(&mut self.allowed_fast, block) {
            return self.refuse();
        }
        self.queue.push_back(block);
        Ruling::Queued
    }

    /// Serves only these pieces and those of [`Self::handle_told`] from now on; with `None`, any.
    pub(super) fn serve_only(&mut self, told: Option<Bitfield>) {
        self.told = told;
    }

    /// The peer is told that we have a piece.
    pub(super) fn handle_told(&mut self, piece: PieceIndex) {
        if let Some(told) = &mut self.told {
            told.set(piece);
        }
    }

    fn refuse(&mut self) -> Ruling {
        match self.refusals_left.checked_sub(1) {
            Some(left) => {
                self.refusals_left = left;
                Ruling::Refused
            }
            None => Ruling::TooManyRefused,
        }
    }

    /// Removes a request; says whether it was still waiting.
    pub(super) fn handle_cancel(&mut self, block: BlockRef) -> bool {
        let position = self.queue.iter().position(|queued| *queued == block);
        position
            .and_then(|position| self.queue.remove(position))
            .is_some()
    }

    /// Lets the peer have a piece of `len` bytes while it is choked; says whether that is news.
    pub(super) fn allow_fast(&mut self, piece: PieceIndex, len: u32) -> bool {
        let fresh = !self.allowed_fast.iter().any(|(known, _)| *known == piece);
        if fresh {
            let bytes = u64::from(len) * ALLOWED_FAST_SERVINGS;
            self.allowed_fast.push((piece, bytes));
        }
        fresh
    }

    pub(super) fn unchoke(&mut self) {
        self.choking = false;
        self.refusals_left = MAX_REFUSALS;
    }

    /// Chokes the peer; returns the requests that will not be answered. With the fast extension those for allowed-fast
    /// pieces stay.
    pub(super) fn choke(&mut self, fast: bool) -> Vec<BlockRef> {
        if !self.choking {
            // The peer may have filled its queue before the choke reached it.
            self.refusals_left = MAX_REFUSALS + self.limit;
        }
        self.choking = true;
        let allowed_fast = &mut self.allowed_fast;
        let stays = |block: &BlockRef| fast && spend_allowed_fast(allowed_fast, *block);
        let (kept, dropped) = self.queue.drain(..).partition::<Vec<_>, _>(stays);
        self.queue = kept.into();
        dropped
    }

    pub(super) fn next(&mut self) -> Option<BlockRef> {
        let block = self.queue.pop_front()?;
        self.in_flight += 1;
        Some(block)
    }

    /// Blocks taken by [`Self::next`] wait again, ahead of the others; they were the next in this order.
    pub(super) fn put_back(&mut self, blocks: &[BlockRef]) {
        self.in_flight = self.in_flight.saturating_sub(blocks.len());
        for block in blocks.iter().rev() {
            self.queue.push_front(*block);
        }
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// One block taken by [`Self::next`] was sent or refused.
    pub(super) fn handle_done(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}

/// Whether a choked peer may have the block; then it is counted.
fn spend_allowed_fast(allowed: &mut [(PieceIndex, u64)], block: BlockRef) -> bool {
    let left = allowed
        .iter_mut()
        .find(|(piece, _)| *piece == block.piece())
        .and_then(|(_, left)| {
            *left = left.checked_sub(u64::from(block.len()))?;
            Some(())
        });
    left.is_some()
}
