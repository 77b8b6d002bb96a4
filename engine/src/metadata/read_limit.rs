//! A rate limiter on what a connection of a fetch sends beside the metadata that was requested.

use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};

/// What each message costs beside its bytes: about what it takes to decode one, so that keep-alives are not free.
const MESSAGE_COST: u64 = 64;
/// The refill rate in bytes a second: about 1 800 messages of the usual kinds. With 40 connections this is a few
/// hundredths of a processor.
const PER_SECOND: u64 = 128 * 1024;
/// The burst, as a time at that rate: 1 MiB, the bitfield of the largest torrent that is loaded (256 KiB) and some
/// thousand `have`s.
const BURST: Duration = Duration::from_secs(8);
const RATE: Rate = Rate::per_second(PER_SECOND, BURST);
/// Reading goes on when this much is available again, not for each byte.
const RESUME_AT: u64 = 16 * 1024;

/// A token bucket of bytes and messages.
///
/// When it is empty, the connection is not read for a while, so that TCP holds the peer back (back-pressure). A seeder
/// that sends nothing but what the protocol asks of it never empties it.
#[derive(Debug)]
pub(super) struct ReadLimit {
    bucket: TokenBucket,
    now: Instant,
    is_spent: bool,
}

impl ReadLimit {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            bucket: TokenBucket::default(),
            now,
            is_spent: false,
        }
    }

    /// Refills the bucket.
    pub(super) fn refill(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.is_spent &= !self.bucket.has(self.now, RATE, RESUME_AT);
    }

    /// Counts a message of this many bytes. It may take more than is left, as it was received already.
    pub(super) fn spend(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let cost = bytes.saturating_add(MESSAGE_COST);
        self.bucket.spend(self.now, RATE, cost);
        self.is_spent |= !self.bucket.has(self.now, RATE, 1);
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// When reading goes on; `None` if it may now.
    pub(super) fn resumes_at(&self) -> Option<Instant> {
        let resumes = self.bucket.ready_at(self.now, RATE, RESUME_AT);
        self.is_spent.then_some(resumes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    #[test]
    fn a_flood_is_held_to_the_rate_and_goes_on_when_there_is_something_again() {
        let start = epoch();
        let (mut now, mut messages) = (start, 0);
        let mut limit = ReadLimit::new(now);
        while now < start + Duration::from_secs(10) {
            limit.refill(now);
            while !limit.is_spent() {
                limit.spend(4);
                messages += 1;
            }
            now = limit.resumes_at().unwrap();
        }
        // 15 400 keep-alives at once and 1 900 a second.
        assert!((30_000..36_000).contains(&messages), "{messages}");
    }

    #[test]
    fn the_largest_message_costs_time_and_no_more() {
        let now = epoch();
        let mut limit = ReadLimit::new(now);
        limit.spend(2 << 20);
        assert!(limit.is_spent());
        let resumes = limit.resumes_at().unwrap();
        assert!(resumes < now + Duration::from_secs(10));
        limit.refill(resumes - Duration::from_millis(1));
        assert!(limit.is_spent());
        limit.refill(resumes);
        assert!(!limit.is_spent());
        assert_eq!(limit.resumes_at(), None);
    }
}
