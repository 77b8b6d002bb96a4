//! How peers find each other: from each source of addresses to a connection, and what a private torrent leaves out.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use sim::{Manner, Payload, Swarm};
use tailwater_engine::peer::{self, Command, Connection, Direction, Fact, Violation};
use tailwater_engine::torrent::{
    Config, ConnectionKind, Engine, Full, NewPeer, Output, PeerKey, PeerSource, Refusal, Space,
};
use tailwater_metainfo::{Bitfield, Geometry, InfoHash, PeerId, PieceIndex};
use tailwater_netsim::Link;
use tailwater_wire::{
    ExtensionHandshake, ExtensionId, ExtensionIds, Holepunch, Message, PexFlags, PexMessage,
    PexPeer,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Room for everything.
#[derive(Debug)]
struct Attic;

impl Space for Attic {
    fn reserve(&mut self, _: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        Ok(Vec::new())
    }

    fn release(&mut self, _: PieceIndex) {}
}

/// A torrent alone; the test plays its peers, trackers and driver.
struct Torrent {
    now: Instant,
    engine: Engine<Attic>,
    dialled: Vec<SocketAddr>,
    dismissed: Vec<(PeerKey, Refusal)>,
    commands: Vec<(PeerKey, Command)>,
}

fn geometry() -> Geometry {
    Geometry::new(8 * 32_768, 32_768).unwrap()
}

fn addr(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 6881))
}

fn tracker(name: &str) -> Arc<str> {
    Arc::from(format!("http://{name}.example/announce"))
}

impl Torrent {
    fn new(private: bool) -> Self {
        let config = Config {
            private,
            listen_port: Some(6881),
            ..Config::new(InfoHash::new([1; 20]), PeerId::new([250; 20]))
        };
        let none = Bitfield::none(&geometry());
        Self {
            now: Instant::now(),
            engine: Engine::new(config, geometry(), none, Attic),
            dialled: Vec::new(),
            dismissed: Vec::new(),
            commands: Vec::new(),
        }
    }

    fn drain(&mut self) {
        self.engine.check_invariants();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Connect(addr) => self.dialled.push(addr),
                Output::Disconnect { peer, reason } => self.dismissed.push((peer, reason)),
                Output::Command { peer, command } => self.commands.push((peer, command)),
                _ => {}
            }
        }
    }

    fn name(&mut self, source: PeerSource, peers: &[SocketAddr]) {
        self.engine.handle_candidates(self.now, source, peers);
        self.drain();
    }

    fn announce(&mut self, name: &str, peers: &[SocketAddr]) {
        let tracker = tracker(name);
        // On the local network, so that it may name the addresses of the test.
        let namer = Some(IpAddr::from([10, 0, 0, 254]));
        self.engine
            .handle_tracker_peers(self.now, &tracker, namer, peers);
        self.drain();
    }

    fn connect(&mut self, addr: SocketAddr, direction: Direction) -> Result<PeerKey, Refusal> {
        let IpAddr::V4(ip) = addr.ip() else {
            panic!("{addr}")
        };
        let new = NewPeer {
            addr,
            id: PeerId::new([ip.octets()[3]; 20]),
            direction,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let outcome = self.engine.handle_connected(self.now, new);
        self.drain();
        outcome
    }

    fn tell(&mut self, key: PeerKey, fact: Fact) {
        let from = addr(0).ip();
        self.engine.handle_facts(self.now, key, from, [fact]);
        self.drain();
    }

    /// A peer that speaks all extensions and has called us.
    fn caller(&mut self, last: u8, listens_at: u16) -> PeerKey {
        let from = SocketAddr::new(addr(last).ip(), 40_000);
        let key = self.connect(from, Direction::Incoming).unwrap();
        let theirs = ExtensionHandshake {
            extensions: ExtensionIds::ours(ExtensionId::ALL),
            listen_port: Some(listens_at),
            ..ExtensionHandshake::default()
        };
        // What a connection makes of it, because a `Hello` is for it alone to make.
        let mut connection = connection(false);
        receive(&mut connection, self.now, 0, theirs.encode()).unwrap();
        for fact in connection.take_facts() {
            self.tell(key, fact);
        }
        key
    }

    fn later(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }
}

