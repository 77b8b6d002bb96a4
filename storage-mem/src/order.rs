//! The eviction order: idle pieces first, then least recently requested (LRU).

use std::cmp::Reverse;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::shard::Key;

/// How many points of time are remembered over [`Config::idle_after`](crate::Config::idle_after): a piece counts as
/// idle at most `idle_after / MARKS` late.
const MARKS: u32 = 128;

/// The rank of a piece in the eviction order: idle pieces before the others; the lowest rank is evicted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Not requested for long: the pieces that most peers have first, then by the last request.
    Idle(Reverse<u32>, u64, Key),
    /// By the last request. Of pieces that were requested between two steps of the clock, the one of the lower slot and
    /// index goes first.
    Recent(u64, Key),
}

impl Rank {
    pub(crate) const fn key(self) -> Key {
        match self {
            Self::Idle(_, _, key) | Self::Recent(_, key) => key,
        }
    }

    pub(crate) const fn is_idle(self) -> bool {
        matches!(self, Self::Idle(..))
    }
}

/// The verified pieces that nothing protects, in eviction order, and the time that the caller last set.
#[derive(Debug)]
pub(crate) struct Order {
    ranks: BTreeSet<Rank>,
    idle_after: Duration,
    now: Duration,
    /// Points of time, and the first stamp that was given at or after each. The oldest first.
    marks: VecDeque<(Duration, u64)>,
    /// Pieces with an earlier stamp are idle.
    idle_before: u64,
}

impl Order {
    pub(crate) const fn new(idle_after: Duration) -> Self {
        Self {
            ranks: BTreeSet::new(),
            idle_after,
            now: Duration::ZERO,
            marks: VecDeque::new(),
            idle_before: 0,
        }
    }

    /// Inserts a piece by its last request, and returns its rank.
    pub(crate) fn insert(&mut self, key: Key, stamp: u64) -> Rank {
        let rank = Rank::Recent(stamp, key);
        self.ranks.insert(rank);
        rank
    }

    /// The same for a piece that may be idle, whose availability then matters.
    pub(crate) fn insert_aged(&mut self, key: Key, stamp: u64, availability: u32) -> Rank {
        if stamp >= self.idle_before {
            return self.insert(key, stamp);
        }
        let rank = Rank::Idle(Reverse(availability), stamp, key);
        self.ranks.insert(rank);
        rank
    }

    pub(crate) fn remove(&mut self, rank: Option<Rank>) {
        if let Some(rank) = rank {
            self.ranks.remove(&rank);
        }
    }

    /// The first rank, or the first after another one.
    pub(crate) fn next(&self, after: Option<Rank>) -> Option<Rank> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.ranks.range((from, Bound::Unbounded)).next().copied()
    }

    /// A piece that has become idle and is not ranked so, unless it was requested since.
    pub(crate) fn newly_idle(&self) -> Option<Rank> {
        let first = Rank::Recent(0, Key::FIRST);
        let end = Rank::Recent(self.idle_before, Key::FIRST);
        self.ranks.range(first..end).next().copied()
    }

    /// Sets the time, and the first stamp that is given from now on. Time does not go back.
    pub(crate) fn set_time(&mut self, now: Duration, stamp: u64) {
        self.now = self.now.max(now);
        let grain = self.idle_after / MARKS;
        let is_due = self
            .marks
            .back()
            .is_none_or(|&(last, _)| self.now.saturating_sub(last) >= grain);
        if is_due {
            self.marks.push_back((self.now, stamp));
        }
        while let Some(&(time, stamp)) = self.marks.front()
            && self.now.saturating_sub(time) >= self.idle_after
        {
            self.idle_before = stamp;
            self.marks.pop_front();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.ranks.clear();
    }
}
