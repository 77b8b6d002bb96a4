//! Tests of `tailwater edit`.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Finished, Place, noise};

const HYBRID: &[u8] = include_bytes!("../../metainfo/tests/data/hybrid-folder.torrent");
const V2: &[u8] = include_bytes!("../../metainfo/tests/data/v2-folder.torrent");

fn inspect(place: &Place, torrent: &str) -> Value {
    serde_json::from_str(&place.ok(&["inspect", torrent, "--json"])).unwrap()
}

/// A torrent with two trackers.
fn torrent(place: &Place) {
    place.write("one", &noise(9, 100_000));
    let trackers = [
        "--tracker",
        "http://a.example/announce",
        "--tracker",
        "udp://b.example:1",
    ];
    place.ok(&[&["create", "one", "--comment", "old"], &trackers[..]].concat());
}

fn edit(place: &Place, args: &[&str]) -> Finished {
    place.run(&[&["edit", "one.torrent"], args].concat())
}

#[test]
fn trackers_are_added_removed_and_replaced_in_place() {
    let place = Place::new();
    torrent(&place);
    let before = inspect(&place, "one.torrent");
    let hash = before["info_hash_v1"].as_str().unwrap();
    let steps: [(&[&str], Value); 5] = [
        (
            &["--add-tracker", "udp://c.example:1,udp://d.example:1"],
            json!([
                ["http://a.example/announce"],
                ["udp://b.example:1"],
                ["udp://c.example:1", "udp://d.example:1"]
            ]),
        ),
        (
            &[
                "--remove-tracker",
                "HTTP://A.example:80/announce",
                "--remove-tracker",
                "udp://c.example:1",
            ],
            json!([["udp://b.example:1"], ["udp://d.example:1"]]),
        ),
        (
            &[
                "--set-tracker",
                "udp://e.example:1",
                "--set-tracker",
                "udp://f.example:1",
            ],
            json!([["udp://e.example:1"], ["udp://f.example:1"]]),
        ),
        (
            &["--clear-trackers", "--add-tracker", "udp://g.example:1"],
            json!([["udp://g.example:1"]]),
        ),
        (&["--clear-trackers"], json!([])),
    ];
    for (args, expected) in steps {
        let edited = edit(&place, args);
        assert_eq!(edited.code, Some(0), "{args:?}: {edited:?}");
        assert!(edited.out.contains(hash), "{args:?}: {}", edited.out);
        let after = inspect(&place, "one.torrent");
        assert_eq!(after["trackers"], expected, "{args:?}");
        assert_eq!(after["info_hash_v1"], before["info_hash_v1"], "{args:?}");
        assert_eq!(after["comment"], "old");
    }
    assert_eq!(place.everything(), ["one", "one.torrent"]);
}

#[test]
fn before_and_after_are_shown() {
    let place = Place::new();
    torrent(&place);
    let bytes = fs::read(place.path("one.torrent")).unwrap();
    let args = [
        "--remove-tracker",
        "udp://b.example:1",
        "--comment",
        "new\u{1b}",
        "--dry-run",
    ];
    let shown = edit(&place, &args);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let lines: Vec<_> = shown.out.lines().skip(1).collect();
    let expected = [
        "trackers before:",
        "  1  http://a.example/announce",
        "  2  udp://b.example:1",
        "trackers after:",
        "  1  http://a.example/announce",
        "comment before:  old",
        "comment after:   new\\u{1b}",
        "nothing was written",
    ];
    assert_eq!(lines, expected);
    let said = edit(&place, &[&args[..], &["--json"]].concat());
    let said: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said["before"]["comment"], "old");
    assert_eq!(
        said["after"]["trackers"],
        json!([["http://a.example/announce"]])
    );
    assert_eq!(said["written"], Value::Null);
    // What changes nothing leaves the file alone.
    let same = edit(&place, &["--add-tracker", "udp://B.example:1"]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(
        same.err.contains("has the tracker") && same.out.contains("nothing changes"),
        "{same:?}"
    );
    assert_eq!(fs::read(place.path("one.torrent")).unwrap(), bytes);
}

#[test]
fn the_result_goes_where_it_is_told() {
    let place = Place::new();
    torrent(&place);
    fs::create_dir(place.path("sub")).unwrap();
    let bytes = fs::read(place.path("one.torrent")).unwrap();
    let add = ["--comment", "new", "-o"];
    for (output, file) in [("two.torrent", "two.torrent"), ("sub", "sub/one.torrent")] {
        let edited = edit(&place, &[&add[..], &[output]].concat());
        assert_eq!(edited.code, Some(0), "{edited:?}");
        assert_eq!(inspect(&place, file)["comment"], "new");
        let again = edit(&place, &[&add[..], &[output]].concat());
        assert_eq!(again.code, Some(1), "{again:?}");
        assert!(again.err.contains("exists already"), "{}", again.err);
    }
    let mut command = place.command(&[&["edit", "one.torrent"], &add[..], &["-"]].concat());
    let finished = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(
        finished.stdout,
        fs::read(place.path("two.torrent")).unwrap()
    );
    assert_eq!(fs::read(place.path("one.torrent")).unwrap(), bytes);
    let itself = edit(&place, &[&add[..], &["./one.torrent"]].concat());
    assert_eq!(itself.code, Some(0), "{itself:?}");
    assert_eq!(inspect(&place, "one.torrent")["comment"], "new");
}