fn connection(private: bool) -> Connection {
    let config = peer::Config {
        geometry: geometry(),
        fast: true,
        extensions: true,
        listen_port: Some(6881),
        addr: Some(addr(0).ip()),
        other_ip: None,
        upload_only: false,
        metadata: bytes::Bytes::new(),
        private,
        dht_port: None,
        hashes: None,
    };
    Connection::new(Instant::now(), config)
}

fn receive(
    connection: &mut Connection,
    now: Instant,
    id: u8,
    payload: Vec<u8>,
) -> Result<(), Violation> {
    let mut bytes = BytesMut::new();
    let payload = payload.into();
    Message::Extended { id, payload }.encode(&mut bytes);
    connection.handle_bytes(now, &mut bytes)
}

fn named(peers: &[SocketAddr], flags: PexFlags) -> PexMessage {
    let added = peers.iter().map(|&addr| PexPeer { addr, flags });
    PexMessage {
        added: added.collect(),
        dropped: Vec::new(),
    }
}

#[test]
fn a_public_torrent_takes_peers_from_everywhere_and_a_private_one_from_its_tracker_and_user() {
    for (source, in_private) in [
        (PeerSource::User, true),
        (PeerSource::Tracker, true),
        (PeerSource::Magnet, false),
        (PeerSource::Local, false),
        (PeerSource::Incoming, false),
        (PeerSource::Dht, false),
        (PeerSource::Exchange, false),
        (PeerSource::Holepunch, false),
    ] {
        assert_eq!(source.allowed_in_private(), in_private, "{source:?}");
        for private in [false, true] {
            let mut torrent = Torrent::new(private);
            torrent.name(source, &[addr(1)]);
            let expected = usize::from(!private || in_private);
            assert_eq!(torrent.dialled.len(), expected, "{source:?} {private}");
            let known = torrent.engine.stats(torrent.now).known_addrs;
            assert_eq!(known, expected, "{source:?} {private}");
        }
    }
}

#[test]
fn peers_named_by_peers_are_taken_in_public_only() {
    for private in [false, true] {
        let mut torrent = Torrent::new(private);
        let peer = torrent.caller(1, 7_000);
        torrent.tell(peer, Fact::Pex(named(&[addr(2)], PexFlags::NONE)));
        let expected = if private { &[][..] } else { &[addr(2)] };
        assert_eq!(torrent.dialled, expected, "private: {private}");
        // Nor is it named to others.
        torrent.caller(3, 7_000);
        torrent.later(2 * MINUTE);
        let pex = |(_, command): &(PeerKey, Command)| matches!(command, Command::Pex(_));
        assert_eq!(torrent.commands.iter().any(pex), !private);
    }
}

#[test]
fn who_calls_a_private_torrent_is_taken_in_but_not_called_back() {
    for private in [false, true] {
        let mut torrent = Torrent::new(private);
        let peer = torrent.caller(1, 7_000);
        torrent.engine.handle_closed(torrent.now, peer);
        torrent.later(MINUTE);
        let back = SocketAddr::new(addr(1).ip(), 7_000);
        let expected = if private { &[][..] } else { &[back] };
        assert_eq!(torrent.dialled, expected, "private: {private}");
    }
}

#[test]
fn a_relay_has_a_public_torrent_call_and_a_private_one_not() {
    for private in [false, true] {
        let mut torrent = Torrent::new(private);
        let relay = torrent.caller(1, 7_000);
        torrent.tell(relay, Fact::Holepunch(Holepunch::Connect(addr(2))));
        let expected = if private { &[][..] } else { &[addr(2)] };
        assert_eq!(torrent.dialled, expected, "private: {private}");
        // Nor does it introduce peers to each other.
        let other = SocketAddr::new(addr(3).ip(), 7_000);
        torrent.caller(3, 7_000);
        torrent.tell(relay, Fact::Holepunch(Holepunch::Rendezvous(other)));
        let punch = |(_, command): &(PeerKey, Command)| matches!(command, Command::Holepunch(_));
        let punches = torrent.commands.iter().filter(|c| punch(c)).count();
        assert_eq!(punches, if private { 0 } else { 2 });
    }
}

