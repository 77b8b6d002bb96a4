//! One host's share of a torrent's connections and attention, and which peers make room for others.

use super::*;
use crate::peer::Hello;
use std::sync::Arc;

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// A torrent for 200 peers that lacks everything, or nothing.
fn bench(is_seed: bool) -> Bench {
    match is_seed {
        true => Bench::new(Bitfield::all),
        false => Bench::new(Bitfield::none),
    }
}

impl Bench {
    fn join(
        &mut self,
        addr: SocketAddr,
        id: u16,
        direction: Direction,
    ) -> Result<PeerKey, Refusal> {
        let mut bytes = [0; 20];
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        let new = NewPeer {
            addr,
            id: PeerId::new(bytes),
            direction,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let outcome = self.engine.handle_connected(self.now, new);
        self.drain();
        outcome
    }

    fn call(&mut self, ip: &str, port: u16) -> Result<PeerKey, Refusal> {
        self.join(at(ip, port), port, Direction::Incoming)
    }

    fn name(&mut self, source: PeerSource, addrs: &[SocketAddr]) {
        self.engine.handle_candidates(self.now, source, addrs);
        self.drain();
    }

    /// Connects `size` silent peers of one address; returns those that were not refused.
    fn crowd(&mut self, ip: &str, size: u16) -> Vec<PeerKey> {
        let calls = 20_000..20_000 + size;
        calls.filter_map(|port| self.call(ip, port).ok()).collect()
    }

    fn is_there(&self, key: PeerKey) -> bool {
        self.engine.peers.get(key).is_some()
    }
}

#[test]
fn an_address_on_the_internet_has_one_connection_and_one_near_by_a_few() {
    for (ip, connections) in [
        ("9.9.9.9", 1),
        ("2001:db8::1", 1),
        ("10.0.0.1", 8),
        ("fd00::1", 8),
        ("127.0.0.1", 30),
    ] {
        let mut bench = bench(false);
        assert_eq!(bench.crowd(ip, 30).len(), connections, "{ip}");
        if connections < 30 {
            assert_eq!(bench.call(ip, 1), Err(Refusal::TooManyOfAddress));
        }
    }
    // Any address of a /64 is the same host.
    let mut bench = bench(false);
    bench.call("2001:db8::1", 1).unwrap();
    let second = bench.call("2001:db8::2", 2);
    assert_eq!(second, Err(Refusal::TooManyOfAddress));
    bench.call("2001:db8:0:1::2", 3).unwrap();
}

#[test]
fn of_an_address_named_by_hand_any_number_is_connected_to() {
    let mut bench = bench(false);
    let addrs: Vec<_> = (1..=5).map(|port| at("9.9.9.9", 7_000 + port)).collect();
    bench.name(PeerSource::User, &addrs);
    let dialled: BTreeSet<_> = bench.dialled.iter().copied().collect();
    assert_eq!(dialled, addrs.iter().copied().collect());
    for (id, addr) in (1..).zip(addrs) {
        bench.join(addr, id, Direction::Outgoing).unwrap();
    }
    // They do not count, so that a stranger from there has what strangers have.
    bench.call("9.9.9.9", 50_000).unwrap();
    let second = bench.call("9.9.9.9", 50_001);
    assert_eq!(second, Err(Refusal::TooManyOfAddress));
}

#[test]
fn a_host_that_calls_again_takes_the_place_of_its_idle_connection_and_of_no_other() {
    let mut bench = bench(true);
    let old = bench.call("9.9.9.9", 1).unwrap();
    bench.later(5);
    let new = bench.call("9.9.9.9", 2).unwrap();
    assert_eq!(bench.dismissed, [(old, Refusal::Outranked)]);
    bench.tell(new, [Fact::Interested]);
    bench.later(5);
    assert_eq!(bench.call("9.9.9.9", 3), Err(Refusal::TooManyOfAddress));
}

#[test]
fn two_thousand_ports_of_one_host_do_not_keep_an_honest_one_waiting() {
    for ip in ["9.9.9.9", "10.0.0.1", "127.0.0.2"] {
        let mut bench = bench(false);
        let mut addrs: Vec<_> = (2_000..4_000).map(|port| at(ip, port)).collect();
        let honest = at("127.0.0.1", 6_881);
        addrs.push(honest);
        bench.name(PeerSource::Tracker, &addrs);
        assert!(bench.dialled.len() <= 17, "{}", bench.dialled.len());
        let turn = bench.dialled.iter().position(|addr| *addr == honest);
        assert!(turn.is_some_and(|turn| turn <= 1), "{ip}: {turn:?}");
    }
}

#[test]
fn a_swarm_at_one_loopback_address_is_connected_to_in_whole() {
    let mut bench = bench(false);
    let addrs: Vec<_> = (1..=50).map(|port| at("127.0.0.1", 7_000 + port)).collect();
    bench.name(PeerSource::Tracker, &addrs);
    let mut connected = 0;
    while let Some(addr) = bench.dialled.pop() {
        connected += 1;
        bench.join(addr, addr.port(), Direction::Outgoing).unwrap();
        bench.engine.connect_more(bench.now);
        bench.drain();
    }
    assert_eq!(connected, 50);
}

#[test]
fn idle_peers_of_one_address_make_room_for_newcomers_from_anywhere() {
    for honest in ["127.0.0.1", "127.0.0.2", "9.9.9.9"] {
        for is_seed in [false, true] {
            let mut bench = bench(is_seed);
            assert_eq!(bench.crowd("127.0.0.1", 200).len(), 200);
            // They need no probation, and those that come back do not displace a useful peer.
            let newcomer = bench.call(honest, 6_881).unwrap();
            bench.tell(newcomer, [Fact::Interested, Fact::Uploaded(16_384)]);
            for port in 30_000..30_500 {
                bench.call("127.0.0.1", port).unwrap();
            }
            assert!(bench.is_there(newcomer), "{honest} {is_seed}");
            assert_eq!(bench.engine.peers.len(), 200);
        }
    }
}

#[test]
fn peers_that_feign_interest_make_room_too_while_their_address_is_crowded() {
    let mut bench = bench(false);
    let crowd = bench.crowd("127.0.0.1", 200);
    let all = Bitfield::all(&bench.geometry);
    for &key in &crowd {
        bench.tell(key, [Fact::Bitfield(all.clone()), Fact::Interested]);
    }
    for number in 101..=150 {
        bench.connect(number, Direction::Incoming).unwrap();
    }
    assert_eq!(bench.engine.peers.len(), 200);
    // Those of other addresses stay, idle as they are, until they have had some time.
    let theirs = bench.dismissed.iter().all(|(key, _)| crowd.contains(key));
    assert!(theirs);
}

#[test]
fn without_a_crowd_an_idle_peer_has_five_seconds() {
    let config = Config {
        max_peers: 4,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::with(config, 100, Bitfield::all);
    for number in 1..=4 {
        bench.connect(number, Direction::Incoming).unwrap();
    }
    bench.later(4);
    let refused = bench.connect(5, Direction::Incoming);
    assert_eq!(refused, Err(Refusal::TooManyPeers));
    bench.later(1);
    for number in 5..=8 {
        bench.connect(number, Direction::Incoming).unwrap();
    }
    let refused = bench.connect(9, Direction::Incoming);
    assert_eq!(refused, Err(Refusal::TooManyPeers));
    assert_eq!(bench.dismissed.len(), 4);
}

#[test]
fn a_peer_that_is_asked_and_never_answers_is_as_good_as_idle_after_a_minute() {
    let config = Config {
        max_peers: 1,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    for (answers, wait, stays) in [(0, 50, true), (0, 63, false), (1, 63, true)] {
        let mut bench = Bench::with(config, 100, Bitfield::none);
        bench.engine.handle_external_ip([9, 9, 9, 9].into());
        let ranked = |number: &u8| bench.engine.membership.ranking().priority(addr(*number));
        let best = (2..=250).max_by_key(ranked).unwrap();
        let stalling = bench.seed(1);
        let asked = bench.requests(stalling);
        bench.later(wait - 20);
        bench.deliver(stalling, &asked[..answers]);
        bench.later(20);
        let newcomer = bench.connect(best, Direction::Incoming);
        assert_eq!(newcomer.is_err(), stays, "{answers} {wait}");
    }
}

#[test]
fn a_full_torrent_goes_on_looking_while_its_peers_are_of_no_use() {
    let mut bench = bench(false);
    bench.crowd("127.0.0.1", 200);
    let addrs: Vec<_> = (1..=100)
        .map(|last| SocketAddr::from(([9, 9, last, 9], 6_881)))
        .collect();
    bench.name(PeerSource::Tracker, &addrs);
    assert_eq!(bench.dialled, []);
    bench.later(1);
    assert_eq!(bench.dialled.len(), 4);
    bench.later(20);
    assert_eq!(bench.dialled.len(), 4, "those have not been answered");
    // One that answers takes the place of an idle one.
    let dialled = bench.dialled[0];
    let seed = bench.join(dialled, 1, Direction::Outgoing).unwrap();
    assert!(bench.is_there(seed));
    assert_eq!(bench.engine.peers.len(), 200);
    bench.later(1);
    assert_eq!(bench.dialled.len(), 5);
}

#[test]
fn a_full_torrent_whose_peers_are_of_use_calls_no_more() {
    let config = Config {
        max_peers: 4,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::with(config, 100, Bitfield::none);
    for number in 1..=4 {
        let peer = bench.connect(number, Direction::Incoming).unwrap();
        if number <= 2 {
            bench.tell(peer, [Fact::Interested, Fact::Uploaded(16_384)]);
        }
    }
    bench.name(PeerSource::Tracker, &[addr(9)]);
    bench.later(20);
    assert_eq!(bench.dialled, []);
    // What they did is long ago.
    bench.later(20);
    assert_eq!(bench.dialled, [addr(9)]);
}

#[test]
fn a_peer_of_no_use_in_either_direction_leaves_after_ten_minutes() {
    let mut bench = bench(true);
    bench.name(PeerSource::User, &[addr(1)]);
    let named = bench.connect(1, Direction::Outgoing).unwrap();
    let wants = bench.connect(2, Direction::Incoming).unwrap();
    let idle = bench.connect(3, Direction::Incoming).unwrap();
    let used = bench.connect(4, Direction::Incoming).unwrap();
    bench.tell(wants, [Fact::Interested]);
    bench.later(300);
    bench.tell(used, [Fact::Uploaded(16_384)]);
    bench.later(290);
    assert_eq!(bench.dismissed, []);
    bench.later(11);
    assert_eq!(bench.dismissed, [(idle, Refusal::Inactive)]);
    bench.later(300);
    assert_eq!(bench.dismissed[1..], [(used, Refusal::Inactive)]);
    assert!(bench.is_there(named) && bench.is_there(wants));
}

#[test]
fn idle_peers_are_not_counted_among_those_that_may_be_of_use() {
    let mut bench = bench(false);
    bench.crowd("127.0.0.1", 5);
    let seed = bench.seed(1);
    let promising = |bench: &Bench| bench.engine.stats(bench.now).promising_peers();
    assert_eq!(promising(&bench), 6);
    bench.later(30);
    assert_eq!(promising(&bench), 1);
    assert!(bench.is_there(seed));
}

#[test]
fn useless_peers_are_let_go_when_others_are_shut_out_of_the_session() {
    let mut bench = bench(false);
    let crowd = bench.crowd("127.0.0.1", 100);
    let other = bench.call("9.9.9.9", 1).unwrap();
    bench.engine.shed_useless(bench.now, 8);
    bench.drain();
    assert_eq!(bench.dismissed.len(), 8);
    assert!(bench.dismissed.iter().all(|(key, _)| crowd.contains(key)));
    bench.engine.shed_useless(bench.now, 1_000);
    bench.drain();
    // Down to what any address may have, before the others have had their time.
    assert!(bench.is_there(other));
}

#[test]
fn a_copied_peer_id_does_no_harm() {
    for (ours, theirs) in [
        (Direction::Incoming, Direction::Outgoing),
        (Direction::Outgoing, Direction::Incoming),
        (Direction::Incoming, Direction::Incoming),
    ] {
        for id in [1, u16::MAX] {
            let mut bench = bench(false);
            let honest = bench.join(at("9.9.9.9", 1), id, ours).unwrap();
            // Before or after: neither is refused for the other, nor disconnected.
            let copy = bench.join(at("8.8.8.8", 1), id, theirs).unwrap();
            assert!(bench.is_there(honest) && bench.is_there(copy));
        }
    }
}

#[test]
fn a_connection_in_use_is_not_given_up_for_one_that_crosses_it_much_later() {
    for (is_used, wait, displaces) in [(true, 5, true), (false, 21, true), (true, 21, false)] {
        let mut bench = bench(false);
        let old = bench
            .join(at("9.9.9.9", 1), u16::MAX, Direction::Outgoing)
            .unwrap();
        bench.later(wait - 1);
        if is_used {
            bench.tell(old, [Fact::Uploaded(1)]);
        }
        bench.later(1);
        let new = bench.join(at("9.9.9.9", 2), u16::MAX, Direction::Incoming);
        assert_eq!(new.is_ok(), displaces, "{is_used} {wait}");
        assert_ne!(bench.is_there(old), displaces);
    }
}

#[test]
fn a_peer_connected_over_both_families_keeps_one_if_both_say_so() {
    let (four, six) = (at("9.9.9.9", 6_881), at("2001:db8::9", 6_881));
    let says = |other: SocketAddr| {
        Fact::Hello(Hello {
            other_ip: Some(other.ip()),
            ..Hello::default()
        })
    };
    for (of_four, parted) in [(six, true), (at("2001:db8:1::9", 1), false)] {
        let mut bench = bench(false);
        let key_four = bench.join(four, 7, Direction::Outgoing).unwrap();
        let key_six = bench.join(six, 7, Direction::Outgoing).unwrap();
        bench.tell(key_six, [says(four)]);
        assert_eq!(bench.dismissed, [], "one side's word");
        bench.tell(key_four, [says(of_four)]);
        assert_eq!(!bench.is_there(key_six), parted);
        assert!(bench.is_there(key_four));
    }
}

#[test]
fn what_a_peer_may_name_is_not_renewed_by_connecting_again() {
    let named = |round: u8| {
        let added = (0..50).map(|last| tailwater_wire::PexPeer {
            addr: SocketAddr::from(([7, 7, round, last], 6_881)),
            flags: tailwater_wire::PexFlags::NONE,
        });
        Fact::Pex(tailwater_wire::PexMessage {
            added: added.collect(),
            dropped: Vec::new(),
        })
    };
    let mut bench = bench(false);
    for round in 0..10 {
        let peer = bench.call("9.9.9.9", 1_000 + u16::from(round)).unwrap();
        bench.tell(peer, [named(round)]);
        bench.engine.handle_closed(bench.now, peer);
        bench.drain();
    }
    assert_eq!(bench.engine.membership.candidates.known(), 200);
    // Another address has its own, and time gives the first one's back.
    let other = bench.call("9.9.9.8", 1).unwrap();
    bench.tell(other, [named(20)]);
    assert_eq!(bench.engine.membership.candidates.known(), 250);
    bench.now += Duration::from_secs(3_600);
    let peer = bench.call("9.9.9.9", 1).unwrap();
    bench.tell(peer, [named(30)]);
    assert_eq!(bench.engine.membership.candidates.known(), 300);
}

#[test]
fn a_tracker_names_what_it_can_see() {
    let addrs = [
        "9.9.9.9",
        "10.0.0.9",
        "127.0.0.9",
        "fd00::9",
        "224.0.0.1",
        "240.0.0.1",
    ];
    let addrs = addrs.map(|ip| at(ip, 6_881));
    for (tracker, named) in [
        (Some("8.8.8.8"), &addrs[..1]),
        (None, &addrs[..1]),
        (Some("192.168.0.1"), &[addrs[0], addrs[1], addrs[3]]),
        (Some("127.0.0.1"), &addrs[..4]),
    ] {
        let mut bench = bench(false);
        let namer = tracker.map(|ip| ip.parse().unwrap());
        let url = Arc::from("http://tracker.example/announce");
        bench
            .engine
            .handle_tracker_peers(bench.now, &url, namer, &addrs);
        bench.drain();
        let dialled: BTreeSet<_> = bench.dialled.iter().copied().collect();
        assert_eq!(dialled, named.iter().copied().collect(), "{tracker:?}");
    }
}
