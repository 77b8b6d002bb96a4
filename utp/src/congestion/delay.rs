//! One-way delay: a base, which stands for the path without queues, and what is measured above it.

use std::time::{Duration, Instant};

/// Minutes whose smallest delays make the base. A drift of 10 ms in 325 s has been seen (libutp), so it must not be
/// many; a base on a full queue must not replace a better one, so it must not be few.
const MINUTES: usize = 13;

/// The current delay is the smallest of this many samples: single packets are delayed for other reasons.
const SAMPLES: usize = 4;

const MINUTE: Duration = Duration::from_secs(60);

/// Corrections by the other direction's drift are not longer, in microseconds: more than that is no drift (libutp).
const MAX_SHIFT: u32 = 10_000;

/// The delay of one direction, in microseconds that contain an unknown difference of two clocks and wrap around.
#[derive(Debug, Default)]
struct History {
    /// The smallest delay of each minute, the newest last.
    minutes: Vec<u32>,
    minute_began: Option<Instant>,
    base: Option<u32>,
}

/// Whether `one` is shorter than `other`, over the wrap-around.
const fn is_less(one: u32, other: u32) -> bool {
    one.wrapping_sub(other).cast_signed() < 0
}

fn smallest(delays: impl IntoIterator<Item = u32>) -> Option<u32> {
    let delays = delays.into_iter();
    delays.reduce(|one, other| if is_less(other, one) { other } else { one })
}

impl History {
    /// Adds a sample, and returns how far it is above the base.
    fn add(&mut self, now: Instant, sample: u32) -> u32 {
        let began = *self.minute_began.get_or_insert(now);
        if now.saturating_duration_since(began) >= MINUTE {
            self.minute_began = Some(now);
            if self.minutes.len() == MINUTES {
                self.minutes.remove(0);
            }
            self.minutes.push(sample);
            self.base = smallest(self.minutes.iter().copied());
        }
        match self.minutes.last_mut() {
            Some(newest) if !is_less(sample, *newest) => {}
            Some(newest) => *newest = sample,
            None => self.minutes.push(sample),
        }
        let base = smallest(self.base.into_iter().chain([sample])).unwrap_or(sample);
        self.base = Some(base);
        sample.wrapping_sub(base)
    }

    /// Raises the base.
    fn shift(&mut self, by: u32) {
        let all = self.minutes.iter_mut().chain(self.base.as_mut());
        all.for_each(|delay| *delay = delay.wrapping_add(by));
    }
}

/// Both directions of a connection.
#[derive(Debug, Default)]
pub(crate) struct DelayTracker {
    /// The way to the peer, as the peer measures it.
    outgoing: History,
    /// The way from the peer.
    incoming: History,
    /// The last samples of the outgoing direction, above the base.
    samples: [u32; SAMPLES],
    /// How many samples there are, and where the next one goes.
    count: usize,
}

impl DelayTracker {
    /// A packet arrived that was on its way for `delay`. When the base of this direction falls, the peer's clock runs
    /// slower than ours, so the other direction's must rise.
    pub(crate) fn on_incoming(&mut self, now: Instant, delay: u32) {
        let before = self.incoming.base;
        self.incoming.add(now, delay);
        if let (Some(before), Some(base)) = (before, self.incoming.base)
            && is_less(base, before)
        {
            let by = before.wrapping_sub(base);
            if by <= MAX_SHIFT {
                self.outgoing.shift(by);
            }
        }
    }

    /// The peer says how long a packet of ours was on its way. `rtt` is how long ago a packet that is now acknowledged
    /// was sent: no way is longer than the way there and back.
    pub(crate) fn on_outgoing(&mut self, now: Instant, delay: u32, rtt: Option<Duration>) {
        let above = self.outgoing.add(now, delay);
        let at = self.count % SAMPLES;
        if let Some(sample) = self.samples.get_mut(at) {
            *sample = above;
        }
        self.count += 1;
        if let (Some(rtt), Some(queuing)) = (rtt, self.queuing_micros()) {
            let rtt = u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX);
            if queuing > rtt {
                let by = queuing - rtt;
                self.outgoing.shift(by);
                let samples = self.samples.iter_mut();
                samples.for_each(|sample| *sample = sample.saturating_sub(by));
            }
        }
    }

    fn queuing_micros(&self) -> Option<u32> {
        let samples = self.samples.get(..self.count.min(SAMPLES))?;
        samples.iter().min().copied()
    }

    /// How long packets of ours wait in queues.
    pub(crate) fn queuing_delay(&self) -> Option<Duration> {
        let micros = self.queuing_micros()?;
        Some(Duration::from_micros(u64::from(micros)))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Option<Duration> {
        Some(Duration::from_millis(millis))
    }

    #[test]
    fn the_queue_is_what_is_above_the_base_also_over_the_wrap_around() {
        let now = Instant::now();
        let mut delays = DelayTracker::default();
        assert_eq!(delays.queuing_delay(), None);
        let base = u32::MAX - 5_000;
        delays.on_outgoing(now, base, None);
        assert_eq!(delays.queuing_delay(), millis(0));
        for _ in 0..SAMPLES {
            delays.on_outgoing(now, base.wrapping_add(30_000), None);
        }
        assert_eq!(delays.queuing_delay(), millis(30));
        // One late packet among others is no queue.
        delays.on_outgoing(now, base.wrapping_add(900_000), None);
        assert_eq!(delays.queuing_delay(), millis(30));
        // A new base.
        delays.on_outgoing(now, base.wrapping_sub(1_000), None);
        assert_eq!(delays.queuing_delay(), millis(0));
    }

    #[test]
    fn a_base_is_forgotten_after_its_minutes() {
        let mut now = Instant::now();
        let mut delays = DelayTracker::default();
        delays.on_outgoing(now, 1_000, None);
        for _ in 0..MINUTES + SAMPLES {
            now += MINUTE;
            delays.on_outgoing(now, 41_000, None);
        }
        assert_eq!(delays.queuing_delay(), millis(0));
    }

    #[test]
    fn drift_of_the_other_clock_raises_the_base() {
        let now = Instant::now();
        let mut delays = DelayTracker::default();
        delays.on_outgoing(now, 1_000, None);
        delays.on_incoming(now, 500_000);
        delays.on_incoming(now, 497_000);
        // Five milliseconds above the old base, three of which are drift.
        for _ in 0..SAMPLES {
            delays.on_outgoing(now, 6_000, None);
        }
        assert_eq!(delays.queuing_delay(), millis(2));
        // A jump is no drift.
        delays.on_incoming(now, 300_000);
        assert_eq!(delays.queuing_delay(), millis(2));
    }

    #[test]
    fn no_queue_is_longer_than_the_round_trip() {
        let now = Instant::now();
        let mut delays = DelayTracker::default();
        delays.on_outgoing(now, 1_000, None);
        for _ in 0..SAMPLES {
            delays.on_outgoing(now, 501_000, millis(20));
        }
        assert_eq!(delays.queuing_delay(), millis(20));
    }
}
