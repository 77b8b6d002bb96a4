//! v2 and hybrid torrents (BEP 52): added, linked to by the right hashes, downloaded, kept over a kill.

use serde_json::Value;

use crate::daemon::Daemon;
use crate::http::Events;
use crate::support::{Place, noise};

/// Which hashes a magnet link names: `(v1, v2)`.
fn hashes(torrent: &Value) -> (bool, bool) {
    let link = torrent["magnet"].as_str().unwrap();
    assert!(link.starts_with("magnet:?xt=urn:bt"), "{link}");
    (
        link.contains("xt=urn:btih:"),
        link.contains("xt=urn:btmh:1220"),
    )
}

#[test]
fn v2_torrents_are_linked_to_downloaded_and_kept() {
    for (option, expected) in [("--v2", (false, true)), ("--hybrid", (true, true))] {
        let place = Place::new();
        let film = noise(1, 300_001);
        place.write("here/album/film.mp4", &film);
        place.write("here/album/notes", b"");
        let torrent = place.create("here/album", &[option, "--piece-length", "16KiB"]);
        let (_seeder, peer) = place.seed(&torrent, "here");
        let daemon = Daemon::start(&place, &[]);
        let id = daemon.add(&torrent, "paused=true");
        let path = format!("/api/v1/torrents/{id}");
        let link = |daemon: &Daemon<'_>| hashes(&daemon.get(&path));
        assert_eq!(link(&daemon), expected, "never started: {option}");
        // It is not in the session after a start either.
        daemon.kill();
        let daemon = Daemon::start(&place, &[]);
        while daemon.send("GET", "/readyz", "", b"").status != 200 {}
        assert_eq!(link(&daemon), expected, "saved: {option}");

        let mut events = Events::open(&daemon.addr, None);
        daemon.send("POST", &format!("{path}/resume"), "", b"");
        daemon.connect(&id, &peer);
        events.next_named("completed");
        assert!(std::fs::read(place.path("data/album/film.mp4")).unwrap() == film);
        assert_eq!(link(&daemon), expected, "running: {option}");
        daemon.kill();

        // Every piece is known, by its v2 hash.
        let daemon = Daemon::start(&place, &[]);
        while daemon.get(&path)["state"] != "seeding" {}
        assert_eq!(daemon.get(&path)["left"], 0);
        daemon.stop();
    }
}

/// With `--reuse`, what is there by hash is not downloaded when it is added.
#[test]
fn files_that_are_there_by_hash_are_reused() {
    let place = Place::new();
    let film = noise(1, 300_001);
    place.write("here/film.mp4", &film);
    let torrent = place.create("here/film.mp4", &["--v2"]);
    place.write("old/same film.mkv", &film);
    let daemon = Daemon::start(&place, &["--reuse", "old"]);
    let id = daemon.add(&torrent, "");
    while daemon.get(&format!("/api/v1/torrents/{id}"))["state"] != "seeding" {}
    assert!(std::fs::read(place.path("data/film.mp4")).unwrap() == film);
    daemon.stop();
}
