//! The announce schedule: when to announce, to which tracker, with which event (BEP 3, BEP 12).

mod config;
mod group;
#[cfg(test)]
mod tests;
mod tracker;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::ScheduleConfig;
pub(crate) use config::after;
pub use tracker::{TrackerState, TrackerStatus};

use crate::announce::{AnnounceRequest, AnnounceResponse, Event};
use crate::error::{RetryIn, TrackerError};
use group::Group;
use tracker::{InFlight, Tracker};

/// How many trackers one torrent may have; the ones after that are ignored.
///
/// Curated lists that people paste into torrents hold about a hundred.
pub const MAX_TRACKERS: usize = 256;

/// The key of one announce of an [`AnnounceSchedule`], until its outcome is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnnounceId(u64);

/// An announce that is due: make it, then report the outcome to the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Announce {
    /// To be given to [`AnnounceSchedule::handle_response`] or
    /// [`AnnounceSchedule::handle_failure`].
    pub id: AnnounceId,
    /// The tracker.
    pub url: Arc<str>,
    /// The event to send.
    pub event: Option<Event>,
    /// The tracker id to send back.
    pub tracker_id: Option<Vec<u8>>,
}

impl Announce {
    /// Sets what the schedule decides in a request: event, tracker id, and that a peer which
    /// leaves wants no peers.
    pub fn apply_to(&self, request: &mut AnnounceRequest) {
        request.event = self.event;
        request.tracker_id.clone_from(&self.tracker_id);
        if self.event == Some(Event::Stopped) {
            request.num_want = Some(0);
        }
    }
}

/// The schedule of one torrent's announces: a state machine without a clock.
///
/// ```text
///            handle_stop                     every `stopped` answered or failed
/// running ---------------> stopping --------------------------------------------> stopped
///    ^                        |                                                      |
///    +------------------------+-------------------- handle_start --------------------+
/// ```
///
/// While running, trackers are asked tier by tier; the first answer settles a round, and its
/// interval sets the next. Towards one tracker:
///
/// - the first announce that it answers is a `started`;
/// - regular announces keep its min interval and [`ScheduleConfig::min_interval`];
/// - events go out at once, as BEP 15 allows;
/// - `completed` goes only to one that was told of an incomplete download, and never again once
///   it answered;
/// - `stopped` goes only to one that answered a `started`, once, to all of them at the same time.
///
/// Call order is free. After any `handle_*`, and when [`poll_timeout`](Self::poll_timeout) has
/// passed, call [`poll_announce`](Self::poll_announce) until it returns `None`.
#[derive(Debug)]
pub struct AnnounceSchedule {
    config: ScheduleConfig,
    rng: fastrand::Rng,
    trackers: Vec<Tracker>,
    groups: Vec<Group>,
    stopping: bool,
    complete: bool,
    last_id: u64,
}

impl AnnounceSchedule {
    /// A schedule whose first announce is due at once.
    ///
    /// A URL that stands in two places counts in the first; of the distinct ones, at most
    /// [`MAX_TRACKERS`] are used. With `complete`, the download was complete at its start, and no
    /// tracker will be told `completed`.
    #[must_use]
    pub fn new(
        now: Instant,
        tiers: &[Vec<String>],
        complete: bool,
        config: ScheduleConfig,
    ) -> Self {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        let (trackers, groups) = arrange(now, tiers, &config, &mut rng);
        Self {
            config,
            rng,
            trackers,
            groups,
            stopping: false,
            complete,
            last_id: 0,
        }
    }

    /// Replaces the trackers, by the rules of [`new`](Self::new). Those whose URL stays keep what is known of them, their
    /// intervals included. One that goes and knows of this peer is told `stopped`.
    pub fn set_trackers(&mut self, now: Instant, tiers: &[Vec<String>]) {
        let (trackers, groups) = arrange(now, tiers, &self.config, &mut self.rng);
        let mut old = std::mem::replace(&mut self.trackers, trackers);
        self.groups = groups;
        for tracker in &mut self.trackers {
            let known = old
                .iter()
                .position(|old| !old.leaving && old.url == tracker.url);
            if let Some(known) = known.map(|index| old.swap_remove(index)) {
                *tracker = Tracker {
                    tier: tracker.tier,
                    group: tracker.group,
                    tried_in: 0,
                    ..known
                };
            }
        }
        for mut tracker in old {
            tracker.leave(now);
            self.trackers.push(tracker);
        }
        self.forget_left();
    }

