//! `--reuse`: files that are there by hash are not downloaded.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;

use support::{LOCAL, Place, noise};

const FILES: [(&str, u64, usize); 4] = [
    ("long", 1, 300_001),
    ("part/short", 2, 500),
    ("same", 1, 300_001),
    ("block", 3, 16_384),
];

/// A torrent, and a folder that has its files under other names, others of the same lengths, and links.
fn place(option: &str) -> (Place, String) {
    let place = Place::new();
    for (name, seed, len) in FILES {
        place.write(&format!("here/new/{name}"), &noise(seed, len));
    }
    place.write("here/new/none", b"");
    let torrent = place.create("here/new", &[option, "--piece-length", "32KiB"]);
    place.write("old/deep/er/film.mkv", &noise(1, 300_001));
    // As long, and other bytes.
    place.write("old/long", &noise(9, 300_001));
    place.write("old/short", &noise(8, 500));
    place.write("old/a", &noise(2, 500));
    place.write("old/b", &noise(3, 16_384));
    std::os::unix::fs::symlink("..", place.path("old/loop")).unwrap();
    (place, torrent)
}

fn download<'a>(torrent: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let download = ["download", torrent, "-o", "there", "--no-progress"];
    [&download[..], &LOCAL[..], more].concat()
}

fn assert_arrived(place: &Place) {
    for (name, seed, len) in FILES {
        let found = fs::read(place.path(&format!("there/new/{name}"))).unwrap();
        assert!(found == noise(seed, len), "{name}");
    }
    assert_eq!(fs::read(place.path("there/new/none")).unwrap(), b"");
    let left: Vec<_> = place.everything();
    assert!(
        !left.iter().any(|name| name.contains(".reused")),
        "{left:?}"
    );
}

#[test]
fn files_that_are_there_by_hash_are_not_downloaded() {
    for option in ["--v2", "--hybrid"] {
        let (place, torrent) = place(option);
        // There is nobody to download from.
        place.ok(&download(&torrent, &["--reuse", "old"]));
        assert_arrived(&place);
        // The others are as they were, and what is shared is not copied where it need not be.
        assert!(fs::read(place.path("old/long")).unwrap() == noise(9, 300_001));
        let inode = |name: &str| fs::metadata(place.path(name)).unwrap().ino();
        let is_linked = inode("there/new/long") == inode("old/deep/er/film.mkv");
        let blocks = fs::metadata(place.path("there/new/long")).unwrap().nlink();
        // A file system with reflinks has two files.
        assert!(is_linked || blocks == 1);
        // It is known as complete at the next start.
        place.ok(&download(&torrent, &[]));
    }
}

#[test]
fn the_rest_is_downloaded() {
    let (place, torrent) = place("--v2");
    fs::remove_file(place.path("old/b")).unwrap();
    let (_seeder, peer) = place.seed(&torrent, "here");
    // Files that were skipped are not looked for.
    let some = ["--reuse", "old", "--files", "part/short", "--peer", &peer];
    place.ok(&download(&torrent, &some));
    assert!(!place.path("there/new/long").exists());
    let all = ["--reuse", "old", "--reuse", "missing", "--peer", &peer];
    place.ok(&download(&torrent, &all));
    assert_arrived(&place);
}

#[test]
fn what_has_no_files_or_no_hashes_of_files_says_so() {
    let (place, torrent) = place("--v2");
    let memory = place.run(&[
        "download",
        &torrent,
        "--reuse",
        "old",
        "--storage",
        "memory",
    ]);
    assert_eq!(memory.code, Some(2), "{memory:?}");
    assert!(
        memory.err.contains("`--reuse` needs `--storage disk`"),
        "{}",
        memory.err
    );
    let v1 = place.create("here/new/long", &[]);
    let (_seeder, peer) = place.seed(&v1, "here/new");
    let done = place.run(&download(&v1, &["--reuse", "old", "--peer", &peer]));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("a v1 torrent has no hashes of files"),
        "{}",
        done.err
    );
}
