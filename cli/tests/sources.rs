//! Sources of torrents: several at once, lists, standard input, info-hashes; and peers by name.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;

use serde_json::Value;
use support::{LOCAL, Place, Running, noise};

const NOWHERE: &str = "magnet:?xt=urn:btih:zz";

/// `one` and `two`, seeded by one process; its address.
fn pair(place: &Place) -> (Running, String) {
    for (seed, name) in [(1, "one"), (2, "two")] {
        place.write(&format!("here/{name}"), &noise(seed, 100_000));
        place.ok(&["create", &format!("here/{name}")]);
    }
    let seed = ["seed", "one.torrent", "two.torrent", "--data", "here"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let line = seeder.line("listening on ");
    for _ in 0..2 {
        seeder.line("seeding ");
    }
    (seeder, line.rsplit(' ').next().unwrap().to_owned())
}

fn with_peer<'a>(args: &[&'a str], peer: &'a str) -> Vec<&'a str> {
    [args, &LOCAL[..], &["--no-progress", "--peer", peer]].concat()
}

fn assert_same(place: &Place, name: &str, there: &str) {
    let expected = fs::read(place.path(&format!("here/{name}"))).unwrap();
    assert!(fs::read(place.path(there)).unwrap() == expected, "{there}");
}

fn inspect(place: &Place, what: &str) -> Value {
    serde_json::from_str(&place.ok(&["inspect", what, "--json"])).unwrap()
}

#[test]
fn one_bad_source_does_not_stop_the_others() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    place.write("bad.torrent", b"no torrent");
    let args = [
        "download",
        "one.torrent",
        "nonsense",
        NOWHERE,
        "bad.torrent",
    ];
    let args = [&args[..], &["two.torrent", "-o", "there"]].concat();
    let finished = place.run(&with_peer(&args, &addr));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for named in ["nonsense", NOWHERE, "bad.torrent"] {
        let errors = finished.err.lines().filter(|line| line.contains(named));
        assert_eq!(errors.count(), 1, "{named}: {}", finished.err);
    }
    assert_same(&place, "one", "there/one");
    assert_same(&place, "two", "there/two");

    let args = ["seed", "one.torrent", "nonsense", NOWHERE, "--data", "here"];
    let seeder = place.start(&[&args, &LOCAL[..]].concat());
    seeder.error_line("nonsense");
    seeder.line("seeding one");
}

#[test]
fn a_torrent_that_is_named_twice_is_a_warning() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    let magnet = inspect(&place, "one.torrent")["magnet"].clone();
    let magnet = magnet.as_str().unwrap();
    fs::copy(place.path("one.torrent"), place.path("copy.torrent")).unwrap();
    let args = [
        "download",
        magnet,
        "one.torrent",
        "copy.torrent",
        "-o",
        "there",
    ];
    let finished = place.run(&with_peer(&args, &addr));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let warnings = finished.err.matches("warning: one is named twice").count();
    assert_eq!(warnings, 2, "{}", finished.err);
    assert_same(&place, "one", "there/one");
}

#[test]
fn a_list_has_a_folder_and_files_for_each_source() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    for name in ["a.mkv", "b.nfo"] {
        place.write(&format!("here/album/{name}"), &noise(3, 40_000));
    }
    place.ok(&["create", "here/album"]);
    let (_album, second) = place.seed("album.torrent", "here");
    let list = "# what is wanted\none.torrent\n\n  dir=films/1\ntwo.torrent\nalbum.torrent\n  files=b.nfo\n  dir=music\n";
    place.write("list", list.as_bytes());
    let args = ["download", "-i", "list", "-o", "rest", "--peer", &second];
    let finished = place.run(&with_peer(&args, &addr));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_same(&place, "one", "films/1/one");
    assert_same(&place, "two", "rest/two");
    assert_same(&place, "album/b.nfo", "music/album/b.nfo");
    assert!(!place.path("music/album/a.mkv").exists());

    // The same list says where the data is.
    place.write(
        "list",
        b"one.torrent\n dir=films/1\ntwo.torrent\n dir=rest\n",
    );
    let seeder = place.start(&[&["seed", "-i", "list"], &LOCAL[..]].concat());
    for _ in 0..2 {
        seeder.line("seeding ");
    }
}

