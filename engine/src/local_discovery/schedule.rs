//! The schedule of announces: which torrent is announced next.

use std::collections::BTreeSet;
use std::time::Instant;

use tailwater_metainfo::InfoHash;

/// When a torrent is announced next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    at: Instant,
    is_urgent: bool,
}

/// The torrents in the order in which they are due.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    urgent: BTreeSet<(Instant, InfoHash)>,
    routine: BTreeSet<(Instant, InfoHash)>,
}

impl Due {
    pub(super) const fn urgent(at: Instant) -> Self {
        let is_urgent = true;
        Self { at, is_urgent }
    }

    pub(super) const fn routine(at: Instant) -> Self {
        let is_urgent = false;
        Self { at, is_urgent }
    }
}

impl Schedule {
    pub(super) fn insert(&mut self, info_hash: InfoHash, due: Due) {
        self.list(due).insert((due.at, info_hash));
    }

    pub(super) fn remove(&mut self, info_hash: InfoHash, due: Due) {
        self.list(due).remove(&(due.at, info_hash));
    }

    /// Brings an announce forward to `at`, unless an urgent one is due before. Returns when it is due now.
    pub(super) fn bring_forward(&mut self, info_hash: InfoHash, due: Due, at: Instant) -> Due {
        if due.is_urgent && due.at <= at {
            return due;
        }
        self.remove(info_hash, due);
        let sooner = Due::urgent(at);
        self.insert(info_hash, sooner);
        sooner
    }

    /// When the first torrent is due whose announce does not wait for its turn.
    pub(super) fn first_urgent(&self) -> Option<Instant> {
        self.urgent.first().map(|due| due.0)
    }

    /// When the first of the others is due.
    pub(super) fn first_routine(&self) -> Option<Instant> {
        self.routine.first().map(|due| due.0)
    }

    /// Takes what is due, the urgent first, until there are `most`.
    pub(super) fn take(
        &mut self,
        urgent_until: Instant,
        routine_until: Instant,
        most: usize,
        taken: &mut Vec<InfoHash>,
    ) {
        take_until(&mut self.urgent, urgent_until, most, taken);
        take_until(&mut self.routine, routine_until, most, taken);
    }

    const fn list(&mut self, due: Due) -> &mut BTreeSet<(Instant, InfoHash)> {
        match due.is_urgent {
            true => &mut self.urgent,
            false => &mut self.routine,
        }
    }
}

/// Moves what is due until then, until there are `most`.
fn take_until(
    list: &mut BTreeSet<(Instant, InfoHash)>,
    until: Instant,
    most: usize,
    taken: &mut Vec<InfoHash>,
) {
    while taken.len() < most
        && let Some(first) = list.first().copied().filter(|first| first.0 <= until)
    {
        list.remove(&first);
        taken.push(first.1);
    }
}
