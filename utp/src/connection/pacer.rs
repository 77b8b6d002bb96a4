//! Spreads a window over the round trip: a window that leaves at once overflows short queues long before the path is
//! full, and what then gets lost says nothing about its rate.

use std::time::{Duration, Instant};

/// Below this round trip nothing is paced: acknowledgements come often enough, and timers are too coarse.
const MIN_RTT: Duration = Duration::from_millis(4);

/// Sending is so much faster than the window a round trip, so that pacing itself never limits what is sent (RFC 9002,
/// section 7.7).
const GAIN: f64 = 1.25;

/// What leaves at once, as a time at the rate: timers are not finer than a millisecond.
const BURST: Duration = Duration::from_millis(2);

/// When a pause was longer than it should be, as a timer or a busy processor was late, that is made up for, up to this
/// part of the round trip,
const LATE: u32 = 4;

/// and not less than this.
const MIN_LATE: Duration = Duration::from_millis(10);

/// And at least so many packets: the first window (RFC 6928).
const BURST_PACKETS: usize = 10;

/// The window, and how long it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) window: usize,
    pub(super) rtt: Duration,
    pub(super) packet_len: usize,
}

impl Pace {
    /// Bytes a second; `None`: no pacing.
    fn rate(&self) -> Option<f64> {
        (self.rtt >= MIN_RTT).then(|| self.window as f64 * GAIN / self.rtt.as_secs_f64())
    }

    fn burst(&self, rate: f64, during: Duration) -> f64 {
        let least = (BURST_PACKETS * self.packet_len) as f64;
        least.max(rate * during.as_secs_f64())
    }
}

#[derive(Debug)]
pub(super) struct Pacer {
    /// Bytes that may leave now.
    budget: f64,
    /// When that was so.
    at: Instant,
    /// When more was to leave.
    due: Option<Instant>,
}

impl Pacer {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            // More than any burst: cut to it when it is known.
            budget: f64::MAX,
            at: now,
            due: None,
        }
    }

    /// How many bytes may leave now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "neither negative nor larger than a burst"
    )]
    pub(super) fn room(&mut self, now: Instant, pace: &Pace) -> usize {
        let Some(rate) = pace.rate() else {
            self.at = now;
            return usize::MAX;
        };
        let late = self.due.map(|due| now.saturating_duration_since(due));
        let late = late.unwrap_or_default();
        let most = pace.burst(rate, BURST + late.min((pace.rtt / LATE).max(MIN_LATE)));
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.budget = (self.budget + elapsed * rate).min(most);
        self.at = self.at.max(now);
        self.budget.max(0.0) as usize
    }

    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.budget -= bytes as f64;
    }

    /// Bytes were lost: so many are repeated without delay, because all behind them waits.
    pub(super) const fn allow(&mut self, bytes: usize) {
        self.budget = self.budget.max(bytes as f64);
    }

    /// When half a burst may leave, if that is what is waited for.
    pub(super) fn pause(&mut self, now: Instant, pace: &Pace, is_paced: bool) -> Option<Instant> {
        self.due = is_paced.then(|| now + self.wait(pace));
        self.due
    }

    fn wait(&self, pace: &Pace) -> Duration {
        let Some(rate) = pace.rate() else {
            return BURST / 2;
        };
        let missing = pace.burst(rate, BURST) / 2.0 - self.budget;
        let wait = Duration::try_from_secs_f64(missing / rate.max(1.0));
        wait.unwrap_or(BURST).clamp(BURST / 2, pace.rtt)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    fn pace(millis: u64) -> Pace {
        Pace {
            window: 1_000_000,
            rtt: Duration::from_millis(millis),
            packet_len: 1_000,
        }
    }

    #[test]
    fn a_window_takes_most_of_a_round_trip() {
        let began = Instant::now();
        let (mut now, pace, mut pacer) = (began, pace(100), Pacer::new(began));
        let (mut sent, mut bursts) = (0, 0);
        while sent < pace.window {
            let room = pacer.room(now, &pace);
            assert!(room <= 25_000, "{room}");
            pacer.on_sent(room);
            sent += room;
            bursts += 1;
            assert!(pacer.room(now, &pace) < 1_000);
            now = pacer.pause(now, &pace, true).unwrap();
        }
        let took = now - began;
        assert!(took >= Duration::from_millis(76), "{took:?}");
        assert!(took <= Duration::from_millis(84), "{took:?}");
        assert!(bursts > 40, "{bursts}");
    }

    #[test]
    fn a_late_timer_is_made_up_for_and_idle_time_is_not() {
        let (now, pace, mut pacer) = (Instant::now(), pace(100), Pacer::new(Instant::now()));
        let room = pacer.room(now, &pace);
        pacer.on_sent(room);
        let due = pacer.pause(now, &pace, true).unwrap();
        let late = due + Duration::from_millis(6);
        assert!(pacer.room(late, &pace) > 80_000);
        assert!(pacer.room(due + Duration::from_secs(9), &pace) < 340_000);
        assert_eq!(pacer.pause(late, &pace, false), None);
        let idle = late + Duration::from_secs(60);
        assert_eq!(pacer.room(idle, &pace), 25_000);
    }

    #[test]
    fn short_paths_are_not_paced() {
        let (now, mut pacer) = (Instant::now(), Pacer::new(Instant::now()));
        assert_eq!(pacer.room(now, &pace(1)), usize::MAX);
    }
}
