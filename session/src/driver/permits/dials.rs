//! The rate limiter for dials: a token bucket for the whole session.

use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};

/// Dials in a second, over all torrents, as in libtorrent (`connection_speed`): a tracker or peer that names addresses
/// must not make us a port scanner.
const PER_SECOND: u32 = 30;
/// The burst: dials that may be made at once after a quiet time, so that the first peers of many torrents that start
/// together do not wait for each other. libtorrent allows 30 to each torrent (`torrent_connect_boost`).
const BURST: u32 = 100;

/// A token bucket for dials.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialLimit {
    rate: Rate,
    bucket: TokenBucket,
}

impl Default for DialLimit {
    fn default() -> Self {
        Self::new(BURST, Duration::from_secs(1) / PER_SECOND)
    }
}

impl DialLimit {
    /// `burst` dials at once, and one more after each `every`.
    pub(crate) fn new(burst: u32, every: Duration) -> Self {
        Self {
            rate: Rate::every(every, burst),
            bucket: TokenBucket::default(),
        }
    }

    /// When the next dial may be made: now, or later.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.bucket.ready_at(now, self.rate, 1)
    }

    /// A dial is made.
    pub(super) fn take(&mut self, now: Instant) {
        self.bucket.spend(now, self.rate, 1);
    }
}
