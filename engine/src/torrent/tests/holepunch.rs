//! Hole punching: what a relay answers, when one is asked, and which addresses are dialled for one.

use std::net::IpAddr;

use tailwater_wire::{Holepunch, HolepunchError, PexFlags, PexMessage, PexPeer};

use super::*;
use crate::peer::Hello;

/// One that takes part, and that its namer has connected to.
const REACHABLE: PexFlags = PexFlags::HOLEPUNCH.union(PexFlags::REACHABLE);

fn hello() -> Hello {
    Hello {
        pex: true,
        holepunch: true,
        ..Hello::default()
    }
}

impl Bench {
    fn public() -> Self {
        let config = Config {
            listen_port: Some(6881),
            ..Config::new(InfoHash::new([1; 20]), OUR_ID)
        };
        Self::with(config, 100, Bitfield::none)
    }

    /// A peer that we called, and that takes part.
    fn partner(&mut self, number: u8) -> PeerKey {
        let key = self.connect(number, Direction::Outgoing).unwrap();
        self.tell(key, [Fact::Hello(hello())]);
        key
    }

    fn punch(&mut self, key: PeerKey, message: Holepunch) {
        self.tell(key, [Fact::Holepunch(message)]);
    }

    /// Takes the messages that peers were sent since the last time.
    fn punches(&mut self) -> Vec<(PeerKey, Holepunch)> {
        let mut punches = Vec::new();
        self.commands.retain(|(peer, command)| match command {
            Command::Holepunch(message) => {
                punches.push((*peer, *message));
                false
            }
            _ => true,
        });
        punches
    }

    /// A peer names others, as ones that take part.
    fn exchange(&mut self, key: PeerKey, numbers: std::ops::Range<u8>, flags: PexFlags) {
        let added = numbers.map(|number| PexPeer {
            addr: addr(number),
            flags,
        });
        let message = PexMessage {
            added: added.collect(),
            dropped: Vec::new(),
        };
        self.tell(key, [Fact::Pex(message)]);
    }

    fn fail(&mut self, number: u8) {
        self.engine.handle_connect_failed(self.now, addr(number));
        self.drain();
    }
}

#[test]
fn both_are_told_to_connect_to_each_other() {
    let mut bench = Bench::public();
    let target = bench.partner(1);
    // One that called us is found where it listens.
    let from = SocketAddr::from(([10, 0, 0, 2], 40_000));
    let new = NewPeer {
        addr: from,
        id: PeerId::new([2; 20]),
        direction: Direction::Incoming,
        fast: true,
        kind: ConnectionKind::default(),
    };
    let asking = bench.engine.handle_connected(bench.now, new).unwrap();
    let listening = Hello {
        listen_port: Some(6881),
        ..hello()
    };
    bench.tell(asking, [Fact::Hello(listening)]);
    bench.punch(asking, Holepunch::Rendezvous(addr(1)));
    let told = [
        (target, Holepunch::Connect(addr(2))),
        (asking, Holepunch::Connect(addr(1))),
    ];
    assert_eq!(bench.punches(), told);
}

#[test]
fn over_utp_a_peer_is_reached_where_its_datagrams_come_from() {
    let mut bench = Bench::public();
    // Their routers have given both of them another port than the one they listen at.
    let [asking, target] = [2, 3].map(|number| {
        let new = NewPeer {
            addr: SocketAddr::from(([10, 0, 0, number], 40_000)),
            id: PeerId::new([number; 20]),
            direction: Direction::Incoming,
            fast: true,
            kind: ConnectionKind {
                transport: Transport::Utp,
                ..ConnectionKind::default()
            },
        };
        let key = bench.engine.handle_connected(bench.now, new).unwrap();
        let listening = Hello {
            listen_port: Some(6881),
            ..hello()
        };
        bench.tell(key, [Fact::Hello(listening)]);
        key
    });
    bench.punch(asking, Holepunch::Rendezvous(addr(3)));
    let from = |number| SocketAddr::from(([10, 0, 0, number], 40_000));
    let told = [
        (target, Holepunch::Connect(from(2))),
        (asking, Holepunch::Connect(from(3))),
    ];
    assert_eq!(bench.punches(), told);
}