#[test]
fn the_connection_of_a_private_torrent_speaks_of_no_other_peer() {
    for private in [false, true] {
        let mut connection = connection(private);
        let now = Instant::now();
        let hello = ExtensionHandshake {
            extensions: ExtensionIds::ours(ExtensionId::ALL),
            ..ExtensionHandshake::default()
        };
        receive(&mut connection, now, 0, hello.encode()).unwrap();
        let out = connection.take_out(now);
        let is_said = |name: &str| out.windows(name.len()).any(|part| part == name.as_bytes());
        for extension in ["ut_pex", "ut_holepunch"] {
            assert_eq!(is_said(extension), !private, "{extension}");
        }
        assert!(is_said("lt_donthave") && is_said("upload_only"));
        let _ = connection.take_facts();
        let pex = named(&[addr(2)], PexFlags::NONE);
        let punch = Holepunch::Connect(addr(2));
        receive(
            &mut connection,
            now,
            ExtensionId::UtPex.as_u8(),
            pex.encode(),
        )
        .unwrap();
        let id = ExtensionId::UtHolepunch.as_u8();
        receive(&mut connection, now, id, punch.encode()).unwrap();
        let heard = connection.take_facts().len();
        assert_eq!(heard, if private { 0 } else { 2 });
        // Even if it is commanded to.
        connection.handle_command(Command::Pex(pex));
        connection.handle_command(Command::Holepunch(punch));
        assert_eq!(connection.take_out(now).is_empty(), private);
    }
}

#[test]
fn another_tracker_takes_a_private_torrent_over_and_nobody_of_the_former_stays() {
    for private in [false, true] {
        let mut torrent = Torrent::new(private);
        torrent.name(PeerSource::User, &[addr(9)]);
        torrent.announce("one", &[addr(1), addr(2), addr(3)]);
        assert_eq!(torrent.dialled.len(), 4);
        let friend = torrent.connect(addr(9), Direction::Outgoing).unwrap();
        let called = torrent.connect(addr(1), Direction::Outgoing).unwrap();
        let caller = torrent.caller(7, 7_000);
        torrent.engine.handle_connect_failed(torrent.now, addr(2));
        torrent.dialled.clear();
        // The same one again changes nothing.
        torrent.announce("one", &[addr(1)]);
        assert_eq!((torrent.dialled.len(), torrent.dismissed.len()), (0, 0));

        torrent.announce("two", &[addr(5), addr(2)]);
        // A peer that was being dialled when the tracker changed.
        let late = torrent.connect(addr(3), Direction::Outgoing);
        let left: Vec<_> = [called, caller]
            .into_iter()
            .map(|key| (key, Refusal::OtherTracker))
            .collect();
        if private {
            assert_eq!(torrent.dismissed, left);
            assert_eq!(late, Err(Refusal::OtherTracker));
            // The one that both name is called at once: its failure was the former's.
            torrent.dialled.sort_unstable();
            assert_eq!(torrent.dialled, [addr(2), addr(5)]);
        } else {
            assert_eq!(torrent.dismissed, []);
            late.unwrap();
            assert_eq!(torrent.dialled, [addr(5)]);
        }
        let is_there = |key| torrent.commands.iter().any(|(peer, _)| *peer == key);
        assert!(is_there(friend), "whom the user named stays");
        torrent.later(60 * MINUTE);
        let again = |addr: SocketAddr| torrent.dialled.contains(&addr);
        assert!(!private || (!again(addr(1)) && !again(addr(3))));
    }
}

