//! Peers that are found without a tracker and without the DHT: named by other peers (BEP 11), or discovered on the
//! local network (BEP 14).

use std::time::Duration;

use crate::client::{Client, Setting};
use crate::discovery_lab::{Lab, Machine};
use crate::ours::{self, Start};
use crate::payload::{LAST_PIECE_OF_1_BYTE, ONE_FILE};
use crate::place::Place;
use crate::process::Process;
use crate::{enabled, libtorrent};

/// Transmission tells its peers of others every 90 seconds, and not before.
const TOLD_WITHIN: Duration = Duration::from_secs(150);

const LISTENER: &str = include_str!("lsd_listener.py");

/// A client on `machine` that may find peers by peer exchange and in no other way.
const fn told(machine: &Machine) -> Setting<'_> {
    Setting {
        machine: Some(machine),
        dht: &[],
        exchange: true,
        local: false,
        mean: false,
        max_up: None,
        encrypted: None,
        utp: false,
    }
}

/// The same, and it uploads next to nothing: a client that completes has found another peer.
const fn mean(machine: &Machine) -> Setting<'_> {
    Setting {
        mean: true,
        ..told(machine)
    }
}

/// Ours sends: it is connected to a seed and a leech of the other client, which know no other peer.
fn ours_tells(client: Client) {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let [seed, leech, teller] = [(); 3].map(|()| lab.machine());
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    // It is told nothing: two libtorrent clients that learn of each other at the same time disconnect each other for a
    // minute.
    let seed = client.seed_in(Setting::on(&seed), &place, &torrent);
    let out = place.folder("out");
    let leech = client.leech_in(told(&leech), &place, &torrent, &out);
    let home = place.folder("home");
    let peers = [seed.addr, leech.addr];
    let start = Start::new(&home, &torrent, &peers).within(mean(&teller));
    let _teller = start.download_and_seed(&place.folder("told"));
    leech.complete(&place, &out);
}

/// Ours receives: it knows a leech of the other client, to which a libtorrent seed is connected too.
fn ours_is_told(client: Client) {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let [seed, leech, teller] = [(); 3].map(|()| lab.machine());
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let there = place.folder("told");
    let teller = client.leech_in(mean(&teller), &place, &torrent, &there);
    let peers = [teller.addr];
    // It is told nothing.
    let alone = Setting::on(&seed);
    let (seed, _) = libtorrent::seed_in(alone, &torrent, &place.data(), &peers);
    seed.line("connected to ");
    if client == Client::Transmission {
        // Until it knows on which port a peer listens, it names the source port of the connection.
        teller.process.line("dl from 1 of 1 peers");
    }
    let home = place.folder("home");
    let start = Start::new(&home, &torrent, &peers).within(told(&leech));
    let out = place.folder("out");
    start.download(&out).process.succeed_within(TOLD_WITHIN);
    place.assert_arrived(&out);
}

#[test]
fn ours_tells_libtorrent() {
    ours_tells(Client::Libtorrent);
}

#[test]
fn ours_tells_transmission() {
    ours_tells(Client::Transmission);
}

#[test]
fn ours_tells_aria2() {
    ours_tells(Client::Aria2);
}

#[test]
fn libtorrent_tells_ours() {
    ours_is_told(Client::Libtorrent);
}

#[test]
fn transmission_tells_ours() {
    ours_is_told(Client::Transmission);
}

/// aria2 names the peers of the last minute, for the first time after a minute: the seed has to come after ours.
#[test]
fn aria2_tells_ours() {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let [seed, leech, teller] = [(); 3].map(|()| lab.machine());
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let there = place.folder("told");
    let teller = Client::Aria2.leech_in(mean(&teller), &place, &torrent, &there);
    let peers = [teller.addr];
    let home = place.folder("home");
    let start = Start::new(&home, &torrent, &peers).within(told(&leech));
    let out = place.folder("out");
    let mut ours = start.download(&out);
    ours.event_where("progress", |progress| progress["peers"] == 1);
    let (seed, _) = libtorrent::seed_in(Setting::on(&seed), &torrent, &place.data(), &peers);
    seed.line("connected to ");
    ours.process.succeed_within(TOLD_WITHIN);
    place.assert_arrived(&out);
}

