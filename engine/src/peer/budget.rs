//! The message budget: a rate limiter on what a peer's messages may cost us.

use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};

/// The refill rate in units a second. A unit is a message, or 64 bytes of one. A peer that downloads 2 GiB a second in
/// pieces of 256 KiB sends this many `have` messages; a flood costs us some milliseconds of a processor a second.
const RATE: u32 = 8_192;
/// The burst, as a time at that rate: every request of a full queue taken back, the bitfield of the largest torrent.
const BURST_SECONDS: u32 = 4;
const UNITS: Rate = Rate::per_second(RATE as u64, Duration::from_secs(BURST_SECONDS as u64));
/// Bytes that count as one unit.
const UNIT_BYTES: usize = 64;

/// A token bucket for messages that a peer may send without having been asked: those of [`BURST_SECONDS`] at once, then
/// [`RATE`] a second. What exceeds it waits, first in our receive buffer and then in the peer's socket (back-pressure).
///
/// Blocks that were requested and requests that are served are not counted: bandwidth bounds those.
#[derive(Debug, Default)]
pub(super) struct MessageBudget {
    bucket: TokenBucket,
}

impl MessageBudget {
    /// Counts a message of this many bytes.
    pub(super) fn spend(&mut self, now: Instant, bytes: usize) {
        self.bucket.spend(now, UNITS, units(bytes).into());
    }

    /// When spending may go on, if the budget is exhausted now.
    pub(super) fn exhausted_until(&self, now: Instant) -> Option<Instant> {
        let until = self.bucket.ready_at(now, UNITS, 0);
        (until > now).then_some(until)
    }
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes / UNIT_BYTES)
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    const BURST: u32 = BURST_SECONDS * RATE;

    /// How many messages of `bytes` bytes pass until the budget is exhausted.
    fn pass(budget: &mut MessageBudget, now: Instant, bytes: usize) -> u32 {
        let mut passed = 0;
        while budget.exhausted_until(now).is_none() {
            budget.spend(now, bytes);
            passed += 1;
            assert!(passed <= 2 * BURST, "it is never exhausted");
        }
        passed
    }

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let mut now = epoch();
        let mut budget = MessageBudget::default();
        assert_eq!(pass(&mut budget, now, 0), BURST + 1);
        let until = budget.exhausted_until(now).unwrap();
        assert!(until > now && until - now < Duration::from_millis(1));
        now += Duration::from_secs(1);
        assert_eq!(pass(&mut budget, now, 0), RATE);
        now += Duration::from_secs(3_600);
        assert_eq!(pass(&mut budget, now, 0), BURST + 1);
    }

    #[test]
    fn long_messages_count_by_their_bytes() {
        let now = epoch();
        let mut budget = MessageBudget::default();
        let passed = pass(&mut budget, now, 16 * 1024);
        assert_eq!(passed, BURST / 257 + 1);
    }
}
