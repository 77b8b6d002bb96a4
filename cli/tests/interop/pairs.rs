//! One client and `tailwater`, in each direction, with torrents of each shape.

use crate::client::Client;
use crate::enabled;
use crate::ours::Start;
use crate::payload::{self, Shape};
use crate::place::Place;

/// They seed, we download to the disk.
fn to_our_disk(client: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let torrent = place.torrent(&[]);
    let seeder = client.seed(&place, &torrent);
    let out = place.folder("out");
    let peers = [seeder.addr];
    let mut ours = Start::new(&place.path(""), &torrent, &peers).download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
}

/// We seed from the disk, they download.
fn from_our_disk(client: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let out = place.folder("out");
    client.leech_from(&place, &out, |torrent, peers| {
        Start::new(&place.path(""), torrent, peers).seed(&place.data())
    });
}

/// They seed, we download to memory, and another of them downloads from there: that it arrives shows that it was right
/// in memory.
fn through_our_memory(client: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let seeder = client.seed(&place, &place.torrent(&[]));
    let out = place.folder("out");
    client.leech_from(&place, &out, |torrent, peers| {
        let peers = [&[seeder.addr], peers].concat();
        let ours = Start::new(&place.path(""), torrent, &peers).download_to_memory_and_seed();
        ours.event("completed");
        // The rest can come only from us.
        drop(seeder);
        ours
    });
}

/// They seed, we download to memory and end; nothing is written.
fn leaves_the_disk_alone(client: Client) {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::ONE_FILE);
    let torrent = place.torrent(&[]);
    let seeder = client.seed(&place, &torrent);
    let (home, peers) = (place.folder("home"), [seeder.addr]);
    let mut ours = Start::new(&home, &torrent, &peers).download_to_memory();
    ours.process.succeed();
    assert!(payload::hashes(&home).is_empty());
}

#[test]
fn a_download_to_memory_writes_nothing() {
    for client in [Client::Libtorrent, Client::Transmission, Client::Aria2] {
        leaves_the_disk_alone(client);
    }
}

/// A test for each shape.
macro_rules! shapes {
    ($client:ident, $direction:ident) => {
        mod $direction {
            use crate::client::Client;
            use crate::payload;

            #[test]
            fn one_file() {
                crate::pairs::$direction(Client::$client, payload::ONE_FILE);
            }

            #[test]
            fn many_files() {
                crate::pairs::$direction(Client::$client, payload::MANY_FILES);
            }

            #[test]
            fn last_piece_of_1_byte() {
                crate::pairs::$direction(Client::$client, payload::LAST_PIECE_OF_1_BYTE);
            }

            #[test]
            fn pieces_of_16_kib() {
                crate::pairs::$direction(Client::$client, payload::PIECES_OF_16_KIB);
            }

            #[test]
            fn pieces_of_16_mib() {
                crate::pairs::$direction(Client::$client, payload::PIECES_OF_16_MIB);
            }
        }
    };
}

mod libtorrent {
    shapes!(Libtorrent, to_our_disk);
    shapes!(Libtorrent, from_our_disk);
    shapes!(Libtorrent, through_our_memory);
}

mod transmission {
    shapes!(Transmission, to_our_disk);
    shapes!(Transmission, from_our_disk);
    shapes!(Transmission, through_our_memory);
}

mod aria2 {
    shapes!(Aria2, to_our_disk);
    shapes!(Aria2, from_our_disk);
    shapes!(Aria2, through_our_memory);
}