#[test]
fn a_wrong_list_is_wrong_usage_that_names_the_line() {
    let place = Place::new();
    place.write("list", b"one.torrent\n  out=x\n");
    let cases: [(&[&str], &str); 5] = [
        (
            &["download", "-i", "list"],
            "list, line 2: unknown option \"out\"",
        ),
        (&["download", "-", "-i", "-"], "once only"),
        (&["download", "-"], "names no sources"),
        (&["seed", "-i", "list"], "list, line 2"),
        (&["seed", "x.torrent"], "--data"),
    ];
    for (args, told) in cases {
        let finished = place.run(args);
        assert_eq!(finished.code, Some(2), "{args:?}: {finished:?}");
        assert!(finished.err.contains(told), "{args:?}: {}", finished.err);
    }
    place.write("list", b"one.torrent\n");
    let finished = place.run(&["seed", "-i", "list"]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.err.contains("dir=DIR"), "{}", finished.err);
}

#[test]
fn standard_input_is_a_torrent_or_a_list() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    let torrent = fs::read(place.path("one.torrent")).unwrap();
    let args = ["download", "-", "-o", "there"];
    let finished = place.run_with_input(&with_peer(&args, &addr), &torrent);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_same(&place, "one", "there/one");

    let magnet = inspect(&place, "one.torrent")["magnet"].clone();
    let links = format!("{}\ntwo.torrent\n", magnet.as_str().unwrap());
    let args = ["download", "-i", "-", "-o", "again"];
    let finished = place.run_with_input(&with_peer(&args, &addr), links.as_bytes());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_same(&place, "one", "again/one");
    assert_same(&place, "two", "again/two");

    let finished = place.run_with_input(&["inspect", "-"], &torrent);
    assert!(finished.out.contains("one"), "{finished:?}");
    let finished = place.run_with_input(&["inspect", "-"], b"one.torrent\n");
    assert!(finished.out.contains("one"), "{finished:?}");
    let finished = place.run_with_input(&["inspect", "-"], b"a\nb\n");
    assert_eq!(finished.code, Some(2), "{finished:?}");
}

#[test]
fn a_hash_by_itself_and_a_peer_by_name_are_enough() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    let magnet = inspect(&place, "one.torrent")["magnet"].clone();
    let (_, hash) = magnet.as_str().unwrap().split_once("btih:").unwrap();
    let by_name = addr.replace("127.0.0.1", "localhost");
    let args = ["download", &hash[..40], "two.torrent", "-o", "there"];
    let args = [&args[..], &["--peer", "nowhere.invalid:1"]].concat();
    let finished = place.run(&with_peer(&args, &by_name));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_same(&place, "one", "there/one");
    assert_same(&place, "two", "there/two");
    // Nothing waits for a name that takes long, so that the end may come before its warning. A v2 hash has more digits.
    for digits in [40, 64] {
        let args = [
            "download",
            &"0".repeat(digits),
            "--peer",
            "nowhere.invalid:1",
        ];
        let downloader = place.start(&[&args, &LOCAL[..]].concat());
        downloader.error_line("warning: peer nowhere.invalid:1 is left out");
    }
}

#[test]
fn a_download_that_stays_in_memory_says_that_it_is_lost() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    let args = ["download", "one.torrent", "--storage", "memory"];
    let finished = place.run(&with_peer(&args, &addr));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told = "warning: one is kept in memory only";
    assert!(finished.err.contains(told), "{}", finished.err);
    assert!(finished.err.contains("--seed"), "{}", finished.err);
    let seeder = place.start(&with_peer(&[&args[..], &["--seed"]].concat(), &addr));
    seeder.line("complete: one");
    drop(seeder);
}

