//! A limit on bytes a second, shared by all connections of a session.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How much may pass at once after a pause.
const BURST: Duration = Duration::from_millis(100);

/// Spends time as money: every byte pushes the moment at which the next may pass.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    bytes_per_second: Option<u64>,
    free_at: Mutex<Option<Instant>>,
}

impl Throttle {
    /// `None` lets everything pass.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: bytes_per_second.filter(|&rate| rate > 0),
            free_at: Mutex::new(None),
        }
    }

    /// Counts bytes that pass now; says until when whoever passed them is to wait, if at all.
    pub(crate) fn spend(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let rate = self.bytes_per_second?;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let micros = bytes.saturating_mul(1_000_000) / rate;
        let mut free_at = self
            .free_at
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let from = free_at.map_or(earliest, |at| at.max(earliest));
        let until = from + Duration::from_micros(micros);
        *free_at = Some(until);
        (until > now).then_some(until)
    }

    /// The most to read or write at once, so that no connection takes seconds' worth in one go.
    pub(crate) fn portion(&self) -> usize {
        self.bytes_per_second.map_or(usize::MAX, |rate| {
            usize::try_from(rate / 20).unwrap_or(usize::MAX).max(1_024)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_passes_than_the_limit_allows() {
        let start = crate::testing::epoch();
        let throttle = Throttle::new(Some(1_000_000));
        let mut now = start;
        let mut passed = 0u64;
        while now < start + Duration::from_secs(10) {
            passed += 16_384;
            now = throttle.spend(now, 16_384).unwrap_or(now);
        }
        assert!((9_900_000..10_200_000).contains(&passed), "{passed}");
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let throttle = Throttle::new(None);
        assert_eq!(throttle.spend(crate::testing::epoch(), usize::MAX), None);
    }
}
