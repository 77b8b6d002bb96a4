//! A gateway's clock (its epoch), which starts anew when the gateway forgets its mappings.

use std::time::{Duration, Instant};

/// Clocks are read in whole seconds, and answers take their time.
const SLACK: Duration = Duration::from_secs(2);

/// The clock of a gateway, and when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    seen_at: Instant,
    seconds: u32,
}

impl Epoch {
    pub(super) const fn new(seen_at: Instant, seconds: u32) -> Self {
        Self { seen_at, seconds }
    }

    /// Whether a clock that shows `seconds` now has started anew since: it shows less than 7/8 of the time that has
    /// passed here would explain ([RFC 6886, 3.6](https://www.rfc-editor.org/rfc/rfc6886#section-3.6)).
    pub(super) fn is_restart(&self, now: Instant, seconds: u32) -> bool {
        let passed = now.saturating_duration_since(self.seen_at);
        let least = Duration::from_secs(u64::from(self.seconds)) + passed / 8 * 7;
        Duration::from_secs(u64::from(seconds)) + SLACK < least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    #[test]
    fn a_clock_may_be_late_by_an_eighth_and_two_seconds() {
        let start = epoch();
        let seen = Epoch::new(start, 1000);
        let later = start + Duration::from_secs(800);
        for (seconds, is_restart) in [(1800, false), (1698, false), (1697, true), (0, true)] {
            assert_eq!(seen.is_restart(later, seconds), is_restart, "{seconds}");
        }
    }

    #[test]
    fn a_clock_that_ends_is_one_that_starts_anew() {
        let start = epoch();
        let seen = Epoch::new(start, u32::MAX);
        assert!(!seen.is_restart(start, u32::MAX));
        assert!(seen.is_restart(start + Duration::from_secs(60), 50));
    }
}
