//! What the peer asked for and has not been sent.

use std::collections::VecDeque;

use tailwater_metainfo::{BlockRef, PieceIndex};

#[derive(Debug)]
pub(super) struct Uploads {
    limit: usize,
    choking: bool,
    allowed_fast: Vec<PieceIndex>,
    queue: VecDeque<BlockRef>,
    /// Taken by [`Self::next`] and neither sent nor refused yet.
    in_flight: usize,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Queued,
    /// The peer is choked: answered with a reject where it knows what that is.
    Refused,
    /// It has asked for more than we said that we queue.
    Flood,
}

impl Uploads {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            limit,
            choking: true,
            allowed_fast: Vec::new(),
            queue: VecDeque::new(),
            in_flight: 0,
        }
    }

    pub(super) fn handle_request(&mut self, block: BlockRef) -> Ruling {
        if self.choking && !self.allowed_fast.contains(&block.piece()) {
            return Ruling::Refused;
        }
        if self.queue.len() + self.in_flight >= self.limit {
            return Ruling::Flood;
        }
        self.queue.push_back(block);
        Ruling::Queued
    }

    /// Says whether it was still waiting.
    pub(super) fn handle_cancel(&mut self, block: BlockRef) -> bool {
        let position = self.queue.iter().position(|queued| *queued == block);
        position
            .and_then(|position| self.queue.remove(position))
            .is_some()
    }

    /// Says whether that is news.
    pub(super) fn allow_fast(&mut self, piece: PieceIndex) -> bool {
        let fresh = !self.allowed_fast.contains(&piece);
        if fresh {
            self.allowed_fast.push(piece);
        }
        fresh
    }

    pub(super) fn unchoke(&mut self) {
        self.choking = false;
    }

    /// Returns the requests that will not be answered. With the fast extension those for allowed-fast pieces stay.
    pub(super) fn choke(&mut self, fast: bool) -> Vec<BlockRef> {
        self.choking = true;
        let stays = |block: &BlockRef| fast && self.allowed_fast.contains(&block.piece());
        let (kept, dropped) = self.queue.drain(..).partition::<Vec<_>, _>(stays);
        self.queue = kept.into();
        dropped
    }

    pub(super) fn next(&mut self) -> Option<BlockRef> {
        let block = self.queue.pop_front()?;
        self.in_flight += 1;
        Some(block)
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// One block taken by [`Self::next`] was sent or refused.
    pub(super) fn handle_done(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}
