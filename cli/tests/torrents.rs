//! Torrent files: created, shown, refused, verified against files.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use std::fs;
use support::{Place, noise};

/// A folder of four files, one of them empty, in pieces of 16 KiB.
fn album(place: &Place) -> String {
    place.write("album/a.bin", &noise(1, 50_000));
    place.write("album/b.bin", &noise(2, 1));
    place.write("album/live/c.bin", &noise(3, 40_000));
    place.write("album/live/none.bin", b"");
    place.create("album", &["--piece-length", "16KiB"])
}

fn inspect(place: &Place, torrent: &str) -> Value {
    serde_json::from_str(&place.ok(&["inspect", torrent, "--json"])).unwrap()
}

#[test]
fn what_is_made_is_shown() {
    let place = Place::new();
    place.write("data/x.bin", &noise(1, 100_000));
    place.write("data/y.bin", b"y");
    let printed = place.ok(&[
        "create",
        "data",
        "-o",
        "out.torrent",
        "--piece-length",
        "32KiB",
        "--tracker",
        "http://t.example/announce",
        "--tracker",
        "udp://u.example:6969",
        "--web-seed",
        "https://w.example/",
        "--private",
        "--comment",
        "for \u{1b}[31myou",
    ]);
    let said = inspect(&place, "out.torrent");
    let hash = said["info_hash_v1"].as_str().unwrap();
    assert_eq!(hash.len(), 40);
    assert!(
        printed.contains(hash) && printed.contains(said["magnet"].as_str().unwrap()),
        "{printed}"
    );
    assert_eq!(said["name"], "data");
    assert_eq!(said["info_hash_v2"], Value::Null);
    assert_eq!(said["piece_length"], 32_768);
    assert_eq!(said["piece_count"], 4);
    assert_eq!(said["total_size"], 100_001);
    assert_eq!(said["private"], true);
    assert_eq!(
        said["files"],
        serde_json::json!([
            { "path": "data/x.bin", "length": 100_000, "pad": false },
            { "path": "data/y.bin", "length": 1, "pad": false },
        ])
    );
    assert_eq!(
        said["trackers"],
        serde_json::json!([["http://t.example/announce"], ["udp://u.example:6969"]])
    );
    assert_eq!(said["web_seeds"], serde_json::json!(["https://w.example/"]));
    assert!(
        said["magnet"]
            .as_str()
            .unwrap()
            .starts_with(&format!("magnet:?xt=urn:btih:{hash}"))
    );

    let human = place.ok(&["inspect", "out.torrent"]);
    for shown in [
        hash,
        "data/x.bin",
        "udp://u.example:6969",
        "private",
        "for \\u{1b}[31myou",
    ] {
        assert!(human.contains(shown), "{shown:?} is not in {human}");
    }
    assert!(!human.contains('\u{1b}'));
}

#[test]
fn create_prints_json_too() {
    let place = Place::new();
    place.write("f", &noise(1, 20_000));
    let made: Value = serde_json::from_str(&place.ok(&["create", "f", "--json"])).unwrap();
    assert_eq!(made["torrent"], "f.torrent");
    assert_eq!(
        made["info_hash_v1"],
        inspect(&place, "f.torrent")["info_hash_v1"]
    );
}

