//! LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus).

use std::time::{Duration, Instant};

use super::{Ack, Controller, Loss, to_bytes};

/// The delay that the queue on the way may have.
const TARGET: Duration = Duration::from_millis(60);

/// Slow start ends at this part of the target.
const SLOW_START_EXIT: f64 = 0.75;

/// The gain is one divided by this at most, on short paths.
const MAX_DIVISOR: f64 = 16.0;

/// The window of a slowdown, and the smallest one, in packets.
const MIN_PACKETS: f64 = 2.0;

/// A slowdown keeps the window small for this many round trips.
const SLOWDOWN_ROUNDS: u32 = 2;

/// The next slowdown begins after this many times the length of the last one: a tenth of the time is lost.
const SLOWDOWN_PAUSE: u32 = 9;

const MAX_WINDOW: f64 = 64.0 * 1024.0 * 1024.0;

/// LEDBAT++: slows down now and then, so that all flows measure the empty queue and none is a latecomer for ever.
///
/// An option and an object of research: it leaves a part of a link unused.
#[derive(Debug)]
pub struct LedbatPlusPlus {
    window: f64,
    packet_len: usize,
    slow_start_threshold: f64,
    is_in_slow_start: bool,
    is_first_slow_start: bool,
    slowdown: Slowdown,
}

#[derive(Clone, Copy, Debug)]
enum Slowdown {
    /// It begins at a time.
    Next(Option<Instant>),
    /// The window is small until a time.
    Small { began: Instant, until: Instant },
    /// The window grows back.
    Growing { began: Instant },
}

impl LedbatPlusPlus {
    /// A controller of a connection that sends packets of `packet_len` bytes.
    #[must_use]
    pub const fn new(packet_len: usize) -> Self {
        Self {
            window: MIN_PACKETS * packet_len as f64,
            packet_len,
            slow_start_threshold: MAX_WINDOW,
            is_in_slow_start: true,
            is_first_slow_start: true,
            slowdown: Slowdown::Next(None),
        }
    }

    fn min_window(&self) -> f64 {
        MIN_PACKETS * self.packet_len as f64
    }

    fn set_window(&mut self, bytes: f64) {
        self.window = bytes.clamp(self.min_window(), MAX_WINDOW);
    }

    /// Flows of short paths do not grow faster than those of long ones.
    fn gain(min_rtt: Duration) -> f64 {
        let base = min_rtt.as_secs_f64().max(0.000_001);
        let divisor = (2.0 * TARGET.as_secs_f64() / base).ceil();
        1.0 / divisor.min(MAX_DIVISOR)
    }

    fn slow_start(&mut self, ack: &Ack, delay: f64) {
        let is_too_long = delay > TARGET.as_secs_f64() * SLOW_START_EXIT;
        if self.is_first_slow_start && is_too_long {
            self.leave_slow_start(ack);
            return;
        }
        if ack.is_window_limited {
            let window = self.window + ack.bytes as f64 * Self::gain(ack.min_rtt);
            self.set_window(window.min(self.slow_start_threshold));
        }
        if self.window >= self.slow_start_threshold {
            self.leave_slow_start(ack);
        }
    }

    fn leave_slow_start(&mut self, ack: &Ack) {
        self.is_in_slow_start = false;
        self.is_first_slow_start = false;
        let now = ack.now;
        self.slowdown = match self.slowdown {
            Slowdown::Growing { began } => {
                let length = now.saturating_duration_since(began);
                Slowdown::Next(Some(now + length * SLOWDOWN_PAUSE))
            }
            Slowdown::Next(None) => Slowdown::Next(Some(now + ack.rtt * SLOWDOWN_ROUNDS)),
            other => other,
        };
    }

    fn avoid_congestion(&mut self, ack: &Ack, delay: f64) {
        let target = TARGET.as_secs_f64();
        let step = if delay <= target {
            if !ack.is_window_limited {
                return;
            }
            Self::gain(ack.min_rtt) * self.packet_len as f64
        } else {
            let gain = Self::gain(ack.min_rtt) * self.packet_len as f64;
            let decrease = self.window * (delay / target - 1.0);
            (gain - decrease).max(-self.window / 2.0)
        };
        let share = (ack.bytes as f64 / self.window).min(1.0);
        self.set_window(self.window + step * share);
    }

    /// Whether the window is kept small.
    fn slow_down(&mut self, ack: &Ack) -> bool {
        match self.slowdown {
            Slowdown::Next(Some(at)) if at <= ack.now => {
                self.slow_start_threshold = self.window;
                self.set_window(0.0);
                let until = ack.now + ack.rtt * SLOWDOWN_ROUNDS;
                let began = ack.now;
                self.slowdown = Slowdown::Small { began, until };
                true
            }
            Slowdown::Small { began, until } => {
                if until <= ack.now {
                    self.slowdown = Slowdown::Growing { began };
                    self.is_in_slow_start = true;
                }
                until > ack.now
            }
            Slowdown::Next(_) | Slowdown::Growing { .. } => false,
        }
    }
}

impl Controller for LedbatPlusPlus {
    fn on_ack(&mut self, ack: &Ack) {
        let Some(delay) = ack.queuing_delay else {
            return;
        };
        if self.slow_down(ack) {
            return;
        }
        let delay = delay.as_secs_f64();
        if self.is_in_slow_start {
            self.slow_start(ack, delay);
        } else {
            self.avoid_congestion(ack, delay);
        }
    }

    fn on_loss(&mut self, loss: &Loss) {
        if !loss.is_first_of_window {
            return;
        }
        self.set_window(self.window / 2.0);
        if self.is_in_slow_start {
            self.slow_start_threshold = self.window;
        }
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.slow_start_threshold = (self.window / 2.0).max(self.min_window());
        self.window = self.packet_len as f64;
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
