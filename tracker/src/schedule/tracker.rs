//! The schedule's state of one tracker.

use std::sync::Arc;
use std::time::Instant;

use super::AnnounceId;
use crate::announce::Event;
use crate::error::TrackerError;

/// The state of a tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackerState {
    /// Not asked yet.
    Idle,
    /// An announce is under way.
    Announcing,
    /// The last announce was answered.
    Working,
    /// The last announce failed; it will be tried again.
    Failing,
    /// It will not be asked again: its URL is unusable, or it said never (BEP 31).
    Disabled,
}

/// The status of a tracker, for display.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackerStatus<'a> {
    /// Its announce URL.
    pub url: &'a str,
    /// Its tier, from 0.
    pub tier: usize,
    /// Its state.
    pub state: TrackerState,
    /// Failures since the last answer.
    pub failures: u32,
    /// Why the last announce failed; `None` after an answer.
    pub last_error: Option<&'a TrackerError>,
    /// The warning of the last answer.
    pub warning: Option<&'a str>,
    /// Peers that have everything, by the last answer that said so.
    pub seeders: Option<u32>,
    /// Peers that lack something, by the last answer that said so.
    pub leechers: Option<u32>,
    /// When it was last sent an announce.
    pub last_announce: Option<Instant>,
    /// The time before which it is not asked; `None` if it will not be asked.
    pub next_announce: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) id: AnnounceId,
    pub(super) event: Option<Event>,
    /// Whether the download was complete when the announce was handed out.
    pub(super) complete: bool,
    /// Whether it is a step of its group's round, not an event told out of turn.
    pub(super) in_round: bool,
}

#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) url: Arc<str>,
    pub(super) tier: usize,
    pub(super) group: usize,
    pub(super) in_flight: Option<InFlight>,
    /// It answered a `started`, and no `stopped` since.
    pub(super) registered: bool,
    /// It knows this peer as one that downloads, so that a `completed` means something to it.
    pub(super) counts_as_leecher: bool,
    pub(super) completed_due: Option<Instant>,
    pub(super) stopped_due: Option<Instant>,
    pub(super) failures: u32,
    /// End of the tracker's min interval: a regular announce before it is not allowed.
    pub(super) min_until: Option<Instant>,
    pub(super) backoff_until: Option<Instant>,
    pub(super) disabled: bool,
    /// It has been replaced, and is only told `stopped` still.
    pub(super) leaving: bool,
    pub(super) last_announce: Option<Instant>,
    /// The last round of its group in which it was tried.
    pub(super) tried_in: u64,
    pub(super) tracker_id: Option<Vec<u8>>,
    pub(super) answered: bool,
    pub(super) last_error: Option<TrackerError>,
    pub(super) warning: Option<String>,
    pub(super) seeders: Option<u32>,
    pub(super) leechers: Option<u32>,
}

impl Tracker {
    pub(super) fn new(url: Arc<str>, tier: usize, group: usize) -> Self {
        Self {
            url,
            tier,
            group,
            in_flight: None,
            registered: false,
            counts_as_leecher: false,
            completed_due: None,
            stopped_due: None,
            failures: 0,
            min_until: None,
            backoff_until: None,
            disabled: false,
            leaving: false,
            last_announce: None,
            tried_in: 0,
            tracker_id: None,
            answered: false,
            last_error: None,
            warning: None,
            seeders: None,
            leechers: None,
        }
    }

    /// When a regular announce is allowed; `None` for any time.
    pub(super) fn allowed_from(&self) -> Option<Instant> {
        self.min_until.max(self.backoff_until)
    }

    /// When a `completed` that this tracker has not got yet goes out.
    pub(super) fn completed_from(&self) -> Option<Instant> {
        let due = self
            .completed_due
            .filter(|_| self.in_flight.is_none() && !self.disabled)?;
        Some(self.backoff_until.map_or(due, |until| until.max(due)))
    }

    pub(super) fn stopped_from(&self) -> Option<Instant> {
        self.stopped_due.filter(|_| self.in_flight.is_none())
    }

    /// The tracker has been removed from the torrent.
    pub(super) fn leave(&mut self, now: Instant) {
        self.leaving = true;
        self.completed_due = None;
        if std::mem::take(&mut self.registered) {
            self.in_flight = None;
            self.stopped_due = Some(now);
        }
    }

    /// `next_round`: when its group asks one of its trackers next.
    pub(super) fn status(&self, next_round: Option<Instant>) -> TrackerStatus<'_> {
        let state = if self.in_flight.is_some() {
            TrackerState::Announcing
        } else if self.disabled {
            TrackerState::Disabled
        } else if self.failures > 0 {
            TrackerState::Failing
        } else if self.answered {
            TrackerState::Working
        } else {
            TrackerState::Idle
        };
        TrackerStatus {
            url: &self.url,
            tier: self.tier,
            state,
            failures: self.failures,
            last_error: self.last_error.as_ref(),
            warning: self.warning.as_deref(),
            seeders: self.seeders,
            leechers: self.leechers,
            last_announce: self.last_announce,
            next_announce: next_round
                .filter(|_| !self.disabled)
                .map(|at| self.allowed_from().map_or(at, |from| from.max(at))),
        }
    }
}