#[test]
fn one_message_with_100_000_peers_is_refused_or_cut_and_never_taken_in_whole() {
    let now = Instant::now();
    let mut bulk = named(&[], PexFlags::NONE);
    bulk.added = (0..100_000u32)
        .map(|n| PexPeer {
            addr: SocketAddr::from(((0x0808_0000 + n).to_be_bytes(), 6881)),
            flags: PexFlags::HOLEPUNCH,
        })
        .collect();
    let id = ExtensionId::UtPex.as_u8();
    // As it is, it is longer than any message may be: nothing is kept of it.
    let mut flooded = connection(false);
    let refused = receive(&mut flooded, now, id, bulk.encode());
    assert!(matches!(refused, Err(Violation::Wire(_))), "{refused:?}");
    assert_eq!(flooded.take_facts(), []);
    // The longest that may be is cut by the decoder, and what is left by the quota.
    bulk.added.truncate(18_000);
    let mut connection = connection(false);
    let mut torrent = Torrent::new(false);
    let peer = torrent.caller(1, 7_000);
    for _ in 0..100 {
        torrent.now += MINUTE;
        receive(&mut connection, torrent.now, id, bulk.encode()).unwrap();
        for fact in connection.take_facts() {
            let Fact::Pex(message) = &fact else {
                panic!("{fact:?}")
            };
            assert_eq!(message.added.len(), 200);
            torrent.tell(peer, fact);
        }
        // They are others each time.
        bulk.added.drain(..100);
    }
    // 200 of its own words, and itself.
    assert_eq!(torrent.engine.stats(torrent.now).known_addrs, 201);
}

#[test]
fn peers_far_away_do_not_name_addresses_of_our_own_network() {
    let mut torrent = Torrent::new(false);
    let peer = torrent.caller(1, 7_000);
    let near = ["10.0.0.1:80", "127.0.0.1:22", "[fe80::1]:6881", "0.0.0.0:1"];
    let near = near.map(|addr| addr.parse().unwrap());
    torrent.tell(peer, Fact::Pex(named(&near, PexFlags::NONE)));
    for addr in near {
        torrent.tell(peer, Fact::Holepunch(Holepunch::Connect(addr)));
    }
    assert_eq!(torrent.dialled, []);
}

#[test]
fn a_metadata_size_of_4_gb_in_a_handshake_is_nothing() {
    let mut connection = connection(false);
    for size in ["4294967296", "4294967295", "-1", "99999999999999999999"] {
        let payload = format!("d1:md11:ut_metadatai2ee13:metadata_sizei{size}e4:reqqi9ee");
        receive(&mut connection, Instant::now(), 0, payload.into_bytes()).unwrap();
        let facts = connection.take_facts();
        let understood = facts
            .iter()
            .any(|fact| matches!(fact, Fact::Hello(hello) if hello.request_queue == Some(9)));
        // A number that fits no integer makes the whole unreadable, which is as if it had not come.
        assert!(
            understood || (facts.is_empty() && size.len() > 19),
            "{size}: {facts:?}"
        );
    }
}

#[test]
fn a_flood_of_hole_punching_has_bounded_consequences() {
    let mut connection = connection(false);
    let mut torrent = Torrent::new(false);
    let relay = torrent.caller(1, 7_000);
    let id = ExtensionId::UtHolepunch.as_u8();
    let began = torrent.now;
    let mut heard = 0;
    for n in 0..60_000u32 {
        torrent.now = began + Duration::from_millis(u64::from(n));
        let stranger = SocketAddr::from(((0x0808_0000 + n).to_be_bytes(), 6881));
        let message = match n % 3 {
            0 => Holepunch::Connect(stranger),
            1 => Holepunch::Rendezvous(stranger),
            _ => Holepunch::Error {
                addr: stranger,
                error: tailwater_wire::HolepunchError::NotConnected,
            },
        };
        receive(&mut connection, torrent.now, id, message.encode()).unwrap();
        for fact in connection.take_facts() {
            heard += 1;
            torrent.tell(relay, fact);
        }
    }
    // 50 at once and one each two seconds of the minute.
    assert_eq!(heard, 50 + 29);
    assert!(torrent.commands.len() <= heard + 1);
    // Four at once and one each 15 s.
    assert!(torrent.dialled.len() <= 8, "{:?}", torrent.dialled.len());
    let stats = torrent.engine.stats(torrent.now);
    assert!(stats.known_addrs <= 1 + torrent.dialled.len());
    // None of them is called again.
    for addr in std::mem::take(&mut torrent.dialled) {
        torrent.engine.handle_connect_failed(torrent.now, addr);
    }
    torrent.later(60 * MINUTE);
    // But the relay, which leaves as it is of no use.
    torrent.dialled.retain(|addr| addr.port() != 7_000);
    assert_eq!(torrent.dialled, []);
}

