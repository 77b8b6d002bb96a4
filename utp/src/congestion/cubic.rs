//! CUBIC (RFC 9438).

use std::time::{Duration, Instant};

use super::{Ack, Controller, Loss, to_bytes};

/// How fast the window grows, in packets a cubic second.
const C: f64 = 0.4;

/// What a loss leaves of the window.
const BETA: f64 = 0.7;

/// Packets of the first window (RFC 6928).
const INITIAL_PACKETS: f64 = 10.0;

/// Packets of the smallest window.
const MIN_PACKETS: f64 = 2.0;

/// Packets of the largest window: more than any send buffer holds.
const MAX_PACKETS: f64 = 65_536.0;

/// CUBIC (RFC 9438): what TCP mostly uses. It fills every queue on the way, and yields to nothing.
#[derive(Debug)]
pub struct Cubic {
    packet_len: usize,
    /// In packets.
    window: f64,
    slow_start_threshold: f64,
    /// When congestion avoidance began after the last loss.
    epoch: Option<Instant>,
    /// The window at the last loss.
    max_window: f64,
    /// The window at the beginning of the epoch.
    epoch_window: f64,
    /// What Reno's window would be (section 4.3).
    reno_window: f64,
}

impl Cubic {
    /// A controller of a connection that sends packets of `packet_len` bytes.
    #[must_use]
    pub const fn new(packet_len: usize) -> Self {
        Self {
            packet_len,
            window: INITIAL_PACKETS,
            slow_start_threshold: f64::INFINITY,
            epoch: None,
            max_window: 0.0,
            epoch_window: 0.0,
            reno_window: 0.0,
        }
    }

    /// The window that the cubic function gives at a time since the beginning of the epoch.
    fn cubic(&self, elapsed: Duration) -> f64 {
        let difference = (self.max_window - self.epoch_window).max(0.0);
        let k = (difference / C).cbrt();
        let time = elapsed.as_secs_f64() - k;
        self.max_window.max(self.epoch_window) + C * time * time * time
    }

    fn avoid_congestion(&mut self, ack: &Ack, packets: f64) {
        let began = *self.epoch.get_or_insert(ack.now);
        if began == ack.now {
            self.epoch_window = self.window;
            self.reno_window = self.window;
        }
        let elapsed = ack.now.saturating_duration_since(began);
        let next = self.cubic(elapsed + ack.rtt);
        let target = next.clamp(self.window, self.window * 1.5);
        // Section 4.3: not slower than Reno.
        let alpha = if self.reno_window < self.max_window {
            3.0 * (1.0 - BETA) / (1.0 + BETA)
        } else {
            1.0
        };
        self.reno_window += alpha * packets / self.window;
        let cubic = self.window + (target - self.window) / self.window * packets;
        self.window = cubic.max(self.reno_window).min(MAX_PACKETS);
    }
}

impl Controller for Cubic {
    fn on_ack(&mut self, ack: &Ack) {
        if !ack.is_window_limited {
            return;
        }
        let packets = ack.bytes as f64 / self.packet_len as f64;
        if self.is_in_slow_start() {
            let window = (self.window + packets).min(MAX_PACKETS);
            self.window = window.min(self.slow_start_threshold);
        } else {
            self.avoid_congestion(ack, packets);
        }
    }

    fn on_loss(&mut self, loss: &Loss) {
        if !loss.is_first_of_window {
            return;
        }
        // Fast convergence (section 4.7): leave room for flows that have come.
        self.max_window = if self.window < self.max_window {
            self.window * (1.0 + BETA) / 2.0
        } else {
            self.window
        };
        self.window = (self.window * BETA).max(MIN_PACKETS);
        self.slow_start_threshold = self.window;
        self.epoch = None;
    }

    fn on_timeout(&mut self, _now: Instant) {
        self.max_window = self.window;
        self.slow_start_threshold = (self.window * BETA).max(MIN_PACKETS);
        self.window = 1.0;
        self.epoch = None;
    }

    fn set_packet_len(&mut self, bytes: usize) {
        // The same bytes in other packets.
        let scale = self.packet_len as f64 / bytes.max(1) as f64;
        self.window = (self.window * scale).max(1.0);
        self.max_window *= scale;
        self.epoch_window *= scale;
        self.reno_window *= scale;
        self.slow_start_threshold *= scale;
        self.packet_len = bytes.max(1);
    }

    fn window(&self) -> usize {
        to_bytes(self.window * self.packet_len as f64)
    }

    fn is_in_slow_start(&self) -> bool {
        self.window < self.slow_start_threshold
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    fn round(cubic: &mut Cubic, now: &mut Instant) {
        *now += RTT;
        let window = cubic.window();
        cubic.on_ack(&Ack {
            now: *now,
            bytes: window,
            in_flight: window,
            queuing_delay: None,
            rtt: RTT,
            min_rtt: RTT,
            is_window_limited: true,
        });
    }

    #[test]
    fn after_a_loss_the_window_comes_back_slowly_near_the_old_one_and_then_passes_it() {
        let mut now = Instant::now();
        let mut cubic = Cubic::new(1_000);
        while cubic.window() < 1_000_000 {
            round(&mut cubic, &mut now);
        }
        let before = cubic.window();
        cubic.on_loss(&Loss {
            now,
            bytes: 1_000,
            queuing_delay: None,
            is_first_of_window: true,
        });
        let after = cubic.window();
        assert!(after.abs_diff(before * 7 / 10) < 2_000);
        assert!(!cubic.is_in_slow_start());
        // K = cbrt(0.3 W / C), about ten seconds here.
        let packets = before as f64 / 1_000.0;
        let k = (packets * 0.3 / C).cbrt();
        let mut steps = Vec::new();
        let began = now;
        while (now - began).as_secs_f64() < k {
            let window = cubic.window();
            round(&mut cubic, &mut now);
            steps.push(cubic.window() - window);
        }
        let reached = cubic.window();
        assert!(reached.abs_diff(before) < before / 20, "{reached} {before}");
        assert!(steps[3] > steps[steps.len() - 3] * 3, "{steps:?}");
        for _ in 0..100 {
            round(&mut cubic, &mut now);
        }
        assert!(cubic.window() > before * 11 / 10);
    }
}
