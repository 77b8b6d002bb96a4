//! A bound on answers to packets of unknown connections.

use std::time::Instant;

use crate::limits::{RESET_BURST, RESET_INTERVAL};

/// A token bucket: [`RESET_BURST`] at once, then one more every [`RESET_INTERVAL`].
#[derive(Debug)]
pub(super) struct ResetLimiter {
    tokens: u32,
    /// Up to when tokens have been counted.
    counted: Instant,
}

impl ResetLimiter {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            tokens: RESET_BURST,
            counted: now,
        }
    }

    /// Whether another reset may be sent.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.counted);
        let new = elapsed.as_nanos() / RESET_INTERVAL.as_nanos();
        let new = u32::try_from(new).unwrap_or(u32::MAX);
        if new > 0 {
            self.tokens = self.tokens.saturating_add(new).min(RESET_BURST);
            self.counted = if self.tokens == RESET_BURST {
                now
            } else {
                self.counted + RESET_INTERVAL * new
            };
        }
        let may = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        may
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_for_each_interval() {
        let mut now = Instant::now();
        let mut resets = ResetLimiter::new(now);
        let burst = (0..1_000).filter(|_| resets.take(now)).count();
        assert_eq!(u32::try_from(burst).unwrap(), RESET_BURST);
        now += RESET_INTERVAL * 3;
        assert_eq!((0..1_000).filter(|_| resets.take(now)).count(), 3);
        now += RESET_INTERVAL * 1_000_000;
        let burst = (0..1_000).filter(|_| resets.take(now)).count();
        assert_eq!(u32::try_from(burst).unwrap(), RESET_BURST);
    }
}
