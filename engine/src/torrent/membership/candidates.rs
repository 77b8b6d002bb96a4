//! The candidates: addresses that might be peers. Which one is dialled next, and which hosts are banned.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::pacing::Backoff;

use crate::torrent::membership::holepunch::Introducer;
use crate::torrent::membership::host::Host;
use crate::torrent::membership::ranking::Ranking;
use crate::torrent::membership::source::{PeerSource, is_usable};
use crate::torrent::membership::turns::{Owner, Turn, Turns, is_privileged};
use tailwater_types::BoundedMap;

/// The back-off after failures.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(10), LONGEST_RETRY);
/// A first attempt that fails may have been too early: a peer that has just been named is often still starting. So
/// the second one follows soon, and the first pause of [`BACKOFF`] is what the third waits.
const SECOND_ATTEMPT: Duration = Duration::from_secs(1);
/// The same for an address that was named by hand, or has just given the metadata: it is most likely there, and perhaps
/// has not noticed yet that our last connection is gone.
const BACKOFF_OF_NAMED: Backoff = Backoff::new(Duration::from_secs(1), LONGEST_RETRY);
// The longest pause of both back-offs.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);
/// A candidate that failed this often in a row is forgotten.
const MAX_FAILURES: u32 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle {
        next_attempt: Instant,
    },
    /// Not dialled as long as we want nothing.
    Parked,
    Connecting,
    Connected,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    source: PeerSource,
    state: State,
    failures: u32,
    /// A peer that can introduce us (BEP 55), and when it was last asked to.
    introducer: Option<Introducer>,
    asked_at: Option<Instant>,
}

impl Candidate {
    const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle { .. } | State::Parked)
    }

    /// Whether it makes room for an address from `source` when the list is full.
    fn yields_to(&self, source: PeerSource) -> bool {
        let is_worse = self.source > source;
        let is_as_good = self.source == source && self.failures > 1;
        !self.source.is_named() && (is_worse || is_as_good)
    }
}

/// The candidates of a torrent or of a fetch: which of them is dialled next, and the banned hosts.
#[derive(Debug)]
pub struct Candidates {
    /// The most candidates kept. A further one is dropped, unless it is worth more than one in the list.
    limit: usize,
    by_addr: BTreeMap<SocketAddr, Candidate>,
    /// The idle candidates whose turn it is, and the others by the time of their turn.
    due: Turns,
    waiting: BTreeSet<(Instant, SocketAddr)>,
    parked: BTreeSet<SocketAddr>,
    /// The banned hosts. The oldest ban makes room for a new one.
    banned: BoundedMap<Host, ()>,
    connecting: usize,
    ranking: Ranking,
}

