//! The table of incoming handshakes under way: how many there may be, how many of one host, and which of them make
//! room.
//!
//! An open socket costs a stranger nothing. So callers never wait for those before them: when there are too many of one
//! host, or in all, the oldest handshake is ended, which had the most time. An honest caller needs a round trip.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::torrent::Host;

/// Handshakes under way at once, over all hosts: sockets that have not said who they are.
const MAX_HANDSHAKES: usize = 128;
/// Handshakes of one host on the internet or the local network: what one that calls several torrents at once needs.
const MAX_OF_HOST: usize = 8;
/// Handshakes of one loopback address, where a whole swarm may be; still no monopoly.
const MAX_OF_LOOPBACK: usize = 32;
/// While more than half of the handshakes are taken, this replaces the time limit of 10 s: a few round trips of the slowest
/// lines.
const PATIENCE_UNDER_PRESSURE: Duration = Duration::from_secs(3);

/// A table of handshakes; `T` is what ends one.
#[derive(Debug)]
pub(super) struct Handshakes<T> {
    /// The handshakes by number, the oldest first.
    under_way: BTreeMap<u64, (Host, Instant, T)>,
    of_host: BTreeMap<Host, BTreeSet<u64>>,
    last: u64,
}

impl<T> Default for Handshakes<T> {
    fn default() -> Self {
        Self {
            under_way: BTreeMap::new(),
            of_host: BTreeMap::new(),
            last: 0,
        }
    }
}

impl<T> Handshakes<T> {
    /// A handshake begins. Returns its number, and what ends those that have to go for it.
    pub(super) fn begin(&mut self, now: Instant, host: Host, end: T) -> (u64, Vec<T>) {
        let mut displaced = Vec::new();
        while let Some(number) = self.victim(now, host) {
            displaced.extend(self.end(number));
        }
        self.last += 1;
        self.under_way.insert(self.last, (host, now, end));
        self.of_host.entry(host).or_default().insert(self.last);
        (self.last, displaced)
    }

    /// A handshake has ended, or is to end.
    pub(super) fn end(&mut self, number: u64) -> Option<T> {
        let (host, _, end) = self.under_way.remove(&number)?;
        if let Some(numbers) = self.of_host.get_mut(&host) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.of_host.remove(&host);
            }
        }
        Some(end)
    }

    /// The handshake that is to end before one of `host` may begin.
    fn victim(&self, now: Instant, host: Host) -> Option<u64> {
        let limit = host.by_scope(MAX_OF_HOST, MAX_OF_HOST, MAX_OF_LOOPBACK);
        let theirs = self.of_host.get(&host).filter(|of| of.len() >= limit);
        if let Some(numbers) = theirs {
            return numbers.first().copied();
        }
        if self.under_way.len() >= MAX_HANDSHAKES {
            // One of the host that has the most.
            let most = self.of_host.values().max_by_key(|numbers| numbers.len())?;
            return most.first().copied();
        }
        let (number, (_, since, _)) = self.under_way.first_key_value()?;
        let is_stale = now.saturating_duration_since(*since) >= PATIENCE_UNDER_PRESSURE;
        (is_stale && self.under_way.len() > MAX_HANDSHAKES / 2).then_some(*number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    fn host(number: u8) -> Host {
        Host::of([9, 9, number, 1].into())
    }

    #[test]
    fn of_one_host_the_oldest_goes_and_others_are_left_alone() {
        let now = epoch();
        let mut table = Handshakes::default();
        table.begin(now, host(0), 1_000);
        for number in 0..MAX_OF_HOST {
            assert_eq!(table.begin(now, host(1), number).1, []);
        }
        assert_eq!(table.begin(now, host(1), 50).1, [0]);
        assert_eq!(table.begin(now, host(1), 51).1, [1]);
        let loopback = Host::of([127, 0, 0, 1].into());
        for number in 0..MAX_OF_LOOPBACK {
            assert_eq!(table.begin(now, loopback, number).1, []);
        }
        assert_eq!(table.begin(now, loopback, 0).1.len(), 1);
        assert_eq!(table.under_way.len(), 1 + MAX_OF_HOST + MAX_OF_LOOPBACK);
    }

    #[test]
    fn when_all_are_taken_the_host_with_the_most_gives_way() {
        let now = epoch();
        let mut table = Handshakes::default();
        let (few, _) = table.begin(now, host(0), 0);
        let mut number = 0;
        for other in 1..=u8::MAX {
            for _ in 0..3 {
                number += 1;
                let (_, displaced) = table.begin(now, host(other), number);
                assert!(!displaced.contains(&0));
            }
        }
        assert_eq!(table.under_way.len(), MAX_HANDSHAKES);
        assert_eq!(table.end(few), Some(0));
        assert_eq!(table.end(few), None);
        let counted: usize = table.of_host.values().map(BTreeSet::len).sum();
        assert_eq!(counted, table.under_way.len());
    }

    #[test]
    fn silence_is_suffered_for_a_shorter_time_under_pressure() {
        let now = epoch();
        let later = now + PATIENCE_UNDER_PRESSURE;
        let mut table = Handshakes::default();
        let half = u8::try_from(MAX_HANDSHAKES / 2).unwrap();
        for number in 0..half {
            table.begin(now, host(number), number);
        }
        assert_eq!(table.begin(later, host(100), 100).1, []);
        assert_eq!(table.begin(later, host(101), 101).1, [0]);
        // No more than necessary.
        assert_eq!(table.under_way.len(), MAX_HANDSHAKES / 2 + 1);
    }
}
