//! The order of the list of candidates, compared with a naive one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::testing::epoch;
use crate::torrent::membership::candidates::Candidates;
use crate::torrent::membership::ranking::Ranking;
use crate::torrent::membership::source::PeerSource;

const HOUR: Duration = Duration::from_secs(3_600);

/// All on one host.
fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 6_880 + port))
}

#[test]
fn failures_back_off_and_are_forgotten_in_the_end() {
    let mut now = epoch();
    let mut candidates = Candidates::new(10);
    candidates.add(now, addr(1), PeerSource::Tracker);
    let mut waits = Vec::new();
    while candidates.known() > 0 {
        assert_eq!(candidates.next(now), Some(addr(1)));
        assert_eq!(candidates.next(now), None);
        candidates.handle_failed(now, addr(1));
        if let Some(next) = candidates.next_attempt() {
            waits.push((next - now).as_secs());
            now = next;
        }
    }
    assert_eq!(waits, [1, 10, 20, 40, 80, 160, 320, 640]);
    assert_eq!(candidates.connecting(), 0);
}

#[test]
fn only_what_could_not_be_reached_is_tried_again_at_once() {
    let now = epoch();
    let mut candidates = Candidates::new(10);
    candidates.add(now, addr(1), PeerSource::Tracker);
    candidates.next(now).unwrap();
    candidates.handle_connected(addr(1));
    candidates.handle_closed(now, addr(1), false);
    assert_eq!(
        candidates.next_attempt(),
        Some(now + Duration::from_secs(10))
    );
}

#[test]
fn what_somebody_named_is_tried_again_soon() {
    let mut now = epoch();
    let mut candidates = Candidates::new(10);
    candidates.add(now, addr(1), PeerSource::User);
    let mut waits = Vec::new();
    for _ in 0..13 {
        assert_eq!(candidates.next(now), Some(addr(1)));
        candidates.handle_closed(now, addr(1), false);
        let next = candidates.next_attempt().unwrap();
        waits.push((next - now).as_secs());
        now = next;
    }
    assert_eq!(waits[..5], [1, 2, 4, 8, 16]);
    assert_eq!(waits[12], HOUR.as_secs());
}

#[test]
fn what_the_user_named_comes_first_and_is_tried_for_ever() {
    let mut now = epoch();
    let mut candidates = Candidates::new(1);
    candidates.add(now, addr(1), PeerSource::Tracker);
    candidates.add(now, addr(2), PeerSource::Tracker);
    candidates.add(now, addr(3), PeerSource::User);
    assert_eq!(candidates.known(), 2);
    assert_eq!(candidates.next(now), Some(addr(3)));
    candidates.forget(addr(1));
    for _ in 0..50 {
        candidates.handle_closed(now, addr(3), false);
        now += HOUR;
        assert_eq!(candidates.next(now), Some(addr(3)));
    }
}

#[test]
fn the_banned_and_the_impossible_are_never_tried() {
    let now = epoch();
    let mut candidates = Candidates::new(10);
    candidates.add(now, addr(1), PeerSource::Tracker);
    assert!(candidates.ban(addr(1).ip()));
    assert!(!candidates.ban(addr(1).ip()));
    candidates.add(now, addr(2), PeerSource::Tracker);
    for impossible in [
        ([10, 0, 0, 2], 0),
        ([224, 0, 0, 1], 6_881),
        ([0; 4], 6_881),
        ([240, 0, 0, 1], 6_881),
        ([255; 4], 6_881),
        ([0, 1, 2, 3], 6_881),
    ] {
        candidates.add(now, SocketAddr::from(impossible), PeerSource::Tracker);
    }
    assert_eq!(candidates.next(now), None);
    assert_eq!(candidates.next_attempt(), None);
}