#[test]
fn a_torrent_file_is_not_overwritten_unless_told() {
    let place = Place::new();
    place.write("f", b"data");
    place.write("f.torrent", b"precious");
    let refused = place.run(&["create", "f"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("f.torrent exists already") && refused.err.contains("--force"),
        "{}",
        refused.err
    );
    assert_eq!(fs::read(place.path("f.torrent")).unwrap(), b"precious");
    place.ok(&["create", "f", "--force"]);
    assert_eq!(inspect(&place, "f.torrent")["name"], "f");
    assert_eq!(place.everything(), ["f", "f.torrent"]);
}

#[test]
fn what_cannot_be_made_is_said_and_leaves_nothing() {
    let place = Place::new();
    place.write("f", b"data");
    fs::create_dir(place.path("hollow")).unwrap();
    let before = place.everything();
    let cases: [(&[&str], &str); 3] = [
        (&["create", "missing"], "missing"),
        (&["create", "hollow"], "torrent"),
        (
            &["create", "f", "-o", "no/such/folder.torrent"],
            "no/such/folder.torrent",
        ),
    ];
    for (args, told) in cases {
        let finished = place.run(args);
        assert_eq!(finished.code, Some(1), "{args:?}: {finished:?}");
        assert!(finished.err.contains(told), "{args:?}: {}", finished.err);
        assert_eq!(place.everything(), before, "{args:?}");
    }
}

#[test]
fn a_malformed_torrent_is_refused_in_one_line_by_every_command() {
    let place = Place::new();
    let deep = [b'l'; 1 << 20];
    let pieces = "4:name1:x12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa";
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("empty", b"".to_vec(), "byte 0"),
        ("html", b"<!DOCTYPE html>".to_vec(), "web page"),
        ("cut", b"d4:infod4:name".to_vec(), "byte"),
        ("deep", deep.to_vec(), "byte"),
        ("no-info", b"d3:fooi1ee".to_vec(), "info is missing"),
        (
            "no-length",
            format!("d4:infod{pieces}ee").into_bytes(),
            "length",
        ),
        (
            "negative",
            format!("d4:infod6:lengthi-1e{pieces}ee").into_bytes(),
            "info.length at byte",
        ),
        (
            "zero-piece",
            b"d4:infod6:lengthi1e4:name1:x12:piece lengthi0e6:pieces0:ee".to_vec(),
            "info.piece length at byte",
        ),
    ];
    for (name, bytes, told) in cases {
        place.write("bad.torrent", &bytes);
        for command in [
            &["inspect", "bad.torrent"][..],
            &["inspect", "bad.torrent", "--json"],
            &["download", "bad.torrent", "-o", "out"],
            &["seed", "bad.torrent", "--data", "."],
            &["verify", "bad.torrent", "--data", "."],
            &["announce", "bad.torrent"],
            &["scrape", "bad.torrent"],
        ] {
            let finished = place.run(command);
            assert_eq!(finished.code, Some(1), "{name}, {command:?}: {finished:?}");
            assert_eq!(
                finished.err.lines().count(),
                1,
                "{name}, {command:?}: {}",
                finished.err
            );
            assert!(
                finished.err.contains("bad.torrent") && finished.err.contains(told),
                "{name}: {}",
                finished.err
            );
            assert_eq!(finished.out, "", "{name}, {command:?}");
        }
        assert_eq!(place.everything(), ["bad.torrent"], "{name}");
        assert!(place.state().is_empty(), "{name}");
    }
}

#[test]
fn a_source_that_is_none_is_refused() {
    let place = Place::new();
    let big = fs::File::create(place.path("big.torrent")).unwrap();
    big.set_len(1 << 30).unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    let cases = [
        (
            "missing.torrent",
            "cannot open missing.torrent: no such file",
        ),
        ("folder", "folder: is a directory"),
        ("big.torrent", "big.torrent is longer than"),
        ("magnet:?dn=nothing", "names no torrent"),
    ];
    for (source, told) in cases {
        let finished = place.run(&["download", source]);
        assert_eq!(finished.code, Some(1), "{source}: {finished:?}");
        assert!(finished.err.contains(told), "{source}: {}", finished.err);
    }
}

