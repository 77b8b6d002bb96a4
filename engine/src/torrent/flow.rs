//! The flow of bytes in one direction, for display: a rate that is smooth while bytes flow and 0 soon after they stop.

use std::time::{Duration, Instant};

use crate::torrent::rate::Rate;

/// How long a byte counts in the rate that is shown.
const SHOWN_MEMORY: Duration = Duration::from_secs(3);
/// How long a byte counts in the pace that the ETA is computed from: long enough for an ETA not to jump.
const PACE_MEMORY: Duration = Duration::from_secs(20);
/// A rate younger than this is counted as if it had been measured for this long: a single batch would look like a
/// flood.
const MEASURED_FOR: Duration = Duration::from_secs(1);
/// After this long without a byte, the shown rate is 0.
const QUIET_AFTER: Duration = Duration::from_secs(2);
/// Bytes are counted by blocks of 16 KiB, and a slow peer needs seconds for one. This many times the usual distance
/// between two of them must pass before the shown rate is 0.
const USUAL_DISTANCES: f64 = 3.0;
/// After this long the shown rate is 0, however far apart blocks usually come.
const QUIET_AT_LAST: Duration = Duration::from_secs(12);

/// The flow of bytes in one direction. The rate for decisions fades slowly; the shown one is separate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    decisive: Rate,
    shown: Rate,
    pace: Rate,
    began: Option<Instant>,
    latest: Option<Instant>,
    /// The distance in seconds between arrivals at a moment taken at random, lately.
    distance: f64,
}

impl Flow {
    /// `memory` is how long a byte counts in the rate for decisions.
    pub(crate) const fn new(memory: Duration) -> Self {
        Self {
            decisive: Rate::new(memory),
            shown: Rate::new(SHOWN_MEMORY),
            pace: Rate::new(PACE_MEMORY),
            began: None,
            latest: None,
            distance: 0.0,
        }
    }

    pub(crate) fn add(&mut self, now: Instant, bytes: u64) {
        self.decisive.add(now, bytes);
        if self.is_quiet(now) {
            // What was before a pause says nothing about what comes after it.
            self.shown = Rate::new(SHOWN_MEMORY);
            self.pace = Rate::new(PACE_MEMORY);
            self.began = Some(now);
        }
        if let Some(latest) = self.latest {
            let passed = now.saturating_duration_since(latest);
            self.distance = match passed >= QUIET_AT_LAST {
                true => 0.0,
                false => {
                    let weight = (-passed.as_secs_f64() / SHOWN_MEMORY.as_secs_f64()).exp();
                    self.distance * weight + passed.as_secs_f64() * (1.0 - weight)
                }
            };
        }
        self.shown.add(now, bytes);
        self.pace.add(now, bytes);
        self.latest = Some(now);
    }

    /// Bytes a second, for the machine's decisions.
    pub(crate) fn bytes_per_second(&self, now: Instant) -> u64 {
        self.decisive.bytes_per_second(now)
    }

    /// Bytes a second, for people: 0 once nothing flows.
    pub(crate) fn shown(&self, now: Instant) -> u64 {
        self.measured(now, &self.shown)
    }

    /// How long `bytes` more take at the recent pace; `None` while nothing flows, and before a second has been
    /// measured.
    pub(crate) fn time_for(&self, now: Instant, bytes: u64) -> Option<Duration> {
        let began = self.began?;
        if now.saturating_duration_since(began) < MEASURED_FOR {
            return None;
        }
        let seconds = bytes.checked_div(self.measured(now, &self.pace))?;
        Some(Duration::from_secs(seconds))
    }

    /// All bytes ever added.
    pub(crate) const fn total(&self) -> u64 {
        self.decisive.total()
    }

    fn measured(&self, now: Instant, rate: &Rate) -> u64 {
        match self.began {
            Some(began) if !self.is_quiet(now) => {
                let age = now.saturating_duration_since(began);
                match age < MEASURED_FOR {
                    // It is less than a second's worth.
                    true => rate.total(),
                    false => rate.bytes_per_second(now),
                }
            }
            _ => 0,
        }
    }

    /// Whether nothing flows any more, or yet.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        let Some(latest) = self.latest else {
            return true;
        };
        let usual = Duration::from_secs_f64(self.distance * USUAL_DISTANCES);
        now.saturating_duration_since(latest) >= usual.clamp(QUIET_AFTER, QUIET_AT_LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMORY: Duration = Duration::from_secs(5);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A block of 16 KiB every so often, for so long; and when the last one came.
    fn steady(start: Instant, every: Duration, time: Duration) -> (Flow, Instant) {
        let mut flow = Flow::new(MEMORY);
        let mut now = start;
        while now < start + time {
            flow.add(now, 16_384);
            now += every;
        }
        (flow, now - every)
    }

    #[test]
    fn nothing_is_shown_three_seconds_after_the_last_byte() {
        let start = crate::testing::epoch();
        for every in [1, 20, 500, 900] {
            let (flow, last) = steady(start, millis(every), millis(30_000));
            assert!(flow.shown(last + millis(1_000)) > 0, "{every}");
            assert!(
                flow.time_for(last + millis(1_000), 1 << 20).is_some(),
                "{every}"
            );
            let later = last + millis(3_000);
            assert_eq!(
                (flow.shown(later), flow.is_quiet(later)),
                (0, true),
                "{every}"
            );
            assert_eq!(flow.time_for(later, 1 << 20), None, "{every}");
            assert!(
                flow.bytes_per_second(later) > 0,
                "decisions remember longer"
            );
        }
    }

    #[test]
    fn a_slow_peer_is_not_taken_for_one_that_stopped() {
        let start = crate::testing::epoch();
        let (mut flow, last) = steady(start, millis(3_500), millis(60_000));
        let next = last + millis(3_499);
        assert!(flow.shown(next) > 0);
        assert!(!flow.is_quiet(next));
        flow.add(last + millis(3_500), 16_384);
        assert_eq!(flow.shown(last + millis(3_500) + QUIET_AT_LAST), 0);
    }

    #[test]
    fn a_steady_stream_is_shown_steadily() {
        let start = crate::testing::epoch();
        let (mut flow, last) = steady(start, millis(20), millis(20_000));
        for step in 1..100 {
            let now = last + millis(20) * step;
            flow.add(now, 16_384);
            let shown = flow.shown(now);
            assert!((800_000..840_000).contains(&shown), "{shown}");
            let eta = flow.time_for(now, 16_384 * 50 * 65).unwrap().as_secs();
            assert!((63..=66).contains(&eta), "{eta}");
        }
    }

    #[test]
    fn a_first_batch_is_no_flood_and_what_was_before_a_pause_is_forgotten() {
        let start = crate::testing::epoch();
        let mut flow = Flow::new(MEMORY);
        flow.add(start, 1 << 20);
        assert_eq!(flow.shown(start + millis(5)), 1 << 20);
        assert_eq!(flow.time_for(start + millis(900), 1 << 20), None);
        let later = start + Duration::from_secs(60);
        flow.add(later, 4_096);
        assert_eq!(flow.shown(later), 4_096);
        assert_eq!(flow.total(), (1 << 20) + 4_096);
    }
}
