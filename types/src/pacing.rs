//! Rate limiting and retries: a token bucket and an exponential back-off, without a clock.
//!
//! All crates build their rate limits and retries on these two. Both take the time as an argument, and any order of
//! calls is safe: a time that lies before an earlier one gives nothing and takes nothing.

use std::time::{Duration, Instant};

/// The rate of a [`TokenBucket`]: how fast it fills, and how much it holds.
///
/// It is no part of the bucket, as thousands of buckets may share one rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    tokens: u64,
    per: Duration,
    /// The burst that the bucket holds, as the time in which it fills.
    burst: Duration,
}

impl Rate {
    /// `tokens` tokens a second; the bucket holds as many as come in the time `burst`.
    ///
    /// A rate of zero permits nothing.
    #[must_use]
    pub const fn per_second(tokens: u64, burst: Duration) -> Self {
        Self {
            tokens,
            per: Duration::from_secs(1),
            burst,
        }
    }

    /// One token every `interval`; the bucket holds `burst` tokens.
    #[must_use]
    pub const fn every(interval: Duration, burst: u32) -> Self {
        Self {
            tokens: 1,
            per: interval,
            burst: interval.saturating_mul(burst),
        }
    }

    /// The time in which this many tokens come, rounded down to nanoseconds, so that a full burst can also be taken one
    /// by one.
    fn time_for(self, tokens: u64) -> Duration {
        let nanos = u128::from(tokens).saturating_mul(self.per.as_nanos());
        let nanos = nanos.checked_div(u128::from(self.tokens));
        nanos
            .and_then(|nanos| u64::try_from(nanos).ok())
            .map_or(Duration::MAX, Duration::from_nanos)
    }
}

/// A token bucket: it is full at first, holds a burst, and fills at a [`Rate`].
///
/// Kept as the time at which it will be full again (the generic cell rate algorithm), in 16 bytes.
///
/// ```
/// use std::time::{Duration, Instant};
/// use tailwater_types::pacing::{Rate, TokenBucket};
///
/// // Three at once, then one every ten seconds.
/// const RATE: Rate = Rate::every(Duration::from_secs(10), 3);
/// let now = Instant::now();
/// let mut bucket = TokenBucket::default();
/// assert!((0..3).all(|_| bucket.take(now, RATE, 1)));
/// assert!(!bucket.take(now, RATE, 1));
/// assert_eq!(bucket.ready_at(now, RATE, 1), now + Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// None: it is full.
    full_at: Option<Instant>,
}

impl TokenBucket {
    /// Takes `tokens`, or none if there are fewer; returns whether it did.
    #[must_use]
    pub fn take(&mut self, now: Instant, rate: Rate, tokens: u64) -> bool {
        let is_there = self.has(now, rate, tokens);
        if is_there {
            self.spend(now, rate, tokens);
        }
        is_there
    }

    /// Takes `tokens` whether they are there or not, as for bytes that have passed already. The bucket may be left in debt:
    /// see [`ready_at`](Self::ready_at).
    pub fn spend(&mut self, now: Instant, rate: Rate, tokens: u64) {
        let from = self.full_at.map_or(now, |full_at| full_at.max(now));
        // A debt that no clock reaches does not grow.
        self.full_at = Some(from.checked_add(rate.time_for(tokens)).unwrap_or(from));
    }

    /// Whether there are at least `tokens` tokens.
    #[must_use]
    pub fn has(&self, now: Instant, rate: Rate, tokens: u64) -> bool {
        self.missing(now).saturating_add(rate.time_for(tokens)) <= rate.burst
    }

    /// When there will be `tokens` tokens: `now` if they are there. For 0 tokens it is the end of a debt. More than the
    /// bucket holds never come; the result for them has no meaning.
    #[must_use]
    pub fn ready_at(&self, now: Instant, rate: Rate, tokens: u64) -> Instant {
        let lacking = self.missing(now).saturating_add(rate.time_for(tokens));
        let wait = lacking.saturating_sub(rate.burst);
        now.checked_add(wait).unwrap_or(now)
    }

    /// The time from which there are `tokens` tokens, which may have passed; `None` if nothing was ever taken.
    #[must_use]
    pub fn ready_from(&self, rate: Rate, tokens: u64) -> Option<Instant> {
        let full_with = self.full_at?.checked_add(rate.time_for(tokens))?;
        full_with.checked_sub(rate.burst)
    }

    /// Whether the bucket is full: a full bucket need not be kept.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.missing(now).is_zero()
    }

    /// The time until it is full.
    fn missing(&self, now: Instant) -> Duration {
        let full_at = self.full_at.unwrap_or(now);
        full_at.saturating_duration_since(now)
    }
}

