//! A paused torrent leaves its peers, and finds them again: with libtorrent on the other side, which does not come back by
//! itself within a minute.
//!
//! It runs when `TAILWATER_INTEROP=1` is set and libtorrent is there (`scripts/install-clients.sh`).

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::page::enabled;
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};

/// Much less than the minute after which libtorrent connects again.
const SOON: Duration = Duration::from_secs(30);

/// Waits until a torrent is as it should be; how it is.
fn wait(daemon: &Daemon<'_>, path: &str, is_right: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let torrent = daemon.get(path);
        if is_right(&torrent) {
            return torrent;
        }
        assert!(begun.elapsed() < SOON, "{torrent}");
    }
}

#[test]
fn a_torrent_that_was_paused_goes_on_with_its_peers_at_once() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, 30_000_000));
    let torrent = place.create("here/film.mkv", &[]);
    let seeder = Seeder::start(
        Command::new(python()),
        &place.path(&torrent),
        &place.path("here"),
        "127.0.0.1",
        400_000,
    );
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "");
    daemon.connect(&id, &seeder.addr.to_string());
    let path = format!("/api/v1/torrents/{id}");
    let have = |torrent: &Value| torrent["have"].as_u64().unwrap();
    let goes_on = |daemon: &Daemon<'_>, from: u64| {
        let torrent = wait(daemon, &path, |torrent| have(torrent) > from);
        assert_eq!(torrent["state"], "downloading");
    };
    goes_on(&daemon, 0);
    let pause = |daemon: &Daemon<'_>| {
        daemon.send("POST", &format!("{path}/pause"), "", b"");
        // It has left the session.
        have(&wait(daemon, &path, |torrent| torrent["peers"] == 0))
    };
    let resume = |daemon: &Daemon<'_>| {
        daemon.send("POST", &format!("{path}/resume"), "", b"");
    };
    let before = pause(&daemon);
    assert!(before > 0);
    resume(&daemon);
    goes_on(&daemon, before);

    // The addresses of its peers are kept over a kill.
    let before = pause(&daemon);
    daemon.kill();
    let daemon = Daemon::start(&place, &[]);
    assert_eq!(have(&daemon.get(&path)), before);
    resume(&daemon);
    goes_on(&daemon, before);
    daemon.stop();
}