#[test]
fn verify_says_of_each_file_what_is_wrong() {
    let place = Place::new();
    let torrent = album(&place);
    let fine = place.ok(&["verify", &torrent, "--data", "."]);
    assert_eq!(
        fine.lines().filter(|line| line.starts_with("ok ")).count(),
        4,
        "{fine}"
    );

    // a.bin is pieces 0 to 3, b.bin lies in piece 3, c.bin is pieces 3 to 5.
    let mut c = fs::read(place.path("album/live/c.bin")).unwrap();
    *c.last_mut().unwrap() ^= 1;
    fs::write(place.path("album/live/c.bin"), c).unwrap();
    fs::write(place.path("album/live/none.bin"), b"something").unwrap();
    fs::remove_file(place.path("album/b.bin")).unwrap();
    let before = place.everything();
    let finished = place.run(&["verify", &torrent, "--data", "."]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for line in [
        "UNSURE   album/a.bin  (1 of 4 pieces shared with a file that is missing or wrong)",
        "MISSING  album/b.bin  (1 B)",
        "WRONG    album/live/c.bin  (2 of 3 pieces wrong)",
        "WRONG    album/live/none.bin  (9 bytes, should be 0)",
        "album: 1 missing, 2 wrong; 1 cannot be checked because of them; 0 of 4 files and 4 of 6 pieces are right",
    ] {
        assert!(
            finished.out.contains(line),
            "{line:?} is not in {}",
            finished.out
        );
    }
    assert_eq!(place.everything(), before, "verifying changes nothing");

    let finished = place.run(&["verify", &torrent, "--data", ".", "--json"]);
    let first: Value = serde_json::from_str(finished.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["path"], "album/a.bin");
    assert_eq!(
        (&first["result"], &first["name"]),
        (&"unsure".into(), &"album".into())
    );
    let last: Value = serde_json::from_str(finished.out.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["result"]),
        (&"summary".into(), &"bad".into())
    );
    let counts = ["files", "ok", "missing", "wrong", "unsure"].map(|key| last[key].as_u64());
    assert_eq!(counts, [4, 0, 1, 2, 1].map(Some));
}

#[test]
fn of_many_files_that_share_a_piece_only_the_one_that_is_missing_is_called_so() {
    let place = Place::new();
    for number in 0..2_000 {
        place.write(
            &format!("many/{number:04}"),
            format!("file {number}").as_bytes(),
        );
    }
    place.write("other", b"another torrent");
    let many = place.create("many", &["--piece-length", "32KiB"]);
    let other = place.create("other", &[]);
    fs::remove_file(place.path("many/0700")).unwrap();
    let finished = place.run(&["verify", &many, &other, "--data", "."]);
    assert_eq!(finished.code, Some(1));
    let lines: Vec<_> = finished.out.lines().collect();
    let summary = "many: 1 missing; 1 999 cannot be checked because of it; 0 of 2 000 files and 0 of 1 piece are right";
    let position = lines.iter().position(|line| *line == summary).unwrap();
    assert_eq!(lines[position - 1], "MISSING  many/0700  (8 B)");
    assert!(lines[position - 2].starts_with("UNSURE   many/1999 "));
    assert_eq!(lines.last(), Some(&"other: all right: 1 file, 15 B"));

    let finished = place.run(&["verify", "nowhere.torrent", &other, "--data", "."]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.out.contains("other: all right") && finished.err.contains("nowhere.torrent"));
    let refused = place.run(&["seed", &many, "--data", "."]).err;
    assert!(
        refused.contains("MISSING  many/0700") && refused.contains("many: 1 missing (8 B of "),
        "{refused}"
    );
    assert_eq!(refused.lines().count(), 3, "{refused}");
}

#[test]
fn verify_makes_no_folder() {
    let place = Place::new();
    let torrent = album(&place);
    let before = place.everything();
    let finished = place.run(&["verify", &torrent, "--data", "elsewhere"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("elsewhere is not a folder"),
        "{}",
        finished.err
    );
    fs::create_dir(place.path("elsewhere")).unwrap();
    let finished = place.run(&["verify", &torrent, "--data", "elsewhere"]);
    assert_eq!(
        finished.out.matches("MISSING").count(),
        4,
        "{}",
        finished.out
    );
    fs::remove_dir(place.path("elsewhere")).unwrap();
    assert_eq!(place.everything(), before);
}

#[test]
fn several_torrents_are_shown_and_a_bad_one_does_not_stop_the_others() {
    let place = Place::new();
    for name in ["one", "two"] {
        place.write(name, &noise(1, 20_000));
        place.ok(&["create", name]);
    }
    place.write("bad.torrent", b"hello");
    let args = ["inspect", "one.torrent", "bad.torrent", "two.torrent"];
    let shown = place.run(&args);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.err.contains("bad.torrent"), "{}", shown.err);
    let blocks: Vec<_> = shown.out.split("\n\n").collect();
    assert_eq!(blocks.len(), 2, "{}", shown.out);
    assert!(blocks[0].contains("name:          one") && blocks[1].contains("name:          two"));
    let lines = place.run(&[&args[..], &["--json"]].concat()).out;
    let names = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let names: Vec<_> = names.map(|said| said["name"].clone()).collect();
    assert_eq!(names, ["one", "two"]);
}
