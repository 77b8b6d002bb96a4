//! Names of files on the disk: those that stand in the torrent, safe ones, and those of parts.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use support::{LOCAL, Place, noise};

fn download<'a>(torrent: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let common = ["download", torrent, "--no-progress"];
    [&common[..], &LOCAL, more].concat()
}

/// A folder of legal names that are not safe everywhere.
fn odd(place: &Place, folder: &str) -> Vec<String> {
    let long = "x".repeat(250);
    let names = ["README", "readme", "CON", "new\nline", &long, "deep/nul/a"];
    for (number, name) in (1..).zip(names) {
        place.write(&format!("{folder}/{name}"), &noise(number, 20_000));
    }
    names.map(str::to_owned).to_vec()
}

#[test]
fn files_with_odd_names_are_shared_verified_and_adopted_where_they_are() {
    for folder in ["plain", "aux"] {
        let place = Place::new();
        let names = odd(&place, &format!("here/{folder}"));
        let path = format!("here/{folder}");
        place.ok(&["create", &path, "-o", "odd.torrent"]);
        let verified = place.ok(&["verify", "odd.torrent", "--data", "here"]);
        assert!(verified.contains("all right: 6 files"), "{verified}");
        // Each by the name of the file that was read.
        for name in ["CON", "deep/nul/a", "readme"] {
            let said = format!("ok       {folder}/{name}  (");
            assert!(verified.contains(&said), "{verified}");
        }
        let before = place.everything();
        let out = place.ok(&download("odd.torrent", &["-o", "here"]));
        assert!(out.contains("was here already"), "{out}");
        assert_eq!(place.everything(), before);

        // Where files are made, their names are safe.
        let (_seeder, addr) = place.seed("odd.torrent", "here");
        let fetch = download("odd.torrent", &["-o", "there", "--peer", &addr]);
        place.ok(&fetch);
        let safe = match folder {
            "aux" => "there/_aux",
            _ => "there/plain",
        };
        for (number, name) in [
            (2, "readme.1"),
            (3, "_CON"),
            (4, "new_line"),
            (6, "deep/_nul/a"),
        ] {
            let bytes = fs::read(place.path(&format!("{safe}/{name}"))).unwrap();
            assert!(bytes == noise(number, 20_000), "{name}");
        }
        place.ok(&["verify", "odd.torrent", "--data", "there"]);

        // A part of the files is there under their own names: it is used, and only the rest is fetched.
        for name in &names[1..] {
            let bytes = fs::read(place.path(&format!("{path}/{name}"))).unwrap();
            place.write(&format!("some/{folder}/{name}"), &bytes);
        }
        place.ok(&download("odd.torrent", &["-o", "some", "--peer", &addr]));
        place.ok(&["verify", "odd.torrent", "--data", "some"]);
        assert!(!place.path(&format!("some/{folder}/_CON")).exists());
        drop(place);
    }
}

#[test]
fn a_file_of_its_own_with_an_odd_name_is_found() {
    let place = Place::new();
    place.write("here/nul.txt", &noise(1, 50_000));
    place.ok(&["create", "here/nul.txt", "-o", "a.torrent"]);
    place.ok(&["verify", "a.torrent", "--data", "here"]);
    let (_seeder, addr) = place.seed("a.torrent", "here");
    place.ok(&download("a.torrent", &["-o", "there", "--peer", &addr]));
    assert!(place.path("there/_nul.txt").exists());
}

/// A torrent of two files, of which each has pieces of its own.
fn album(place: &Place) {
    place.write("here/album/a", &noise(1, 200_000));
    place.write("here/album/b", &noise(2, 200_000));
    let create = ["create", "here/album", "-o", "album.torrent"];
    place.ok(&[&create[..], &["--piece-length", "16KiB"]].concat());
}

