//! All clients at once.

use crate::client::Client;
use crate::enabled;
use crate::ours::Start;
use crate::payload::{MANY_FILES, ONE_FILE, PIECES_OF_16_KIB, Shape};
use crate::place::Place;

/// One seed, and libtorrent, Transmission, aria2 and three of ours that download, found through our tracker.
fn everybody(seeder: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let (_tracker, url) = place.tracker();
    let torrent = place.torrent(&[&url]);
    let seeder = seeder.seed(&place, &torrent);
    let start = |home: &str| (place.folder(home), place.folder(&format!("{home}/out")));
    let others = [Client::Libtorrent, Client::Transmission, Client::Aria2].map(|client| {
        let out = place.folder(&format!("{client:?}"));
        (client.leech(&place, &torrent, &out), out)
    });
    // On loopback Transmission waits to be found, and those that asked the tracker before it do not.
    let known = [seeder.addr, others[1].0.addr];
    let (home_1, out_1) = start("ours-1");
    let (home_2, out_2) = start("ours-2");
    let home_3 = place.folder("ours-3");
    let ours = [
        Start::new(&home_1, &torrent, &known).download_and_seed(&out_1),
        Start::new(&home_2, &torrent, &[]).download_and_seed(&out_2),
        Start::new(&home_3, &torrent, &[]).download_to_memory_and_seed(),
    ];
    for one in &ours {
        one.event("completed");
    }
    for (peer, out) in others {
        peer.complete(&place, &out);
    }
    place.assert_arrived(&out_1);
    place.assert_arrived(&out_2);
}

#[test]
fn from_libtorrent() {
    everybody(Client::Libtorrent, ONE_FILE);
}

#[test]
fn from_aria2() {
    everybody(Client::Aria2, MANY_FILES);
}

#[test]
fn from_transmission() {
    everybody(Client::Transmission, PIECES_OF_16_KIB);
}