#[test]
fn a_full_list_keeps_what_is_worth_more() {
    let now = epoch();
    let mut candidates = Candidates::new(2);
    candidates.add(now, addr(1), PeerSource::Tracker);
    candidates.add(now, addr(2), PeerSource::Exchange);
    // Gossip does not displace gossip, but a tracker's word does, and not that of the tracker itself.
    candidates.add(now, addr(3), PeerSource::Exchange);
    assert_eq!(candidates.source(addr(3)), None);
    candidates.add(now, addr(4), PeerSource::Tracker);
    candidates.add(now, addr(5), PeerSource::Tracker);
    let sources = [1, 2, 4, 5].map(|port| candidates.source(addr(port)));
    let tracker = Some(PeerSource::Tracker);
    assert_eq!(sources, [tracker, None, tracker, None]);
    // An address that has failed twice makes room for one that may be there, unless a less trusted source names it.
    for _ in 0..2 {
        candidates.next(now + HOUR).unwrap();
        candidates.next(now + HOUR).unwrap();
        candidates.handle_closed(now, addr(1), false);
        candidates.handle_closed(now, addr(4), true);
    }
    candidates.add(now, addr(6), PeerSource::Exchange);
    assert_eq!(candidates.source(addr(6)), None);
    candidates.add(now, addr(7), PeerSource::Tracker);
    assert_eq!(candidates.source(addr(1)), None);
    assert_eq!(candidates.known(), 2);
}

#[test]
fn between_equals_the_priority_decides_and_a_new_address_of_ours_orders_them_anew() {
    let now = epoch();
    let peers: Vec<_> = (1..=40)
        .map(|n| SocketAddr::from(([n, 7, n, n], 6881)))
        .collect();
    let order = |own: Option<[u8; 4]>| {
        let mut candidates = Candidates::new(100);
        for &peer in &peers {
            candidates.add(now, peer, PeerSource::Tracker);
        }
        // The first one has its turn before we know.
        let first = candidates.next(now).unwrap();
        candidates.forget(first);
        candidates.add(now, first, PeerSource::Tracker);
        let ranking = Ranking {
            v4: own.map(Into::into),
            ..Ranking::default()
        };
        candidates.set_ranking(ranking);
        let order: Vec<_> = std::iter::from_fn(|| candidates.next(now)).collect();
        assert!(order.is_sorted_by_key(|peer| std::cmp::Reverse(ranking.priority(*peer))));
        order
    };
    assert_eq!(order(None).len(), 40);
    assert_ne!(order(None), order(Some([99, 1, 2, 3])));
    assert_eq!(order(Some([99, 1, 2, 3])), order(Some([99, 1, 2, 3])));
}

#[test]
fn what_a_relay_names_is_tried_once() {
    let now = epoch();
    let mut candidates = Candidates::new(10);
    assert!(candidates.begin(now, addr(1), PeerSource::Holepunch));
    assert!(!candidates.begin(now, addr(1), PeerSource::Holepunch));
    assert_eq!((candidates.known(), candidates.connecting()), (1, 1));
    candidates.handle_closed(now, addr(1), false);
    assert_eq!((candidates.known(), candidates.connecting()), (0, 0));
    // Another source had named it: that stands, and its time does not matter.
    candidates.add(now, addr(2), PeerSource::Tracker);
    candidates.next(now).unwrap();
    candidates.handle_closed(now, addr(2), false);
    assert!(candidates.begin(now, addr(2), PeerSource::Holepunch));
    candidates.handle_closed(now, addr(2), false);
    assert_eq!(candidates.source(addr(2)), Some(PeerSource::Tracker));
}

#[test]
fn hosts_take_turns_whatever_the_number_of_their_ports() {
    let now = epoch();
    let mut candidates = Candidates::new(3_000);
    for scope in [[9, 9, 9], [10, 0, 0], [127, 0, 0]] {
        let at = |last: u8, port| SocketAddr::from(([scope[0], scope[1], scope[2], last], port));
        for port in 10_000..12_000 {
            candidates.add(now, at(1, port), PeerSource::Tracker);
        }
        for last in 2..=5 {
            candidates.add(now, at(last, 6_881), PeerSource::Dht);
        }
        let mut next = std::iter::from_fn(|| candidates.next(now));
        let first: BTreeSet<_> = next.by_ref().take(5).map(|addr| addr.ip()).collect();
        assert_eq!(first.len(), 5, "{scope:?}");
        // Attempts outstanding at the host with the many ports.
        let more = next.count() + 1;
        let expected = match scope[0] {
            9 => 1,
            10 => 4,
            _ => 16,
        };
        assert_eq!(more, expected);
        candidates.check_invariants();
    }
}

