//! Which peers to keep: priorities when there are too many (BEP 40), peers that want nothing (BEP 21), what peers say
//! of themselves and of us (BEP 10).

use std::net::IpAddr;

use super::*;
use crate::peer::Hello;
use crate::torrent::membership::ranking::Ranking;

const OURS: [u8; 4] = [9, 9, 9, 9];

/// Full with four peers, and with our own address known.
fn full() -> Bench {
    let config = Config {
        max_peers: 4,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::with(config, 100, Bitfield::none);
    bench.engine.handle_external_ip(OURS.into());
    bench
}

fn priority(number: u8) -> u32 {
    let ranking = Ranking {
        v4: Some(OURS.into()),
        ..Ranking::default()
    };
    ranking.priority(addr(number))
}

/// 5 peers, that with the lowest priority first.
fn ascending() -> Vec<u8> {
    let mut numbers: Vec<u8> = (1..=5).collect();
    numbers.sort_by_key(|number| priority(*number));
    numbers
}

#[test]
fn a_newcomer_with_a_higher_priority_takes_the_place_of_the_lowest() {
    let mut bench = full();
    let order = ascending();
    // Each has something for us and lets us have none of it: it may yet.
    let keys: Vec<_> = order[..4]
        .iter()
        .map(|number| bench.connect(*number, Direction::Incoming).unwrap())
        .collect();
    let all = Bitfield::all(&bench.geometry);
    for &key in &keys {
        bench.tell(key, [Fact::Bitfield(all.clone())]);
    }
    assert_eq!(
        bench.connect(order[4], Direction::Incoming),
        Err(Refusal::TooManyPeers),
        "they have not had the time to be of use"
    );
    bench.later(30);
    let newcomer = bench.connect(order[4], Direction::Incoming).unwrap();
    assert_eq!(bench.dismissed, [(keys[0], Refusal::Outranked)]);
    bench.tell(newcomer, [Fact::Bitfield(all)]);
    // The one that had to go comes back and finds none below it.
    bench.later(30);
    let again = bench.connect(order[0], Direction::Incoming);
    assert_eq!(again, Err(Refusal::TooManyPeers));
}

#[test]
fn who_is_of_use_stays_whatever_its_priority() {
    let mut bench = full();
    let order = ascending();
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::User, &[addr(order[0])]);
    bench.drain();
    // Named by hand; delivering; being served; and one that is of no use.
    bench.connect(order[0], Direction::Outgoing).unwrap();
    let seed = bench.seed(order[1]);
    let leech = bench.connect(order[2], Direction::Incoming).unwrap();
    let idle = bench.connect(order[3], Direction::Incoming).unwrap();
    bench.tell(leech, [Fact::Interested]);
    bench.later(10);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked[..4]);
    bench.later(25);
    bench.connect(order[4], Direction::Incoming).unwrap();
    assert_eq!(bench.dismissed, [(idle, Refusal::Outranked)]);
}

#[test]
fn of_those_of_no_use_the_lowest_priority_is_let_go_first_then_the_newcomer() {
    let mut bench = full();
    let order = ascending();
    // A newcomer stays before them even with a lower priority.
    let old: Vec<_> = [order[4], order[3]]
        .into_iter()
        .map(|number| bench.connect(number, Direction::Incoming).unwrap())
        .collect();
    bench.later(30);
    let new: Vec<_> = [order[0], order[1]]
        .into_iter()
        .map(|number| bench.connect(number, Direction::Incoming).unwrap())
        .collect();
    for _ in 0..3 {
        bench.engine.shed(bench.now);
        bench.drain();
    }
    let gone = [old[1], old[0], new[0]];
    assert_eq!(
        bench.dismissed,
        gone.map(|key| (key, Refusal::TooManyPeers))
    );
}

#[test]
fn whoever_moves_bytes_is_let_go_last_and_one_stays() {
    let mut bench = full();
    let order = ascending();
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::User, &[addr(order[0])]);
    bench.drain();
    let named = bench.connect(order[0], Direction::Outgoing).unwrap();
    let seed = bench.seed(order[1]);
    let leech = bench.connect(order[2], Direction::Incoming).unwrap();
    let idle = bench.connect(order[3], Direction::Incoming).unwrap();
    bench.later(30);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked[..4]);
    bench.tell(leech, [Fact::Interested, Fact::Uploaded(16_384)]);
    for _ in 0..5 {
        bench.engine.shed(bench.now);
        bench.drain();
    }
    let gone = [idle, named, leech];
    assert_eq!(
        bench.dismissed,
        gone.map(|key| (key, Refusal::TooManyPeers))
    );
    assert!(bench.engine.peers.get(seed).is_some());
}

