//! The order in which trackers are tried (BEP 12).

use std::time::Instant;

use super::tracker::Tracker;

/// Tiers that are backups of one another, and the round that walks through them.
///
/// A round tries each tracker at most once and ends with the first answer. Between rounds the
/// group waits for `next_round`.
#[derive(Debug)]
pub(super) struct Group {
    /// Indices of trackers, in the order of trying.
    pub(super) tiers: Vec<Vec<usize>>,
    /// When the next step is due; `None` if no tracker is left to ask.
    pub(super) next_round: Option<Instant>,
    /// The number of the current or last round.
    round: u64,
    open: bool,
    /// The tracker that answered the last round: its interval rules.
    pub(super) current: Option<usize>,
    /// Whether that one is tried first.
    keeps_current: bool,
}

impl Group {
    pub(super) fn new(now: Instant, tiers: Vec<Vec<usize>>, keeps_current: bool) -> Self {
        Self {
            tiers,
            next_round: Some(now),
            round: 0,
            open: false,
            current: None,
            keeps_current,
        }
    }

    /// Begins a round as soon as trackers allow, unless one is under way.
    pub(super) fn hasten(&mut self, now: Instant) {
        if !self.open {
            self.next_round = Some(self.next_round.map_or(now, |at| at.min(now)));
        }
    }

    /// Ends the round with an answer.
    pub(super) fn answered(&mut self, tracker: usize, next_round: Instant) {
        for tier in &mut self.tiers {
            if let Some(place) = tier.iter().position(|index| *index == tracker) {
                // BEP 12: a tracker that answers moves to the front of its tier.
                tier[..=place].rotate_right(1);
            }
        }
        self.current = Some(tracker);
        self.open = false;
        self.next_round = Some(next_round);
    }

    pub(super) fn is_busy(&self, trackers: &[Tracker]) -> bool {
        self.members()
            .any(|index| trackers[index].in_flight.is_some())
    }

    /// The tracker to try next, if one is due.
    pub(super) fn step(&mut self, now: Instant, trackers: &mut [Tracker]) -> Option<usize> {
        // A round that found no tracker free may leave its successor due at once; that one then
        // finds the tracker for whose sake it is due.
        while !self.is_busy(trackers) && self.next_round.is_some_and(|at| at <= now) {
            if !self.open {
                self.open = true;
                self.round += 1;
            }
            match self.choose(now, trackers) {
                Choice::Try(index) => {
                    trackers[index].tried_in = self.round;
                    return Some(index);
                }
                Choice::WaitUntil(at) => {
                    self.open = false;
                    self.next_round = at;
                }
            }
        }
        None
    }

    fn choose(&self, now: Instant, trackers: &[Tracker]) -> Choice {
        let mut earliest: Option<Instant> = None;
        for index in self.members() {
            let tracker = &trackers[index];
            if tracker.disabled {
                continue;
            }
            let allowed_from = tracker.allowed_from().unwrap_or(now).max(now);
            if tracker.tried_in != self.round {
                if allowed_from <= now {
                    return Choice::Try(index);
                }
                if tracker.failures == 0 {
                    // The tracker works and only has a minimum interval: no reason to go on to its backups.
                    return Choice::WaitUntil(Some(allowed_from));
                }
            }
            earliest = Some(earliest.map_or(allowed_from, |at| at.min(allowed_from)));
        }
        Choice::WaitUntil(earliest)
    }

    /// The trackers in the order of trying.
    fn members(&self) -> impl Iterator<Item = usize> {
        let kept = self.current.filter(|_| self.keeps_current);
        let others = self.tiers.iter().flatten().copied();
        kept.into_iter()
            .chain(others.filter(move |index| Some(*index) != kept))
    }
}

enum Choice {
    Try(usize),
    WaitUntil(Option<Instant>),
}
