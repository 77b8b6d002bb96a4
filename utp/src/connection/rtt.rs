//! Round-trip time and the retransmission timeout (RFC 6298).

use std::time::Duration;

use crate::limits::{ACK_DELAY, INITIAL_RTO, MAX_RTO, MIN_RTO};

#[derive(Debug)]
pub(super) struct RoundTrip {
    smoothed: Option<Duration>,
    variance: Duration,
    min: Option<Duration>,
    latest: Duration,
    /// Timeouts in a row, each of which doubles the next one.
    timeouts: u32,
}

impl RoundTrip {
    pub(super) const fn new() -> Self {
        Self {
            smoothed: None,
            variance: Duration::ZERO,
            min: None,
            latest: Duration::ZERO,
            timeouts: 0,
        }
    }

    pub(super) fn on_sample(&mut self, rtt: Duration) {
        self.latest = rtt;
        self.min = Some(self.min.map_or(rtt, |min| min.min(rtt)));
        match self.smoothed {
            None => {
                self.smoothed = Some(rtt);
                self.variance = rtt / 2;
            }
            Some(smoothed) => {
                let difference = smoothed.abs_diff(rtt);
                self.variance = (self.variance * 3 + difference) / 4;
                self.smoothed = Some((smoothed * 7 + rtt) / 8);
            }
        }
    }

    /// The smoothed round-trip time; without a sample what the first timeout assumes.
    pub(super) fn smoothed(&self) -> Duration {
        self.smoothed.unwrap_or(INITIAL_RTO / 2)
    }

    /// The shortest one; zero without a sample.
    pub(super) fn min(&self) -> Duration {
        self.min.unwrap_or(Duration::ZERO)
    }

    /// After how long without an acknowledgement all that is in flight is thought to be lost.
    pub(super) fn timeout(&self) -> Duration {
        let timeout = match self.smoothed {
            None => INITIAL_RTO,
            Some(smoothed) => (smoothed + self.variance * 4).max(MIN_RTO),
        };
        let doubled = timeout.saturating_mul(1 << self.timeouts.min(10));
        doubled.min(MAX_RTO)
    }

    /// After how long without an acknowledgement the last packet is sent again, to find out what is lost (RFC 8985).
    pub(super) fn probe_timeout(&self) -> Option<Duration> {
        let smoothed = self.smoothed?;
        Some(smoothed * 2 + ACK_DELAY * 2)
    }

    /// A packet is lost if one that was sent this much later has arrived (RFC 9002).
    pub(super) fn patience(&self) -> Duration {
        let rtt = self.smoothed().max(self.latest);
        (rtt + rtt / 8).max(Duration::from_millis(1))
    }

    pub(super) const fn timeouts(&self) -> u32 {
        self.timeouts
    }

    pub(super) const fn on_timeout(&mut self) {
        self.timeouts += 1;
    }

    pub(super) const fn on_progress(&mut self) {
        self.timeouts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_round_trips_and_doubles() {
        let millis = Duration::from_millis;
        let mut rtt = RoundTrip::new();
        assert_eq!(rtt.timeout(), INITIAL_RTO);
        assert_eq!(rtt.probe_timeout(), None);
        rtt.on_sample(millis(400));
        assert_eq!(rtt.timeout(), millis(400 + 4 * 200));
        for _ in 0..100 {
            rtt.on_sample(millis(40));
        }
        assert_eq!(rtt.timeout(), MIN_RTO);
        rtt.on_timeout();
        rtt.on_timeout();
        assert_eq!(rtt.timeout(), MIN_RTO * 4);
        for _ in 0..100 {
            rtt.on_timeout();
        }
        assert_eq!(rtt.timeout(), MAX_RTO);
        rtt.on_progress();
        assert_eq!(rtt.timeout(), MIN_RTO);
        assert_eq!(rtt.min(), millis(40));
    }
}
