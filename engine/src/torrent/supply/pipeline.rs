//! The request pipeline: how many requests to keep outstanding at one peer.
//!
//! A pipeline that is too short leaves the link idle for part of each round trip; one that is too long lets blocks
//! queue up at a peer that others could have sent sooner. Its length starts small, doubles each round trip while the
//! rate still grows (slow start), and then follows the measured rate and round trip.

use std::time::{Duration, Instant};

use tailwater_metainfo::BLOCK_LEN;

use crate::torrent::rate::Rate;

/// Requests outstanding at a peer of which nothing is known yet.
const INITIAL: usize = 16;
/// The same while a reader is open: a slow peer is not to hold much of what is needed soon.
const STREAMING_INITIAL: usize = 8;
/// With fewer requests than this, each batch of blocks would wait for the next.
const SMALLEST: usize = 4;
/// How much of a peer's rate is asked for ahead, beyond the round trip.
const HORIZON: Duration = Duration::from_secs(1);
/// The same while a reader is open: what a jump suddenly needs has to wait behind it. A quarter of the round trip is added,
/// as long round trips vary more, up to [`MOST_STREAMING_HORIZON`].
const STREAMING_HORIZON: Duration = Duration::from_millis(8);
const MOST_STREAMING_HORIZON: Duration = Duration::from_millis(25);
/// So many times as much is asked for ahead of a supplier that answers in turns, while a reader is open. Each turn costs a
/// round trip in which nothing comes: with as much as others are asked for, such a supplier would be idle for most of the
/// time; so it uses 80 % of its link. A jump does not wait behind it, as an answer is broken off when it is not wanted.
const STREAMING_TURNS: u32 = 4;
/// How long the rate is measured before the pipeline is fitted to it, unless the round trip is longer.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The same while a reader is open.
const STREAMING_LOOK_EVERY: Duration = Duration::from_millis(50);
/// The assumed rate of a peer that has sent nothing yet, in bytes a second.
const UNKNOWN_RATE: f64 = 256.0 * 1024.0;
/// The assumed round trip of a peer that has answered nothing yet.
const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(100);
/// The weight of the newest block in the mean length of blocks.
const NEWEST: f64 = 1.0 / 16.0;
/// The rate must have grown by this factor between two looks, or slow start ends.
const STILL_GROWING: f64 = 1.1;

#[derive(Debug)]
pub(crate) struct Pipeline {
    /// The most that the peer queues (`reqq`, BEP 10) or that we allow.
    limit: usize,
    blocks: usize,
    slow_start: bool,
    rate: Rate,
    round_trip: Option<Duration>,
    looked_at: Option<Instant>,
    last_rate: f64,
    /// Bytes since the last look.
    since_look: u64,
    /// What the peer sends when it is kept busy, in bytes a second; 0 until known.
    capacity: f64,
    /// The mean length of the blocks that came lately, in bytes: of many small files in a v2 torrent each is a block.
    block_len: f64,
    /// There was a moment without anything to ask it for, so its rate says little since the last look.
    was_idle: bool,
    streaming: bool,
    /// What was requested meanwhile is sent after a round trip of its own, as over HTTP.
    in_turns: bool,
}