    /// Takes the next announce that is due.
    #[must_use]
    pub fn poll_announce(&mut self, now: Instant) -> Option<Announce> {
        if self.stopping {
            let due = |tracker: &Tracker| tracker.stopped_from().is_some_and(|at| at <= now);
            let index = self.trackers.iter().position(due)?;
            return Some(self.emit(now, index, Some(Event::Stopped), false));
        }
        let left = |tracker: &Tracker| {
            tracker.leaving && tracker.stopped_from().is_some_and(|at| at <= now)
        };
        if let Some(index) = self.trackers.iter().position(left) {
            return Some(self.emit(now, index, Some(Event::Stopped), false));
        }
        let owed = |tracker: &Tracker| tracker.completed_from().is_some_and(|at| at <= now);
        if let Some(index) = self.trackers.iter().position(owed) {
            return Some(self.emit(now, index, Some(Event::Completed), false));
        }
        let trackers = &mut self.trackers;
        let index = self
            .groups
            .iter_mut()
            .find_map(|group| group.step(now, trackers))?;
        let event = (!self.trackers[index].registered).then_some(Event::Started);
        Some(self.emit(now, index, event, true))
    }

    /// When to call [`poll_announce`](Self::poll_announce) if nothing else happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.stopping {
            return self.trackers.iter().filter_map(Tracker::stopped_from).min();
        }
        let completed = self
            .trackers
            .iter()
            .filter_map(Tracker::completed_from)
            .min();
        let idle = self
            .groups
            .iter()
            .filter(|group| !group.is_busy(&self.trackers));
        let round = idle.filter_map(|group| group.next_round).min();
        let leaving = self.trackers.iter().filter(|tracker| tracker.leaving);
        let stopped = leaving.filter_map(Tracker::stopped_from).min();
        [completed, round, stopped].into_iter().flatten().min()
    }

    /// An announce was answered. An unknown or outdated `id` is ignored.
    pub fn handle_response(&mut self, now: Instant, id: AnnounceId, response: &AnnounceResponse) {
        let Some((index, flight)) = self.take_in_flight(id) else {
            return;
        };
        let min_interval = response.min_interval.unwrap_or(Duration::ZERO);
        let min_interval = self.config.clamp_interval(min_interval);
        let interval = self
            .config
            .clamp_interval(response.interval)
            .max(min_interval);

        let tracker = &mut self.trackers[index];
        tracker.answered = true;
        tracker.failures = 0;
        tracker.last_error = None;
        tracker.backoff_until = None;
        tracker.min_until = Some(after(now, min_interval));
        tracker.warning.clone_from(&response.warning);
        tracker.seeders = response.seeders.or(tracker.seeders);
        tracker.leechers = response.leechers.or(tracker.leechers);
        if response.tracker_id.is_some() {
            tracker.tracker_id.clone_from(&response.tracker_id);
        }
        match flight.event {
            Some(Event::Started) => {
                tracker.registered = true;
                tracker.counts_as_leecher = !flight.complete;
                tracker.stopped_due = (self.stopping || tracker.leaving).then_some(now);
            }
            Some(Event::Completed) => {
                tracker.completed_due = None;
                tracker.counts_as_leecher = false;
            }
            Some(Event::Stopped) => tracker.registered = false,
            None => {}
        }
        if tracker.leaving {
            self.forget_left();
            return;
        }
        if self.complete && !self.stopping && tracker.registered && tracker.counts_as_leecher {
            tracker.completed_due.get_or_insert(now);
        }

        let group = &mut self.groups[tracker.group];
        let next_round = after(now, interval);
        if flight.in_round {
            group.answered(index, next_round);
        } else if group.current == Some(index) {
            group.next_round = Some(next_round);
        }
    }

    /// An announce failed. An unknown or outdated `id` is ignored.
    pub fn handle_failure(&mut self, now: Instant, id: AnnounceId, error: &TrackerError) {
        let Some((index, flight)) = self.take_in_flight(id) else {
            return;
        };
        let tracker = &mut self.trackers[index];
        tracker.failures = tracker.failures.saturating_add(1);
        tracker.last_error = Some(error.clone());
        tracker.disabled |= error.is_permanent();
        let delay = match error {
            TrackerError::Refused {
                retry_in: Some(RetryIn::After(delay)),
                ..
            } => (*delay)
                .min(self.config.max_interval)
                .max(self.config.backoff),
            _ => self.config.backoff_after(tracker.failures, &mut self.rng),
        };
        tracker.backoff_until = Some(after(now, delay));
        if flight.event == Some(Event::Stopped) {
            // One attempt: the shutdown does not wait for a tracker that does not answer.
            tracker.registered = false;
        }
        self.forget_left();
    }

    /// The download became complete: trackers that know of it as incomplete are told.
    pub fn handle_completed(&mut self, now: Instant) {
        self.complete = true;
        if self.stopping {
            return;
        }
        for tracker in self.trackers.iter_mut().filter(|tracker| !tracker.leaving) {
            if tracker.registered && tracker.counts_as_leecher {
                tracker.completed_due.get_or_insert(now);
            }
        }
    }

    /// Peers ran out: announce as soon as min intervals and back-offs allow.
    pub fn handle_need_peers(&mut self, now: Instant) {
        self.groups.iter_mut().for_each(|group| group.hasten(now));
    }

    /// The network has changed, or is back after a time without: every tracker is asked again now, its interval and its
    /// failures notwithstanding. A tracker that refused for good is not.
    pub fn handle_network_change(&mut self, now: Instant) {
        for tracker in &mut self.trackers {
            tracker.min_until = None;
            tracker.backoff_until = None;
            tracker.failures = 0;
        }
        self.handle_need_peers(now);
    }

    /// The torrent leaves its swarm: from now on, only `stopped` goes out.
    ///
    /// A regular announce that is under way is given up, so drop its future; the outcome of a
    /// `started` is still wanted, as the tracker is told `stopped` after it.
    pub fn handle_stop(&mut self, now: Instant) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        for tracker in &mut self.trackers {
            tracker.completed_due = None;
            if tracker.registered && !tracker.leaving {
                tracker.in_flight = None;
                tracker.stopped_due = Some(now);
            }
        }
    }

    /// The torrent comes back after [`handle_stop`](Self::handle_stop): every tracker gets a
    /// `started` again and another chance.
    pub fn handle_start(&mut self, now: Instant) {
        if !self.stopping {
            return;
        }
        self.stopping = false;
        for tracker in &mut self.trackers {
            tracker.registered = false;
            tracker.counts_as_leecher = false;
            tracker.stopped_due = None;
            tracker.min_until = None;
            tracker.backoff_until = None;
            tracker.failures = 0;
            tracker.disabled = false;
            // A `started` under way still counts; a `stopped` is overtaken.
            tracker
                .in_flight
                .take_if(|flight| flight.event != Some(Event::Started));
        }
        self.forget_left();
        self.groups.iter_mut().for_each(|group| group.hasten(now));
    }

    /// Whether the torrent was stopped and every tracker that knows it has been told.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        let settled =
            |tracker: &Tracker| tracker.in_flight.is_none() && tracker.stopped_due.is_none();
        self.stopping && self.trackers.iter().all(settled)
    }

    /// The status of each tracker, in the order of the torrent's tiers.
    pub fn trackers(&self) -> impl Iterator<Item = TrackerStatus<'_>> {
        let staying = self.trackers.iter().filter(|tracker| !tracker.leaving);
        staying.map(|tracker| {
            let group = self.groups.get(tracker.group);
            let next_round = group.and_then(|group| group.next_round);
            tracker.status(next_round.filter(|_| !self.stopping))
        })
    }

    /// Trackers that were replaced go when they have been told. They stand behind all others, which keep their indices.
    fn forget_left(&mut self) {
        self.trackers.retain(|tracker| {
            !tracker.leaving || tracker.in_flight.is_some() || tracker.stopped_due.is_some()
        });
    }

    fn emit(
        &mut self,
        now: Instant,
        index: usize,
        event: Option<Event>,
        in_round: bool,
    ) -> Announce {
        self.last_id += 1;
        let id = AnnounceId(self.last_id);
        let tracker = &mut self.trackers[index];
        if event == Some(Event::Stopped) {
            tracker.stopped_due = None;
        }
        tracker.last_announce = Some(now);
        tracker.in_flight = Some(InFlight {
            id,
            event,
            complete: self.complete,
            in_round,
        });
        Announce {
            id,
            url: Arc::clone(&tracker.url),
            event,
            tracker_id: tracker.tracker_id.clone(),
        }
    }

    fn take_in_flight(&mut self, id: AnnounceId) -> Option<(usize, InFlight)> {
        let mut trackers = self.trackers.iter_mut().enumerate();
        trackers.find_map(|(index, tracker)| {
            let flight = tracker.in_flight.take_if(|flight| flight.id == id)?;
            Some((index, flight))
        })
    }
}

/// Trackers by tier, each URL once, and the groups in which they back one another up.
fn arrange(
    now: Instant,
    tiers: &[Vec<String>],
    config: &ScheduleConfig,
    rng: &mut fastrand::Rng,
) -> (Vec<Tracker>, Vec<Group>) {
    let mut trackers = Vec::new();
    let mut order = Vec::new();
    let mut seen = HashSet::new();
    for (tier, urls) in tiers.iter().enumerate() {
        let group = if config.all_tiers { order.len() } else { 0 };
        let first = trackers.len();
        for url in urls {
            if trackers.len() < MAX_TRACKERS && seen.insert(url.as_str()) {
                trackers.push(Tracker::new(Arc::from(url.as_str()), tier, group));
            }
        }
        let mut indices: Vec<usize> = (first..trackers.len()).collect();
        if !indices.is_empty() {
            // BEP 12: shuffled once, when first read.
            rng.shuffle(&mut indices);
            order.push(indices);
        }
    }
    let groups = match config.all_tiers {
        true => order
            .into_iter()
            .map(|tier| Group::new(now, vec![tier], config.one_tracker))
            .collect(),
        false => vec![Group::new(now, order, config.one_tracker)],
    };
    (trackers, groups)
}