#[test]
fn a_file_is_called_a_part_until_it_is_complete() {
    let place = Place::new();
    album(&place);
    let mut begun = noise(1, 200_000);
    begun[100_000] ^= 1;
    place.write("there/album/a.part", &begun);
    let part = ["-o", "there", "--part"];
    let downloader = place.start(&download("album.torrent", &part));
    let listening = downloader.line("listening on ");
    downloader.error_line("waiting for peers");
    assert!(place.path("there/album/a.part").exists());
    assert!(!place.path("there/album/a").exists());
    // What is begun is seen by all commands.
    let verified = place.run(&["verify", "album.torrent", "--data", "there"]);
    assert!(!verified.out.contains("MISSING  album/a"), "{verified:?}");

    let addr = listening.rsplit(' ').next().unwrap();
    let seed = ["seed", "album.torrent", "--data", "here", "--peer", addr];
    let _seeder = place.start(&[&seed[..], &["--no-progress"], &LOCAL].concat());
    downloader.line("complete: album");
    assert_eq!(downloader.finish().code, Some(0));
    let found: Vec<_> = place.everything();
    let found = found.iter().filter(|name| name.starts_with("there/album/"));
    assert_eq!(
        found.collect::<Vec<_>>(),
        ["there/album/a", "there/album/b"]
    );
    let again = place.ok(&download("album.torrent", &part));
    assert!(again.contains("was here already"), "{again}");
}

#[test]
fn each_file_gets_its_name_when_it_is_complete_and_parts_are_found_without_the_flag() {
    let place = Place::new();
    album(&place);
    place.write("there/album/a.part", &noise(1, 200_000));
    let mut begun = noise(2, 200_000);
    begun[100_000] ^= 1;
    place.write("there/album/b.part", &begun);
    let downloader = place.start(&download("album.torrent", &["-o", "there"]));
    downloader.error_line("waiting for peers");
    assert!(place.path("there/album/a").exists());
    assert!(place.path("there/album/b.part").exists());
    drop(downloader);
    let (_seeder, addr) = place.seed("album.torrent", "here");
    let out = place.ok(&download(
        "album.torrent",
        &["-o", "there", "--peer", &addr],
    ));
    assert!(
        out.contains("of it now"),
        "only what is missing is fetched: {out}"
    );
    assert!(place.path("there/album/b").exists());
    assert!(!place.path("there/album/b.part").exists());
    place.ok(&["verify", "album.torrent", "--data", "there"]);
}

#[test]
fn a_part_of_another_program_is_left_alone() {
    let place = Place::new();
    album(&place);
    let other = place.write("there/album/a.part", &noise(9, 1_000));
    let (_seeder, addr) = place.seed("album.torrent", "here");
    let args = ["-o", "there", "--peer", &addr];
    let refused = place.run(&download(
        "album.torrent",
        &[&args[..], &["--part"]].concat(),
    ));
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("a.part is another file"),
        "{}",
        refused.err
    );
    place.ok(&download("album.torrent", &args));
    assert!(fs::read(other).unwrap() == noise(9, 1_000));
    place.ok(&["verify", "album.torrent", "--data", "there"]);
}

#[test]
fn room_is_kept_for_files_before_they_are_fetched() {
    let place = Place::new();
    place.write("here/film", &noise(1, 3_000_000));
    place.ok(&["create", "here/film", "-o", "film.torrent"]);
    let downloader = place.start(&download("film.torrent", &["-o", "sparse"]));
    downloader.error_line("waiting for peers");
    let args = download("film.torrent", &["-o", "there", "--preallocate", "-v"]);
    let downloader = place.start(&args);
    downloader.error_line("waiting for peers");
    let blocks = |name: &str| fs::metadata(place.path(name)).unwrap().blocks();
    // Not every file system can: then it is said with -v, and the file is sparse.
    if blocks("there/film") * 512 < 3_000_000 {
        downloader.error_line("cannot preallocate");
    }
    assert_eq!(blocks("sparse/film"), 0);
    // What is only preallocated is no foreign file, even if nothing is remembered of it.
    drop(downloader);
    let (_seeder, addr) = place.seed("film.torrent", "here");
    fs::rename(place.path("there"), place.path("moved")).unwrap();
    place.ok(&download("film.torrent", &["-o", "moved", "--peer", &addr]));
    let refused = ["download", "film.torrent", "--storage", "memory", "--part"];
    assert_eq!(place.run(&refused).code, Some(2));
}