#[test]
fn torrents_that_come_one_behind_the_other_are_all_taken() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    let [one, two] = ["one.torrent", "two.torrent"].map(|name| fs::read(place.path(name)).unwrap());
    let both = [&one[..], &two].concat();
    let args = ["download", "-", "-o", "there"];
    let finished = place.run_with_input(&with_peer(&args, &addr), &both);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_same(&place, "one", "there/one");
    assert_same(&place, "two", "there/two");

    let finished = place.run_with_input(&["inspect", "-"], &both);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.err.contains("holds 2 torrents"),
        "{}",
        finished.err
    );

    // One that is cut off does not go without a word.
    let cut = [&one[..], b"\n", &two[..two.len() - 9]].concat();
    let args = ["download", "-", "-o", "again"];
    let finished = place.run_with_input(&with_peer(&args, &addr), &cut);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("error: standard input: "),
        "{}",
        finished.err
    );
    assert_same(&place, "one", "again/one");
}

#[test]
fn a_tilde_in_a_list_is_the_home_folder() {
    let place = Place::new();
    let (_seeder, addr) = pair(&place);
    fs::create_dir(place.path("home")).unwrap();
    fs::rename(place.path("one.torrent"), place.path("home/one.torrent")).unwrap();
    place.write("list", b"~/one.torrent\n dir=~/films\n");
    let args = with_peer(&["download", "-i", "list"], &addr);
    let mut command = place.command(&args);
    command
        .env("HOME", place.path("home"))
        .env("USERPROFILE", place.path("home"));
    let finished = Running::of(command).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_same(&place, "one", "home/films/one");
    assert!(!place.path("~").exists());

    let mut command = place.command(&args);
    command.env_remove("HOME").env_remove("USERPROFILE");
    let finished = Running::of(command).finish();
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.err.contains("list, line 1: \"~/one.torrent\""),
        "{}",
        finished.err
    );
}

#[test]
fn files_are_named_as_people_name_them() {
    let place = Place::new();
    for (seed, name) in [
        (1, "notes.nfo"),
        (2, "Subs/en.srt"),
        (3, "Subs/de.srt"),
        (4, "more/en.srt"),
    ] {
        place.write(&format!("here/multi/{name}"), &noise(seed, 40_000));
    }
    let torrent = place.create("here/multi", &["--piece-length", "16KiB"]);
    let (_seeder, addr) = place.seed(&torrent, "here");
    let cases: [(&str, &[&str]); 4] = [
        ("de.srt", &["Subs/de.srt"]),
        ("en.srt", &["Subs/en.srt", "more/en.srt"]),
        ("./notes.nfo", &["notes.nfo"]),
        ("1,", &[]),
    ];
    for (number, (list, names)) in cases.into_iter().enumerate() {
        let there = format!("there{number}");
        let args = ["download", &torrent, "-o", &there, "--files", list];
        let finished = place.run(&with_peer(&args, &addr));
        assert_eq!(finished.code, Some(0), "{list}: {finished:?}");
        for name in names {
            assert_same(
                &place,
                &format!("multi/{name}"),
                &format!("{there}/multi/{name}"),
            );
        }
    }
    assert!(!place.path("there0/multi/Subs/en.srt").exists());
    for (list, code, told) in [
        ("6-2", 2, "the range 6-2 of files runs backwards: write 2-6"),
        ("subs/", 1, "help: did you mean Subs/?"),
        ("notes.nof", 1, "help: did you mean notes.nfo?"),
        ("xyzzy", 1, "help: `tailwater inspect` shows"),
    ] {
        let args = ["download", &torrent, "--files", list];
        let finished = place.run(&with_peer(&args, &addr));
        assert!(finished.err.contains(told), "{list}: {}", finished.err);
        assert!(
            [1, code].contains(&finished.code.unwrap()),
            "{list}: {finished:?}"
        );
    }
}
