//! What a path delivers, and how much of what is sent it loses.

use std::time::{Duration, Instant};

use super::Ack;

/// The rate at which a path delivers, measured over whole round trips.
#[derive(Debug)]
pub(super) struct Delivery {
    round_began: Instant,
    /// The length of a round trip.
    round: Duration,
    bytes: usize,
    rate: f64,
}

impl Delivery {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            round_began: now,
            round: Duration::ZERO,
            bytes: 0,
            rate: 0.0,
        }
    }

    /// Bytes a second. It follows a rise at once, and a fall over a few round trips.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        let elapsed = now.saturating_duration_since(self.round_began);
        if elapsed < self.round / 4 || elapsed.is_zero() {
            return self.rate;
        }
        self.rate.max(self.bytes as f64 / elapsed.as_secs_f64())
    }

    /// Returns whether a round trip has ended.
    pub(super) fn on_ack(&mut self, ack: &Ack) -> bool {
        self.bytes += ack.bytes;
        self.round = ack.rtt.max(Duration::from_millis(1));
        let elapsed = ack.now.saturating_duration_since(self.round_began);
        if elapsed < self.round {
            return false;
        }
        let rate = self.bytes as f64 / elapsed.as_secs_f64();
        self.rate = rate.max(self.rate * 0.75 + rate * 0.25);
        self.bytes = 0;
        self.round_began = ack.now;
        true
    }
}

/// Losses are many above this part of what was sent: more than noise on a link.
const MANY: f64 = 0.05;

/// Below this part they are noise for certain: radio links lose so many (BBRv3).
const SOME: f64 = 0.02;

/// Fewer packets than this say nothing about a part.
const FEW_PACKETS: usize = 8;

/// Bytes that were delivered and lost in this round trip and the one before.
#[derive(Debug, Default)]
pub(super) struct Losses {
    delivered: [usize; 2],
    lost: [usize; 2],
}

impl Losses {
    pub(super) const fn on_delivered(&mut self, bytes: usize) {
        self.delivered[0] += bytes;
    }

    pub(super) const fn on_lost(&mut self, bytes: usize) {
        self.lost[0] += bytes;
    }

    pub(super) const fn end_round(&mut self) {
        self.delivered = [0, self.delivered[0]];
        self.lost = [0, self.lost[0]];
    }

    pub(super) fn are_many(&self, packet_len: usize) -> bool {
        self.are_above(MANY, packet_len)
    }

    pub(super) fn are_some(&self, packet_len: usize) -> bool {
        self.are_above(SOME, packet_len)
    }

    fn are_above(&self, part: f64, packet_len: usize) -> bool {
        let lost: usize = self.lost.iter().sum();
        let all: usize = self.delivered.iter().sum::<usize>() + lost;
        lost > FEW_PACKETS * packet_len && lost as f64 > all as f64 * part
    }
}
