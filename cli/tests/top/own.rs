//! A session of its own, with libtorrent on the other side; and a daemon that asks for a token.

use std::process::Command;

use crate::daemon::Daemon;
use crate::enabled;
use crate::seeder::{Seeder, python};
use crate::support::{LOCAL, Place, noise};
use crate::tmux::Tmux;

#[test]
fn its_own_session_downloads_a_file_and_a_magnet_and_goes_on_after_either_end() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, 700_000));
    place.write("here/song.flac", &noise(2, 300_000));
    let (_tracker, announce) = place.tracker();
    let names = ["here/film.mkv", "here/song.flac"];
    let torrents = names.map(|name| place.create(name, &["--tracker", &announce]));
    let _seeders = torrents.each_ref().map(|torrent| {
        let command = Command::new(python());
        let (torrent, data) = (place.path(torrent), place.path("here"));
        Seeder::start(command, &torrent, &data, "127.0.0.1", 0)
    });
    let magnet: serde_json::Value =
        serde_json::from_str(&place.ok(&["inspect", "--json", &torrents[1]])).unwrap();
    let top = format!("--own --data data --state own {}", LOCAL.join(" "));
    let seeds = |tmux: &Tmux, name: &str| {
        tmux.until(&format!("{name} is complete"), |lines| {
            let row = lines.iter().find(|line| line.contains(name));
            row.is_some_and(|row| row.contains("seeding"))
        });
    };
    let add = |tmux: &Tmux, source: &str| {
        tmux.press(&["a"]);
        tmux.type_in(source);
        tmux.press(&["Enter"]);
        tmux.see("1 of 1 file wanted");
        tmux.press(&["Enter"]);
    };
    // Ended by a key.
    let tmux = Tmux::top(&place, &top, 100, 24);
    tmux.see("own session");
    add(&tmux, place.path(&torrents[0]).to_str().unwrap());
    seeds(&tmux, "film.mkv");
    tmux.press(&["q"]);
    tmux.ended();
    assert!(std::fs::read(place.path("data/film.mkv")).unwrap() == noise(1, 700_000));
    drop(tmux);
    // What was complete is so, and another one is added; ended by Ctrl-C.
    let tmux = Tmux::top(&place, &top, 100, 24);
    seeds(&tmux, "film.mkv");
    add(&tmux, magnet["magnet"].as_str().unwrap());
    seeds(&tmux, "song.flac");
    tmux.press(&["C-c"]);
    tmux.ended();
    assert!(std::fs::read(place.path("data/song.flac")).unwrap() == noise(2, 300_000));
}

#[test]
fn a_daemon_that_asks_for_a_token_is_shown_to_who_has_it() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/film.mkv", &noise(1, 50_000));
    let torrent = place.path(&place.create("here/film.mkv", &[]));
    let token = |name: &str, more: &[&str]| {
        let args = ["daemon", "--state", "daemon", "--create-token", name];
        place.ok(&[&args, more].concat()).trim().to_owned()
    };
    let (full, viewer) = (token("me", &[]), token("viewer", &["--read-only"]));
    let daemon = Daemon::start(&place, &["--require-token"]);
    let url = format!("--daemon http://{}", daemon.addr);
    for wrong in ["", "--token tw_1_wrong"] {
        let tmux = Tmux::top(&place, &format!("{url} {wrong}"), 100, 24);
        tmux.see("ended with 1");
        tmux.see("token");
        assert_eq!(tmux.fact("alternate_on"), "0");
    }
    let tmux = Tmux::top(&place, &format!("{url} --token {full}"), 100, 24);
    tmux.see("no torrents; press a to add one");
    tmux.press(&["a"]);
    tmux.type_in(torrent.to_str().unwrap());
    tmux.press(&["Enter"]);
    tmux.see("1 of 1 file wanted");
    tmux.press(&["p", "Enter"]);
    tmux.see("paused");
    tmux.press(&["q"]);
    tmux.ended();
    // One that may only read sees it, and is told why it cannot change it.
    let tmux = Tmux::top(&place, &format!("{url} --token {viewer}"), 100, 24);
    tmux.see("film.mkv");
    tmux.press(&["p"]);
    tmux.see("read");
    tmux.press(&["q"]);
    tmux.ended();
    daemon.stop();
}
