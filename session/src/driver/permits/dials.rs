//! How many connections a session opens in a second.

use std::time::{Duration, Instant};

/// The most dials in any second, over all torrents, as in libtorrent (`connection_speed`): a tracker or peer that names
/// addresses must not make us a port scanner.
const MOST_IN_A_SECOND: u32 = 30;
/// Of those at once after a quiet time: the first peers of a torrent do not wait.
const BURST: u32 = 10;

/// A token bucket, kept as the time at which it will be full again (the generic cell rate algorithm).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DialLimit {
    every: Duration,
    /// What the bucket holds, in time.
    depth: Duration,
    full_at: Option<Instant>,
}

impl Default for DialLimit {
    fn default() -> Self {
        let refill = MOST_IN_A_SECOND - BURST;
        Self::new(BURST, Duration::from_secs(1) / refill)
    }
}

impl DialLimit {
    /// `burst` dials at once, and one more after each `every`.
    pub(crate) fn new(burst: u32, every: Duration) -> Self {
        Self {
            every,
            depth: every * burst.saturating_sub(1),
            full_at: None,
        }
    }

    /// When the next dial may be made: now, or later.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let next = self.full_at.and_then(|full| full.checked_sub(self.depth));
        next.map_or(now, |next| next.max(now))
    }

    /// A dial is made.
    pub(super) fn take(&mut self, now: Instant) {
        let full = self.full_at.map_or(now, |full| full.max(now));
        self.full_at = Some(full + self.every);
    }
}
