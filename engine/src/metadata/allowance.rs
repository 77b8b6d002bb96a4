//! A limit on what a connection of a fetch sends beside the metadata that it was asked for.

use std::time::{Duration, Instant};

/// What each message costs beside its bytes: about what it takes to decode one, so that keep-alives are not free.
const MESSAGE_COST: i64 = 64;
/// What may come at once: the bitfield of the largest torrent that is loaded (256 KiB) and some thousand `have`s.
const BURST: i64 = 1 << 20;
/// Refilled each second: about 1 800 messages of the usual kinds. With 40 connections this is a few hundredths of a processor.
const PER_SECOND: i64 = 128 * 1024;
/// Once it is spent, reading goes on when this much is there again, not for each byte.
const RESUME_AT: i64 = 16 * 1024;

/// A token bucket of bytes and messages.
///
/// When it is empty the connection is not read for a while, so that TCP holds the peer back. A seeder that sends nothing but
/// what the protocol asks of it never empties it.
#[derive(Debug)]
pub(super) struct Allowance {
    left: i64,
    refilled: Instant,
    is_spent: bool,
}

impl Allowance {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            refilled: now,
            is_spent: false,
        }
    }

    pub(super) fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled);
        let micros = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let more = micros.saturating_mul(PER_SECOND) / 1_000_000;
        // What is less than a byte goes on counting.
        if more > 0 {
            self.refilled = now;
            self.left = self.left.saturating_add(more).min(BURST);
        }
        self.is_spent &= self.left < RESUME_AT;
    }

    /// Counts a message of so many bytes, which may take more than is left: it was received already.
    pub(super) fn spend(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.left = self.left.saturating_sub(bytes.saturating_add(MESSAGE_COST));
        self.is_spent |= self.left <= 0;
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// When there is something again; `None` if there is.
    pub(super) fn resumes_at(&self) -> Option<Instant> {
        let lacks = u64::try_from(RESUME_AT.saturating_sub(self.left)).unwrap_or(0);
        let micros = lacks.saturating_mul(1_000_000) / PER_SECOND.unsigned_abs() + 1;
        self.is_spent
            .then(|| self.refilled + Duration::from_micros(micros))
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
        let mut allowance = Allowance::new(now);
        while now < start + Duration::from_secs(10) {
            allowance.refill(now);
            while !allowance.is_spent() {
                allowance.spend(4);
                messages += 1;
            }
            now = allowance.resumes_at().unwrap();
        }
        // 15 400 keep-alives at once and 1 900 a second.
        assert!((30_000..36_000).contains(&messages), "{messages}");
    }

    #[test]
    fn the_largest_message_costs_time_and_no_more() {
        let now = epoch();
        let mut allowance = Allowance::new(now);
        allowance.spend(2 << 20);
        assert!(allowance.is_spent());
        let resumes = allowance.resumes_at().unwrap();
        assert!(resumes < now + Duration::from_secs(10));
        allowance.refill(resumes - Duration::from_millis(1));
        assert!(allowance.is_spent());
        allowance.refill(resumes);
        assert!(!allowance.is_spent());
        assert_eq!(allowance.resumes_at(), None);
    }
}
