//! What is said of files that another program has touched, or that are longer than in the torrent.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use support::{LOCAL, Place, noise};

/// A file and its torrent, which names no trackers.
fn film(place: &Place) -> &'static str {
    place.write("here/film", &noise(5, 300_000));
    let create = ["create", "here/film", "-o", "film.torrent"];
    place.ok(&[&create[..], &["--piece-length", "16KiB"]].concat());
    "film.torrent"
}

fn download(torrent: &str) -> Vec<&str> {
    let download = ["download", torrent, "--no-progress", "-o", "there"];
    [&download[..], &LOCAL].concat()
}

#[cfg(unix)]
#[test]
fn a_download_whose_file_is_deleted_fails_and_the_same_command_mends_it() {
    let place = Place::new();
    let torrent = film(&place);
    let mut bytes = noise(5, 300_000);
    bytes[0] ^= 1;
    let path = place.write("there/film", &bytes);
    let downloader = place.start(&download(torrent));
    let listening = downloader.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap().to_owned();
    downloader.error_line("waiting for peers");

    fs::remove_file(&path).unwrap();
    let seed = [
        "seed",
        torrent,
        "--data",
        "here",
        "--no-progress",
        "--peer",
        &addr,
    ];
    let _seeder = place.start(&[&seed[..], &LOCAL].concat());
    let finished = downloader.finish();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said =
        "there/film: the file was deleted or moved away by another program while it was in use";
    assert!(finished.err.contains(said), "{}", finished.err);
    assert!(finished.err.contains("help: run the same command again"));
    assert!(!finished.out.contains("complete"), "{}", finished.out);

    let (_seeder, addr) = place.seed(torrent, "here");
    place.ok(&[&download(torrent)[..], &["--peer", &addr]].concat());
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
}

#[test]
fn a_file_that_is_too_long_is_cut_by_a_download_and_said_by_seed_and_verify() {
    let place = Place::new();
    let torrent = film(&place);
    let mut bytes = noise(5, 300_000);
    bytes.extend([1, 2, 3]);
    let path = place.write("there/film", &bytes);

    let verified = place.run(&["verify", torrent, "--data", "there", "--no-progress"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let said = "film  (300003 bytes, should be 300000)";
    assert!(verified.out.contains(said), "{}", verified.out);
    let (seeder, _) = place.seed(torrent, "there");
    seeder.error_line("warning: film is 3 bytes longer than in the torrent");
    drop(seeder);
    assert_eq!(fs::metadata(&path).unwrap().len(), 300_003);

    place.ok(&download(torrent));
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
    place.ok(&["verify", torrent, "--data", "there"]);
}

#[cfg(unix)]
#[test]
fn a_download_does_not_write_through_a_link_and_a_seed_reads_through_it() {
    let place = Place::new();
    let torrent = film(&place);
    fs::create_dir(place.path("there")).unwrap();
    std::os::unix::fs::symlink(place.path("here/film"), place.path("there/film")).unwrap();
    let finished = place.run(&download(torrent));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("there/film: it is a symbolic link"),
        "{}",
        finished.err
    );
    assert!(
        finished
            .err
            .contains("help: put what the link points to in its place")
    );
    let _seeder = place.seed(torrent, "there");
}

#[cfg(unix)]
#[test]
fn a_seed_whose_file_is_deleted_ends_and_the_others_go_on() {
    let place = Place::new();
    let torrent = film(&place);
    place.write("here/song", &noise(6, 100_000));
    place.ok(&["create", "here/song", "-o", "song.torrent"]);
    let seed = [
        "seed",
        torrent,
        "song.torrent",
        "--data",
        "here",
        "--no-progress",
    ];
    let seeder = place.start(&[&seed[..], &LOCAL].concat());
    let listening = seeder.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap().to_owned();
    seeder.line("seeding film");
    seeder.line("seeding song");
    fs::remove_file(place.path("here/film")).unwrap();

    let peer = ["--peer", &addr];
    let _downloader = place.start(&[&download(torrent)[..], &peer].concat());
    seeder.error_line("film: ");
    place.ok(&[&download("song.torrent")[..], &peer].concat());
    assert!(fs::read(place.path("there/song")).unwrap() == noise(6, 100_000));
}
