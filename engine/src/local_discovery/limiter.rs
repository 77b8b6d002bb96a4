//! A rate limiter for received announces: a token bucket for each address, and one for all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};

/// Announces that one address may send at once, and how long it takes to earn another: a client that sends one for each
/// of its torrents, three times, has thirty torrents understood.
const PER_ADDRESS: Rate = Rate::every(Duration::from_millis(500), 100);
/// The same for all addresses together.
const IN_ALL: Rate = Rate::every(Duration::from_millis(25), 400);
/// Addresses with a bucket of their own; announces from others are ignored until one of these has been quiet.
const MAX_WATCHED: usize = 256;

/// Ignores senders that send too much, so that they do not keep others from being read.
#[derive(Debug)]
pub(super) struct Limiter {
    addresses: HashMap<IpAddr, TokenBucket>,
    in_all: TokenBucket,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self {
            addresses: HashMap::new(),
            in_all: TokenBucket::default(),
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
        let bucket = self.addresses.entry(from).or_default();
        // In this order: a flood from one address must not use up what all share.
        bucket.take(now, PER_ADDRESS, 1) && self.in_all.take(now, IN_ALL, 1)
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
    fn one_flood_keeps_nobody_else_from_being_heard() {
        let now = epoch();
        let mut limiter = Limiter::new();
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
        let mut limiter = Limiter::new();
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
