//! The addresses that might be peers: whom to connect to next, whom never again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// After a failure: this long, doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);
/// An address that failed this often in a row is forgotten.
const MAX_FAILURES: u32 = 8;

/// Where a peer's address came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Source {
    /// Named by the user; tried for ever.
    User,
    /// Named by the magnet link (`x.pe`); tried for ever.
    Magnet,
    /// A tracker.
    Tracker,
    /// It connected to us and said on which port it listens.
    Incoming,
    /// A peer named it (BEP 11).
    Exchange,
}

impl Source {
    /// Whether somebody chose the address by hand.
    const fn is_named(self) -> bool {
        matches!(self, Self::User | Self::Magnet)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle { next_attempt: Instant },
    Connecting,
    Connected,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: Source,
    state: State,
    failures: u32,
}

#[derive(Debug)]
pub(crate) struct Candidates {
    /// The most addresses kept; what comes after is dropped.
    limit: usize,
    by_addr: BTreeMap<SocketAddr, Candidate>,
    banned: BTreeSet<IpAddr>,
    connecting: usize,
}

impl Candidates {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            by_addr: BTreeMap::new(),
            banned: BTreeSet::new(),
            connecting: 0,
        }
    }

    /// Connections under way.
    pub(crate) const fn connecting(&self) -> usize {
        self.connecting
    }

    pub(crate) fn known(&self) -> usize {
        self.by_addr.len()
    }

    pub(crate) fn is_banned(&self, ip: IpAddr) -> bool {
        self.banned.contains(&ip)
    }

    /// Never connects to this address again; says whether that is news.
    pub(crate) fn ban(&mut self, ip: IpAddr) -> bool {
        if self.banned.len() >= self.limit {
            self.banned.pop_first();
        }
        self.banned.insert(ip)
    }

    pub(crate) fn add(&mut self, now: Instant, addr: SocketAddr, source: Source) {
        let usable = addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast();
        let full = self.by_addr.len() >= self.limit && !source.is_named();
        if !usable || full || self.is_banned(addr.ip()) {
            return;
        }
        let fresh = Candidate {
            source,
            state: State::Idle { next_attempt: now },
            failures: 0,
        };
        let known = self.by_addr.entry(addr).or_insert(fresh);
        known.source = known.source.min(source);
    }

    /// The address whose turn it is; it counts as connecting from now on.
    pub(crate) fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        let banned = &self.banned;
        let due = |(_, candidate): &(&SocketAddr, &mut Candidate)| matches!(candidate.state, State::Idle { next_attempt } if next_attempt <= now);
        let (addr, candidate) = self
            .by_addr
            .iter_mut()
            .filter(|(addr, _)| !banned.contains(&addr.ip()))
            .filter(due)
            .min_by_key(|(_, candidate)| (candidate.failures, candidate.source))?;
        candidate.state = State::Connecting;
        self.connecting += 1;
        Some(*addr)
    }

    /// When [`Self::next`] will have something, if nothing else happens.
    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        self.by_addr
            .iter()
            .filter(|(addr, _)| !self.is_banned(addr.ip()))
            .filter_map(|(_, candidate)| match candidate.state {
                State::Idle { next_attempt } => Some(next_attempt),
                State::Connecting | State::Connected => None,
            })
            .min()
    }

    /// The connection stands.
    pub(crate) fn handle_connected(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.by_addr.get_mut(&addr) {
            if candidate.state == State::Connecting {
                self.connecting -= 1;
            }
            candidate.state = State::Connected;
        }
    }

    /// The connection could not be made, or it ended. `useful`: it had delivered something.
    pub(crate) fn handle_closed(&mut self, now: Instant, addr: SocketAddr, useful: bool) {
        let Some(candidate) = self.by_addr.get_mut(&addr) else {
            return;
        };
        if candidate.state == State::Connecting {
            self.connecting -= 1;
        }
        candidate.failures = if useful { 1 } else { candidate.failures + 1 };
        if candidate.failures > MAX_FAILURES && !candidate.source.is_named() {
            self.by_addr.remove(&addr);
            return;
        }
        let doublings = candidate.failures.saturating_sub(1).min(16);
        let wait = (FIRST_RETRY * 2u32.pow(doublings)).min(LONGEST_RETRY);
        candidate.state = State::Idle {
            next_attempt: now + wait,
        };
    }

    /// Forgets an address for good: it is our own, or a second door to somebody we know.
    pub(crate) fn forget(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.by_addr.remove(&addr)
            && candidate.state == State::Connecting
        {
            self.connecting -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn failures_back_off_and_are_forgotten_in_the_end() {
        let mut now = crate::testing::epoch();
        let mut candidates = Candidates::new(10);
        candidates.add(now, addr(1), Source::Tracker);
        let mut waits = Vec::new();
        while candidates.known() > 0 {
            assert_eq!(candidates.next(now), Some(addr(1)));
            assert_eq!(candidates.next(now), None);
            candidates.handle_closed(now, addr(1), false);
            if let Some(next) = candidates.next_attempt() {
                waits.push((next - now).as_secs());
                now = next;
            }
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1_280]);
        assert_eq!(candidates.connecting(), 0);
    }

    #[test]
    fn what_the_user_named_comes_first_and_is_tried_for_ever() {
        let mut now = crate::testing::epoch();
        let mut candidates = Candidates::new(1);
        candidates.add(now, addr(1), Source::Tracker);
        candidates.add(now, addr(2), Source::Tracker);
        candidates.add(now, addr(3), Source::User);
        assert_eq!(candidates.known(), 2);
        assert_eq!(candidates.next(now), Some(addr(3)));
        candidates.forget(addr(1));
        for _ in 0..50 {
            candidates.handle_closed(now, addr(3), false);
            now += LONGEST_RETRY;
            assert_eq!(candidates.next(now), Some(addr(3)));
        }
    }

    #[test]
    fn the_banned_and_the_impossible_are_never_tried() {
        let now = crate::testing::epoch();
        let mut candidates = Candidates::new(10);
        candidates.add(now, addr(1), Source::Tracker);
        assert!(candidates.ban(addr(1).ip()));
        assert!(!candidates.ban(addr(1).ip()));
        candidates.add(now, SocketAddr::from(([10, 0, 0, 2], 0)), Source::Tracker);
        candidates.add(now, SocketAddr::from(([224, 0, 0, 1], 5)), Source::Tracker);
        assert_eq!(candidates.next(now), None);
        assert_eq!(candidates.next_attempt(), None);
    }
}
