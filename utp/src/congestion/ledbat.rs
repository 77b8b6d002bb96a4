//! LEDBAT (RFC 6817) with slow start.

use std::time::{Duration, Instant};

use super::{Ack, Controller};

/// The delay that the queue on the way may have (RFC 6817: 100 ms at most).
const TARGET: Duration = Duration::from_millis(100);

/// The lowest target. A queue that overflows before it is [`TARGET`] long shows it by losses; below this, scheduling of
/// the two machines is measured rather than a queue.
const MIN_TARGET: Duration = Duration::from_millis(10);

/// The window grows by this much in a round trip while there is no queue, in bytes: what libutp and libtorrent do.
const GAIN: f64 = 3_000.0;

/// Slow start ends at this part of the target, so that what is in flight by then does not pass the target by much.
const SLOW_START_EXIT: f64 = 0.75;

/// Packets of the first window (RFC 6928).
const INITIAL_PACKETS: usize = 10;

/// Packets of the smallest window (RFC 6817).
const MIN_PACKETS: usize = 2;

/// The largest window, in bytes: more than any send buffer.
const MAX_WINDOW: f64 = 64.0 * 1024.0 * 1024.0;

/// After this time without loss the target may rise again.
const TARGET_RECOVERY: Duration = Duration::from_secs(60);

/// LEDBAT (RFC 6817) with slow start.
///
/// Two additions. When packets are lost while the queue is shorter than the target, the queue cannot be as long as the
/// target: the target sinks to half of what was there, so that a shallow queue is not filled up either. And
/// a loss leaves as much window as the path delivers in its shortest round trip, if that is more than half: a loss that
/// no queue has caused costs little.
#[derive(Debug)]
pub struct Ledbat {
    window: f64,
    packet_len: usize,
    slow_start_threshold: f64,
    is_in_slow_start: bool,
    target: Duration,
    target_moved: Instant,
    delivery: Delivery,
}

/// The rate at which the path delivers, as the bytes of whole round trips.
#[derive(Debug)]
struct Delivery {
    round_began: Instant,
    bytes: usize,
    /// Bytes a second, of the last round trips.
    rate: f64,
}

impl Delivery {
    fn on_ack(&mut self, ack: &Ack) {
        self.bytes += ack.bytes;
        let elapsed = ack.now.saturating_duration_since(self.round_began);
        if elapsed >= ack.rtt.max(Duration::from_millis(1)) {
            let rate = self.bytes as f64 / elapsed.as_secs_f64();
            self.rate = if rate > self.rate {
                rate
            } else {
                self.rate * 0.75 + rate * 0.25
            };
            self.bytes = 0;
            self.round_began = ack.now;
        }
    }
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
            delivery: Delivery {
                round_began: now,
                bytes: 0,
                rate: 0.0,
            },
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

    fn leave_slow_start(&mut self) {
        self.is_in_slow_start = false;
        self.slow_start_threshold = self.window;
    }

    /// Grows by what was acknowledged, as long as there is no queue.
    fn slow_start(&mut self, ack: &Ack, delay: f64) {
        if delay > self.target.as_secs_f64() * SLOW_START_EXIT {
            self.leave_slow_start();
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
        let target = self.target.as_secs_f64();
        // Not faster down than by half a window in a round trip, however wrong a sample is.
        let lowest = -self.window / 2.0 / GAIN;
        let off_target = ((target - delay) / target).clamp(lowest.min(-1.0), 1.0);
        if off_target > 0.0 && !ack.is_window_limited {
            return;
        }
        let share = (ack.bytes as f64 / self.window).min(1.0);
        self.set_window(self.window + GAIN * off_target * share);
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
}

impl Controller for Ledbat {
    fn on_ack(&mut self, ack: &Ack) {
        self.delivery.on_ack(ack);
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

    fn on_loss(&mut self, now: Instant, queuing_delay: Option<Duration>) {
        self.move_target(now, queuing_delay);
        self.set_window(self.window / 2.0);
        self.leave_slow_start();
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
        // Clamped between two positive numbers.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let window = self.window as usize;
        window
    }

    fn is_in_slow_start(&self) -> bool {
        self.is_in_slow_start
    }
}
