//! Verification of pieces that have all their blocks: when it begins.
//!
//! Some storages verify several pieces together cheaper than one by one. While pieces are completed so fast that enough
//! of them are there in a moment, they wait for each other. Otherwise there is processor time to spare, and none has to
//! wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tailwater_metainfo::PieceIndex;

use crate::torrent::supply::Supply;
use crate::torrent::{Engine, Output, PieceState, Space};

/// The longest that a piece waits for others. Peers are told that much later that we have it, who have other pieces to
/// ask for meanwhile: no piece waits unless 53 of them come in a second.
const PATIENCE: Duration = Duration::from_millis(150);

/// The pieces that wait for others to be verified together.
#[derive(Debug, Default)]
pub(crate) struct Verifying {
    waiting: Vec<PieceIndex>,
    /// When they have waited enough.
    due: Option<Instant>,
    /// When the last pieces were completed; half as many as are verified together.
    recent: VecDeque<Instant>,
}

impl Verifying {
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// A piece is complete. Says whether it is worth waiting for more: whether there would be `together` of them soon.
    fn push(&mut self, now: Instant, piece: PieceIndex, together: usize) -> bool {
        if !self.waiting.contains(&piece) {
            self.waiting.push(piece);
        }
        let enough = together / 2;
        self.recent.push_back(now);
        while self.recent.len() > enough {
            self.recent.pop_front();
        }
        let since = self.recent.front().copied();
        let is_fast = self.recent.len() == enough
            && since.is_some_and(|since| now.saturating_duration_since(since) <= PATIENCE);
        if is_fast && self.waiting.len() < together {
            self.due.get_or_insert(now + PATIENCE);
            return true;
        }
        false
    }

    fn take(&mut self) -> Vec<PieceIndex> {
        self.due = None;
        std::mem::take(&mut self.waiting)
    }
}

impl<S: Space> Engine<S> {
    /// A piece has all its blocks.
    pub(crate) fn handle_full(&mut self, now: Instant, piece: PieceIndex) {
        let together = self.space.verify_together();
        let is_worthwhile = self.supply.verifying.push(now, piece, together);
        // A reader wants what there is at once, and when nothing is on its way there is nothing to wait for.
        let may_wait =
            self.demand.readers.is_empty() && self.supply.pieces.partial().next().is_some();
        if !(is_worthwhile && may_wait) {
            self.verify_waiting();
        }
    }

    /// Verifies the pieces that have waited.
    pub(crate) fn verify_waiting(&mut self) {
        let pieces = self.supply.take_waiting();
        if !pieces.is_empty() {
            self.outputs.push_back(Output::Verify(pieces));
        }
    }

    /// The torrent ends: verifies the complete pieces, so that they are there the next time.
    pub fn handle_closing(&mut self) {
        self.verify_waiting();
    }

    /// Asks the storage anew for all verdicts that have not come.
    pub(crate) fn verify_again(&mut self) {
        let together = self.space.verify_together().max(1);
        let again = self.supply.take_unanswered();
        let again = again.chunks(together).map(<[_]>::to_vec);
        self.outputs.extend(again.map(Output::Verify));
    }
}

impl Supply {
    /// Takes the full pieces that wait to be verified.
    fn take_waiting(&mut self) -> Vec<PieceIndex> {
        let mut pieces = self.verifying.take();
        pieces.retain(|piece| self.pieces.state(*piece) == PieceState::Verifying);
        pieces
    }

    /// Takes the full pieces of which there is no verdict.
    fn take_unanswered(&mut self) -> Vec<PieceIndex> {
        self.verifying.take();
        let verifying = |piece: &PieceIndex| self.pieces.state(*piece) == PieceState::Verifying;
        self.geometry.pieces().filter(verifying).collect()
    }
}