/// Relay, leech and seed: the relay knows both; the seed cannot be connected to.
fn behind_nat(private: bool) -> (Swarm, [usize; 3]) {
    let mut swarm = Swarm::new(11, Payload::new(11, 400_000, 32_768));
    if !private {
        swarm.make_public();
    }
    let seed = swarm.seed(Link::lan(), Manner::Refuser);
    let leech = swarm.leech(Link::lan());
    let relay = swarm.leech(Link::lan());
    swarm.put_behind_nat(seed);
    swarm.introduce(seed, &[relay]);
    swarm.introduce(leech, &[relay]);
    (swarm, [seed, leech, relay])
}

fn knows(swarm: &Swarm, node: usize, other: usize) -> bool {
    let octet = u8::try_from(other + 1).unwrap();
    let ip = IpAddr::from([10, 0, 0, octet]);
    swarm.peers(node).iter().any(|peer| peer.addr.ip() == ip)
}

#[test]
fn a_peer_that_nobody_can_reach_is_met_through_a_relay() {
    let (mut swarm, [seed, leech, relay]) = behind_nat(false);
    swarm.keep_commands(leech);
    let met = |swarm: &Swarm| knows(swarm, leech, seed);
    let time = swarm.run_until(5 * MINUTE, met);
    assert!(time < 2 * MINUTE, "{time:?}");
    assert!(knows(&swarm, leech, relay));
    let asked = |command: &Command| matches!(command, Command::Holepunch(_));
    let commands = &swarm.nodes[leech].commands;
    let count = commands.iter().filter(|(_, c)| asked(c)).count();
    assert_eq!(count, 1, "one introduction is asked for, once");
}

#[test]
fn in_private_nobody_is_met_through_others() {
    let (mut swarm, [seed, leech, relay]) = behind_nat(true);
    swarm.run_for(10 * MINUTE);
    assert!(knows(&swarm, leech, relay) && knows(&swarm, seed, relay));
    assert!(!knows(&swarm, leech, seed));
}

#[test]
fn a_third_peer_is_found_through_a_second_in_public_only() {
    for private in [false, true] {
        let mut swarm = Swarm::new(4, Payload::new(4, 400_000, 32_768));
        if !private {
            swarm.make_public();
        }
        let nodes = [(); 3].map(|()| swarm.leech(Link::lan()));
        swarm.introduce(nodes[0], &nodes[1..2]);
        swarm.introduce(nodes[2], &nodes[1..2]);
        swarm.run_for(3 * MINUTE);
        assert_eq!(knows(&swarm, nodes[0], nodes[2]), !private);
    }
}

#[test]
fn seeds_let_each_other_go_and_do_not_come_back() {
    let mut swarm = Swarm::new(6, Payload::new(6, 400_000, 32_768));
    swarm.make_public();
    let seeds = [(); 2].map(|()| swarm.seed(Link::lan(), Manner::Honest));
    swarm.introduce(seeds[0], &seeds[1..]);
    swarm.run_for(MINUTE);
    assert_eq!(
        (swarm.stats(seeds[0]).peers, swarm.stats(seeds[1]).peers),
        (0, 0)
    );
    let connected = swarm.nodes[seeds[1]].accepted;
    assert_eq!(connected, 1);
    swarm.run_for(60 * MINUTE);
    assert_eq!(swarm.nodes[seeds[1]].accepted, 1, "called again in vain");
    // As soon as it lacks something, the other is worth a call.
    let piece = swarm.payload(seeds[0]).geometry.piece(2).unwrap();
    swarm.give_up(seeds[0], piece);
    swarm.run_until(MINUTE, |swarm| swarm.is_complete(seeds[0]));
}
