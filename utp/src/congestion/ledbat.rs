//! LEDBAT (RFC 6817) with slow start.

use std::time::{Duration, Instant};

use super::delivery::{Delivery, Losses};
use super::{Ack, Controller, Loss, to_bytes};

/// The delay that the queue on the way may have (RFC 6817: 100 ms at most).
const TARGET: Duration = Duration::from_millis(100);

/// The lowest target: below this, scheduling of the two machines is measured rather than a queue.
const MIN_TARGET: Duration = Duration::from_millis(10);

/// A loss while the queue is shorter than this was not caused by a queue that was full.
const NO_QUEUE: Duration = Duration::from_millis(5);

/// The window grows by this much in a round trip while there is no queue, in bytes: what libutp and libtorrent do.
const GAIN: f64 = 3_000.0;

/// And by this part of itself: a long fat path is filled in a few round trips again, rather than in hundreds. It fades
/// until the queue is [`NEAR`] the target.
const PROPORTIONAL_GAIN: f64 = 0.1;

/// Near the target is what is longer than this part of it, and no noise of measuring.
const NEAR: f64 = 0.25;

/// Without a queue and below what the path is known to hold, it grows by this part of itself.
const KNOWN_PATH_GAIN: f64 = 0.25;

/// That ends at this part of what the path is known to hold, as packets come in bursts.
const KNOWN_PATH_SHARE: f64 = 0.9;

/// Above the aim the window shrinks by this part of itself for each aim of delay too much, in a round trip. Growth goes
/// on meanwhile, so the larger of two windows loses more than it gains, and flows come to share (as in LEDBAT++).
const PROPORTIONAL_LOSS: f64 = 0.5;

/// Where shrinking begins, as a part of the target: shrinking and growth balance a little above it.
const AIM: f64 = 0.9;

/// Slow start ends at this part of the target, so that what is in flight by then does not pass the target by much.
const SLOW_START_EXIT: f64 = 0.75;

/// What a loss without a queue leaves of the window, at least.
const SOFT_DECREASE: f64 = 0.85;

/// Packets of the first window (RFC 6928).
const INITIAL_PACKETS: usize = 10;

/// Packets of the smallest window (RFC 6817).
const MIN_PACKETS: usize = 2;

/// The largest window, in bytes: more than any send buffer.
const MAX_WINDOW: f64 = 64.0 * 1024.0 * 1024.0;

/// After this time without loss the target may rise again.
const TARGET_RECOVERY: Duration = Duration::from_secs(60);

/// LEDBAT (RFC 6817) with slow start: keeps the queue on the way short of a target.
///
/// What it adds to the RFC:
///
/// - When packets are lost while the queue is shorter than the target, the queue cannot be as long as the target:
///   the target sinks to half of what was there, so that a shallow queue is not kept full either.
/// - A loss leaves as much window as the path delivers in its shortest round trip. If there is no queue and few packets
///   are lost, that is nearly all: noise on a radio link is no congestion.
/// - Far below the target the window also grows in proportion, and above it shrinks in proportion, so that two flows
///   come to share.
#[derive(Debug)]
pub struct Ledbat {
    window: f64,
    packet_len: usize,
    slow_start_threshold: f64,
    is_in_slow_start: bool,
    target: Duration,
    target_moved: Instant,
    delivery: Delivery,
    losses: Losses,
    min_rtt: Duration,
    /// The losses of the present window have been answered as congestion.
    is_answered: bool,
    /// Until then what arrives tells of the window before a loss.
    recovery: Option<Instant>,
    /// What the path has been seen to hold since the last congestion, in bytes.
    known_path: f64,
    rtt: Duration,
}

impl Ledbat {
    /// A controller of a connection that begins now.
    #[must_use]
    pub fn new(now: Instant, packet_len: usize) -> Self {
        Self {
            window: (INITIAL_PACKETS * packet_len) as f64,
            packet_len,
            slow_start_threshold: MAX_WINDOW,
            is_in_slow_start: true,
            target: TARGET,
            target_moved: now,
            delivery: Delivery::new(now),
            losses: Losses::default(),
            min_rtt: Duration::ZERO,
            is_answered: false,
            recovery: None,
            known_path: 0.0,
            rtt: Duration::ZERO,
        }
    }