impl Pipeline {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            blocks: INITIAL.min(limit.max(1)),
            slow_start: true,
            rate: Rate::new(Duration::from_secs(1)),
            round_trip: None,
            looked_at: None,
            last_rate: 0.0,
            since_look: 0,
            capacity: 0.0,
            block_len: f64::from(BLOCK_LEN),
            was_idle: false,
            streaming: false,
            in_turns: false,
        }
    }

    /// The same for a supplier that answers in turns.
    pub(crate) fn in_turns(limit: usize) -> Self {
        Self {
            in_turns: true,
            ..Self::new(limit)
        }
    }

    /// A reader has been opened, or the last one closed: pipelines are kept short, or long.
    pub(crate) fn set_streaming(&mut self, streaming: bool) {
        if self.streaming != streaming {
            self.streaming = streaming;
            if self.rate.total() == 0 && streaming {
                self.blocks = self.blocks.min(STREAMING_INITIAL);
            }
            self.fit();
        }
    }

    /// There is nothing to ask the peer for although it has room.
    pub(crate) const fn handle_idle(&mut self) {
        self.was_idle = true;
    }

    /// How long the peer needs to send this many bytes that are requested now.
    pub(crate) fn time_for(&self, bytes: u32) -> Duration {
        let rate = if self.capacity > 0.0 {
            self.capacity
        } else {
            UNKNOWN_RATE
        };
        let sending = f64::from(bytes) / rate.max(1.0);
        self.round_trip.unwrap_or(UNKNOWN_ROUND_TRIP) + Duration::from_secs_f64(sending)
    }

    pub(crate) const fn size(&self) -> usize {
        self.blocks
    }

    /// The peer said how many requests it queues.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
        self.blocks = self.blocks.min(self.limit);
    }

    /// A block came, `waited` after it was requested. `was_full`: as many requests were outstanding as the pipeline
    /// allows.
    pub(crate) fn handle_block(
        &mut self,
        now: Instant,
        len: u32,
        waited: Duration,
        was_full: bool,
    ) {
        self.rate.add(now, u64::from(len));
        self.since_look += u64::from(len);
        self.block_len += (f64::from(len.max(1)) - self.block_len) * NEWEST;
        self.round_trip = Some(self.round_trip.map_or(waited, |best| best.min(waited)));
        // A pipeline that was not full tells nothing about what a longer one would do.
        if self.slow_start && was_full && self.blocks < self.most_in_slow_start() {
            self.blocks = (self.blocks + 1).min(self.limit);
        }
        let looked_at = *self.looked_at.get_or_insert(now);
        let shortest = match self.streaming {
            true => STREAMING_LOOK_EVERY,
            false => LOOK_EVERY,
        };
        let interval = self.round_trip.unwrap_or_default().max(shortest);
        let watched = now.saturating_duration_since(looked_at);
        if watched >= interval {
            self.looked_at = Some(now);
            self.adapt(now, watched);
        }
    }

    /// The peer let a request time out: it gets one at a time until it delivers again.
    pub(crate) fn handle_stall(&mut self) {
        self.slow_start = true;
        self.blocks = 1;
        self.last_rate = 0.0;
    }

    fn adapt(&mut self, now: Instant, watched: Duration) {
        let bytes = std::mem::take(&mut self.since_look);
        let rate = match self.streaming {
            true => per_second(bytes, watched),
            false => self.rate.per_second(now),
        };
        if std::mem::take(&mut self.was_idle) {
            self.capacity = self.capacity.max(rate);
        } else {
            // A short look catches a pause more easily than a peer that has become slow.
            self.capacity = match self.streaming && rate < self.capacity {
                true => f64::midpoint(self.capacity, rate),
                false => rate,
            };
            if self.slow_start {
                self.slow_start = rate > self.last_rate * STILL_GROWING;
                self.last_rate = rate;
            }
        }
        self.fit();
    }

    fn fit(&mut self) {
        if self.slow_start {
            // A pipeline that is never used up stays in slow start, at its largest.
            self.blocks = self.blocks.min(self.most_in_slow_start());
        } else {
            let floor = SMALLEST.min(self.limit);
            self.blocks = self.fitting().clamp(floor, self.limit);
        }
    }

    /// While a reader is open, even slow start does not run far ahead of the rate that the peer has shown: a jump has to wait
    /// behind it. With the horizon it doubles each round trip all the same.
    fn most_in_slow_start(&self) -> usize {
        match self.streaming && self.capacity > 0.0 {
            true => {
                let half_more = self.fitting().saturating_mul(3) / 2;
                half_more.max(STREAMING_INITIAL)
            }
            false => usize::MAX,
        }
    }

    /// The requests that keep the peer busy for a round trip and the horizon.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "finite and not negative; the cast saturates and the limit clamps"
    )]
    fn fitting(&self) -> usize {
        let round_trip = self.round_trip.unwrap_or_default();
        let horizon = match self.streaming {
            true => (STREAMING_HORIZON + round_trip / 4).min(MOST_STREAMING_HORIZON),
            false => HORIZON,
        };
        let mut ahead = horizon + round_trip;
        if self.streaming && self.in_turns {
            ahead *= STREAMING_TURNS;
        }
        let blocks = self.capacity * ahead.as_secs_f64() / self.block_len;
        blocks.ceil() as usize
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more than 53 bits"
)]
fn per_second(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// A peer that delivers `rate` blocks a second after `delay`, kept busy by the pipeline.
    fn run(pipeline: &mut Pipeline, rate: u32, delay: Duration, blocks: usize) {
        run_with(pipeline, BLOCK_LEN, rate, delay, blocks);
    }

    /// The same with blocks of `len` bytes.
    fn run_with(pipeline: &mut Pipeline, len: u32, rate: u32, delay: Duration, blocks: usize) {
        let start = crate::testing::epoch();
        let gap = Duration::from_secs(1) / rate;
        let mut sent = VecDeque::new();
        let mut link_free = start;
        let mut now = start;
        for _ in 0..blocks {
            while sent.len() < pipeline.size() {
                link_free = link_free.max(now + delay) + gap;
                sent.push_back((now, link_free));
            }
            let Some((asked, arrives)) = sent.pop_front() else {
                break;
            };
            now = arrives;
            let was_full = sent.len() + 1 >= pipeline.size();
            pipeline.handle_block(now, len, now - asked, was_full);
        }
    }

    #[test]
    fn a_long_fast_link_is_filled() {
        let mut pipeline = Pipeline::new(2_000);
        run(&mut pipeline, 1_000, Duration::from_millis(200), 20_000);
        assert!(pipeline.size() >= 200, "pipeline {}", pipeline.size());
        assert!(pipeline.size() <= 1_500, "pipeline {}", pipeline.size());
    }

    #[test]
    fn small_blocks_are_counted_and_not_their_bytes() {
        let (delay, limit) = (Duration::from_millis(50), 2_000);
        let mut pipeline = Pipeline::new(limit);
        run_with(&mut pipeline, 5, 1_000, delay, 10_000);
        assert!(pipeline.size() >= 50, "pipeline {}", pipeline.size());
        // What is large behind them does not come in one heap.
        run(&mut pipeline, 5, delay, 200);
        assert!(pipeline.size() <= 16, "pipeline {}", pipeline.size());
        run(&mut pipeline, 1_000, delay, 20_000);
        assert!(pipeline.size() >= 50, "pipeline {}", pipeline.size());
    }

    #[test]
    fn a_slow_peer_is_not_asked_for_much() {
        let mut pipeline = Pipeline::new(2_000);
        run(&mut pipeline, 5, Duration::from_millis(50), 200);
        assert!(pipeline.size() <= 16, "pipeline {}", pipeline.size());
    }

    #[test]
    fn the_peers_own_limit_holds() {
        let mut pipeline = Pipeline::new(2_000);
        pipeline.set_limit(50);
        run(&mut pipeline, 10_000, Duration::from_millis(100), 20_000);
        assert_eq!(pipeline.size(), 50);
    }

    #[test]
    fn a_window_that_is_not_used_up_does_not_grow() {
        let mut pipeline = Pipeline::new(2_000);
        pipeline.set_streaming(true);
        let start = crate::testing::epoch();
        for number in 0..1_000 {
            let now = start + number * Duration::from_millis(20);
            pipeline.handle_idle();
            pipeline.handle_block(now, BLOCK_LEN, Duration::from_millis(5), false);
        }
        assert_eq!(pipeline.size(), STREAMING_INITIAL);
    }

    #[test]
    fn while_somebody_reads_little_more_is_asked_for_than_the_wire_holds() {
        let mut pipeline = Pipeline::new(2_000);
        pipeline.set_streaming(true);
        // 12.5 MB/s with 50 ms there and back: 38 blocks are on the wire, and 19 more make 25 ms.
        run(&mut pipeline, 763, Duration::from_millis(50), 4_000);
        assert!(
            (40..=70).contains(&pipeline.size()),
            "pipeline {}",
            pipeline.size()
        );
    }

    #[test]
    fn slow_start_that_does_not_end_leaves_a_jump_little_to_wait_behind() {
        let (gap, round_trip) = (Duration::from_secs(1) / 763, Duration::from_millis(50));
        let mut pipeline = Pipeline::new(2_000);
        pipeline.set_streaming(true);
        let mut now = crate::testing::epoch();
        for _ in 0..40 {
            // The window is full now and then, so that no look sees the peer busy all the time.
            let burst = pipeline.size();
            now += round_trip;
            for number in 0..burst {
                now += gap;
                pipeline.handle_block(now, BLOCK_LEN, round_trip + gap, true);
                if number % 10 == 0 {
                    pipeline.handle_idle();
                }
            }
            now += Duration::from_millis(100);
        }
        // 15 ms beyond two round trips.
        assert!(pipeline.size() <= 87, "pipeline {}", pipeline.size());
    }

    #[test]
    fn a_supplier_that_answers_in_turns_is_kept_busy_too() {
        let (round_trip, gap) = (Duration::from_millis(50), Duration::from_secs(1) / 763);
        let mut pipeline = Pipeline::in_turns(2_000);
        pipeline.set_streaming(true);
        let mut now = crate::testing::epoch();
        let (mut waiting, mut busy) = (VecDeque::new(), Duration::ZERO);
        let mut measured_from = now;
        for turn in 0..100 {
            if turn == 50 {
                (measured_from, busy) = (now, Duration::ZERO);
            }
            while waiting.len() < pipeline.size() {
                waiting.push_back(now);
            }
            let answered = std::mem::take(&mut waiting);
            let mut left = answered.len();
            now += round_trip;
            for asked in answered {
                (now, busy, left) = (now + gap, busy + gap, left - 1);
                let was_full = left + waiting.len() + 1 >= pipeline.size();
                pipeline.handle_block(now, BLOCK_LEN, now - asked, was_full);
                while left + waiting.len() < pipeline.size() {
                    waiting.push_back(now);
                }
            }
        }
        let share = busy.as_secs_f64() / (now - measured_from).as_secs_f64();
        assert!(
            share > 0.75,
            "{share} of the time, {} blocks",
            pipeline.size()
        );
    }

    #[test]
    fn a_stall_starts_over() {
        let mut pipeline = Pipeline::new(2_000);
        run(&mut pipeline, 1_000, Duration::from_millis(10), 5_000);
        pipeline.handle_stall();
        assert_eq!(pipeline.size(), 1);
    }
}
