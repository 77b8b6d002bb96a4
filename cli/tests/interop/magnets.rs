//! Magnet links: metadata fetched from other clients, and served to them (BEP 9).

use std::path::Path;

use crate::client::Client;
use crate::enabled;
use crate::ours::{self, Start};
use crate::payload::{MANY_FILES, ONE_FILE, Shape};
use crate::place::Place;

/// They seed; we have a link that names them.
fn fetched_from(client: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let torrent = place.torrent(&[]);
    let seeder = client.seed(&place, &torrent);
    let link = format!("{}&x.pe={}", link(&torrent), seeder.addr);
    let out = place.folder("out");
    let mut ours = Start::new(&place.folder("home"), Path::new(&link), &[]).download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
    let told = ours.events("metadata");
    assert_eq!(told.last().unwrap()["name"], shape.name);
}

/// We seed; they have a link, and are led to us in the way that each takes.
fn served_to(client: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let out = place.folder("out");
    let home = place.path("");
    match client {
        Client::Libtorrent => {
            let torrent = place.torrent(&[]);
            let ours = Start::new(&home, &torrent, &[]).seed(&place.data());
            let link = format!("{}&x.pe={}", link(&torrent), ours.addr);
            let peer = client.leech(&place, Path::new(&link), &out);
            peer.complete(&place, &out);
        }
        // It knows no `x.pe`; a tracker names us.
        Client::Aria2 => {
            let (_tracker, url) = place.tracker();
            let torrent = place.torrent(&[&url]);
            let ours = Start::new(&home, &torrent, &[]).seed(&place.data());
            ours.event("tracker_answered");
            let link = link(&torrent);
            let peer = client.leech(&place, Path::new(&link), &out);
            peer.complete(&place, &out);
        }
        // It knows no `x.pe`, and takes no loopback address from a tracker: we connect to it.
        Client::Transmission => {
            let torrent = place.torrent(&[]);
            let link = link(&torrent);
            let peer = client.leech(&place, Path::new(&link), &out);
            let _ours = Start::new(&home, &torrent, &[peer.addr]).seed(&place.data());
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
