//! The configuration of the schedule, and the arithmetic of its delays (back-off).

use std::time::{Duration, Instant};

use tailwater_types::pacing::Backoff;

/// The configuration of a torrent's announces. Each value is used as it stands; [`Default`] gives the ones named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleConfig {
    /// Orders the trackers within each tier and spreads the retries. Default: 0; give each
    /// torrent its own.
    pub seed: u64,
    /// Whether every tier is announced to by itself, instead of a tier only when the ones
    /// before it cannot be reached (BEP 12). Default: false.
    pub all_tiers: bool,
    /// Whether a tracker that answers is kept until it fails, whatever stands before it: the swarm of a
    /// private torrent is that of one tracker (BEP 27). Default: false.
    pub one_tracker: bool,
    /// The least time between two regular announces to one tracker, also when the tracker asks
    /// for more of them. Default: 60 s.
    pub min_interval: Duration,
    /// The longest time between two announces to a tracker that answers, also when it asks for
    /// fewer. Default: 12 h.
    pub max_interval: Duration,
    /// The first back-off after a tracker's failure; each further failure doubles it. Default: 10 s.
    pub backoff: Duration,
    /// The longest back-off. Default: 1 h.
    pub max_backoff: Duration,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            all_tiers: false,
            one_tracker: false,
            min_interval: Duration::from_secs(60),
            max_interval: Duration::from_secs(12 * 60 * 60),
            backoff: Duration::from_secs(10),
            max_backoff: Duration::from_secs(60 * 60),
        }
    }
}

impl ScheduleConfig {
    /// Within the floor and the ceiling. Not `Duration::clamp`, which panics when a
    /// configuration has them the wrong way round.
    pub(super) fn clamp_interval(&self, interval: Duration) -> Duration {
        interval.min(self.max_interval).max(self.min_interval)
    }

    /// The pause after `failures` failures in a row: doubling, and off by up to a quarter either
    /// way so that clients which lost a tracker together do not come back together.
    pub(super) fn backoff_after(&self, failures: u32, rng: &mut fastrand::Rng) -> Duration {
        let full = Backoff::new(self.backoff, self.max_backoff).after(failures);
        let jitter = (full / 1000).saturating_mul(rng.u32(0..=500));
        (full / 4).saturating_mul(3).saturating_add(jitter)
    }
}

/// `now + delay`, where a delay beyond what the clock can hold counts as a year.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now.checked_add(delay)
        .or_else(|| now.checked_add(YEAR))
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::origin;

    #[test]
    fn back_off_doubles_within_its_jitter_and_is_capped() {
        let config = ScheduleConfig::default();
        let mut rng = fastrand::Rng::with_seed(3);
        for (failures, seconds) in [
            (1, 10),
            (2, 20),
            (3, 40),
            (9, 2560),
            (10, 3600),
            (u32::MAX, 3600),
        ] {
            let delay = config.backoff_after(failures, &mut rng);
            let full = Duration::from_secs(seconds);
            assert!(
                delay >= full * 3 / 4 && delay <= full * 5 / 4,
                "{failures}: {delay:?}"
            );
        }
    }

    #[test]
    fn no_configuration_panics() {
        let config = ScheduleConfig {
            backoff: Duration::MAX,
            max_backoff: Duration::MAX,
            min_interval: Duration::MAX,
            max_interval: Duration::ZERO,
            ..ScheduleConfig::default()
        };
        let mut rng = fastrand::Rng::with_seed(3);
        let now = origin();
        assert!(after(now, config.clamp_interval(Duration::ZERO)) > now);
        assert!(after(now, config.backoff_after(7, &mut rng)) > now);
    }
}