    /// The queuing delay that it aims at.
    #[must_use]
    pub const fn target(&self) -> Duration {
        self.target
    }

    fn min_window(&self) -> f64 {
        (MIN_PACKETS * self.packet_len) as f64
    }

    fn set_window(&mut self, bytes: f64) {
        self.window = bytes.clamp(self.min_window(), MAX_WINDOW);
    }

    /// Grows by what was acknowledged, as long as there is no queue.
    fn slow_start(&mut self, ack: &Ack, delay: f64) {
        if delay > self.target.as_secs_f64() * SLOW_START_EXIT {
            self.is_in_slow_start = false;
            return;
        }
        if ack.is_window_limited {
            let window = self.window + ack.bytes as f64;
            self.set_window(window.min(self.slow_start_threshold));
        }
        if self.window >= self.slow_start_threshold {
            self.is_in_slow_start = false;
        }
    }

    fn avoid_congestion(&mut self, ack: &Ack, delay: f64) {
        let aim = self.target.as_secs_f64() * AIM;
        // In units of the aim; 0 without a queue.
        let delay = delay / aim;
        let near = (aim * NEAR).max(NO_QUEUE.as_secs_f64()) / aim;
        let far = (1.0 - delay / near).max(0.0);
        let is_known = self.window < self.known_path * KNOWN_PATH_SHARE;
        let gain = if is_known {
            KNOWN_PATH_GAIN
        } else {
            PROPORTIONAL_GAIN
        };
        let growth = GAIN + self.window * gain * far;
        let step = growth - self.window * PROPORTIONAL_LOSS * (delay - 1.0).max(0.0);
        if step > 0.0 && !ack.is_window_limited {
            return;
        }
        if step < 0.0 && self.recovery.is_some_and(|until| ack.now < until) {
            return;
        }
        let step = step.max(-self.window / 2.0);
        let share = (ack.bytes as f64 / self.window).min(1.0);
        self.set_window(self.window + step * share);
    }

    fn move_target(&mut self, now: Instant, queuing_delay: Option<Duration>) {
        if let Some(delay) = queuing_delay
            && delay < self.target
            && delay > MIN_TARGET
        {
            self.target = (delay / 2).max(MIN_TARGET);
            self.target_moved = now;
        }
    }

    /// What the path holds without a queue, in bytes.
    fn path_bytes(&self, now: Instant) -> f64 {
        self.delivery.rate(now) * self.min_rtt.as_secs_f64()
    }
}

impl Controller for Ledbat {
    fn on_ack(&mut self, ack: &Ack) {
        self.min_rtt = ack.min_rtt;
        self.rtt = ack.rtt;
        if self.delivery.on_ack(ack) {
            self.losses.end_round();
        }
        self.losses.on_delivered(ack.bytes);
        self.known_path = self.known_path.max(self.path_bytes(ack.now));
        let Some(delay) = ack.queuing_delay else {
            return;
        };
        if ack.now.saturating_duration_since(self.target_moved) >= TARGET_RECOVERY {
            self.target = (self.target * 2).min(TARGET);
            self.target_moved = ack.now;
        }
        let delay = delay.as_secs_f64();
        if self.is_in_slow_start {
            self.slow_start(ack, delay);
        } else {
            self.avoid_congestion(ack, delay);
        }
    }

    fn on_loss(&mut self, loss: &Loss) {
        self.losses.on_lost(loss.bytes);
        let has_queue = loss.queuing_delay.is_none_or(|delay| delay > NO_QUEUE);
        let is_congestion = has_queue || self.losses.are_many(self.packet_len);
        if loss.is_first_of_window {
            self.is_answered = false;
            self.move_target(loss.now, loss.queuing_delay);
        }
        if is_congestion && !self.is_answered {
            self.is_answered = true;
            self.recovery = Some(loss.now + self.rtt);
            self.known_path = 0.0;
            let least = self.path_bytes(loss.now).min(self.window);
            self.set_window((self.window / 2.0).max(least));
            self.is_in_slow_start = false;
        } else if loss.is_first_of_window && self.losses.are_some(self.packet_len) {
            let least = (self.path_bytes(loss.now) * 1.05).min(self.window);
            self.set_window((self.window * SOFT_DECREASE).max(least));
        }
    }

