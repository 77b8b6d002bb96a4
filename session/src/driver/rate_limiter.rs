//! The upload and download rate limiters: token buckets of bytes.
//!
//! There are some for each direction: one for the session ([`SessionBuilder::upload_limit`](crate::SessionBuilder::upload_limit),
//! `download_limit`), which all connections share, one for each torrent, and those of groups of torrents. `RateLimits`
//! (`rate_limits.rs`) are those that hold for a connection. The peer task asks it before each write how many bytes of blocks may go ([`RateLimits::portion`]), and tells it
//! how many the stream has accepted ([`RateLimits::spend`]); then it offers the stream no blocks until the time that
//! `spend` returns (`peer/mod.rs`, `write` and `receive`). Only the bytes of blocks count as upload: other messages always
//! pass, and ahead of blocks. All received bytes count as download: a connection that has to wait is not read, and TCP
//! holds its sender back. A connection that waits is woken when a limit changes (`RateChanges`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tailwater_types::pacing::{Rate, TokenBucket};
use tokio::sync::watch;

/// How much may pass at once after a pause.
const BURST: Duration = Duration::from_millis(100);

/// A rate limiter: a token bucket of bytes that connections share. Bytes that have passed may leave a debt, and the
/// connection that passed them waits for the end of it.
#[derive(Debug, Default)]
pub(crate) struct RateLimiter {
    /// 0 lets everything pass.
    bytes_per_second: AtomicU64,
    bucket: Mutex<TokenBucket>,
    /// Told of every change of the limit.
    changes: watch::Sender<()>,
}

impl RateLimiter {
    /// `None` lets everything pass.
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: AtomicU64::new(bytes_per_second.unwrap_or(0)),
            ..Self::default()
        }
    }

    /// The limit in bytes a second, if there is one.
    pub(crate) fn rate(&self) -> Option<u64> {
        Some(self.bytes_per_second.load(Ordering::Relaxed)).filter(|&rate| rate > 0)
    }

    /// Changes the limit; it holds from the next byte on, and connections that wait under the old one are woken. `None`
    /// lets everything pass.
    pub(crate) fn set_rate(&self, bytes_per_second: Option<u64>) {
        let rate = bytes_per_second.unwrap_or(0);
        self.bytes_per_second.store(rate, Ordering::Relaxed);
        // What passed under the old limit is not paid for under the new one.
        *self.bucket.lock() = TokenBucket::default();
        // After the change, so that who wakes finds it made.
        self.changes.send_replace(());
    }

    /// Counts bytes that pass now. Returns until when the connection that passed them has to wait, if at all.
    pub(crate) fn spend(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let rate = Rate::per_second(self.rate()?, BURST);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let mut bucket = self.bucket.lock();
        bucket.spend(now, rate, bytes);
        let until = bucket.ready_at(now, rate, 0);
        (until > now).then_some(until)
    }

    /// The most to read or write at once, so that no connection takes seconds' worth in one go.
    pub(crate) fn portion(&self) -> usize {
        self.rate().map_or(usize::MAX, |rate| {
            usize::try_from(rate / 20).unwrap_or(usize::MAX).max(1_024)
        })
    }

    /// Wakes connections that wait: other limits than this one have changed.
    pub(crate) fn wake(&self) {
        self.changes.send_replace(());
    }

    /// Notices changes from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_changed_holds_from_then_on() {
        let now = crate::testing::epoch();
        let limiter = RateLimiter::new(None);
        assert_eq!(limiter.spend(now, 10_000_000), None);
        limiter.set_rate(Some(1_000_000));
        assert_eq!(limiter.rate(), Some(1_000_000));
        let until = limiter.spend(now, 1_100_000).unwrap();
        assert_eq!(until - now, Duration::from_secs(1));
        limiter.set_rate(None);
        assert_eq!((limiter.rate(), limiter.spend(now, 1)), (None, None));
    }

    #[test]
    fn no_more_passes_than_the_limit_allows() {
        let start = crate::testing::epoch();
        let limiter = RateLimiter::new(Some(1_000_000));
        let mut now = start;
        let mut passed = 0u64;
        while now < start + Duration::from_secs(10) {
            passed += 16_384;
            now = limiter.spend(now, 16_384).unwrap_or(now);
        }
        assert!((9_900_000..10_200_000).contains(&passed), "{passed}");
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let limiter = RateLimiter::new(None);
        assert_eq!(limiter.spend(crate::testing::epoch(), usize::MAX), None);
    }
}
