//! Networks of DHT nodes without a tracker: what one client announces the others find, by nothing but the info-hash.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, Setting};
use crate::dht_nodes::Nodes;
use crate::discovery_lab::{Lab, Machine};
use crate::ours::{self, Start, info_hash};
use crate::payload::{LAST_PIECE_OF_1_BYTE, MANY_FILES, ONE_FILE};
use crate::place::Place;
use crate::process;
use crate::{enabled, libtorrent};

/// Nodes of libtorrent in each network: more than the eight nearest to anything.
const NODES: u8 = 14;

/// A network without any announced peers.
pub(crate) fn network(lab: &Lab) -> Nodes {
    Nodes::start(lab, NODES, libtorrent::python())
}

/// A client on `machine` that may use the DHT and nothing else.
const fn in_dht<'a>(machine: &'a Machine, nodes: &'a [std::net::SocketAddr]) -> Setting<'a> {
    Setting {
        machine: Some(machine),
        dht: nodes,
        exchange: false,
        local: false,
        mean: false,
        max_up: None,
        encrypted: None,
        utp: false,
    }
}

fn bare_link(torrent: &Path) -> String {
    format!("magnet:?xt=urn:btih:{}", info_hash(torrent))
}

/// Each finds what the other announced.
fn both_ways(client: Client) {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let nodes = network(&lab);
    let known = nodes.addrs();
    let [to_us, from_us] = [ONE_FILE, MANY_FILES].map(Place::new);
    let [their_seed, their_leech, our_seed, our_leech] = [(); 4].map(|()| lab.machine());

    // They take their time to begin: both of them at once.
    let announced = to_us.torrent(&[]);
    let _seeder = client.seed_in(in_dht(&their_seed, &known), &to_us, &announced);
    let ours = from_us.torrent(&[]);
    let in_network = in_dht(&our_seed, &known[..1]);
    let home = from_us.folder("home");
    let _ours = Start::new(&home, &ours, &[])
        .within(in_network)
        .seed(&from_us.data());
    nodes.announced(&info_hash(&ours));
    let out = from_us.folder("out");
    let link = bare_link(&ours);
    let leech = client.leech_in(
        in_dht(&their_leech, &known),
        &from_us,
        Path::new(&link),
        &out,
    );

    nodes.announced(&info_hash(&announced));
    downloads(&our_leech, &known, &to_us, &announced);
    leech.complete(&from_us, &out);
}

/// Ours does, by the info-hash alone.
fn downloads(machine: &Machine, known: &[std::net::SocketAddr], place: &Place, torrent: &Path) {
    let link = bare_link(torrent);
    let out = place.folder("ours");
    let home = place.folder("home");
    let start = Start::new(&home, Path::new(&link), &[]).within(in_dht(machine, &known[..1]));
    start.download(&out).process.succeed();
    place.assert_arrived(&out);
}

#[test]
fn with_libtorrent() {
    both_ways(Client::Libtorrent);
}

#[test]
fn with_transmission() {
    both_ways(Client::Transmission);
}

#[test]
fn with_aria2() {
    both_ways(Client::Aria2);
}

/// What ours announces ours finds, and so does libtorrent when asked; what libtorrent announces the command finds, and what
/// the command announces libtorrent does.
#[test]
fn peers_are_found_and_announced() {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let nodes = network(&lab);
    let known = nodes.addrs();
    let theirs = "11".repeat(20);
    let peer = nodes.ask(&json!({"do": "announce", "hash": theirs, "port": 7001}));

    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let [seed, leech, asker] = [(); 3].map(|()| lab.machine());
    let home = place.folder("seeder");
    let start = Start::new(&home, &torrent, &[]).within(in_dht(&seed, &known[..1]));
    let ours = start.seed(&place.data());
    let hash = info_hash(&torrent);
    nodes.announced(&hash);
    downloads(&leech, &known, &place, &torrent);
    nodes.ask(&json!({"do": "peers", "hash": hash, "peer": ours.addr.to_string()}));

    let home = place.folder("asker");
    let dht = |args: &[&str]| dht_command(&asker, &home, &known, args);
    let said = dht(&["peers", &theirs]);
    assert!(peers(&said).contains(&peer), "{said:?}");

    let by_us = "77".repeat(20);
    dht(&["peers", &by_us, "--announce", "7002"]);
    let peer = asker.at(7002).to_string();
    nodes.ask(&json!({"do": "peers", "hash": by_us, "peer": peer}));

    // A node may have it that was asked before, so all samples are looked through.
    let said = dht(&["sample", "--limit", "3"]);
    let samples = said.iter().flat_map(|line| line["info_hashes"].as_array());
    let samples: Vec<_> = samples.flatten().collect();
    for stored in [&hash, &theirs, &by_us] {
        assert!(samples.contains(&&json!(stored)), "{stored}: {said:?}");
    }
}

/// Runs `tailwater dht`; what it says, line by line.
pub(crate) fn dht_command(
    machine: &Machine,
    home: &Path,
    known: &[std::net::SocketAddr],
    args: &[&str],
) -> Vec<Value> {
    let mut command = ours::tailwater_in(Setting::on(machine), home);
    command.arg("dht").args(args);
    command.args(["--json", "--dht-bootstrap", &known[0].to_string()]);
    let said = process::run(&format!("tailwater dht {}", args[0]), &mut command);
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn peers(said: &[Value]) -> Vec<Value> {
    let lines = said.iter().filter_map(|line| line["peers"].as_array());
    lines.flatten().cloned().collect()
}

/// One process seeds two torrents, of which one is private (BEP 27): that one must not be announced in the DHT.
#[test]
fn private_torrents_are_not_announced() {
    if !enabled() {
        return;
    }
    let lab = Lab::new();
    let nodes = network(&lab);
    let known = nodes.addrs();
    let place = Place::new(LAST_PIECE_OF_1_BYTE);
    let public = place.torrent(&[]);
    let private = place.private_torrent();
    let [seed, leech] = [(); 2].map(|()| lab.machine());
    let home = place.folder("home");
    let start = Start::new(&home, &private, &[]).within(in_dht(&seed, &known[..1]));
    let ours = start.seed_with(&public, &place.data());
    let hashes = [&public, &private].map(|torrent| info_hash(torrent));
    assert_ne!(hashes[0], hashes[1]);
    nodes.announced(&hashes[0]);
    // A client that has the file does not look there either.
    let home = place.folder("leecher");
    let peers = [ours.addr];
    let start = Start::new(&home, &private, &peers).within(in_dht(&leech, &known[..1]));
    let out = place.folder("out");
    start.download(&out).process.succeed();
    place.assert_arrived(&out);
    assert!(nodes.asked(&hashes[0]) > 0);
    assert_eq!(nodes.asked(&hashes[1]), 0);
}
