//! How often something may happen.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Announces that one address may send at once, and how long it takes to earn another: a client that sends one for each
/// of its torrents, three times, has thirty torrents understood.
const PER_ADDRESS: Rate = Rate::new(100, Duration::from_millis(500));
/// The same for all addresses together.
const IN_ALL: Rate = Rate::new(400, Duration::from_millis(25));
/// Addresses that are watched at once; those beyond are not heard until one of these has been quiet.
const MAX_WATCHED: usize = 256;

/// So many at once, and another after each interval.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    burst: u32,
    every: Duration,
}

impl Rate {
    pub(super) const fn new(burst: u32, every: Duration) -> Self {
        Self { burst, every }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    rate: Rate,
    tokens: u32,
    /// Since when the next token has been growing.
    since: Instant,
}

impl Bucket {
    pub(super) const fn full(now: Instant, rate: Rate) -> Self {
        Self {
            rate,
            tokens: rate.burst,
            since: now,
        }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.grow(now);
        let is_there = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        is_there
    }

    /// When there is a token.
    pub(super) fn ready_at(&self) -> Instant {
        match self.tokens {
            0 => self.since + self.rate.every,
            _ => self.since,
        }
    }

    fn grow(&mut self, now: Instant) {
        let missing = self.rate.burst - self.tokens;
        let elapsed = now.saturating_duration_since(self.since).as_nanos();
        let grown = u32::try_from(elapsed / self.rate.every.as_nanos()).unwrap_or(u32::MAX);
        if grown >= missing {
            self.tokens = self.rate.burst;
            self.since = self.since.max(now);
        } else {
            self.tokens += grown;
            self.since += self.rate.every * grown;
        }
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.grow(now);
        self.tokens == self.rate.burst
    }
}

/// Who sends too much is not heard; what it sends does not keep others from being heard.
#[derive(Debug)]
pub(super) struct Limiter {
    addresses: HashMap<IpAddr, Bucket>,
    in_all: Bucket,
}

impl Limiter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            addresses: HashMap::new(),
            in_all: Bucket::full(now, IN_ALL),
        }
    }

    /// Whether a datagram of this address is read.
    pub(super) fn admits(&mut self, now: Instant, from: IpAddr) -> bool {
        if !self.addresses.contains_key(&from) && self.addresses.len() >= MAX_WATCHED {
            self.addresses.retain(|_, bucket| !bucket.is_full(now));
            if self.addresses.len() >= MAX_WATCHED {
                return false;
            }
        }
        let bucket = self
            .addresses
            .entry(from)
            .or_insert_with(|| Bucket::full(now, PER_ADDRESS));
        // In this order: a flood from one address must not use up what all share.
        bucket.take(now) && self.in_all.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;
    use std::net::Ipv4Addr;

    const SECOND: Duration = Duration::from_secs(1);

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(0x0a00_0000 + number).into()
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let start = epoch();
        let mut bucket = Bucket::full(start, Rate::new(3, 10 * SECOND));
        // Idle time beyond a full bucket counts for nothing.
        let now = start + 1000 * SECOND;
        let taken = (0..10).filter(|_| bucket.take(now)).count();
        assert_eq!(taken, 3);
        assert_eq!(bucket.ready_at(), now + 10 * SECOND);
        assert!(!bucket.take(now + 9 * SECOND));
        assert!(bucket.take(now + 15 * SECOND));
        // The half of the next token that had grown is kept.
        assert!(!bucket.take(now + 19 * SECOND));
        assert!(bucket.take(now + 20 * SECOND));
        // Time that goes back gives nothing, and takes nothing.
        assert!(!bucket.take(start));
        assert!(bucket.take(now + 30 * SECOND));
    }

    #[test]
    fn one_flood_keeps_nobody_else_from_being_heard() {
        let now = epoch();
        let mut limiter = Limiter::new(now);
        let heard = |limiter: &mut Limiter, address, count| {
            let heard = (0..count).filter(|_| limiter.admits(now, address));
            heard.count()
        };
        assert_eq!(heard(&mut limiter, address(1), 100_000), 100);
        assert_eq!(heard(&mut limiter, address(2), 10), 10);
    }

    #[test]
    fn all_together_are_bounded_and_so_is_the_table() {
        let start = epoch();
        let mut limiter = Limiter::new(start);
        let heard = (0..100_000).filter(|&number| limiter.admits(start, address(number)));
        assert_eq!(heard.count(), MAX_WATCHED);
        assert_eq!(limiter.addresses.len(), MAX_WATCHED);
        // Quiet addresses make room.
        let now = start + 100 * SECOND;
        assert!(limiter.admits(now, address(200_000)));
        assert_eq!(limiter.addresses.len(), 1);
        let heard = (0..100_000).filter(|&number| limiter.admits(now, address(number % 200)));
        assert_eq!(heard.count(), 399);
    }
}
