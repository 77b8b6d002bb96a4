//! `transmission-remote` drives the daemon, and libtorrent seeds.

use std::process::Command;

use serde_json::json;

use crate::rpc::{Rpc, magnet, served};
use crate::seeder::{Seeder, python};
use crate::support::{Place, noise};
use crate::{enabled, process};

/// Runs `transmission-remote`; what it prints.
fn remote(rpc: &Rpc<'_>, place: &Place, args: &[&str]) -> String {
    let mut command = Command::new("transmission-remote");
    command.arg(&rpc.addr).args(args).current_dir(place.work());
    process::run("transmission-remote", &mut command)
}

/// Runs it, and looks for a text in what it prints.
#[track_caller]
fn says(rpc: &Rpc<'_>, place: &Place, args: &[&str], text: &str) {
    let said = remote(rpc, place, args);
    assert!(said.contains(text), "{args:?}: {said}");
}

#[test]
fn transmission_remote_adds_lists_changes_and_removes_what_libtorrent_seeds() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let film = noise(1, 3_000_001);
    place.write("here/Show/s1/film.mkv", &film);
    place.write("here/Show/words.srt", &noise(2, 70_000));
    let torrent = place.create("here/Show", &[]);
    let file = place.path(&torrent);
    let seeder = Seeder::start(
        Command::new(python()),
        &file,
        &place.path("here"),
        "127.0.0.1",
        0,
    );
    let rpc = Rpc::start(&place, &[]);
    let says = |args: &[&str], text: &str| says(&rpc, &place, args, text);
    says(
        &[
            "-a",
            file.to_str().unwrap(),
            "-w",
            place.path("data").to_str().unwrap(),
        ],
        "success",
    );
    let hash = rpc.torrent(&json!(1), &["hashString"])["hashString"].clone();
    rpc.daemon
        .connect(hash.as_str().unwrap(), &seeder.addr.to_string());
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    assert!(std::fs::read(place.path("data/Show/s1/film.mkv")).unwrap() == film);
    shows(&rpc, &place, &hash);
    changes(&rpc, &place);
    moves_and_removes(&rpc, &place);
}

fn shows(rpc: &Rpc<'_>, place: &Place, hash: &serde_json::Value) {
    let says = |args: &[&str], text: &str| says(rpc, place, args, text);
    says(&["-l"], "Show");
    says(
        &["-t", "1", "-i"],
        &format!("Hash: {}", hash.as_str().unwrap()),
    );
    says(&["-t", "1", "-if"], "Show/s1/film.mkv");
    says(&["-t", "1", "-ic"], "11111111");
    says(&["-t", "1", "-ip"], "Address");
    says(&["-si"], "Daemon version: 4.1.3 (tailwater");
    says(&["-st"], "CURRENT SESSION");
}

fn changes(rpc: &Rpc<'_>, place: &Place) {
    let remote = |args: &[&str]| remote(rpc, place, args);
    let says = |args: &[&str], text: &str| says(rpc, place, args, text);
    remote(&["-t", "1", "-S"]);
    says(&["-t", "1", "-l"], "Stopped");
    remote(&["-t", "1", "-L", "seen,kept"]);
    remote(&["-t", "1", "-td", "http://127.0.0.1:1/announce"]);
    says(&["-t", "1", "-it"], "Tracker 0: 127.0.0.1:1");
    remote(&[
        "-t", "1", "-sr", "1.5", "-pr", "7", "-d", "300", "-G", "all",
    ]);
    let fields = [
        "labels",
        "seedRatioLimit",
        "seedRatioMode",
        "peer-limit",
        "downloadLimit",
        "downloadLimited",
        "wanted",
    ];
    assert_eq!(
        rpc.torrent(&json!(1), &fields),
        json!({"labels": ["seen", "kept"], "seedRatioLimit": 1.5, "seedRatioMode": 1, "peer-limit": 7,
            "downloadLimit": 300, "downloadLimited": true, "wanted": [0, 0]})
    );
    remote(&["-t", "1", "-g", "1"]);
    remote(&["-t", "1", "-ph", "1"]);
    let files = rpc.torrent(&json!(1), &["wanted", "priorities"]);
    assert_eq!(files, json!({"wanted": [0, 1], "priorities": [0, 1]}));
}

fn moves_and_removes(rpc: &Rpc<'_>, place: &Place) {
    let remote = |args: &[&str]| remote(rpc, place, args);
    remote(&["-t", "1", "-v", "-s"]);
    remote(&[
        "-t",
        "1",
        "--move",
        place.path("data/moved").to_str().unwrap(),
    ]);
    rpc.until(&json!(1), "downloadDir", |dir| {
        dir.as_str().unwrap().ends_with("data/moved")
    });
    remote(&["-d", "500", "-as", "-gsr", "2", "--start-paused"]);
    let session = rpc.call("session-get", json!({}));
    assert_eq!(
        (
            &session["speed-limit-down"],
            &session["speed-limit-down-enabled"],
            &session["alt-speed-enabled"]
        ),
        (&json!(500), &json!(true), &json!(true))
    );
    assert_eq!(
        (&session["seedRatioLimit"], &session["seedRatioLimited"]),
        (&json!(2.0), &json!(true))
    );
    assert_eq!(session["start-added-torrents"], false);
    remote(&["-t", "1", "-rad"]);
    assert_eq!(
        rpc.call("torrent-get", json!({"fields": ["id"]}))["torrents"],
        json!([])
    );
    assert!(!place.path("data/moved/Show").exists());
}

#[test]
fn transmission_remote_adds_a_magnet_link_and_a_url() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/film.mp4", &noise(3, 500_000));
    place.write("here/other.mp4", &noise(4, 100_000));
    let torrent = place.create("here/film.mp4", &[]);
    let other = place.create("here/other.mp4", &[]);
    let file = place.path(&torrent);
    let seeder = Seeder::start(
        Command::new(python()),
        &file,
        &place.path("here"),
        "127.0.0.1",
        0,
    );
    let rpc = Rpc::start(&place, &["--allow-private-urls"]);
    let magnet = magnet(&place, &torrent, &seeder);
    let said = remote(&rpc, &place, &["-a", &magnet]);
    assert!(said.contains("success"), "{said}");
    rpc.until(&json!(1), "name", |name| name == "film.mp4");
    rpc.until(&json!(1), "percentDone", |done| done == 1.0);
    let (_server, url) = served(&place, &other);
    let said = remote(&rpc, &place, &["-a", &url]);
    assert!(said.contains("success"), "{said}");
    assert_eq!(rpc.torrent(&json!(2), &["name"])["name"], "other.mp4");
    // A second time it is there already.
    let again = rpc.call("torrent-add", json!({"filename": url}));
    assert_eq!(again["torrent-duplicate"]["id"], 2);
}