#[test]
fn torrents_of_version_2_can_be_edited() {
    let place = Place::new();
    for (name, bytes) in [("hybrid.torrent", HYBRID), ("v2.torrent", V2)] {
        place.write(name, bytes);
        let before = inspect(&place, name);
        let out = place.ok(&["edit", name, "--set-tracker", "udp://x.example:1"]);
        assert!(
            out.contains(before["info_hash_v2"].as_str().unwrap()),
            "{out}"
        );
        let mut after = inspect(&place, name);
        assert_eq!(after["trackers"], json!([["udp://x.example:1"]]));
        after["trackers"] = before["trackers"].clone();
        after["magnet"] = before["magnet"].clone();
        assert_eq!(after, before);
    }
}

#[test]
fn what_cannot_be_edited_is_said_and_stays() {
    let place = Place::new();
    torrent(&place);
    place.write("not.torrent", b"hello");
    let bytes = fs::read(place.path("one.torrent")).unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["one.torrent"], 2, "--add-tracker"),
        (&["one.torrent", "--add-tracker", "ftp://x"], 2, "udp"),
        (
            &[
                "one.torrent",
                "--set-tracker",
                "udp://x:1",
                "--add-tracker",
                "udp://y:1",
            ],
            2,
            "--add-tracker",
        ),
        (&["one.torrent", "--comment", "x", "--force"], 2, "--output"),
        (
            &["one.torrent", "--remove-tracker", "udp://z.example:1"],
            1,
            "one.torrent has no tracker udp://z.example:1",
        ),
        (&["not.torrent", "--comment", "x"], 1, "not.torrent"),
        (&["missing.torrent", "--comment", "x"], 1, "missing.torrent"),
        (
            &["one.torrent", "--comment", "x", "-o", "no/such/file"],
            1,
            "no/such/file",
        ),
    ];
    for (args, code, told) in cases {
        let finished = place.run(&[&["edit"], args].concat());
        assert_eq!(finished.code, Some(code), "{args:?}: {finished:?}");
        assert!(finished.err.contains(told), "{args:?}: {}", finished.err);
        assert_eq!(finished.out, "", "{args:?}");
    }
    assert_eq!(fs::read(place.path("one.torrent")).unwrap(), bytes);
    assert_eq!(place.everything(), ["not.torrent", "one", "one.torrent"]);
}

#[test]
fn trackers_of_any_kind_can_be_removed_and_the_others_are_left_as_they_are() {
    let place = Place::new();
    let info =
        b"4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    let of = |list: &[u8]| {
        let begin = b"d8:announce12:http://alone13:announce-list";
        [&begin[..], list, info].concat()
    };
    // One of a kind that we cannot ask, one that is no text, one with spaces.
    place.write(
        "one.torrent",
        &of(b"ll13:wss://w.x:444el2:\xff\xfeel13: udp://u.x:1 ee"),
    );
    let removed = edit(&place, &["--remove-tracker", "wss://w.x:444"]);
    assert_eq!(removed.code, Some(0), "{removed:?}");
    let left = of(b"ll2:\xff\xfeel13: udp://u.x:1 ee");
    assert!(fs::read(place.path("one.torrent")).unwrap() == left);
    let added = edit(&place, &["--add-tracker", "udp://n.x:1"]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let left = of(b"ll2:\xff\xfeel13: udp://u.x:1 el11:udp://n.x:1ee");
    assert!(fs::read(place.path("one.torrent")).unwrap() == left);
}

#[test]
fn a_torrent_is_read_from_standard_input() {
    let place = Place::new();
    torrent(&place);
    let bytes = fs::read(place.path("one.torrent")).unwrap();
    let change = ["edit", "-", "--comment", "new"];
    let refused = place.run_with_input(&change, &bytes);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains("`--output`"), "{}", refused.err);

    let made = place.run_with_input(&[&change[..], &["-o", "two.torrent"]].concat(), &bytes);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(inspect(&place, "two.torrent")["comment"], "new");
    // In a folder it is called as `create` would call it.
    fs::create_dir(place.path("sub")).unwrap();
    let made = place.run_with_input(&[&change[..], &["-o", "sub"]].concat(), &bytes);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(inspect(&place, "sub/one.torrent")["comment"], "new");
    let mut command = place.command(&[&change[..], &["-o", "-"]].concat());
    let input = fs::File::open(place.path("one.torrent")).unwrap();
    let made = command.stdin(input).stderr(Stdio::piped()).output();
    let written = fs::read(place.path("two.torrent")).unwrap();
    assert!(made.unwrap().stdout == written);
    let wrong = place.run_with_input(&[&change[..], &["--dry-run"]].concat(), b"hello");
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.err.contains("standard input"), "{}", wrong.err);
}
