//! Files that another torrent or another process uses.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use support::{LOCAL, Place, Running, noise};

const LEN: usize = 300_000;

/// A torrent of one file below a folder, named like the file of every other such torrent.
fn film(place: &Place, folder: &str) -> String {
    let seed = folder.bytes().map(u64::from).sum();
    place.write(&format!("{folder}/film"), &noise(seed, LEN));
    let (file, torrent) = (format!("{folder}/film"), format!("{folder}.torrent"));
    place.ok(&["create", &file, "-o", &torrent, "--piece-length", "16KiB"]);
    torrent
}

fn is_from(place: &Place, there: &str, folder: &str) -> bool {
    fs::read(place.path(there)).unwrap() == fs::read(place.path(&format!("{folder}/film"))).unwrap()
}

fn download<'a>(torrents: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let common = ["download", "--no-progress", "-o", "there"];
    [&common[..], &LOCAL, torrents, more].concat()
}

/// A download that knows of no peer yet; returns when its file is made.
fn waiting_download(place: &Place, torrent: &str, folder: &str) -> (Running, String) {
    let args = ["download", "--no-progress", "-o", folder, torrent];
    let downloader = place.start(&[&args[..], &LOCAL].concat());
    let listening = downloader.line("listening on ");
    downloader.error_line("waiting for peers");
    let addr = listening.rsplit(' ').next().unwrap().to_owned();
    (downloader, addr)
}

#[test]
fn two_torrents_of_one_command_do_not_write_to_the_same_file() {
    let place = Place::new();
    let (one, two) = (film(&place, "one"), film(&place, "two"));
    let (_first, first) = place.seed(&one, "one");
    let (_second, second) = place.seed(&two, "two");
    let peers = ["--peer", &first, "--peer", &second];
    let finished = place.run(&download(&[&one, &two], &peers));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said = "error: cannot add film: ";
    assert!(finished.err.contains(said), "{}", finished.err);
    let said = "there/film belongs to \"film\" (info-hash ";
    assert!(finished.err.contains(said), "{}", finished.err);
    // Both have the same name.
    let hash = |torrent| {
        let said = place.ok(&["inspect", torrent, "--json"]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        said["info_hash_v1"].as_str().unwrap().to_owned()
    };
    assert!(finished.err.contains(&hash(&one)), "{}", finished.err);
    assert!(!finished.err.contains(&hash(&two)), "{}", finished.err);
    assert!(
        finished
            .err
            .contains("dir=FOLDER below it in a list (`-i LIST`)"),
        "{}",
        finished.err
    );
    let help = "help: give each torrent a folder of its own";
    assert!(finished.err.contains(help), "{}", finished.err);
    assert_eq!(finished.out.matches("complete: film").count(), 1);
    assert!(is_from(&place, "there/film", "one"));
    place.ok(&["verify", &one, "--data", "there"]);
}

#[test]
fn two_processes_do_not_write_to_the_same_file() {
    let place = Place::new();
    let (one, two) = (film(&place, "one"), film(&place, "two"));
    let (downloader, addr) = waiting_download(&place, &one, "there");
    for torrent in [&one, &two] {
        let finished = place.run(&download(&[torrent], &[]));
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let said = "there/film is in use by another tailwater (or another program that locks it)\n  help: end the other";
        assert!(finished.err.contains(said), "{}", finished.err);
    }
    // Nor can it be shared while it changes.
    let seed = ["seed", &one, "--data", "there", "--no-progress"];
    let refused = place.run(&[&seed[..], &LOCAL].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("is in use by"), "{}", refused.err);

    let seed = ["seed", &one, "--data", "one", "--no-progress", "--peer"];
    let _seeder = place.start(&[&seed[..], &[&addr], &LOCAL].concat());
    downloader.line("complete: film");
    assert_eq!(downloader.finish().code, Some(0));
    assert!(is_from(&place, "there/film", "one"));
    // It is free again.
    let again = place.ok(&download(&[&one], &[]));
    assert!(again.contains("was here already"), "{again}");
}

#[test]
fn the_folder_of_several_files_is_locked() {
    let place = Place::new();
    place.write("here/album/a", &noise(1, LEN));
    place.write("here/album/deep/b", &noise(2, LEN));
    place.ok(&["create", "here/album", "-o", "album.torrent"]);
    let (_downloader, _) = waiting_download(&place, "album.torrent", "there");
    let finished = place.run(&download(&["album.torrent"], &[]));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said = "there/album is in use by another tailwater";
    assert!(finished.err.contains(said), "{}", finished.err);
}

#[test]
fn what_is_complete_can_be_shared_by_several_and_downloaded_again() {
    let place = Place::new();
    let torrent = film(&place, "one");
    let (_first, _) = place.seed(&torrent, "one");
    let (_second, _) = place.seed(&torrent, "one");
    let download = ["download", &torrent, "--no-progress", "-o", "one"];
    let download = [&download[..], &LOCAL].concat();
    let out = place.ok(&download);
    assert!(out.contains("was here already"), "{out}");
    // One that shares it after its download does not keep others away either.
    let sharing = place.start(&[&download[..], &["--seed"]].concat());
    sharing.line("complete: film");
    let (_third, _) = place.seed(&torrent, "one");
}

#[test]
fn what_others_read_is_not_written_to() {
    let place = Place::new();
    let (one, two) = (film(&place, "one"), film(&place, "two"));
    let (_seeder, _) = place.seed(&one, "one");
    let download = ["download", &two, "--no-progress", "-o", "one"];
    let finished = place.run(&[&download[..], &LOCAL].concat());
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said = "one/film is in use by another tailwater";
    assert!(finished.err.contains(said), "{}", finished.err);
    place.ok(&["verify", &one, "--data", "one"]);
}