impl Candidates {
    /// An empty list. At most `limit` addresses are remembered, and as many bans.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            by_addr: BTreeMap::new(),
            due: Turns::default(),
            waiting: BTreeSet::new(),
            parked: BTreeSet::new(),
            banned: BoundedMap::new(limit),
            connecting: 0,
            ranking: Ranking::default(),
        }
    }

    /// Dials under way.
    pub const fn connecting(&self) -> usize {
        self.connecting
    }

    /// Candidates in the list.
    #[must_use]
    pub fn known(&self) -> usize {
        self.by_addr.len()
    }

    /// Whether this host is banned.
    #[must_use]
    pub fn is_banned(&self, ip: IpAddr) -> bool {
        self.banned.contains(&Host::of(ip))
    }

    /// Where a known address came from.
    pub(crate) fn source(&self, addr: SocketAddr) -> Option<PeerSource> {
        self.by_addr.get(&addr).map(|candidate| candidate.source)
    }

    /// Bans a host until newer bans push it out of the list; says whether it was not banned before.
    pub fn ban(&mut self, ip: IpAddr) -> bool {
        let host = Host::of(ip);
        if self.banned.contains(&host) {
            return false;
        }
        let theirs = self.by_addr.range(host.addrs());
        let idle = theirs.filter(|(_, candidate)| candidate.is_idle());
        let idle: Vec<_> = idle.map(|(addr, _)| *addr).collect();
        for addr in idle {
            self.forget(addr);
        }
        self.banned.insert(host, ());
        true
    }

    /// A host has one connection more, unless it was named by hand: such connections are not counted.
    pub fn handle_joined(&mut self, ip: IpAddr) {
        self.due.count_connection(Host::of(ip), true);
    }

    /// A connection that was counted has ended.
    pub fn handle_left(&mut self, ip: IpAddr) {
        self.due.count_connection(Host::of(ip), false);
    }

    /// The connections of a host that are counted.
    pub(crate) fn connections(&self, ip: IpAddr) -> usize {
        self.due.connections(Host::of(ip))
    }

    /// Our own addresses are known better: candidates of equal worth are ordered anew.
    pub(crate) fn set_ranking(&mut self, ranking: Ranking) {
        self.ranking = ranking;
        for turn in self.due.take_all() {
            let priority = Reverse(ranking.priority(turn.addr));
            self.due.insert(Turn { priority, ..turn });
        }
    }

    /// Adds an address that `source` named, unless it is banned, not usable or worth less than those in a full list.
    pub fn add(&mut self, now: Instant, addr: SocketAddr, source: PeerSource) {
        // An IPv4-mapped IPv6 address is an IPv4 address.
        let addr = match addr.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddr::from((ip, addr.port())),
            IpAddr::V6(_) => addr,
        };
        if !is_usable(addr) || self.is_banned(addr.ip()) {
            return;
        }
        if let Some(known) = self.by_addr.get(&addr) {
            if source < known.source {
                self.change(addr, |candidate| candidate.source = source);
            }
            return;
        }
        if self.has_room_of_host(addr, source) && self.has_room(now, source) {
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

    /// Whether a host has as many connections as it may.
    pub fn is_crowded(&self, ip: IpAddr) -> bool {
        self.connections(ip) >= Host::of(ip).max_connections()
    }

    /// Makes room for an address among those of its host, if it may have any: a host has a port or a few.
    fn has_room_of_host(&mut self, addr: SocketAddr, source: PeerSource) -> bool {
        let host = Host::of(addr.ip());
        if source.is_named() || self.due.known(host) < host.max_addrs() {
            return true;
        }
        let theirs = self.by_addr.range(host.addrs());
        let yields = |known: &SocketAddr, candidate: &Candidate| {
            let is_worse = is_privileged(known) && !is_privileged(&addr);
            let is_idle = candidate.is_idle() && !candidate.source.is_named();
            is_idle && (is_worse || candidate.yields_to(source))
        };
        let worst = theirs
            .filter(|(known, candidate)| yields(known, candidate))
            .max_by_key(|(known, candidate)| {
                let is_last_resort = is_privileged(known);
                (is_last_resort, candidate.failures, candidate.source)
            });
        let worst = worst.map(|(known, _)| *known);
        worst.inspect(|worst| self.forget(*worst)).is_some()
    }

    /// Makes room for an address in a full list, if it may have any.
    fn has_room(&mut self, now: Instant, source: PeerSource) -> bool {
        if self.by_addr.len() < self.limit || source.is_named() {
            return true;
        }
        self.promote(now);
        let farthest = self.waiting.last().map(|(_, addr)| *addr);
        let last = self.due.last();
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

    /// The candidate whose turn it is; it counts as connecting from now on.
    pub fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        self.promote(now);
        let addr = self.due.first()?;
        self.change(addr, |candidate| candidate.state = State::Connecting);
        Some(addr)
    }

    /// The address that [`Self::next`] gave cannot be connected to before `at`, through no fault of its own.
    pub fn defer(&mut self, addr: SocketAddr, at: Instant) {
        self.change(addr, |candidate| {
            candidate.state = State::Idle { next_attempt: at };
        });
    }

    /// When [`Self::next`] will have something, if nothing else happens.
    pub fn next_attempt(&self) -> Option<Instant> {
        let due = self
            .due
            .first()
            .and_then(|addr| match self.by_addr.get(&addr)?.state {
                State::Idle { next_attempt } => Some(next_attempt),
                _ => None,
            });
        due.or_else(|| self.waiting.first().map(|(at, _)| *at))
    }

    /// Dials an address out of turn, because it waits for us just now. Says whether that is allowed.
    pub(crate) fn begin(&mut self, now: Instant, addr: SocketAddr, source: PeerSource) -> bool {
        self.add(now, addr, source);
        let is_free = self.by_addr.get(&addr).is_some_and(|candidate| {
            candidate.is_idle() && self.due.is_open(Owner::of(addr, candidate.source))
        });
        if is_free {
            self.change(addr, |candidate| candidate.state = State::Connecting);
        }
        is_free
    }

    /// The dial has succeeded.
    pub fn handle_connected(&mut self, addr: SocketAddr) {
        self.change(addr, |candidate| candidate.state = State::Connected);
    }

    /// The dial has failed.
    pub fn handle_failed(&mut self, now: Instant, addr: SocketAddr) {
        let failures = self.failures(addr) + 1;
        let wait = match failures {
            1 => SECOND_ATTEMPT,
            _ => BACKOFF.after(failures - 1),
        };
        self.retry(now, addr, failures, wait);
    }

    /// The connection has ended. `useful`: it had delivered something.
    pub fn handle_closed(&mut self, now: Instant, addr: SocketAddr, useful: bool) {
        let failures = if useful { 1 } else { self.failures(addr) + 1 };
        let wait = BACKOFF.after(failures);
        self.retry(now, addr, failures, wait);
    }

    fn failures(&self, addr: SocketAddr) -> u32 {
        let candidate = self.by_addr.get(&addr);
        candidate.map_or(0, |candidate| candidate.failures)
    }

    fn retry(&mut self, now: Instant, addr: SocketAddr, failures: u32, wait: Duration) {
        let Some(candidate) = self.by_addr.get(&addr) else {
            return;
        };
        let is_named = candidate.source.is_named();
        let is_hopeless = failures > MAX_FAILURES && !is_named;
        if is_hopeless || !candidate.source.is_retried() || self.is_banned(addr.ip()) {
            self.forget(addr);
            return;
        }
        let wait = match is_named {
            true => BACKOFF_OF_NAMED.after(failures),
            false => wait,
        };
        self.change(addr, |candidate| {
            candidate.failures = failures;
            candidate.state = State::Idle {
                next_attempt: now + wait,
            };
        });
    }

    /// The connection has ended because neither side wants anything.
    pub(crate) fn park(&mut self, addr: SocketAddr) {
        match self.is_banned(addr.ip()) {
            true => self.forget(addr),
            false => self.change(addr, |candidate| candidate.state = State::Parked),
        }
    }

    /// We want something again.
    pub(crate) fn unpark(&mut self, now: Instant) {
        for addr in std::mem::take(&mut self.parked) {
            self.change(addr, |candidate| {
                candidate.state = State::Idle { next_attempt: now };
            });
        }
    }

    /// Forgets an address for good: it is our own, or a second address of a peer that is connected.
    pub fn forget(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.by_addr.remove(&addr) {
            self.delist(addr, candidate);
        }
    }

    /// Forgets every address from a source.
    pub(crate) fn forget_source(&mut self, source: PeerSource) {
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

    /// The peer that could introduce us to an address.
    pub(crate) fn introducer(&self, addr: SocketAddr) -> Option<Introducer> {
        self.by_addr.get(&addr)?.introducer
    }

    pub(crate) fn set_introducer(&mut self, addr: SocketAddr, introducer: Option<Introducer>) {
        if let Some(candidate) = self.by_addr.get_mut(&addr) {
            candidate.introducer = introducer;
        }
    }

    /// Whether an introduction to this address may be asked for; then it counts as asked for.
    pub(crate) fn may_ask(&mut self, now: Instant, addr: SocketAddr, pause: Duration) -> bool {
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

    /// Changes a candidate, and its places in the lists with it.
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
        let owner = Owner::of(addr, candidate.source);
        self.due.count_known(owner, true);
        match candidate.state {
            // Even if its time has come: it gets its turn when the next address is asked for.
            State::Idle { next_attempt } => {
                self.waiting.insert((next_attempt, addr));
            }
            State::Parked => {
                self.parked.insert(addr);
            }
            State::Connecting => {
                self.connecting += 1;
                self.due.count_attempt(owner, true);
            }
            State::Connected => {}
        }
    }

    fn delist(&mut self, addr: SocketAddr, candidate: Candidate) {
        let owner = Owner::of(addr, candidate.source);
        self.due.count_known(owner, false);
        match candidate.state {
            State::Idle { next_attempt } => {
                if !self.waiting.remove(&(next_attempt, addr)) {
                    let turn = self.turn(addr, candidate);
                    self.due.remove(&turn);
                }
            }
            State::Parked => {
                self.parked.remove(&addr);
            }
            State::Connecting => {
                self.connecting -= 1;
                self.due.count_attempt(owner, false);
            }
            State::Connected => {}
        }
    }

    /// Moves candidates whose time has come to those whose turn it is.
    fn promote(&mut self, now: Instant) {
        while let Some(&(at, addr)) = self.waiting.first()
            && at <= now
        {
            self.waiting.pop_first();
            if let Some(candidate) = self.by_addr.get(&addr) {
                let turn = self.turn(addr, *candidate);
                self.due.insert(turn);
            }
        }
    }

    fn turn(&self, addr: SocketAddr, candidate: Candidate) -> Turn {
        Turn {
            is_last_resort: is_privileged(&addr) && !candidate.source.is_named(),
            failures: candidate.failures,
            source: candidate.source,
            priority: Reverse(self.ranking.priority(addr)),
            addr,
        }
    }

    /// Panics unless the connections that the engine counts are those counted here, and within the limits.
    pub(crate) fn check_connections(&self, hosts: &BTreeMap<Host, usize>) {
        for (host, counted) in hosts {
            assert_eq!(self.due.connections(*host), *counted, "{host:?}");
            assert!(*counted <= host.max_connections(), "{host:?}");
        }
    }

    /// Panics if an invariant does not hold; tests and simulations call it after every step.
    pub(crate) fn check_invariants(&self) {
        let mut counts = [0; 4];
        let mut owners = BTreeMap::<_, [usize; 2]>::new();
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
            let counted = owners.entry(Owner::of(addr, candidate.source)).or_default();
            counted[0] += 1;
            counted[1] += usize::from(candidate.state == State::Connecting);
        }
        let listed = [
            self.due.len() + self.waiting.len(),
            self.parked.len(),
            self.connecting,
        ];
        assert_eq!(counts[..3], listed, "lists of candidates");
        self.due.check_invariants(&owners);
    }
}
