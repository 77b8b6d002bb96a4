//! Peers behind routers that translate addresses: over uTP they reach each other all the same, introduced by a peer that
//! both are connected to (BEP 55).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::client::Setting;
use crate::discovery_lab::{Lab, Machine};
use crate::nat_lab::{Home, Mapping, PORT};
use crate::payload::ONE_FILE;
use crate::place::Place;
use crate::process::Process;
use crate::{enabled, libtorrent, ours};

/// The internet with a relay: a peer that is connected to all others. It streams, has no reader, and room for a third of the
/// payload: the rest goes from peer to peer.
struct Swarm {
    lab: Lab,
    place: Place,
    relay: Machine,
    torrent: PathBuf,
    /// Over which transports those that join connect.
    transport: &'static str,
    _relay: Process,
}

impl Swarm {
    fn new() -> Self {
        let lab = Lab::internet();
        let relay = lab.machine();
        let place = Place::new(ONE_FILE);
        let torrent = place.torrent(&[]);
        let more = ["--http", "127.0.0.1:0", "--memory", "2MiB"];
        let process = run(&place, &relay, "stream", &torrent, &more);
        process.line("listening on");
        Self {
            lab,
            place,
            relay,
            torrent,
            transport: "both",
            _relay: process,
        }
    }

    /// Starts a peer that knows the relay and no other, and waits until they are connected.
    fn join(&self, machine: &Machine, verb: &str, data: &Path) -> Process {
        let peer = self.relay.at(PORT).to_string();
        let data = data.to_str().unwrap();
        let more = match verb {
            "seed" => &["--peer", &peer, "--data", data][..],
            // What is there already counts.
            _ => &["--peer", &peer, "--check", "--seed", "-o", data],
        };
        let more = [more, &["--transport", self.transport]].concat();
        let process = run(&self.place, machine, verb, &self.torrent, &more);
        process.line(&format!("peer {peer} "));
        process
    }

    fn seed(&self, machine: &Machine) -> Process {
        self.join(machine, "seed", &self.place.data())
    }

    /// A leech that has nothing downloads all from a seed at `from`.
    fn transfer(&self, seed: &Machine, from: impl Into<SocketAddr>, leech: &Machine) {
        let seed = self.seed(seed);
        let out = self.place.folder("out");
        let leech = self.join(leech, "download", &out);
        find_peer(&leech, from);
        leech.line("complete:");
        self.place.assert_arrived(&out);
        assert_introduced(&[seed, leech]);
    }
}

fn run(place: &Place, machine: &Machine, verb: &str, torrent: &Path, more: &[&str]) -> Process {
    let home = place.folder(machine.namespace());
    let mut command = ours::tailwater_in(Setting::on(machine), &home);
    command.arg(verb).arg(torrent).args([
        "--no-dht",
        "--no-lsd",
        "--no-port-map",
        "--no-progress",
        "-vv",
    ]);
    Process::start(&format!("tailwater {verb}"), command.args(more))
}

/// Waits for a connection over uTP, whichever side began it.
fn find_peer(process: &Process, peer: impl Into<SocketAddr>) {
    let name = format!("peer {} ", peer.into());
    process.find(&name, |line| {
        (line.contains(&name) && line.contains("(uTP, ")).then_some(())
    });
}

/// The relay's message comes first to at least one of the two; then the other may be connected to already.
#[track_caller]
fn assert_introduced(peers: &[Process]) {
    let said: Vec<_> = peers.iter().flat_map(Process::said).collect();
    assert!(said.iter().any(|line| line.contains("introduced by")));
}

/// Each home has a half of the payload: each gets the other from the other, and not from the relay.
#[test]
fn two_peers_behind_nats_are_introduced_and_serve_each_other() {
    if !enabled() {
        return;
    }
    let swarm = Swarm::new();
    let homes = [(); 2].map(|()| Home::new(&swarm.lab, Mapping::Same));
    let payload = fs::read(swarm.place.payload()).unwrap();
    let outs = ["first half", "second half"].map(|name| swarm.place.folder(name));
    // No piece is in both halves.
    let middle = 12 * usize::try_from(ONE_FILE.piece_kib * 1_024).unwrap();
    for (is_first, out) in [true, false].into_iter().zip(&outs) {
        let mut half = payload.clone();
        match is_first {
            true => half[middle..].fill(0),
            false => half[..middle].fill(0),
        }
        fs::write(out.join(ONE_FILE.name), half).unwrap();
    }
    let [first, second] =
        [0, 1].map(|number: usize| swarm.join(&homes[number].machine, "download", &outs[number]));
    for (process, other) in [(&first, &homes[1]), (&second, &homes[0])] {
        find_peer(process, (other.ip_addr(), PORT));
    }
    for (process, out) in [(&first, &outs[0]), (&second, &outs[1])] {
        process.line("complete:");
        swarm.place.assert_arrived(out);
    }
    assert_introduced(&[first, second]);
}