/// An exponential back-off: after each failure the pause before the next attempt doubles, up to a longest one.
///
/// It counts the failures itself ([`next_pause`](Self::next_pause)), or takes a count that the caller keeps
/// ([`after`](Self::after)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// The pause after the first failure, and the longest one, which also bounds the first.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// The pause after this many failures in a row; none after none.
    #[must_use]
    pub fn after(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 2_u32.saturating_pow(doublings);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// Counts a failed attempt, and returns the pause before the next one.
    #[must_use]
    pub fn next_pause(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.after(self.failures)
    }

    /// An attempt has succeeded: the next failure is the first.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "any time will do to begin with")]
    fn origin() -> Instant {
        Instant::now() + 1000 * SECOND
    }

    /// A bucket that counts tokens, to compare with: in parts of a token, one for each nanosecond of its interval.
    struct Counted {
        interval: u64,
        burst: u64,
        parts: u64,
        at: u64,
    }

    impl Counted {
        fn fill(&mut self, at: u64) {
            if at > self.at {
                let most = self.burst * self.interval;
                self.parts = (self.parts + (at - self.at)).min(most);
                self.at = at;
            }
        }

        fn take(&mut self, at: u64, tokens: u64) -> bool {
            self.fill(at);
            let is_there = self.parts >= tokens * self.interval;
            if is_there {
                self.parts -= tokens * self.interval;
            }
            is_there
        }
    }

    proptest! {
        #[test]
        fn a_bucket_gives_what_one_that_counts_gives(
            interval in 1u64..1_000_000,
            burst in 1u32..20,
            steps in prop::collection::vec((0u64..3_000_000, 0u64..6), 0..200),
        ) {
            let (start, rate) = (origin(), Rate::every(Duration::from_nanos(interval), burst));
            let mut bucket = TokenBucket::default();
            let burst = u64::from(burst);
            let mut counted = Counted { interval, burst, parts: burst * interval, at: 0 };
            let mut at = 0;
            for (pause, tokens) in steps {
                at += pause;
                let now = start + Duration::from_nanos(at);
                let ready_at = bucket.ready_at(now, rate, tokens);
                let is_there = counted.take(at, tokens);
                prop_assert_eq!(bucket.has(now, rate, tokens), is_there);
                prop_assert_eq!(ready_at == now, is_there);
                if tokens <= burst {
                    let from = bucket.ready_from(rate, tokens).unwrap_or(now);
                    prop_assert_eq!(from.max(now), ready_at);
                }
                if !is_there && tokens <= burst {
                    prop_assert!(bucket.has(ready_at, rate, tokens));
                    let before = ready_at - Duration::from_nanos(1);
                    prop_assert!(!bucket.has(before, rate, tokens));
                }
                prop_assert_eq!(bucket.take(now, rate, tokens), is_there);
                prop_assert_eq!(bucket.is_full(now), counted.parts == burst * interval);
            }
        }

        #[test]
        fn what_passes_stays_within_the_rate(
            per_second in 1u64..5_000_000_000,
            burst_millis in 0u64..5_000,
            amounts in prop::collection::vec(1u64..10_000_000, 1..100),
        ) {
            // A caller that spends waits for the end of the debt, as connections do.
            let (start, burst) = (origin(), Duration::from_millis(burst_millis));
            let rate = Rate::per_second(per_second, burst);
            let (mut bucket, mut now, mut passed) = (TokenBucket::default(), start, 0u64);
            for amount in amounts {
                bucket.spend(now, rate, amount);
                passed += amount;
                now = bucket.ready_at(now, rate, 0);
                let allowed = (now - start + burst).as_secs_f64() * per_second as f64;
                // A nanosecond's worth is lost in each step.
                let slack = 1.0 + 100.0 * per_second as f64 / 1e9;
                prop_assert!(passed as f64 <= allowed + slack, "{passed} of {allowed}");
            }
        }

        #[test]
        fn pauses_are_those_of_doubling_by_hand(
            first in 0u64..1_000_000,
            longest in 0u64..1_000_000_000,
            failures in 0u32..70,
        ) {
            let mut backoff = Backoff::new(Duration::from_nanos(first), Duration::from_nanos(longest));
            let (mut pause, mut last) = (first, 0);
            for _ in 0..failures {
                last = pause.min(longest);
                prop_assert_eq!(backoff.next_pause(), Duration::from_nanos(last));
                pause = pause.saturating_mul(2);
            }
            prop_assert_eq!(backoff.after(failures), Duration::from_nanos(last));
            backoff.reset();
            prop_assert_eq!(backoff.next_pause(), Duration::from_nanos(first.min(longest)));
        }

        #[test]
        fn nothing_panics_at_the_edges(
            tokens: u64,
            interval in any::<u64>().prop_map(Duration::from_nanos),
            burst: u32,
            amount: u64,
            failures: u32,
        ) {
            let now = origin();
            for rate in [Rate::every(interval, burst), Rate::per_second(tokens, interval)] {
                let mut bucket = TokenBucket::default();
                for time in [now, now - SECOND, now + SECOND] {
                    bucket.spend(time, rate, amount);
                    let _ = bucket.take(time, rate, amount);
                    let _ = bucket.ready_at(time, rate, amount);
                }
            }
            let _ = Backoff::new(Duration::MAX, Duration::MAX).after(failures);
        }
    }

    #[test]
    fn idle_time_beyond_a_full_bucket_counts_for_nothing() {
        let (start, rate) = (origin(), Rate::every(10 * SECOND, 3));
        let mut bucket = TokenBucket::default();
        bucket.spend(start, rate, 3);
        let later = start + 1000 * SECOND;
        assert!(bucket.is_full(later));
        let taken = (0..10).filter(|_| bucket.take(later, rate, 1)).count();
        assert_eq!(taken, 3);
        // Time that goes back gives nothing, and takes nothing.
        assert!(!bucket.take(start, rate, 1));
        assert!(bucket.take(later + 10 * SECOND, rate, 1));
    }

    #[test]
    fn a_rate_of_nothing_permits_nothing() {
        let (now, nothing) = (origin(), Rate::per_second(0, SECOND));
        assert!(!TokenBucket::default().take(now, nothing, 1));
        assert!(!TokenBucket::default().take(now, Rate::every(SECOND, 0), 1));
    }

    #[test]
    fn a_debt_ends() {
        let (now, rate) = (origin(), Rate::per_second(1000, SECOND));
        let mut bucket = TokenBucket::default();
        bucket.spend(now, rate, 1000);
        assert_eq!(bucket.ready_at(now, rate, 0), now);
        bucket.spend(now, rate, 500);
        assert_eq!(bucket.ready_at(now, rate, 0), now + SECOND / 2);
    }
}