    fn on_timeout(&mut self, _now: Instant) {
        let half = self.window / 2.0;
        self.window = self.packet_len as f64;
        self.slow_start_threshold = half.max(self.min_window());
        self.is_in_slow_start = true;
    }

    fn set_packet_len(&mut self, bytes: usize) {
        self.packet_len = bytes;
        self.set_window(self.window);
    }

    fn window(&self) -> usize {
        to_bytes(self.window)
    }

    fn is_in_slow_start(&self) -> bool {
        self.is_in_slow_start
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    struct Lab {
        ledbat: Ledbat,
        now: Instant,
    }

    impl Lab {
        fn new() -> Self {
            let now = Instant::now();
            let ledbat = Ledbat::new(now, 1_000);
            Self { ledbat, now }
        }

        /// A whole window is acknowledged in a round trip.
        fn round(&mut self, queue: Duration) {
            self.now += RTT + queue;
            let window = self.ledbat.window();
            for _ in 0..10 {
                self.ledbat.on_ack(&Ack {
                    now: self.now,
                    bytes: window / 10,
                    in_flight: window,
                    queuing_delay: Some(queue),
                    rtt: RTT + queue,
                    min_rtt: RTT,
                    is_window_limited: true,
                });
            }
        }

        fn lose(&mut self, bytes: usize, queue: Duration, is_first_of_window: bool) {
            self.ledbat.on_loss(&Loss {
                now: self.now,
                bytes,
                queuing_delay: Some(queue),
                is_first_of_window,
            });
        }

        fn grow(&mut self, rounds: usize) -> usize {
            (0..rounds).for_each(|_| self.round(Duration::ZERO));
            self.ledbat.window()
        }
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn slow_start_doubles_until_there_is_a_queue() {
        let mut lab = Lab::new();
        let before = lab.grow(3);
        assert_eq!(lab.grow(1), before * 2);
        lab.round(millis(80));
        assert!(!lab.ledbat.is_in_slow_start());
        assert!(lab.ledbat.window() < before * 3);
    }

    #[test]
    fn the_window_holds_where_the_queue_is_as_long_as_aimed_at() {
        let mut lab = Lab::new();
        lab.grow(5);
        lab.round(millis(80));
        let before = lab.ledbat.window();
        for _ in 0..50 {
            lab.round(millis(150));
        }
        assert!(lab.ledbat.window() < before / 4);
        let before = lab.ledbat.window();
        for _ in 0..5 {
            lab.round(millis(60));
        }
        let grown = lab.ledbat.window() - before;
        assert!((10_000..20_000).contains(&grown), "{grown}");
    }

    #[test]
    fn a_loss_behind_a_queue_costs_more_than_one_without() {
        let mut quiet = Lab::new();
        let before = quiet.grow(8);
        quiet.lose(1_000, Duration::ZERO, true);
        assert!(quiet.ledbat.window() * 100 >= before * 84);
        assert!(quiet.ledbat.is_in_slow_start());

        let mut queue = Lab::new();
        queue.grow(8);
        queue.round(millis(60));
        let before = queue.ledbat.window();
        queue.lose(1_000, millis(60), true);
        assert!(queue.ledbat.window() * 100 <= before * 60);
        assert!(!queue.ledbat.is_in_slow_start());
    }

    #[test]
    fn many_losses_are_congestion_though_no_queue_is_seen() {
        let mut lab = Lab::new();
        let before = lab.grow(8);
        lab.lose(1_000, Duration::ZERO, true);
        lab.lose(before / 3, Duration::ZERO, false);
        assert!(!lab.ledbat.is_in_slow_start());
        let after = lab.ledbat.window();
        assert!(after < before * 3 / 4, "{after} of {before}");
        // Once for a window.
        lab.lose(before / 3, Duration::ZERO, false);
        assert_eq!(lab.ledbat.window(), after);
    }

    #[test]
    fn the_target_sinks_where_the_queue_overflows_and_rises_again() {
        let mut lab = Lab::new();
        lab.grow(5);
        lab.lose(1_000, millis(40), true);
        assert_eq!(lab.ledbat.target(), millis(20));
        lab.lose(1_000, millis(12), true);
        assert_eq!(lab.ledbat.target(), MIN_TARGET);
        lab.now += TARGET_RECOVERY * 2;
        lab.round(millis(1));
        assert_eq!(lab.ledbat.target(), MIN_TARGET * 2);
    }
}