#[test]
fn a_peer_that_its_namer_has_not_connected_to_is_dialled_when_it_expects_it() {
    let mut bench = Bench::public();
    let relay = bench.partner(1);
    bench.exchange(relay, 3..5, PexFlags::HOLEPUNCH);
    let asked = bench.punches();
    let expected = [3, 4].map(|number| (relay, Holepunch::Rendezvous(addr(number))));
    assert!(expected.iter().all(|punch| asked.contains(punch)));
    assert_eq!((asked.len(), &*bench.dialled), (2, &[][..]));
    bench.punch(relay, Holepunch::Connect(addr(3)));
    assert_eq!(bench.dialled, [addr(3)]);
    // The relay says nothing of the other one.
    bench.later(2);
    assert_eq!(bench.dialled, [addr(3), addr(4)]);
    bench.fail(4);
    bench.later(2);
    assert_eq!(bench.dialled, [addr(3), addr(4), addr(4)]);
    assert_eq!(bench.punches(), [], "so soon again");
    // One that can be reached, by another peer's word or by the user's, is dialled at once.
    let other = bench.partner(2);
    bench.exchange(relay, 5..6, REACHABLE);
    bench.exchange(other, 5..6, PexFlags::HOLEPUNCH);
    let named = [addr(6)];
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::User, &named);
    bench.exchange(relay, 6..7, PexFlags::HOLEPUNCH);
    assert_eq!(bench.dialled[3..], [addr(5), addr(6)]);
    assert_eq!(bench.punches(), []);
}

#[test]
fn a_relay_may_know_the_peer_at_another_port_but_not_at_another_host() {
    let mut bench = Bench::public();
    let relay = bench.partner(1);
    // Without a call to spare.
    for number in 10..20 {
        bench.punch(relay, Holepunch::Connect(addr(number)));
    }
    assert_eq!(bench.dialled.len(), 4);
    bench.exchange(relay, 3..4, PexFlags::HOLEPUNCH);
    let at = |number, port| SocketAddr::from(([10, 0, 0, number], port));
    for elsewhere in [at(4, 40_000), at(3, 22)] {
        bench.punch(relay, Holepunch::Connect(elsewhere));
    }
    assert_eq!(bench.dialled.len(), 4);
    bench.punch(relay, Holepunch::Connect(at(3, 40_000)));
    assert_eq!(bench.dialled[4..], [at(3, 40_000)]);
    bench.punch(relay, Holepunch::Connect(at(3, 40_001)));
    assert_eq!(bench.dialled.len(), 5, "one answer to one question");
}

#[test]
fn what_a_relay_cannot_do_it_says() {
    let mut bench = Bench::public();
    bench.connect(1, Direction::Outgoing).unwrap();
    let asking = bench.partner(2);
    bench.engine.handle_external_ip(addr(99).ip());
    let at = |text: &str| text.parse().unwrap();
    for (target, error) in [
        (addr(1), HolepunchError::NoSupport),
        (addr(77), HolepunchError::NotConnected),
        (addr(99), HolepunchError::NoSelf),
        (addr(2), HolepunchError::NoSuchPeer),
        (at("127.0.0.1:6881"), HolepunchError::NoSuchPeer),
        (at("224.0.0.1:6881"), HolepunchError::NoSuchPeer),
        (at("0.0.0.0:6881"), HolepunchError::NoSuchPeer),
        // It exists, but could not call back to an address of our network.
        (at("9.9.9.9:6881"), HolepunchError::NoSuchPeer),
    ] {
        bench.punch(asking, Holepunch::Rendezvous(target));
        let addr = target;
        let answer = Holepunch::Error { addr, error };
        assert_eq!(bench.punches(), [(asking, answer)], "{target}");
    }
}

#[test]
fn who_does_not_say_that_it_takes_part_is_not_answered() {
    let mut bench = Bench::public();
    bench.partner(1);
    let silent = bench.connect(2, Direction::Outgoing).unwrap();
    bench.punch(silent, Holepunch::Rendezvous(addr(1)));
    bench.punch(silent, Holepunch::Connect(addr(7)));
    assert_eq!(bench.punches(), []);
    assert_eq!(bench.dialled, []);
}

#[test]
fn a_target_is_not_flooded_through_us() {
    let mut bench = Bench::public();
    let target = bench.partner(1);
    let crowd: Vec<_> = (2..40).map(|number| bench.partner(number)).collect();
    let introduced = |bench: &mut Bench| {
        for &key in &crowd {
            bench.punch(key, Holepunch::Rendezvous(addr(1)));
        }
        let punches = bench.punches();
        let to_target = punches.iter().filter(|(key, _)| *key == target).count();
        assert_eq!(punches.len(), 2 * to_target, "both hear of it, or nobody");
        to_target
    };
    assert_eq!(introduced(&mut bench), 16);
    assert_eq!(introduced(&mut bench), 0);
    bench.now += Duration::from_secs(6);
    assert_eq!(introduced(&mut bench), 3);
}