#[test]
fn the_address_that_most_peers_see_decides_the_order_of_calls() {
    let config = Config {
        max_connecting: 1,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::with(config, 100, Bitfield::none);
    let addrs: Vec<_> = (1..=30).map(addr).collect();
    for number in 40..43 {
        let new = NewPeer {
            addr: SocketAddr::from(([10, 0, number, 1], 6881)),
            id: PeerId::new([number; 20]),
            direction: Direction::Incoming,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let voter = bench.engine.handle_connected(bench.now, new).unwrap();
        bench.drain();
        let hello = Hello {
            your_ip: Some(IpAddr::from(OURS)),
            ..Hello::default()
        };
        bench.tell(voter, [Fact::Hello(hello)]);
    }
    assert_eq!(bench.engine.external_ip(addr(1).ip()), Some(OURS.into()));
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::Tracker, &addrs);
    bench.drain();
    for _ in 1..30 {
        let last = *bench.dialled.last().unwrap();
        bench.engine.handle_connect_failed(bench.now, last);
        bench.drain();
    }
    let mut by_priority = addrs;
    by_priority.sort_by_key(|addr| match addr.ip() {
        IpAddr::V4(ip) => std::cmp::Reverse(priority(ip.octets()[3])),
        IpAddr::V6(_) => unreachable!(),
    });
    assert_eq!(bench.dialled, by_priority);
}

#[test]
fn connected_peers_hear_when_we_want_nothing_and_when_we_do_again() {
    let mut bench = Bench::new(Bitfield::none);
    let seed = bench.seed(1);
    let leech = bench.connect(2, Direction::Incoming).unwrap();
    bench.tell(leech, [Fact::Interested]);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked);
    for piece in std::mem::take(&mut bench.verify) {
        assert!(!bench.has_sent(leech, &Command::UploadOnly(true)));
        bench
            .engine
            .handle_verdict(bench.now, piece, &Verdict::Valid);
        bench.drain();
    }
    assert!(bench.has_sent(leech, &Command::UploadOnly(true)));
    let piece = bench.geometry.piece(3).unwrap();
    bench.engine.handle_evicted(bench.now, piece);
    bench.drain();
    assert!(bench.has_sent(leech, &Command::UploadOnly(false)));
    let told = |(_, command): &&(PeerKey, Command)| matches!(command, Command::UploadOnly(_));
    let told_leech = bench.commands.iter().filter(|c| c.0 == leech).filter(told);
    assert_eq!(told_leech.count(), 2);
}

#[test]
fn two_that_want_nothing_part_and_meet_again_when_one_does() {
    // A partial seed, which has less than everything and wants no more.
    let mut bench = Bench::new(Bitfield::all);
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::User, &[addr(1)]);
    bench.drain();
    let partial = bench.connect(1, Direction::Outgoing).unwrap();
    bench.tell(partial, [Fact::Interested]);
    bench.tell(partial, [Fact::NotInterested]);
    assert_eq!(bench.dismissed, []);
    bench.tell(partial, [Fact::UploadOnly(true)]);
    assert_eq!(bench.dismissed, [(partial, Refusal::NothingToShare)]);
    bench.dialled.clear();
    bench.later(4 * 3_600);
    assert_eq!(bench.dialled, []);
    let piece = bench.geometry.piece(3).unwrap();
    bench.engine.handle_evicted(bench.now, piece);
    bench.drain();
    assert_eq!(bench.dialled, [addr(1)]);
}

#[test]
fn what_a_later_handshake_leaves_out_is_as_it_was() {
    let mut bench = Bench::new(Bitfield::all);
    let peer = bench.connect(1, Direction::Incoming).unwrap();
    let hello = Hello {
        client: Some("first".into()),
        request_queue: Some(7),
        upload_only: Some(false),
        listen_port: Some(7_000),
        your_ip: Some([1, 1, 1, 1].into()),
        pex: true,
        ..Hello::default()
    };
    bench.tell(peer, [Fact::Interested, Fact::Hello(hello)]);
    let later = Hello {
        upload_only: Some(true),
        listen_port: Some(8_000),
        your_ip: Some([2, 2, 2, 2].into()),
        pex: true,
        ..Hello::default()
    };
    bench.tell(peer, [Fact::Hello(later)]);
    let known = bench.engine.peers.connection(peer).unwrap();
    assert_eq!(known.client.as_deref(), Some("first"));
    assert!(known.upload_only);
    let listens_at = SocketAddr::from(([10, 0, 0, 1], 7_000));
    assert_eq!(known.dial_addr, Some(listens_at));
    assert_eq!(known.sees_us_at, Some([1, 1, 1, 1].into()));
    assert!(known.supply.pipeline.size() <= 7);
    bench.tell(peer, [Fact::Hello(Hello::default())]);
    assert!(bench.engine.peers.connection(peer).unwrap().upload_only);
}

#[test]
fn a_peer_of_both_families_is_reached_by_the_other_when_it_has_gone() {
    let door: SocketAddr = "[2001:db8::1]:6881".parse().unwrap();
    for (private, near) in [(false, false), (true, false), (false, true)] {
        let config = Config {
            private,
            ..Config::new(InfoHash::new([1; 20]), OUR_ID)
        };
        let mut bench = Bench::with(config, 100, Bitfield::none);
        bench
            .engine
            .handle_candidates(bench.now, PeerSource::Tracker, &[addr(1)]);
        bench.drain();
        let seed = bench.seed(1);
        let ip = match near {
            true => "::1".parse().unwrap(),
            false => door.ip(),
        };
        let hello = Hello {
            other_ip: Some(ip),
            ..Hello::default()
        };
        bench.tell(seed, [Fact::Hello(hello)]);
        let asked = bench.requests(seed);
        bench.deliver(seed, &asked[..1]);
        bench.dialled.clear();
        bench.engine.handle_closed(bench.now, seed);
        bench.drain();
        let expected = if private || near { &[][..] } else { &[door] };
        assert_eq!(bench.dialled, expected, "{private} {near}");
    }
}

#[test]
fn our_other_address_is_told_only_if_everybody_may_know_it() {
    let six: IpAddr = "2001:db8::9".parse().unwrap();
    let local: IpAddr = "fd00::9".parse().unwrap();
    for (private, ours, told) in [
        (false, six, Some(six)),
        (true, six, None),
        (false, local, None),
    ] {
        let config = Config {
            private,
            ..Config::new(InfoHash::new([1; 20]), OUR_ID)
        };
        let mut bench = Bench::with(config, 100, Bitfield::none);
        bench.engine.handle_external_ip(ours);
        assert_eq!(bench.engine.other_ip(addr(1).ip()), told);
        assert_eq!(bench.engine.other_ip(six), None);
    }
}
