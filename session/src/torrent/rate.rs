//! Byte rates that fade with time and need no timer.

use std::time::{Duration, Instant};

/// An exponentially fading average of bytes a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// How long a byte counts: after this time its weight has fallen to 1/e.
    memory: Duration,
    updated: Option<Instant>,
    per_second: f64,
    total: u64,
}

impl Rate {
    pub(crate) const fn new(memory: Duration) -> Self {
        Self {
            memory,
            updated: None,
            per_second: 0.0,
            total: 0,
        }
    }

    pub(crate) fn add(&mut self, now: Instant, bytes: u64) {
        self.per_second = self.faded(now) + count(bytes) / self.memory.as_secs_f64();
        self.updated = Some(now);
        self.total += bytes;
    }

    /// Bytes a second, as seen at `now`.
    pub(crate) fn per_second(&self, now: Instant) -> f64 {
        self.faded(now)
    }

    /// The same in whole bytes, for display.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is finite and not negative; a float-to-int cast saturates"
    )]
    pub(crate) fn bytes_per_second(&self, now: Instant) -> u64 {
        self.faded(now) as u64
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
        let mut rate = Rate::new(Duration::from_secs(2));
        for tick in 0..400u32 {
            rate.add(start + tick * Duration::from_millis(50), 5_000);
        }
        let end = start + Duration::from_secs(20);
        let measured = rate.bytes_per_second(end);
        assert!((95_000..105_000).contains(&measured), "{measured}");
        assert!(rate.bytes_per_second(end + Duration::from_secs(20)) < 10);
        assert_eq!(rate.total(), 2_000_000);
    }
}
