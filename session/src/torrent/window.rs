//! How many requests to keep outstanding at one peer.
//!
//! A window that is too small leaves the link idle for part of each round trip; one that is too large lets blocks
//! queue up at a peer that others could have sent sooner. It starts small, doubles each round trip while the rate
//! still grows, and then follows the measured rate and round trip.

use std::time::{Duration, Instant};

use tailwater_metainfo::BLOCK_LEN;

use super::rate::Rate;

/// Requests outstanding at a peer of which nothing is known yet.
const INITIAL: usize = 16;
/// Fewer than this and each batch of blocks would wait for the next.
const SMALLEST: usize = 4;
/// How much of a peer's rate is asked for ahead, beyond the round trip.
const HORIZON: Duration = Duration::from_secs(1);
/// The rate must have grown by this factor between two looks, or slow start ends.
const STILL_GROWING: f64 = 1.1;

#[derive(Debug)]
pub(crate) struct Window {
    /// The most that the peer queues (`reqq`, BEP 10) or that we allow.
    limit: usize,
    blocks: usize,
    slow_start: bool,
    rate: Rate,
    round_trip: Option<Duration>,
    looked_at: Option<Instant>,
    last_rate: f64,
}

impl Window {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            blocks: INITIAL.min(limit.max(1)),
            slow_start: true,
            rate: Rate::new(Duration::from_secs(1)),
            round_trip: None,
            looked_at: None,
            last_rate: 0.0,
        }
    }

    pub(crate) const fn size(&self) -> usize {
        self.blocks
    }

    /// The peer said how many requests it queues.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
        self.blocks = self.blocks.min(self.limit);
    }

    /// A block came, `waited` after it was asked for.
    pub(crate) fn handle_block(&mut self, now: Instant, len: u32, waited: Duration) {
        self.rate.add(now, u64::from(len));
        self.round_trip = Some(self.round_trip.map_or(waited, |best| best.min(waited)));
        if self.slow_start {
            self.blocks = (self.blocks + 1).min(self.limit);
        }
        let looked_at = *self.looked_at.get_or_insert(now);
        let interval = self
            .round_trip
            .unwrap_or_default()
            .max(Duration::from_millis(200));
        if now.saturating_duration_since(looked_at) >= interval {
            self.looked_at = Some(now);
            self.adapt(now);
        }
    }

    /// The peer let a request time out: it gets one at a time until it delivers again.
    pub(crate) fn handle_stall(&mut self) {
        self.slow_start = true;
        self.blocks = 1;
        self.last_rate = 0.0;
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative; the cast saturates and the limit clamps"
    )]
    fn adapt(&mut self, now: Instant) {
        let rate = self.rate.per_second(now);
        if self.slow_start {
            self.slow_start = rate > self.last_rate * STILL_GROWING;
            self.last_rate = rate;
        }
        if !self.slow_start {
            let ahead = HORIZON + self.round_trip.unwrap_or_default();
            let blocks = rate * ahead.as_secs_f64() / f64::from(BLOCK_LEN);
            let floor = SMALLEST.min(self.limit);
            self.blocks = (blocks.ceil() as usize).clamp(floor, self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that delivers `rate` blocks a second after `delay`, kept busy by the window.
    fn run(window: &mut Window, rate: u32, delay: Duration, blocks: usize) {
        let start = crate::testing::epoch();
        let gap = Duration::from_secs(1) / rate;
        let mut sent = std::collections::VecDeque::new();
        let mut link_free = start;
        let mut now = start;
        for _ in 0..blocks {
            while sent.len() < window.size() {
                link_free = link_free.max(now + delay) + gap;
                sent.push_back((now, link_free));
            }
            let Some((asked, arrives)) = sent.pop_front() else {
                break;
            };
            now = arrives;
            window.handle_block(now, BLOCK_LEN, now - asked);
        }
    }

    #[test]
    fn a_long_fast_link_is_filled() {
        let mut window = Window::new(2_000);
        run(&mut window, 1_000, Duration::from_millis(200), 20_000);
        assert!(window.size() >= 200, "window {}", window.size());
        assert!(window.size() <= 1_500, "window {}", window.size());
    }

    #[test]
    fn a_slow_peer_is_not_asked_for_much() {
        let mut window = Window::new(2_000);
        run(&mut window, 5, Duration::from_millis(50), 200);
        assert!(window.size() <= 16, "window {}", window.size());
    }

    #[test]
    fn the_peers_own_limit_holds() {
        let mut window = Window::new(2_000);
        window.set_limit(50);
        run(&mut window, 10_000, Duration::from_millis(100), 20_000);
        assert_eq!(window.size(), 50);
    }

    #[test]
    fn a_stall_starts_over() {
        let mut window = Window::new(2_000);
        run(&mut window, 1_000, Duration::from_millis(10), 5_000);
        window.handle_stall();
        assert_eq!(window.size(), 1);
    }
}
