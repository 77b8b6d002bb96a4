//! The requests to a peer that are outstanding.

use std::collections::{BTreeSet, VecDeque};

use tailwater_metainfo::{BlockRef, PieceIndex};

/// The most cancelled requests that are remembered: their blocks may be on the way already.
const MAX_RECALLED: usize = 4_096;

/// The answer that a block is to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was requested.
    Expected,
    /// It was requested, and cancelled since.
    Recalled,
    /// It was never requested.
    Unasked,
}

/// The effect of a reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// An outstanding request will not be answered.
    Standing,
    /// It answers a request that was cancelled and made again meanwhile: now it has to be sent again.
    AskAgain,
    /// It answers a cancelled request, or none.
    Nothing,
}

/// The outstanding requests, oldest first, as peers answer them.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    outstanding: VecDeque<BlockRef>,
    /// Cancelled, but not answered yet.
    recalled: VecDeque<BlockRef>,
    /// Outstanding requests that were cancelled and made again before the peer had answered.
    revived: BTreeSet<BlockRef>,
}

impl Downloads {
    /// Adds a request; says whether it has to be sent. With the fast extension a cancelled request is still answered,
    /// with the block or a reject (BEP 6): to send it again at once would bring the block twice.
    pub(super) fn request(&mut self, block: BlockRef, fast: bool) -> bool {
        self.outstanding.push_back(block);
        let revived = fast && take(&mut self.recalled, block);
        if revived {
            self.revived.insert(block);
        }
        !revived
    }

    pub(super) fn is_idle(&self) -> bool {
        self.outstanding.is_empty()
    }

    /// Cancels a request; says whether the peer has to be told.
    pub(super) fn cancel(&mut self, block: BlockRef) -> bool {
        let found = take(&mut self.outstanding, block);
        if found {
            self.recall(block);
        }
        let was_told = self.revived.remove(&block);
        found && !was_told
    }

    /// A block arrived.
    pub(super) fn handle_block(&mut self, block: BlockRef) -> Answer {
        if take(&mut self.outstanding, block) {
            self.revived.remove(&block);
            Answer::Expected
        } else if take(&mut self.recalled, block) {
            Answer::Recalled
        } else {
            Answer::Unasked
        }
    }

    /// The peer rejected a request. BEP 6 has each request answered once, in order: of one that was cancelled and made
    /// again, the first reject answers the former.
    pub(super) fn handle_reject(&mut self, block: BlockRef) -> Refused {
        if self.revived.remove(&block) {
            Refused::AskAgain
        } else if !take(&mut self.recalled, block) && take(&mut self.outstanding, block) {
            Refused::Standing
        } else {
            Refused::Nothing
        }
    }

    /// The peer choked us without the fast extension: it forgets every request (BEP 3), but what it had begun to
    /// send may still come.
    pub(super) fn handle_choke(&mut self) -> Vec<BlockRef> {
        let forgotten: Vec<_> = self.outstanding.drain(..).collect();
        self.revived.clear();
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
