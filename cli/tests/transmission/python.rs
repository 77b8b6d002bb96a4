//! `transmission-rpc` of PyPI runs its methods.

use std::process::Command;

use crate::rpc::{Rpc, magnet, served};
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::{enabled, process};

const CLIENT: &str = include_str!("client.py");

/// What it says that it has done.
const STEPS: [&str; 9] = [
    "session",
    "added",
    "read",
    "changed",
    "queue",
    "settings",
    "downloaded",
    "others",
    "removed",
];

#[test]
fn transmission_rpc_of_pypi_runs_its_methods_and_reads_every_field() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/Show/a.mkv", &noise(1, 400_000));
    place.write("here/Show/b.mkv", &noise(2, 300_000));
    place.write("here/film.mp4", &noise(3, 200_000));
    place.write("here/other.mp4", &noise(4, 10_000));
    let (_tracker, announce) = place.tracker();
    let [show, film, other] = ["here/Show", "here/film.mp4", "here/other.mp4"]
        .map(|name| place.create(name, &["--tracker", &announce]));
    let seed = |torrent: &str| {
        let data = place.path("here");
        let command = Command::new(python());
        Seeder::start(command, &place.path(torrent), &data, "127.0.0.1", 0)
    };
    let (_of_show, of_film) = (seed(&show), seed(&film));
    let rpc = Rpc::start(&place, &["--allow-private-urls"]);
    let magnet = magnet(&place, &film, &of_film);
    let (_server, url) = served(&place, &other);
    let (host, rpc_port) = rpc.addr.split_once(':').unwrap();
    let mut client = Command::new(python());
    client.args(["-u", "-c", CLIENT, host, rpc_port]);
    client.arg(place.path(&show)).args([&url, &magnet]);
    client.arg(place.path("data"));
    let said = process::run("transmission-rpc", &mut client);
    assert_eq!(said.lines().collect::<Vec<_>>(), STEPS);
    assert!(!place.path("data/moved/Show").exists());
    assert!(place.path("data/film.mp4").exists());
}
