//! Magnet links: metadata fetched from other clients, and served to them (BEP 9).

use std::net::SocketAddr;
use std::path::Path;

use crate::client::{After, Client, Setting};
use crate::enabled;
use crate::ours::{self, Start};
use crate::payload::{MANY_FILES, ONE_FILE, Shape};
use crate::place::Place;

/// They seed; we have a link that names them.
fn fetched_from(client: Client, shape: Shape) {
    fetched_from_in(Setting::default(), client, shape, &["prefer", "both"]);
}

/// The same in a setting; ours has this encryption policy and transport.
fn fetched_from_in(setting: Setting<'_>, client: Client, shape: Shape, ours: &[&str; 2]) {
    let [policy, transport] = ours;
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let torrent = place.torrent(&[]);
    let seeder = client.seed_in(setting, &place, &torrent);
    let link = format!("{}&x.pe={}", link(&torrent), seeder.addr);
    let out = place.folder("out");
    let home = place.folder("home");
    let start = Start::new(&home, Path::new(&link), &[]);
    let mut ours = start.encryption(policy).transport(transport).download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
    let told = ours.events("metadata");
    assert_eq!(told.last().unwrap()["name"], shape.name);
}

/// We seed; they have a link, and are led to us in the way that each takes.
fn served_to(client: Client, shape: Shape) {
    served_to_in(Setting::default(), client, shape, &["prefer", "both"]);
}

/// The same in a setting; ours has this encryption policy and transport.
fn served_to_in(setting: Setting<'_>, client: Client, shape: Shape, ours: &[&str; 2]) {
    let [policy, transport] = ours;
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let out = place.folder("out");
    let home = place.path("");
    let seed = |torrent: &Path, peers: &[SocketAddr]| {
        let start = Start::new(&home, torrent, peers);
        let start = start.encryption(policy).transport(transport);
        start.seed(&place.data())
    };
    match client {
        Client::Libtorrent => {
            let torrent = place.torrent(&[]);
            let ours = seed(&torrent, &[]);
            let link = format!("{}&x.pe={}", link(&torrent), ours.addr);
            let peer = client.leech_in(setting, &place, Path::new(&link), &out);
            peer.complete(&place, &out);
        }
        // It knows no `x.pe`; a tracker names us.
        Client::Aria2 => {
            let (_tracker, url) = place.tracker();
            let torrent = place.torrent(&[&url]);
            let ours = seed(&torrent, &[]);
            ours.event("tracker_answered");
            let link = link(&torrent);
            let peer = client.leech_in(setting, &place, Path::new(&link), &out);
            peer.complete(&place, &out);
        }
        // It knows no `x.pe`, and takes no loopback address from a tracker: we connect to it.
        Client::Transmission => {
            let torrent = place.torrent(&[]);
            let link = link(&torrent);
            let peer = client.leech_in(setting, &place, Path::new(&link), &out);
            let _ours = seed(&torrent, &[peer.addr]);
            peer.complete(&place, &out);
        }
    }
}

fn link(torrent: &Path) -> String {
    ours::inspect(torrent)["magnet"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn fetched_from_libtorrent() {
    fetched_from(Client::Libtorrent, ONE_FILE);
    fetched_from(Client::Libtorrent, MANY_FILES);
}

#[test]
fn fetched_from_transmission() {
    fetched_from(Client::Transmission, ONE_FILE);
    fetched_from(Client::Transmission, MANY_FILES);
}

#[test]
fn fetched_from_aria2() {
    fetched_from(Client::Aria2, ONE_FILE);
    fetched_from(Client::Aria2, MANY_FILES);
}

#[test]
fn served_to_libtorrent() {
    served_to(Client::Libtorrent, ONE_FILE);
    served_to(Client::Libtorrent, MANY_FILES);
}

#[test]
fn served_to_transmission() {
    served_to(Client::Transmission, ONE_FILE);
    served_to(Client::Transmission, MANY_FILES);
}

#[test]
fn served_to_aria2() {
    served_to(Client::Aria2, ONE_FILE);
    served_to(Client::Aria2, MANY_FILES);
}

/// Metadata is the first thing that such a connection carries.
fn over_encrypted_connections(direction: fn(Setting<'_>, Client, Shape, &[&str; 2])) {
    let settings = [
        (Client::Libtorrent, After::Rc4),
        (Client::Libtorrent, After::Plaintext),
        // What follows the handshake cannot be chosen.
        (Client::Transmission, After::Rc4),
        (Client::Aria2, After::Rc4),
    ];
    for (client, after) in settings {
        let setting = Setting::encrypted(after);
        direction(setting, client, MANY_FILES, &["require", "tcp"]);
    }
}

fn over_utp(direction: fn(Setting<'_>, Client, Shape, &[&str; 2])) {
    let encrypted = Setting {
        encrypted: Some(After::Rc4),
        ..Setting::utp()
    };
    let plain = Setting::utp();
    direction(plain, Client::Libtorrent, MANY_FILES, &["allow", "utp"]);
    direction(
        encrypted,
        Client::Libtorrent,
        MANY_FILES,
        &["require", "both"],
    );
    direction(plain, Client::Transmission, MANY_FILES, &["allow", "utp"]);
    direction(
        encrypted,
        Client::Transmission,
        MANY_FILES,
        &["require", "utp"],
    );
}

#[test]
fn fetched_over_encrypted_connections() {
    over_encrypted_connections(fetched_from_in);
}

#[test]
fn served_over_encrypted_connections() {
    over_encrypted_connections(served_to_in);
}

#[test]
fn fetched_over_utp() {
    over_utp(fetched_from_in);
}

#[test]
fn served_over_utp() {
    over_utp(served_to_in);
}
