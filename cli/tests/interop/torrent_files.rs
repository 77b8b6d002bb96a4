//! Torrent files that one program makes and the others read.

use std::path::Path;

use serde_json::Value;

use crate::client::Client;
use crate::ours::Start;
use crate::payload::{self, Shape};
use crate::place::Place;
use crate::{aria2, enabled, libtorrent, ours, transmission};

const SHAPES: [Shape; 5] = [
    payload::ONE_FILE,
    payload::MANY_FILES,
    payload::LAST_PIECE_OF_1_BYTE,
    payload::PIECES_OF_16_KIB,
    payload::PIECES_OF_16_MIB,
];

/// Asserts that all read the same in a torrent that `create` makes, and that it is the payload.
fn all_agree(create: impl Fn(&Path, &Path, u64)) {
    agree(create, |torrent, ours| {
        assert_shown_by_transmission(ours, &transmission::inspect(torrent));
        assert_shown_by_aria2(ours, &aria2::inspect(torrent));
    });
}

/// The same for libtorrent, and for the clients in `others`.
fn agree(create: impl Fn(&Path, &Path, u64), others: impl Fn(&Path, &Value)) {
    if !enabled() {
        return;
    }
    for shape in SHAPES {
        let place = Place::new(shape);
        let torrent = place.path("the.torrent");
        create(&place.payload(), &torrent, shape.piece_kib);
        let ours = ours::inspect(&torrent);
        assert_eq!(ours["name"], shape.name);
        assert_eq!(ours["piece_length"], shape.piece_kib * 1024);
        assert_eq!(ours["warnings"], Value::Array(Vec::new()), "{}", shape.name);
        assert_same_as_libtorrent(&ours, &libtorrent::inspect(&torrent));
        others(&torrent, &ours);
        ours::verify(&torrent, &place.data());
    }
}

fn assert_same_as_libtorrent(ours: &Value, theirs: &Value) {
    for key in [
        "name",
        "info_hash_v1",
        "info_hash_v2",
        "piece_length",
        "piece_count",
    ] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    let files = ours["files"].as_array().unwrap().iter();
    let files = files.filter(|file| file["pad"] == false);
    let lines = |path: &Value, length: &Value| format!("{path} {length}");
    let ours: Vec<_> = files
        .map(|file| lines(&file["path"], &file["length"]))
        .collect();
    let theirs = theirs["files"].as_array().unwrap().iter();
    let theirs: Vec<_> = theirs
        .map(|file| lines(&file["path"], &file["length"]))
        .collect();
    assert_eq!(ours, theirs);
}

fn assert_shown_by_transmission(ours: &Value, shown: &str) {
    assert_line(shown, "Hash: ", ours["info_hash_v1"].as_str().unwrap());
    assert_line(shown, "Piece Count: ", &ours["piece_count"].to_string());
    for file in ours["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert!(
            shown.contains(&format!("{path} (")),
            "{path} is not in\n{shown}"
        );
    }
}

fn assert_shown_by_aria2(ours: &Value, shown: &str) {
    assert_line(shown, "Info Hash: ", ours["info_hash_v1"].as_str().unwrap());
    assert_line(
        shown,
        "The Number of Pieces: ",
        &ours["piece_count"].to_string(),
    );
    for file in ours["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert!(
            shown.contains(&format!("|./{path}")),
            "{path} is not in\n{shown}"
        );
    }
}

#[track_caller]
fn assert_line(shown: &str, label: &str, value: &str) {
    let line = format!("{label}{value}");
    assert!(
        shown.lines().any(|shown| shown == line),
        "`{line}` is not in\n{shown}"
    );
}

#[test]
fn made_by_us() {
    all_agree(|payload, torrent, piece_kib| {
        ours::create(
            payload,
            torrent,
            piece_kib,
            &["http://tracker.example/announce"],
        );
    });
}

#[test]
fn made_by_libtorrent() {
    all_agree(|payload, torrent, piece_kib| libtorrent::create(payload, torrent, piece_kib, "v1"));
}

#[test]
fn made_by_libtorrent_for_both_versions() {
    // Debian's Transmission 3.00 refuses v2 metadata, and aria2 1.36 finds another info-hash in it.
    let create = |payload: &Path, torrent: &Path, piece_kib| {
        libtorrent::create(payload, torrent, piece_kib, "hybrid");
    };
    agree(create, |_, _| {});
}

#[test]
fn made_by_transmission() {
    all_agree(transmission::create);
}

/// With pad files between the files (BEP 47): the disk gets none.
#[test]
fn a_torrent_for_both_versions_is_downloaded() {
    if !enabled() {
        return;
    }
    let place = Place::new(payload::MANY_FILES);
    let torrent = place.path("hybrid.torrent");
    libtorrent::create(
        &place.payload(),
        &torrent,
        place.shape().piece_kib,
        "hybrid",
    );
    let seeder = Client::Libtorrent.seed(&place, &torrent);
    let out = place.folder("out");
    let peers = [seeder.addr];
    let mut ours = Start::new(&place.path(""), &torrent, &peers).download(&out);
    ours.process.succeed();
    place.assert_arrived(&out);
}
