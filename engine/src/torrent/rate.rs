//! Byte rates: averages that fade with time and need no timer.

use std::time::{Duration, Instant};

/// An exponentially fading average of bytes a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How long a byte counts: after this time its weight has fallen to 1/e.
    memory: Duration,
    began: Option<Instant>,
    updated: Option<Instant>,
    per_second: f64,
    total: u64,
}

impl Rate {
    pub(crate) const fn new(memory: Duration) -> Self {
        Self {
            memory,
            began: None,
            updated: None,
            per_second: 0.0,
            total: 0,
        }
    }

    pub(crate) fn add(&mut self, now: Instant, bytes: u64) {
        self.per_second = self.faded(now) + count(bytes) / self.memory.as_secs_f64();
        self.began.get_or_insert(now);
        self.updated = Some(now);
        self.total += bytes;
    }

    /// Bytes a second, as seen at `now`.
    ///
    /// An average younger than its memory would show too little; it is scaled up by the part of its memory that it has
    /// lived through, though not for the first tenth of a second, when a single batch would look like a flood.
    pub(crate) fn per_second(&self, now: Instant) -> f64 {
        let Some(began) = self.began else {
            return 0.0;
        };
        let age = now
            .saturating_duration_since(began)
            .max(Duration::from_millis(100));
        let seen = 1.0 - (-age.as_secs_f64() / self.memory.as_secs_f64()).exp();
        self.faded(now) / seen
    }

    /// The same in whole bytes, for display.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is finite and not negative; a float-to-int cast saturates"
    )]
    pub(crate) fn bytes_per_second(&self, now: Instant) -> u64 {
        self.per_second(now) as u64
    }

    /// All bytes ever added.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    fn faded(&self, now: Instant) -> f64 {
        let Some(updated) = self.updated else {
            return 0.0;
        };
        let age = now.saturating_duration_since(updated).as_secs_f64();
        self.per_second * (-age / self.memory.as_secs_f64()).exp()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate needs no more than 53 bits"
)]
fn count(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_is_measured_and_then_forgotten() {
        let start = crate::testing::epoch();
        let rate_after = |time: Duration| {
            let mut rate = Rate::new(Duration::from_secs(2));
            for tick in 0..u32::try_from(time.as_millis() / 50).unwrap() {
                rate.add(start + tick * Duration::from_millis(50), 5_000);
            }
            rate
        };
        let early = Duration::from_millis(500);
        let measured = rate_after(early).bytes_per_second(start + early);
        assert!((90_000..110_000).contains(&measured), "{measured}");
        let rate = rate_after(Duration::from_secs(20));
        let end = start + Duration::from_secs(20);
        let measured = rate.bytes_per_second(end);
        assert!((95_000..105_000).contains(&measured), "{measured}");
        assert!(rate.bytes_per_second(end + Duration::from_secs(20)) < 10);
        assert_eq!(rate.total(), 2_000_000);
    }
}
