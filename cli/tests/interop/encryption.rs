//! Encrypted connections (MSE) with each client that takes no others, in each direction, and with all of them at once.

use crate::client::{After, Client, Setting};
use crate::enabled;
use crate::ours::Start;
use crate::payload;
use crate::place::Place;

/// They seed and take no plain connection; we download, with a policy.
fn download(client: Client, after: After, policy: &str) {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::MANY_FILES);
    let torrent = place.torrent(&[]);
    let seeder = client.seed_in(Setting::encrypted(after), &place, &torrent);
    let out = place.folder("out");
    let (home, peers) = (place.path(""), [seeder.addr]);
    let start = Start::new(&home, &torrent, &peers).encryption(policy);
    start.download(&out).process.succeed();
    place.assert_arrived(&out);
}

/// We seed with a policy; they download and take no plain connection.
fn seed(client: Client, after: After, policy: &str) {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::MANY_FILES);
    let out = place.folder("out");
    client.leech_from_in(Setting::encrypted(after), &place, &out, |torrent, peers| {
        let home = place.path("");
        let start = Start::new(&home, torrent, peers).encryption(policy);
        start.seed(&place.data())
    });
}

/// Each policy that reaches such a peer, and both ways to go on.
fn with(client: Client, direction: fn(Client, After, &str)) {
    direction(client, After::Rc4, "require");
    direction(client, After::Rc4, "prefer");
    direction(client, After::Rc4, "allow");
    direction(client, After::Plaintext, "require");
    direction(client, After::Plaintext, "prefer");
}

#[test]
fn we_download_from_libtorrent() {
    with(Client::Libtorrent, download);
}

#[test]
fn libtorrent_downloads_from_us() {
    with(Client::Libtorrent, seed);
}

#[test]
fn we_download_from_transmission() {
    // It takes its time to begin: not each policy, and what follows the handshake cannot be chosen.
    download(Client::Transmission, After::Rc4, "require");
    download(Client::Transmission, After::Rc4, "prefer");
}

#[test]
fn transmission_downloads_from_us() {
    // It takes its time to begin: not each policy, and what follows the handshake cannot be chosen.
    seed(Client::Transmission, After::Rc4, "require");
    seed(Client::Transmission, After::Rc4, "prefer");
}

#[test]
fn we_download_from_aria2() {
    with(Client::Aria2, download);
}

#[test]
fn aria2_downloads_from_us() {
    with(Client::Aria2, seed);
}

#[test]
fn a_swarm_of_all_of_them_in_which_ours_requires_encryption() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::MANY_FILES);
    let (_tracker, url) = place.tracker();
    let torrent = place.torrent(&[&url]);
    let seeder = Client::Libtorrent.seed_in(Setting::encrypted(After::Plaintext), &place, &torrent);
    let (out, home) = (place.folder("ours"), place.path(""));
    let transmission = place.folder("transmission");
    let leech = Client::Transmission.leech_in(
        Setting::encrypted(After::Rc4),
        &place,
        &torrent,
        &transmission,
    );
    let peers = [seeder.addr, leech.addr];
    let start = Start::new(&home, &torrent, &peers).encryption("require");
    let ours = start.download_and_seed(&out);
    ours.event("completed");
    leech.complete(&place, &transmission);
    for (client, after) in [
        (Client::Aria2, After::Rc4),
        (Client::Libtorrent, After::Rc4),
    ] {
        let out = place.folder(&format!("{client:?}"));
        let leech = client.leech_in(Setting::encrypted(after), &place, &torrent, &out);
        leech.complete(&place, &out);
    }
    place.assert_arrived(&out);
}
