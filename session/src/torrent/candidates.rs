//! The addresses that might be peers: whom to connect to next, whom never again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::PeerKey;
use super::priority::Ranking;
use super::source::{Source, is_usable};

/// After a failure: this long, doubled with each further one.
const FIRST_RETRY: Duration = Duration::from_secs(10);
/// The same for an address that was named by hand, or has just given the metadata: it is most likely there, and perhaps has
/// not noticed yet that our connection of before is gone.
const FIRST_RETRY_OF_NAMED: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);
/// An address that failed this often in a row is forgotten.
const MAX_FAILURES: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle {
        next_attempt: Instant,
    },
    /// Of no use as long as we want nothing.
    Parked,
    Connecting,
    Connected,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: Source,
    state: State,
    failures: u32,
    /// A peer that can bring us together (BEP 55), and when it was last asked to.
    introducer: Option<PeerKey>,
    asked_at: Option<Instant>,
}

impl Candidate {
    /// Whether it makes room for an address from `source` when there is none.
    fn yields_to(&self, source: Source) -> bool {
        let is_worse = self.source > source;
        let is_as_good = self.source == source && self.failures > 1;
        !self.source.is_named() && (is_worse || is_as_good)
    }
}

/// The place of an address whose time has come among the others. The priority (BEP 40) decides between equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    failures: u32,
    source: Source,
    priority: Reverse<u32>,
    addr: SocketAddr,
}

#[derive(Debug)]
pub(crate) struct Candidates {
    /// The most addresses kept. What comes after is dropped, unless it is worth more than one that is there.
    limit: usize,
    by_addr: BTreeMap<SocketAddr, Candidate>,
    /// Of the idle ones those that have their turn, and the others by the time when they get it.
    due: BTreeSet<Turn>,
    waiting: BTreeSet<(Instant, SocketAddr)>,
    parked: BTreeSet<SocketAddr>,
    banned: BTreeSet<IpAddr>,
    connecting: usize,
    ranking: Ranking,
}

impl Candidates {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            by_addr: BTreeMap::new(),
            due: BTreeSet::new(),
            waiting: BTreeSet::new(),
            parked: BTreeSet::new(),
            banned: BTreeSet::new(),
            connecting: 0,
            ranking: Ranking::default(),
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

    /// Where a known address came from.
    pub(super) fn source(&self, addr: SocketAddr) -> Option<Source> {
        self.by_addr.get(&addr).map(|candidate| candidate.source)
    }

    /// Never connects to this address again; says whether that is news.
    pub(crate) fn ban(&mut self, ip: IpAddr) -> bool {
        if self.banned.len() >= self.limit {
            self.banned.pop_first();
        }
        let theirs = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        let idle =
            |candidate: &Candidate| matches!(candidate.state, State::Idle { .. } | State::Parked);
        let idle: Vec<_> = self
            .by_addr
            .range(theirs)
            .filter(|(_, candidate)| idle(candidate))
            .map(|(addr, _)| *addr)
            .collect();
        for addr in idle {
            self.forget(addr);
        }
        self.banned.insert(ip)
    }

    /// Our own addresses are known better: equals are ordered anew.
    pub(super) fn set_ranking(&mut self, ranking: Ranking) {
        self.ranking = ranking;
        let due = std::mem::take(&mut self.due);
        self.due = due
            .into_iter()
            .map(|turn| Turn {
                priority: Reverse(ranking.priority(turn.addr)),
                ..turn
            })
            .collect();
    }

    pub(crate) fn add(&mut self, now: Instant, addr: SocketAddr, source: Source) {
        if !is_usable(addr) || self.is_banned(addr.ip()) {
            return;
        }
        if let Some(known) = self.by_addr.get(&addr) {
            if source < known.source {
                self.change(addr, |candidate| candidate.source = source);
            }
            return;
        }
        if self.has_room(now, source) {
            let fresh = Candidate {
                source,
                state: State::Idle { next_attempt: now },
                failures: 0,
                introducer: None,
                asked_at: None,
            };
            self.by_addr.insert(addr, fresh);
            self.enlist(addr, fresh);
        }
    }

