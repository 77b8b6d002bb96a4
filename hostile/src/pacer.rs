//! A rate limiter that several connections share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Burst after a pause, as time at the rate: with less, coarse timers would lower the rate.
const BURST: Duration = Duration::from_millis(20);

/// A rate limiter. Its clones share one rate, as the connections of one host share its line.
#[derive(Clone, Debug)]
pub struct Pacer {
    /// Bytes a second; `None` is no limit.
    rate: Option<u64>,
    /// When the line is free.
    free: Arc<Mutex<Option<Instant>>>,
}

impl Pacer {
    /// Limits to `bytes_per_second`; 0 is taken as 1.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            rate: Some(bytes_per_second.max(1)),
            free: Arc::default(),
        }
    }

    /// No limit.
    #[must_use]
    pub fn unlimited() -> Self {
        Self {
            rate: None,
            free: Arc::default(),
        }
    }

    /// Reserves the line for `bytes` if it is free.
    ///
    /// # Errors
    ///
    /// When the line will be free.
    pub fn take(&self, now: Instant, bytes: u64) -> Result<(), Instant> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let mut free = self.free.lock();
        let from = match *free {
            Some(at) if at > now + BURST => return Err(at - BURST),
            Some(at) if at > now => at,
            _ => now,
        };
        let busy = Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate);
        *free = Some(from + busy);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the beginning of time")]
    fn clones_share_the_rate() {
        let began = Instant::now();
        let pacer = Pacer::new(1_000_000);
        let (mut now, mut bytes) = (began, 0);
        while now < began + Duration::from_secs(1) {
            match pacer.clone().take(now, 16_384) {
                Ok(()) => bytes += 16_384,
                Err(at) => now = at,
            }
        }
        assert!((1_000_000..1_060_000).contains(&bytes), "{bytes}");
    }
}