/// The port that the relay sees is another one than the peer says that it listens at.
#[test]
fn a_nat_may_change_the_port_if_it_is_the_same_for_all() {
    if !enabled() {
        return;
    }
    let mut swarm = Swarm::new();
    // Over TCP, which is used when uTP is slow to connect, the relay sees no port of uTP.
    swarm.transport = "utp";
    let seed = Home::new(&swarm.lab, Mapping::Fixed(7_777));
    let leech = Home::new(&swarm.lab, Mapping::Fixed(8_888));
    let from = (seed.ip_addr(), 7_777);
    swarm.transfer(&seed.machine, from, &leech.machine);
}

#[test]
fn one_behind_a_nat_and_one_that_is_not_reach_each_other() {
    if !enabled() {
        return;
    }
    for is_seed_at_home in [true, false] {
        let swarm = Swarm::new();
        let home = Home::new(&swarm.lab, Mapping::Same);
        let public = swarm.lab.machine();
        match is_seed_at_home {
            true => swarm.transfer(&home.machine, (home.ip_addr(), PORT), &public),
            false => swarm.transfer(&public, (public.ip_addr(), PORT), &home.machine),
        }
    }
}

/// Each address that such a router sends to sees another port, so nobody can know which. They try, and leave it at that.
#[test]
fn nats_with_a_port_for_each_peer_are_not_hammered() {
    if !enabled() {
        return;
    }
    let swarm = Swarm::new();
    let [seed, leech] = [(); 2].map(|()| Home::new(&swarm.lab, Mapping::Random));
    seed.count(leech.ip_addr());
    leech.count(seed.ip_addr());
    let seeding = swarm.seed(&seed.machine);
    let leeching = swarm.join(&leech.machine, "download", &swarm.place.folder("out"));
    // The port that the relay sees, and then the one that the seed says it listens at.
    for _ in 0..2 {
        leeching.find("a dial that failed", |line| {
            let is_to_seed = line.contains(&format!("addr={}:", seed.ip_addr()));
            (is_to_seed && line.contains("connecting: no answer")).then_some(())
        });
    }
    seeding.line("connecting: no answer");
    // A dial sends four datagrams: three that begin a connection, one that ends it.
    let sent = [leech.counted(), seed.counted()];
    assert!((1..=12).contains(&sent[0]), "{sent:?}");
    assert!((1..=4).contains(&sent[1]), "{sent:?}");
    let said = [leeching.said(), seeding.said()].concat();
    assert!(!said.iter().any(|line| line.contains("panicked")));
}

/// A libtorrent in a home, told of the relay alone.
const fn at_home(home: &Home) -> Setting<'_> {
    Setting {
        machine: Some(&home.machine),
        dht: &[],
        exchange: true,
        local: false,
        mean: false,
        max_up: None,
        encrypted: None,
        utp: true,
    }
}

#[test]
fn we_are_introduced_to_a_libtorrent_that_seeds() {
    if !enabled() {
        return;
    }
    let swarm = Swarm::new();
    let [theirs, ours] = [(); 2].map(|()| Home::new(&swarm.lab, Mapping::Same));
    let relay = [swarm.relay.at(PORT)];
    let data = swarm.place.data();
    let _seed = libtorrent::seed_in(at_home(&theirs), &swarm.torrent, &data, &relay);
    let out = swarm.place.folder("out");
    let leech = swarm.join(&ours.machine, "download", &out);
    find_peer(&leech, (theirs.ip_addr(), PORT));
    leech.line("complete:");
    swarm.place.assert_arrived(&out);
    assert_introduced(&[leech]);
}

#[test]
fn a_libtorrent_that_downloads_is_introduced_to_us() {
    if !enabled() {
        return;
    }
    let swarm = Swarm::new();
    let [theirs, ours] = [(); 2].map(|()| Home::new(&swarm.lab, Mapping::Same));
    let seed = swarm.seed(&ours.machine);
    let out = swarm.place.folder("out");
    let relay = [swarm.relay.at(PORT)];
    let (leech, _) = libtorrent::leech_in(at_home(&theirs), &swarm.torrent, &out, &relay);
    libtorrent::complete(&leech);
    swarm.place.assert_arrived(&out);
    assert_introduced(&[seed]);
}
