//! The upload and download rate limiters: token buckets of bytes.
//!
//! There are two for each direction: one for the session ([`SessionBuilder::upload_limit`](crate::SessionBuilder::upload_limit),
//! `download_limit`), which all connections share, and one for each torrent. [`RateLimits`] is the pair that a connection
//! holds. The peer task asks it before each write how many bytes of blocks may go ([`RateLimits::portion`]), and tells it
//! how many the stream has accepted ([`RateLimits::spend`]); then it offers the stream no blocks until the time that
//! `spend` returns (`peer/mod.rs`, `write` and `receive`). Only the bytes of blocks count as upload: other messages always
//! pass, and ahead of blocks. All received bytes count as download: a connection that has to wait is not read, and TCP
//! holds its sender back. A connection that waits is woken when a limit changes ([`RateChanges`]).

use std::future::pending;
use std::sync::Arc;
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
}

/// The rate limits on a connection's bytes: the session's, and its torrent's if it has one. Both must grant.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimits {
    session: Arc<RateLimiter>,
    torrent: Option<Arc<RateLimiter>>,
}

impl RateLimits {
    /// The session's limit alone.
    pub(crate) fn of_session(bytes_per_second: Option<u64>) -> Self {
        Self {
            session: Arc::new(RateLimiter::new(bytes_per_second)),
            torrent: None,
        }
    }

    /// The same session's limit, and one of a torrent beside it.
    pub(crate) fn with_torrent(&self, bytes_per_second: Option<u64>) -> Self {
        Self {
            session: Arc::clone(&self.session),
            torrent: Some(Arc::new(RateLimiter::new(bytes_per_second))),
        }
    }

    /// The limit of the session.
    pub(crate) fn session(&self) -> &RateLimiter {
        &self.session
    }

    /// The torrent's limiter; `None` if these are the session's own limits.
    pub(crate) fn torrent(&self) -> Option<&RateLimiter> {
        self.torrent.as_deref()
    }

    /// Notices changes of either limit from now on.
    pub(crate) fn changes(&self) -> RateChanges {
        RateChanges {
            session: self.session.changes.subscribe(),
            torrent: self.torrent.as_ref().map(|own| own.changes.subscribe()),
        }
    }

    /// Counts bytes that pass now against both; the connection that passed them waits for the later one.
    pub(crate) fn spend(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let session = self.session.spend(now, bytes);
        match &self.torrent {
            Some(torrent) => session.max(torrent.spend(now, bytes)),
            None => session,
        }
    }

    /// The most to read or write at once: the smaller portion of the two.
    pub(crate) fn portion(&self) -> usize {
        let session = self.session.portion();
        match &self.torrent {
            Some(torrent) => session.min(torrent.portion()),
            None => session,
        }
    }
}

/// Wakes a connection that waits for its rate limits when one of them is changed.
#[derive(Debug)]
pub(crate) struct RateChanges {
    session: watch::Receiver<()>,
    torrent: Option<watch::Receiver<()>>,
}

impl RateChanges {
    /// Waits until a limit has been changed since the last call; never, once the limiters are gone. Cancel safe.
    pub(crate) async fn next(&mut self) {
        let torrent = async {
            match &mut self.torrent {
                Some(torrent) => torrent.changed().await,
                None => pending().await,
            }
        };
        tokio::select! {
            Ok(()) = self.session.changed() => {}
            Ok(()) = torrent => {}
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that pass in ten seconds, for each of some connections that take all they may.
    fn transfer(connections: &[&RateLimits]) -> Vec<u64> {
        let start = crate::testing::epoch();
        let end = start + Duration::from_secs(10);
        let mut next = vec![start; connections.len()];
        let mut passed = vec![0; connections.len()];
        loop {
            // The one that may go on first does.
            let first = (0..next.len()).min_by_key(|&index| next[index]);
            let Some(index) = first.filter(|&index| next[index] < end) else {
                return passed;
            };
            let now = next[index];
            let bytes = connections[index].portion().min(16_384);
            passed[index] += bytes as u64;
            // Without a limit it takes a millisecond.
            let idle = now + Duration::from_millis(1);
            next[index] = connections[index].spend(now, bytes).unwrap_or(idle);
        }
    }

    #[test]
    fn the_lower_limit_holds() {
        let close_to =
            |passed: u64, rate: u64| (rate * 99 / 10..=rate * 103 / 10).contains(&passed);
        for (session, torrent) in [(1_000_000, 300_000), (300_000, 1_000_000)] {
            let limits = RateLimits::of_session(Some(session)).with_torrent(Some(torrent));
            let passed = transfer(&[&limits, &limits, &limits]).iter().sum();
            assert!(close_to(passed, 300_000), "{session} {torrent}: {passed}");
        }
        let unlimited = RateLimits::of_session(None).with_torrent(Some(300_000));
        let passed = transfer(&[&unlimited])[0];
        assert!(close_to(passed, 300_000), "{passed}");
        assert_eq!(
            unlimited
                .with_torrent(None)
                .spend(crate::testing::epoch(), 1 << 30),
            None
        );
    }

    #[test]
    fn torrents_share_the_limit_of_the_session() {
        let session = RateLimits::of_session(Some(1_000_000));
        let (slow, fast) = (
            session.with_torrent(Some(200_000)),
            session.with_torrent(None),
        );
        let passed = transfer(&[&slow, &slow, &fast, &fast]);
        let (of_slow, of_fast) = (passed[0] + passed[1], passed[2] + passed[3]);
        assert!(of_slow <= 2_060_000, "{of_slow}");
        let all = of_slow + of_fast;
        assert!((9_900_000..=10_300_000).contains(&all), "{all}");
        // What one may not use is there for the other.
        assert!(of_fast >= 7_800_000, "{of_fast}");
        let other = session.with_torrent(Some(900_000));
        let passed = transfer(&[&other, &fast]);
        assert!(passed[0] + passed[1] <= 10_300_000, "{passed:?}");
    }

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

    #[tokio::test]
    async fn a_change_of_either_limit_wakes_a_connection_that_waits() {
        let limits = RateLimits::of_session(Some(1)).with_torrent(Some(1));
        let mut changes = limits.changes();
        assert!(!is_woken(&mut changes).await, "nothing has changed yet");
        limits.session().set_rate(None);
        assert!(is_woken(&mut changes).await);
        assert!(!is_woken(&mut changes).await, "it was told once");
        limits.torrent().unwrap().set_rate(Some(2));
        assert!(is_woken(&mut changes).await);
        assert!(!is_woken(&mut changes).await);
    }

    /// Whether there is a change now.
    async fn is_woken(changes: &mut RateChanges) -> bool {
        tokio::select! {
            biased;
            () = changes.next() => true,
            () = std::future::ready(()) => false,
        }
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
