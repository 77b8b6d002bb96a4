//! Round-trip time estimate: how long answers take, and how long a lookup waits before it asks another node.

use std::time::Duration;

/// Before anything is measured: RFC 6298 begins with a second too.
const FIRST_PATIENCE: Duration = Duration::from_secs(1);
/// A busy host answers late now and then, however near it is.
const MIN_PATIENCE: Duration = Duration::from_millis(50);
/// The upper bound: below the query timeout of 4 s, so that another node is asked before that.
const MAX_PATIENCE: Duration = Duration::from_secs(2);

/// A smoothed round trip and its deviation, as RFC 6298 has them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rtt {
    smoothed: Option<Duration>,
    deviation: Duration,
}

impl Rtt {
    pub(super) fn on_sample(&mut self, sample: Duration) {
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(sample);
            self.deviation = sample / 2;
            return;
        };
        self.deviation = self.deviation * 3 / 4 + smoothed.abs_diff(sample) / 4;
        self.smoothed = Some(smoothed * 7 / 8 + sample / 8);
    }

    /// How long to wait for a node before another is asked in its stead. `known` is what this one took the last time.
    pub(super) fn patience(&self, known: Option<Duration>) -> Duration {
        let patience = match (known, self.smoothed) {
            (Some(rtt), _) => rtt * 3 / 2 + self.deviation.max(MIN_PATIENCE),
            (None, Some(smoothed)) => smoothed + smoothed.max(self.deviation * 4),
            (None, None) => FIRST_PATIENCE,
        };
        patience.clamp(MIN_PATIENCE, MAX_PATIENCE)
    }
}