    /// Makes room for an address if it may have any.
    fn has_room(&mut self, now: Instant, source: Source) -> bool {
        if self.by_addr.len() < self.limit || source.is_named() {
            return true;
        }
        self.promote(now);
        let farthest = self.waiting.last().map(|(_, addr)| *addr);
        let last = self.due.last().map(|turn| turn.addr);
        let yields = |addr: &SocketAddr| {
            let candidate = self.by_addr.get(addr);
            candidate.is_some_and(|candidate| candidate.yields_to(source))
        };
        match farthest.filter(yields).or_else(|| last.filter(yields)) {
            Some(addr) => {
                self.forget(addr);
                true
            }
            None => false,
        }
    }

    /// The address whose turn it is; it counts as connecting from now on.
    pub(crate) fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        self.promote(now);
        let addr = self.due.first()?.addr;
        self.change(addr, |candidate| candidate.state = State::Connecting);
        Some(addr)
    }

    /// When [`Self::next`] will have something, if nothing else happens.
    pub(crate) fn next_attempt(&self) -> Option<Instant> {
        let due = self
            .due
            .first()
            .and_then(|turn| match self.by_addr.get(&turn.addr)?.state {
                State::Idle { next_attempt } => Some(next_attempt),
                _ => None,
            });
        due.or_else(|| self.waiting.first().map(|(at, _)| *at))
    }

    /// An address is connected to out of turn, because it waits for us just now. Says whether it may be.
    pub(super) fn begin(&mut self, now: Instant, addr: SocketAddr, source: Source) -> bool {
        self.add(now, addr, source);
        let state = self.by_addr.get(&addr).map(|candidate| candidate.state);
        let is_free = matches!(state, Some(State::Idle { .. } | State::Parked));
        if is_free {
            self.change(addr, |candidate| candidate.state = State::Connecting);
        }
        is_free
    }

    /// The connection stands.
    pub(crate) fn handle_connected(&mut self, addr: SocketAddr) {
        self.change(addr, |candidate| candidate.state = State::Connected);
    }

    /// The connection could not be made, or it ended. `useful`: it had delivered something.
    pub(crate) fn handle_closed(&mut self, now: Instant, addr: SocketAddr, useful: bool) {
        let Some(candidate) = self.by_addr.get(&addr) else {
            return;
        };
        let failures = if useful { 1 } else { candidate.failures + 1 };
        let is_hopeless = failures > MAX_FAILURES && !candidate.source.is_named();
        if is_hopeless || !candidate.source.is_retried() || self.is_banned(addr.ip()) {
            self.forget(addr);
            return;
        }
        let doublings = failures.saturating_sub(1).min(16);
        let first = match candidate.source.is_named() {
            true => FIRST_RETRY_OF_NAMED,
            false => FIRST_RETRY,
        };
        let wait = (first * 2u32.pow(doublings)).min(LONGEST_RETRY);
        self.change(addr, |candidate| {
            candidate.failures = failures;
            candidate.state = State::Idle {
                next_attempt: now + wait,
            };
        });
    }

    /// The connection ended because neither side wants anything.
    pub(super) fn park(&mut self, addr: SocketAddr) {
        match self.is_banned(addr.ip()) {
            true => self.forget(addr),
            false => self.change(addr, |candidate| candidate.state = State::Parked),
        }
    }

    /// We want something again.
    pub(super) fn unpark(&mut self, now: Instant) {
        for addr in std::mem::take(&mut self.parked) {
            self.change(addr, |candidate| {
                candidate.state = State::Idle { next_attempt: now };
            });
        }
    }

    /// Forgets an address for good: it is our own, or a second door to somebody we know.
    pub(crate) fn forget(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.by_addr.remove(&addr) {
            self.delist(addr, candidate);
        }
    }

    /// Forgets every address from a source.
    pub(super) fn forget_source(&mut self, source: Source) {
        let theirs = |(_, candidate): &(&SocketAddr, &Candidate)| candidate.source == source;
        let addrs: Vec<_> = self
            .by_addr
            .iter()
            .filter(theirs)
            .map(|(addr, _)| *addr)
            .collect();
        for addr in addrs {
            self.forget(addr);
        }
    }

    /// Who could bring us together with an address.
    pub(super) fn introducer(&self, addr: SocketAddr) -> Option<PeerKey> {
        self.by_addr.get(&addr)?.introducer
    }

    pub(super) fn set_introducer(&mut self, addr: SocketAddr, introducer: Option<PeerKey>) {
        if let Some(candidate) = self.by_addr.get_mut(&addr) {
            candidate.introducer = introducer;
        }
    }

    /// Whether an introduction to this address may be asked for; then it counts as asked for.
    pub(super) fn may_ask(&mut self, now: Instant, addr: SocketAddr, pause: Duration) -> bool {
        let Some(candidate) = self.by_addr.get_mut(&addr) else {
            return false;
        };
        let rested = |asked| now.saturating_duration_since(asked) >= pause;
        let may = candidate.asked_at.is_none_or(rested);
        if may {
            candidate.asked_at = Some(now);
        }
        may
    }

    /// Changes what is known of an address, and its places in the lists with it.
    fn change(&mut self, addr: SocketAddr, change: impl FnOnce(&mut Candidate)) {
        let Some(old) = self.by_addr.get(&addr).copied() else {
            return;
        };
        let mut new = old;
        change(&mut new);
        self.delist(addr, old);
        self.by_addr.insert(addr, new);
        self.enlist(addr, new);
    }

    fn enlist(&mut self, addr: SocketAddr, candidate: Candidate) {
        match candidate.state {
            // Even if its time has come: it gets its turn when somebody asks whose it is.
            State::Idle { next_attempt } => {
                self.waiting.insert((next_attempt, addr));
            }
            State::Parked => {
                self.parked.insert(addr);
            }
            State::Connecting => self.connecting += 1,
            State::Connected => {}
        }
    }

    fn delist(&mut self, addr: SocketAddr, candidate: Candidate) {
        match candidate.state {
            State::Idle { next_attempt } => {
                if !self.waiting.remove(&(next_attempt, addr)) {
                    self.due.remove(&self.turn(addr, candidate));
                }
            }
            State::Parked => {
                self.parked.remove(&addr);
            }
            State::Connecting => self.connecting -= 1,
            State::Connected => {}
        }
    }

    /// Those whose time has come get their turn.
    fn promote(&mut self, now: Instant) {
        while let Some(&(at, addr)) = self.waiting.first()
            && at <= now
        {
            self.waiting.pop_first();
            if let Some(candidate) = self.by_addr.get(&addr) {
                self.due.insert(self.turn(addr, *candidate));
            }
        }
    }

    fn turn(&self, addr: SocketAddr, candidate: Candidate) -> Turn {
        Turn {
            failures: candidate.failures,
            source: candidate.source,
            priority: Reverse(self.ranking.priority(addr)),
            addr,
        }
    }

    /// What must hold after every step; panics otherwise.
    pub(super) fn check_invariants(&self) {
        let mut counts = [0; 4];
        for (&addr, &candidate) in &self.by_addr {
            let (state, is_listed) = match candidate.state {
                State::Idle { next_attempt } => {
                    let is_due = self.due.contains(&self.turn(addr, candidate));
                    let waits = self.waiting.contains(&(next_attempt, addr));
                    (0, is_due != waits)
                }
                State::Parked => (1, self.parked.contains(&addr)),
                State::Connecting => (2, true),
                State::Connected => (3, true),
            };
            assert!(is_listed, "{addr}: {candidate:?}");
            counts[state] += 1;
        }
        let listed = [
            self.due.len() + self.waiting.len(),
            self.parked.len(),
            self.connecting,
        ];
        assert_eq!(counts[..3], listed, "lists of candidates");
    }
}
