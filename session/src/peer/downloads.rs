//! What was asked of the peer and has not come.

use std::collections::VecDeque;

use tailwater_metainfo::{BlockRef, PieceIndex};

/// How many requests that were taken back are remembered: their blocks may be on the way already.
const MAX_RECALLED: usize = 4_096;

/// What a block that arrived means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was asked for.
    Expected,
    /// It was asked for, but has been taken back since.
    Recalled,
    /// It was never asked for.
    Unasked,
}

/// The outstanding requests, oldest first, as peers answer them.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    outstanding: VecDeque<BlockRef>,
    recalled: VecDeque<BlockRef>,
}

impl Downloads {
    pub(super) fn request(&mut self, block: BlockRef) {
        self.outstanding.push_back(block);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Says whether there was such a request.
    pub(super) fn cancel(&mut self, block: BlockRef) -> bool {
        let found = take(&mut self.outstanding, block);
        if found {
            self.recall(block);
        }
        found
    }

    /// A block arrived.
    pub(super) fn handle_block(&mut self, block: BlockRef) -> Answer {
        if take(&mut self.outstanding, block) {
            Answer::Expected
        } else if take(&mut self.recalled, block) {
            Answer::Recalled
        } else {
            Answer::Unasked
        }
    }

    /// The peer will not send this block. Says whether it was still asked for. BEP 6 has each request answered once, in
    /// order: of one that was taken back and made again, the first reject answers the former.
    pub(super) fn handle_reject(&mut self, block: BlockRef) -> bool {
        !take(&mut self.recalled, block) && take(&mut self.outstanding, block)
    }

    /// The peer choked us without the fast extension: it forgets every request (BEP 3), but what it had begun to
    /// send may still come.
    pub(super) fn handle_choke(&mut self) -> Vec<BlockRef> {
        let forgotten: Vec<_> = self.outstanding.drain(..).collect();
        for &block in &forgotten {
            self.recall(block);
        }
        forgotten
    }

    /// The peer gave up a piece: every request for it is void.
    pub(super) fn forget_piece(&mut self, piece: PieceIndex) -> Vec<BlockRef> {
        let of_piece = |block: &&BlockRef| block.piece() == piece;
        let gone: Vec<_> = self.outstanding.iter().filter(of_piece).copied().collect();
        for &block in &gone {
            self.cancel(block);
        }
        gone
    }

    fn recall(&mut self, block: BlockRef) {
        if self.recalled.len() == MAX_RECALLED {
            self.recalled.pop_front();
        }
        self.recalled.push_back(block);
    }
}

fn take(queue: &mut VecDeque<BlockRef>, block: BlockRef) -> bool {
    let position = queue.iter().position(|queued| *queued == block);
    position
        .and_then(|position| queue.remove(position))
        .is_some()
}