#[test]
fn whoever_named_a_peer_that_cannot_be_reached_is_asked_once_for_an_introduction() {
    let mut bench = Bench::public();
    let relay = bench.partner(1);
    let other = bench.partner(2);
    bench.exchange(relay, 3..4, REACHABLE);
    bench.exchange(other, 3..4, REACHABLE);
    bench.exchange(relay, 4..5, PexFlags::REACHABLE);
    bench.fail(3);
    bench.fail(4);
    assert_eq!(bench.punches(), [(relay, Holepunch::Rendezvous(addr(3)))]);
    bench.later(300);
    while let Some(at) = bench.dialled.pop() {
        bench.engine.handle_connect_failed(bench.now, at);
        bench.drain();
    }
    assert_eq!(bench.punches(), [], "so soon again");
    // The relay's word is followed at once, however long the address would have to wait for its turn.
    bench.engine.handle_closed(bench.now, other);
    bench.exchange(relay, 5..6, REACHABLE);
    bench.fail(5);
    assert_eq!(bench.punches(), [(relay, Holepunch::Rendezvous(addr(5)))]);
    bench.dialled.clear();
    bench.punch(relay, Holepunch::Connect(addr(5)));
    assert_eq!(bench.dialled, [addr(5)]);
    bench.punch(relay, Holepunch::Connect(addr(5)));
    assert_eq!(bench.dialled.len(), 1, "it is being called already");
    bench.connect(5, Direction::Outgoing).unwrap();
    bench.punch(relay, Holepunch::Connect(addr(5)));
    assert_eq!(bench.dialled.len(), 1, "it is here already");
}

#[test]
fn nobody_is_asked_who_is_gone_or_said_no() {
    let mut bench = Bench::public();
    let relay = bench.partner(1);
    bench.exchange(relay, 3..5, REACHABLE);
    bench.fail(3);
    let no = Holepunch::Error {
        addr: addr(3),
        error: HolepunchError::NotConnected,
    };
    bench.punch(relay, no);
    assert_eq!(bench.engine.membership.candidates.introducer(addr(3)), None);
    assert_eq!(bench.punches().len(), 1);
    bench.engine.handle_closed(bench.now, relay);
    bench.fail(4);
    assert_eq!(bench.punches(), []);
    // Another one names it: that one is there.
    let other = bench.partner(2);
    bench.exchange(other, 4..5, REACHABLE);
    bench.later(60);
    bench.fail(4);
    assert_eq!(bench.punches(), [(other, Holepunch::Rendezvous(addr(4)))]);
}

#[test]
fn whoever_has_everything_asks_for_nobody_but_comes_when_it_is_called() {
    let config = Config::new(InfoHash::new([1; 20]), OUR_ID);
    let mut bench = Bench::with(config, 100, Bitfield::all);
    let relay = bench.partner(1);
    bench.exchange(relay, 3..4, PexFlags::HOLEPUNCH);
    bench.fail(3);
    assert_eq!(bench.punches(), []);
    bench.punch(relay, Holepunch::Connect(addr(4)));
    assert_eq!(bench.dialled, [addr(4)]);
}

#[test]
fn a_relay_cannot_have_us_call_whomever_it_likes() {
    let mut bench = Bench::public();
    let relay = bench.partner(1);
    // Services, not peers.
    for port in [22, 25, 80, 443] {
        let addr = SocketAddr::from(([10, 0, 0, 7], port));
        bench.punch(relay, Holepunch::Connect(addr));
    }
    assert_eq!(bench.dialled, []);
    for number in 10..100 {
        bench.punch(relay, Holepunch::Connect(addr(number)));
    }
    assert_eq!(bench.dialled.len(), 4);
    // Several together do not have more under way than so many.
    for number in 2..9 {
        let relay = bench.partner(number);
        for target in 0..10 {
            bench.punch(relay, Holepunch::Connect(addr(100 + 10 * number + target)));
        }
    }
    assert_eq!(bench.dialled.len(), 8);
    // A peer that is connected already is not dialled, even if it did not tell where it listens.
    bench.connect(230, Direction::Incoming).unwrap();
    // What is done makes room; for banned hosts and a paused torrent nothing is dialled.
    let done = bench.dialled[0];
    bench.engine.handle_connect_failed(bench.now, done);
    bench.engine.ban(bench.now, IpAddr::from([10, 0, 0, 222]));
    bench.now += Duration::from_secs(60);
    for number in [222, 230] {
        bench.punch(relay, Holepunch::Connect(addr(number)));
    }
    assert_eq!(bench.dialled.len(), 8);
    bench.engine.halt(Halt::Paused);
    bench.punch(relay, Holepunch::Connect(addr(223)));
    assert_eq!(bench.dialled.len(), 8);
    bench.engine.resume(bench.now);
    bench.punch(relay, Holepunch::Connect(addr(224)));
    assert_eq!(bench.dialled.last(), Some(&addr(224)));
}
