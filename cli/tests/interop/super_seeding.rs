//! Super-seeding (BEP 16): other clients download everything from us, told of one piece after the other.

use crate::client::Client;
use crate::enabled;
use crate::ours::Start;
use crate::payload::{self, Shape};
use crate::place::Place;

fn super_seed(client: Client, shape: Shape) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let out = place.folder("out");
    client.leech_from(&place, &out, |torrent, peers| {
        Start::new(&place.path(""), torrent, peers).super_seed(&place.data())
    });
}

#[test]
fn libtorrent_downloads_from_a_super_seed() {
    super_seed(Client::Libtorrent, payload::MANY_FILES);
}

#[test]
fn transmission_downloads_from_a_super_seed() {
    super_seed(Client::Transmission, payload::MANY_FILES);
}

#[test]
fn aria2_downloads_from_a_super_seed() {
    super_seed(Client::Aria2, payload::MANY_FILES);
}
