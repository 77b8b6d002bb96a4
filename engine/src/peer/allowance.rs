//! How often something may happen.

use std::time::{Duration, Instant};

/// So many times at once, and one time more after each while.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    burst: u32,
    every: Duration,
    used: u32,
    /// Since when the next one has been coming back.
    since: Option<Instant>,
}

impl Allowance {
    pub(crate) const fn new(burst: u32, every: Duration) -> Self {
        Self {
            burst,
            every,
            used: 0,
            since: None,
        }
    }

    /// Whether it may happen now; then it has.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        while let Some(since) = self.since.filter(|since| *since + self.every <= now) {
            self.used = self.used.saturating_sub(1);
            self.since = (self.used > 0).then(|| since + self.every);
        }
        let may = self.used < self.burst;
        if may {
            self.used += 1;
            self.since.get_or_insert(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let mut now = epoch();
        let mut allowance = Allowance::new(3, Duration::from_secs(10));
        let mut taken = |now: Instant| (0..10).filter(|_| allowance.take(now)).count();
        assert_eq!(taken(now), 3);
        now += Duration::from_secs(9);
        assert_eq!(taken(now), 0);
        now += Duration::from_secs(1);
        assert_eq!(taken(now), 1);
        now += Duration::from_secs(20);
        assert_eq!(taken(now), 2);
        now += Duration::from_secs(1_000_000);
        assert_eq!(taken(now), 3, "no more than the burst comes back");
    }
}
