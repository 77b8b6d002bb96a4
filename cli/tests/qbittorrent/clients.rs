//! Clients of others run their methods, with libtorrent on the other side: `qbittorrent-api` of PyPI and `@ctrl/qbittorrent` of
//! npm.

use std::path::PathBuf;
use std::process::Command;

use crate::api::Api;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::{enabled, process};

const PYTHON: &str = include_str!("client.py");
const NODE: &str = include_str!("client.mjs");

/// What they say that they have done.
const PYTHON_STEPS: [&str; 11] = [
    "app",
    "labels",
    "added",
    "read",
    "changed",
    "trackers",
    "settings",
    "transfer",
    "downloaded",
    "others",
    "removed",
];
const NODE_STEPS: [&str; 7] = [
    "app",
    "labels",
    "added",
    "read",
    "changed",
    "downloaded",
    "removed",
];

/// A swarm, and a daemon that needs a password.
struct Swarm<'a> {
    api: Api<'a>,
    token: String,
    /// A torrent of two files, one of one, and one that no one has.
    show: PathBuf,
    magnet: String,
    other: String,
    data: PathBuf,
    _seeders: [Seeder; 2],
    _tracker: crate::support::Running,
}

impl<'a> Swarm<'a> {
    fn start(place: &'a Place) -> Self {
        place.write("here/Show/a.mkv", &noise(1, 400_000));
        place.write("here/Show/b.mkv", &noise(2, 300_000));
        place.write("here/film.mp4", &noise(3, 200_000));
        place.write("here/other.mp4", &noise(4, 10_000));
        let (tracker, announce) = place.tracker();
        let [show, film, other] = ["here/Show", "here/film.mp4", "here/other.mp4"]
            .map(|name| place.create(name, &["--tracker", &announce]));
        let seed = |torrent: &str| {
            let data = place.path("here");
            Seeder::start(
                Command::new(python()),
                &place.path(torrent),
                &data,
                "127.0.0.1",
                0,
            )
        };
        let (of_show, of_film) = (seed(&show), seed(&film));
        let seen: serde_json::Value =
            serde_json::from_str(&place.ok(&["inspect", "--json", &film])).unwrap();
        let magnet = format!("{}&x.pe={}", seen["magnet"].as_str().unwrap(), of_film.addr);
        let args = ["daemon", "--state", "daemon", "--create-token", "client"];
        let token = place.ok(&args).trim().to_owned();
        Self {
            api: Api::start(place, &["--require-token", "--allow-private-urls"]),
            token,
            show: place.path(&show),
            magnet,
            other,
            data: place.path("data"),
            _seeders: [of_show, of_film],
            _tracker: tracker,
        }
    }
}

#[test]
fn qbittorrent_api_of_pypi_runs_its_methods() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let swarm = Swarm::start(&place);
    let mut server = Command::new("python3");
    server.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]);
    let server = process::Process::start("http.server", server.current_dir(place.work()));
    let line = server.line("Serving HTTP on");
    let port = line.split_whitespace().nth(5).unwrap();
    let url = format!("http://127.0.0.1:{port}/{}", swarm.other);
    let mut client = Command::new(python());
    client.args(["-u", "-c", PYTHON, &swarm.api.addr, &swarm.token]);
    client
        .arg(&swarm.show)
        .args([&url, &swarm.magnet])
        .arg(&swarm.data);
    let said = process::run("qbittorrent-api", &mut client);
    assert_eq!(said.lines().collect::<Vec<_>>(), PYTHON_STEPS);
    assert!(!place.path("data/again/Show").exists());
    swarm.api.daemon.stop();
}

#[test]
fn ctrl_qbittorrent_of_npm_runs_its_methods() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let swarm = Swarm::start(&place);
    let script = place.path("client.mjs");
    std::fs::write(&script, NODE).unwrap();
    let modules = std::env::var_os("TAILWATER_INTEROP_NODE_MODULES");
    let installed =
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../interop-npm/node_modules");
    let mut client = Command::new("node");
    client.env("NODE_PATH", modules.map_or_else(installed, PathBuf::from));
    client.arg(&script).args([&swarm.api.addr, &swarm.token]);
    client.arg(&swarm.show).arg(&swarm.magnet).arg(&swarm.data);
    let said = process::run("@ctrl/qbittorrent", &mut client);
    assert_eq!(said.lines().collect::<Vec<_>>(), NODE_STEPS);
    assert!(!place.path("data/moved/Show").exists());
    swarm.api.daemon.stop();
}