/// A client on `machine` that may find peers by local discovery and in no other way.
const fn on_network(machine: &Machine) -> Setting<'_> {
    Setting {
        machine: Some(machine),
        dht: &[],
        exchange: false,
        local: true,
        mean: false,
        max_up: None,
        encrypted: None,
        utp: false,
    }
}

/// Theirs starts first, and receives our announce.
fn ours_is_heard(client: Client) {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let [seed, leech] = [(); 2].map(|()| lab.machine());
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let _seed = client.seed_in(on_network(&seed), &place, &torrent);
    let home = place.folder("home");
    let start = Start::new(&home, &torrent, &[]).within(on_network(&leech));
    let out = place.folder("out");
    start.download(&out).process.succeed();
    place.assert_arrived(&out);
}

/// Ours starts first, and receives their announce.
fn ours_hears(client: Client) {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let [seed, leech] = [(); 2].map(|()| lab.machine());
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let home = place.folder("home");
    let start = Start::new(&home, &torrent, &[]).within(on_network(&seed));
    let _seed = start.seed(&place.data());
    let out = place.folder("out");
    let leech = client.leech_in(on_network(&leech), &place, &torrent, &out);
    leech.complete(&place, &out);
}

#[test]
fn libtorrent_hears_ours() {
    ours_is_heard(Client::Libtorrent);
}

#[test]
fn transmission_hears_ours() {
    ours_is_heard(Client::Transmission);
}

#[test]
fn aria2_hears_ours() {
    ours_is_heard(Client::Aria2);
}

#[test]
fn ours_hears_libtorrent() {
    ours_hears(Client::Libtorrent);
}

#[test]
fn ours_hears_transmission() {
    ours_hears(Client::Transmission);
}

#[test]
fn ours_hears_aria2() {
    ours_hears(Client::Aria2);
}

/// One process seeds two torrents, of which one is private (BEP 27): that one is not announced.
#[test]
fn private_torrents_are_not_announced() {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let [seed, listener] = [(); 2].map(|()| lab.machine());
    let place = Place::new(LAST_PIECE_OF_1_BYTE);
    let (public, private) = (place.torrent(&[]), place.private_torrent());
    let mut command = listener.command(libtorrent::python());
    command.args(["-u", "-c", LISTENER, &listener.ip_addr().to_string()]);
    let listening = Process::start("listener", &mut command);
    listening.line("listening");
    let home = place.folder("home");
    let start = Start::new(&home, &private, &[]).within(on_network(&seed));
    let _ours = start.seed_with(&public, &place.data());
    let [public, private] = [public, private].map(|torrent| ours::info_hash(&torrent));
    listening.line(&format!("announced {public} by {}", seed.ip_addr()));
    let said = listening.said().join("\n");
    assert!(!said.contains(&private), "{said}");
}

/// With all that finds peers switched on, on a machine that has no network, not even a loopback interface that is up.
#[test]
fn without_a_network_it_waits_and_says_so() {
    if !enabled() {
        return;
    }
    let machine = Machine::cut_off();
    let home = tempfile::tempdir().unwrap();
    let mut command = ours::tailwater_in(Setting::on(&machine), home.path());
    let link = format!("magnet:?xt=urn:btih:{}", "ab".repeat(20));
    let mut waiting = Process::start("tailwater download", command.args(["download", &link]));
    waiting.line("waiting for metadata: looking for DHT nodes; no peers found");
    waiting.interrupt();
    assert_eq!(waiting.exit_code_within(Duration::from_secs(2)), 130);
}