#[test]
fn few_ports_of_a_host_are_remembered_and_those_of_other_services_are_the_last() {
    let now = epoch();
    let at = |port| SocketAddr::from(([9, 9, 9, 9], port));
    let mut candidates = Candidates::new(3_000);
    for port in 1..2_000 {
        candidates.add(now, at(port), PeerSource::Tracker);
    }
    assert_eq!(candidates.known(), 8);
    assert!((1_024..1_032).all(|port| candidates.source(at(port)).is_some()));
    // What is worth more, or replaces what has failed twice, is taken; what the user names is not counted.
    candidates.add(now, at(5_000), PeerSource::Exchange);
    assert_eq!(candidates.source(at(5_000)), None);
    candidates.add(now, at(5_001), PeerSource::Local);
    candidates.add(now, at(5_002), PeerSource::User);
    assert_eq!(candidates.known(), 9);
    let other = SocketAddr::from(([9, 9, 9, 8], 80));
    candidates.add(now, other, PeerSource::Tracker);
    let order: Vec<_> = std::iter::from_fn(|| candidates.next(now)).collect();
    assert_eq!(order, [at(5_002), at(5_001), other]);
    // Once the other service has had its turn, the ports of peers have theirs, one at a time.
    candidates.handle_failed(now, at(5_001));
    assert!(
        candidates
            .next(now)
            .is_some_and(|addr| addr.ip() == at(1).ip())
    );
    assert_eq!(candidates.next(now), None);
    candidates.check_invariants();
}

#[test]
fn a_host_that_is_connected_is_not_called_again_until_it_leaves() {
    let now = epoch();
    let at = |port| SocketAddr::from(([9, 9, 9, 9], port));
    let mut candidates = Candidates::new(10);
    candidates.handle_joined(at(50_000).ip());
    candidates.add(now, at(6_881), PeerSource::Tracker);
    assert_eq!(candidates.next(now), None);
    assert!(!candidates.begin(now, at(6_882), PeerSource::Holepunch));
    assert_eq!(candidates.next_attempt(), Some(now));
    assert_eq!(candidates.next(now), None);
    assert_eq!(candidates.next_attempt(), None, "nothing to wake up for");
    // By hand, any number.
    candidates.add(now, at(6_883), PeerSource::User);
    assert_eq!(candidates.next(now), Some(at(6_883)));
    candidates.handle_left(at(50_000).ip());
    assert_eq!(candidates.next(now), Some(at(6_881)));
}

