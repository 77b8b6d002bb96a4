//! Transfers over uTP (BEP 29) with clients that speak nothing else, in each direction, plain and encrypted.

use crate::client::{After, Client, Setting};
use crate::enabled;
use crate::ours::Start;
use crate::payload::{self, Shape};
use crate::place::Place;

/// They seed over uTP, we download.
fn download(client: Client, setting: Setting<'_>, shape: Shape, transport: &str) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let torrent = place.torrent(&[]);
    let seeder = client.seed_in(setting, &place, &torrent);
    let out = place.folder("out");
    let (home, peers) = (place.path(""), [seeder.addr]);
    let start = Start::new(&home, &torrent, &peers).transport(transport);
    start.download(&out).process.succeed();
    place.assert_arrived(&out);
}

/// We seed, they download over uTP.
fn seed(client: Client, setting: Setting<'_>, shape: Shape, transport: &str) {
    if !enabled() {
        return;
    }
    let place = Place::new(shape);
    let out = place.folder("out");
    client.leech_from_in(setting, &place, &out, |torrent, peers| {
        let home = place.path("");
        let start = Start::new(&home, torrent, peers).transport(transport);
        start.seed(&place.data())
    });
}

fn encrypted() -> Setting<'static> {
    Setting {
        encrypted: Some(After::Rc4),
        ..Setting::utp()
    }
}

#[test]
fn we_download_from_libtorrent() {
    download(
        Client::Libtorrent,
        Setting::utp(),
        payload::MANY_FILES,
        "utp",
    );
    download(
        Client::Libtorrent,
        Setting::utp(),
        payload::ONE_FILE,
        "both",
    );
    download(Client::Libtorrent, encrypted(), payload::MANY_FILES, "utp");
}

#[test]
fn libtorrent_downloads_from_us() {
    seed(
        Client::Libtorrent,
        Setting::utp(),
        payload::MANY_FILES,
        "utp",
    );
    seed(
        Client::Libtorrent,
        Setting::utp(),
        payload::ONE_FILE,
        "both",
    );
    seed(Client::Libtorrent, encrypted(), payload::MANY_FILES, "utp");
}

#[test]
fn we_download_from_transmission() {
    download(
        Client::Transmission,
        Setting::utp(),
        payload::MANY_FILES,
        "utp",
    );
}

#[test]
fn transmission_downloads_from_us() {
    seed(
        Client::Transmission,
        Setting::utp(),
        payload::MANY_FILES,
        "utp",
    );
}
