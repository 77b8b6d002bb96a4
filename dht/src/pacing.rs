//! How fast and how often: the token bucket and the back-off of this crate, for the node and its driver.

use std::time::{Duration, Instant};

/// The first pause before a node that knows no other is helped again; it doubles.
const FIRST_BOOTSTRAP_PAUSE: Duration = Duration::from_secs(5);
/// The longest such pause: a network that comes back is found within this time.
const MAX_BOOTSTRAP_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The rate at which a token bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// The time in which one token comes.
    cost: Duration,
    /// What the bucket holds, in time.
    burst: Duration,
}

impl Rate {
    /// `per_second` tokens a second; the bucket holds those of `burst_secs`.
    pub(crate) fn new(per_second: u32, burst_secs: u32) -> Self {
        let cost = Duration::from_secs(1).checked_div(per_second);
        Self {
            // A rate of nothing permits nothing.
            cost: cost.unwrap_or(Duration::MAX),
            burst: Duration::from_secs(burst_secs.into()),
        }
    }
}

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm). That time may lie
/// ahead by what the bucket holds. The rate is the caller's, as thousands of buckets share one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    full_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) const fn new(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes `amount` tokens, or none if there are fewer.
    pub(crate) fn try_take(&mut self, now: Instant, rate: Rate, amount: u32) -> bool {
        let cost = rate.cost.checked_mul(amount);
        let begin = self.full_at.max(now);
        let Some(end) = cost.and_then(|cost| begin.checked_add(cost)) else {
            return false;
        };
        let is_within = end.saturating_duration_since(now) <= rate.burst;
        if is_within {
            self.full_at = end;
        }
        is_within
    }

    /// Whether nothing is missing: a full bucket need not be remembered.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// A back-off: pauses that double up to a longest one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pause: Duration,
}

impl Backoff {
    /// For a node that knows no other node that answers.
    pub(crate) const fn bootstrap() -> Self {
        Self {
            pause: FIRST_BOOTSTRAP_PAUSE,
        }
    }

    /// The pause before the next attempt; the one after it is twice as long.
    pub(crate) fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(MAX_BOOTSTRAP_PAUSE);
        pause
    }

    /// An attempt has succeeded.
    pub(crate) const fn reset(&mut self) {
        self.pause = FIRST_BOOTSTRAP_PAUSE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any time will do to begin with")]
    fn a_bucket_holds_its_burst_and_fills_at_its_rate() {
        let now = Instant::now();
        let rate = Rate::new(10, 2);
        let mut bucket = TokenBucket::new(now);
        let taken = (0..100).filter(|_| bucket.try_take(now, rate, 1)).count();
        assert_eq!(taken, 20);
        assert!(!bucket.is_full(now));
        let later = now + Duration::from_secs(1);
        assert!(!bucket.try_take(later, rate, 11));
        assert!(bucket.try_take(later, rate, 10));
        assert!(bucket.is_full(later + Duration::from_secs(2)));
        assert!(!bucket.try_take(later, Rate::new(0, 2), 1));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::bootstrap();
        let pauses = [(); 8].map(|()| backoff.next_pause().as_secs());
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300]);
        backoff.reset();
        assert_eq!(backoff.next_pause(), FIRST_BOOTSTRAP_PAUSE);
    }
}