#[test]
fn the_oldest_ban_is_forgotten_and_an_ipv6_host_is_banned_whole() {
    let ip = |n: u16| std::net::IpAddr::from([9, 9, (n >> 8) as u8, (n & 255) as u8]);
    let mut candidates = Candidates::new(10);
    for number in (0..10).rev() {
        assert!(candidates.ban(ip(number)));
    }
    // A ban of a host that is banned already does not lift another.
    assert!(!candidates.ban(ip(0)));
    assert!(candidates.is_banned(ip(9)));
    assert!(candidates.ban(ip(300)));
    assert!(!candidates.is_banned(ip(9)));
    assert!((0..9).all(|number| candidates.is_banned(ip(number))));
    let parse = |ip: &str| ip.parse().unwrap();
    candidates.add(
        epoch(),
        "[2001:db8::7]:6881".parse().unwrap(),
        PeerSource::Tracker,
    );
    for banned in ["2001:db8::1", "::1", "::ffff:8.8.8.8", "fe80::1"] {
        candidates.ban(parse(banned));
    }
    assert_eq!(candidates.known(), 0);
    for (ip, is_banned) in [
        ("2001:db8::ffff:2", true),
        ("2001:db8:0:1::1", false),
        ("::2", false),
        ("::1", true),
        ("127.0.0.1", false),
        ("8.8.8.8", true),
        ("8.8.8.9", false),
        ("fe80::2", false),
    ] {
        assert_eq!(candidates.is_banned(parse(ip)), is_banned, "{ip}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Add(u16, PeerSource),
    Next,
    Connected(u16),
    Closed(u16, bool),
    Failed(u16),
    Joined(u16),
    Left(u16),
    Begin(u16),
    Park(u16),
    Unpark,
    Forget(u16),
    ForgetSource(PeerSource),
    Ban(u16),
    Rank(u64),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let source = || {
        prop::sample::select(vec![
            PeerSource::User,
            PeerSource::Tracker,
            PeerSource::Dht,
            PeerSource::Exchange,
        ])
    };
    let port = || 1..30u16;
    prop_oneof![
        8 => (port(), source()).prop_map(|(port, source)| Op::Add(port, source)),
        6 => Just(Op::Next),
        3 => port().prop_map(Op::Connected),
        3 => (port(), any::<bool>()).prop_map(|(port, useful)| Op::Closed(port, useful)),
        3 => port().prop_map(Op::Failed),
        2 => port().prop_map(Op::Joined),
        2 => port().prop_map(Op::Left),
        1 => port().prop_map(Op::Begin),
        2 => port().prop_map(Op::Park),
        1 => Just(Op::Unpark),
        1 => port().prop_map(Op::Forget),
        1 => source().prop_map(Op::ForgetSource),
        1 => port().prop_map(Op::Ban),
        1 => any::<u64>().prop_map(Op::Rank),
        4 => (0..2_000u64).prop_map(Op::Wait),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Idle(Instant),
    Parked,
    Connecting,
    Connected,
}

/// The same by looking through all of them each time.
#[derive(Default)]
struct Naive {
    all: BTreeMap<SocketAddr, (PeerSource, State, u32)>,
    banned: Vec<std::net::IpAddr>,
    joined: BTreeMap<std::net::IpAddr, usize>,
    ranking: Ranking,
}

const LIMIT: usize = 12;

fn peer_scope(addr: SocketAddr) -> u8 {
    match addr.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[0],
        std::net::IpAddr::V6(_) => 0,
    }
}

/// Several addresses of each of a few hosts, near and far.
fn peer(number: u16) -> SocketAddr {
    let host = u8::try_from(number % 9).unwrap_or_default();
    let network = [9, 10, 127][usize::from(host % 3)];
    SocketAddr::from(([network, host, 1, 1], 1_010 + number))
}

type Turn = (bool, u32, PeerSource, std::cmp::Reverse<u32>, SocketAddr);
/// What an address shares its turn with: of its host, or by itself if it was named by hand.
type Owner = (Option<SocketAddr>, Option<std::net::IpAddr>);

impl Naive {
    fn turn(&self, addr: SocketAddr) -> Turn {
        let (source, _, failures) = self.all[&addr];
        let priority = std::cmp::Reverse(self.ranking.priority(addr));
        let is_last = addr.port() < 1_024 && source != PeerSource::User;
        (is_last, failures, source, priority, addr)
    }

    fn owner(&self, addr: SocketAddr) -> Owner {
        match self.all[&addr].0 {
            PeerSource::User => (Some(addr), None),
            _ => (None, Some(addr.ip())),
        }
    }

    /// Whether nothing more is allowed to an address, and what it has: connections and attempts.
    fn load(&self, addr: SocketAddr) -> (bool, usize) {
        if self.all[&addr].0 == PeerSource::User {
            return (false, 0);
        }
        let ip = addr.ip();
        let attempts = self.all.iter().filter(|(addr, (source, state, _))| {
            addr.ip() == ip && *source != PeerSource::User && *state == State::Connecting
        });
        let attempts = attempts.count();
        let load = attempts + self.joined.get(&ip).copied().unwrap_or(0);
        let is_full = match peer_scope(addr) {
            9 => load >= 1,
            10 => attempts >= 4 || load >= 8,
            _ => attempts >= 16,
        };
        (is_full, if is_full { 0 } else { load })
    }

    fn idle(&self, is_due: bool, now: Instant) -> impl Iterator<Item = (Instant, SocketAddr)> {
        self.all
            .iter()
            .filter_map(move |(addr, (_, state, _))| match *state {
                State::Idle(at) if (at <= now) == is_due => Some((at, *addr)),
                _ => None,
            })
    }

    fn due(&self, now: Instant) -> impl Iterator<Item = SocketAddr> {
        self.idle(true, now).map(|(_, addr)| addr)
    }

    /// Of each owner the first one that is due, in their order.
    fn firsts(&self, now: Instant) -> Vec<((bool, usize), Turn, Owner)> {
        let mut firsts = BTreeMap::new();
        for addr in self.due(now) {
            let turn = self.turn(addr);
            let first = firsts.entry(self.owner(addr)).or_insert(turn);
            *first = turn.min(*first);
        }
        let firsts = firsts.into_iter();
        let mut firsts: Vec<_> = firsts
            .map(|(owner, turn)| (self.load(turn.4), turn, owner))
            .collect();
        firsts.sort_unstable();
        firsts
    }

    fn add(&mut self, now: Instant, addr: SocketAddr, new: PeerSource) {
        if self.banned.contains(&addr.ip()) {
            return;
        }
        if let Some((source, ..)) = self.all.get_mut(&addr) {
            *source = new.min(*source);
            return;
        }
        if self.all.len() >= LIMIT && new != PeerSource::User {
            let farthest = self.idle(false, now).max().map(|(_, addr)| addr);
            let last = self.firsts(now).pop().and_then(|(.., owner)| {
                let theirs = self.due(now).filter(|addr| self.owner(*addr) == owner);
                theirs.max_by_key(|addr| self.turn(*addr))
            });
            let yields = |addr: &SocketAddr| {
                let (source, _, failures) = self.all[addr];
                source > new || (source == new && failures > 1)
            };
            let victim = farthest.filter(yields).or_else(|| last.filter(yields));
            let Some(victim) = victim else { return };
            self.all.remove(&victim);
        }
        self.all.insert(addr, (new, State::Idle(now), 0));
    }

    fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        let ((is_full, _), turn, _) = *self.firsts(now).first()?;
        let next = Some(turn.4).filter(|_| !is_full)?;
        self.set(next, State::Connecting);
        Some(next)
    }

    fn set(&mut self, addr: SocketAddr, new: State) {
        if let Some((_, state, _)) = self.all.get_mut(&addr) {
            *state = new;
        }
    }

    fn fail(&mut self, now: Instant, addr: SocketAddr) {
        let failures = self.all.get(&addr).map_or(0, |(.., failures)| *failures) + 1;
        self.close(now, addr, false);
        if let Some((source, State::Idle(at), _)) = self.all.get_mut(&addr)
            && *source != PeerSource::User
        {
            let seconds = match failures {
                1 => 1,
                _ => 10 * 2u64.pow(failures - 2),
            };
            *at = now + Duration::from_secs(seconds).min(HOUR);
        }
    }

    fn close(&mut self, now: Instant, addr: SocketAddr, useful: bool) {
        let Some((source, state, failures)) = self.all.get_mut(&addr) else {
            return;
        };
        *failures = if useful { 1 } else { *failures + 1 };
        let first = if *source == PeerSource::User { 1 } else { 10 };
        let seconds = first * 2u64.pow((*failures - 1).min(16));
        *state = State::Idle(now + Duration::from_secs(seconds).min(HOUR));
        let is_hopeless = *failures > 8 && *source != PeerSource::User;
        if is_hopeless || self.banned.contains(&addr.ip()) {
            self.all.remove(&addr);
        }
    }

    fn ban(&mut self, ip: std::net::IpAddr) {
        self.banned.push(ip);
        let stays = |state: &State| matches!(state, State::Connecting | State::Connected);
        self.all
            .retain(|addr, (_, state, _)| addr.ip() != ip || stays(state));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_list_does_what_a_naive_one_does(ops in prop::collection::vec(op(), 1..200)) {
        let mut now = epoch();
        let mut real = Candidates::new(LIMIT);
        let mut naive = Naive::default();
        for op in ops {
            match op {
                Op::Add(port, source) => {
                    real.add(now, peer(port), source);
                    naive.add(now, peer(port), source);
                }
                Op::Next => prop_assert_eq!(real.next(now), naive.next(now)),
                Op::Connected(port) => {
                    real.handle_connected(peer(port));
                    naive.set(peer(port), State::Connected);
                }
                Op::Closed(port, useful) => {
                    real.handle_closed(now, peer(port), useful);
                    naive.close(now, peer(port), useful);
                }
                Op::Failed(port) => {
                    real.handle_failed(now, peer(port));
                    naive.fail(now, peer(port));
                }
                Op::Joined(port) => {
                    real.handle_joined(peer(port).ip());
                    *naive.joined.entry(peer(port).ip()).or_default() += 1;
                }
                Op::Left(port) => {
                    let joined = naive.joined.entry(peer(port).ip()).or_default();
                    if *joined > 0 {
                        *joined -= 1;
                        real.handle_left(peer(port).ip());
                    }
                }
                Op::Begin(port) => {
                    let may = real.begin(now, peer(port), PeerSource::Exchange);
                    naive.add(now, peer(port), PeerSource::Exchange);
                    let state = naive.all.get(&peer(port)).map(|(_, state, _)| *state);
                    let is_free = matches!(state, Some(State::Idle(_) | State::Parked))
                        && !naive.load(peer(port)).0;
                    prop_assert_eq!(may, is_free);
                    if is_free {
                        naive.set(peer(port), State::Connecting);
                    }
                }
                Op::Park(port) => {
                    real.park(peer(port));
                    match naive.banned.contains(&peer(port).ip()) {
                        true => drop(naive.all.remove(&peer(port))),
                        false => naive.set(peer(port), State::Parked),
                    }
                }
                Op::Unpark => {
                    real.unpark(now);
                    for (_, state, _) in naive.all.values_mut() {
                        if *state == State::Parked {
                            *state = State::Idle(now);
                        }
                    }
                }
                Op::Forget(port) => {
                    real.forget(peer(port));
                    naive.all.remove(&peer(port));
                }
                Op::ForgetSource(source) => {
                    real.forget_source(source);
                    naive.all.retain(|_, (other, ..)| *other != source);
                }
                Op::Ban(port) => {
                    real.ban(peer(port).ip());
                    naive.ban(peer(port).ip());
                }
                Op::Rank(seed) => {
                    let ranking = Ranking { seed, ..Ranking::default() };
                    real.set_ranking(ranking);
                    naive.ranking = ranking;
                }
                Op::Wait(seconds) => now += Duration::from_secs(seconds),
            }
            real.check_invariants();
            prop_assert_eq!(real.known(), naive.all.len());
            let named = naive.all.values().filter(|(source, ..)| *source == PeerSource::User);
            prop_assert!(naive.all.len() <= LIMIT + named.count());
            let connecting = naive.all.values().filter(|(_, state, _)| *state == State::Connecting);
            prop_assert_eq!(real.connecting(), connecting.count());
            let due = real.next_attempt().is_some_and(|at| at <= now);
            let is_open = naive.firsts(now).first().is_some_and(|((is_full, _), ..)| !is_full);
            prop_assert!(due || !is_open, "whose turn it is has to wait");
        }
    }
}
