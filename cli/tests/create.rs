//! Tests of `tailwater create`, with folders as they occur in practice.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use serde_json::{Value, json};
use support::{Place, noise};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn inspect(place: &Place, torrent: &str) -> Value {
    json(&place.ok(&["inspect", torrent, "--json"]))
}

/// A folder with a good file and four things that no torrent can hold.
fn mixed(place: &Place) {
    place.write("box/good.bin", &noise(1, 40_000));
    let odd = place.path("box").join(OsStr::from_bytes(b"caf\xe9"));
    fs::write(odd, b"x").unwrap();
    std::os::unix::fs::symlink("nowhere", place.path("box/dangling")).unwrap();
    std::os::unix::fs::symlink("circle", place.path("box/circle")).unwrap();
    let socket = place.path("box/socket");
    drop(std::os::unix::net::UnixListener::bind(socket).unwrap());
}

const UNREADABLE: [&str; 4] = [
    "box/caf\\xE9: its name is not UTF-8",
    "box/circle: it cannot be read: too many levels of symbolic links",
    "box/dangling: it is a link to nothing",
    "box/socket: it is neither a file nor a folder",
];

#[test]
fn what_cannot_be_shared_is_listed_together() {
    let place = Place::new();
    mixed(&place);
    let refused = place.run(&["create", "box"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let mut lines: Vec<_> = refused.err.lines().map(str::trim).collect();
    assert!(
        lines[0].ends_with("4 files and folders cannot be shared:"),
        "{lines:?}"
    );
    assert!(lines.pop().unwrap().contains("--skip-unreadable"));
    assert_eq!(lines[1..], UNREADABLE);
    assert!(!place.path("box.torrent").exists());

    // More than a screen of them is counted.
    for number in 0..30 {
        std::os::unix::fs::symlink("no", place.path(&format!("box/z{number:02}"))).unwrap();
    }
    let refused = place.run(&["create", "box"]);
    assert_eq!(
        refused.err.matches("link to nothing").count(),
        17,
        "{}",
        refused.err
    );
    assert!(refused.err.contains("… and 14 more"), "{}", refused.err);
}

#[test]
fn skip_unreadable_leaves_it_out_with_a_warning_each() {
    let place = Place::new();
    mixed(&place);
    let made = place.run(&["create", "box", "--skip-unreadable"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let warnings: Vec<_> = made.err.lines().collect();
    let expected = UNREADABLE.map(|line| format!("warning: left out {line}"));
    assert_eq!(warnings, expected);
    let said = inspect(&place, "box.torrent");
    assert_eq!(
        said["files"],
        json!([{ "path": "box/good.bin", "length": 40_000, "pad": false }])
    );
    // What is excluded needs no permission.
    let without = [
        "--exclude",
        "[cd]*",
        "--exclude",
        "socket",
        "--force",
        "--json",
    ];
    let made = json(&place.ok(&[&["create", "box"], &without[..]].concat()));
    assert_eq!(
        (&made["excluded"], &made["left_out"]),
        (&json!(4), &json!([]))
    );
}

#[test]
fn a_torrent_goes_where_it_is_told() {
    let place = Place::new();
    place.write("film.mkv", &noise(1, 40_000));
    fs::create_dir(place.path("torrents")).unwrap();
    for (output, file) in [
        ("torrents", "torrents/film.mkv.torrent"),
        ("torrents/", "torrents/film.mkv.torrent"),
        ("./torrents/x", "torrents/x"),
    ] {
        let out = place.ok(&["create", "film.mkv", "-o", output]);
        assert!(out.contains(file), "{output}: {out}");
        assert_eq!(inspect(&place, file)["name"], "film.mkv");
        fs::remove_file(place.path(file)).unwrap();
    }
    let missing = place.run(&["create", "film.mkv", "-o", "missing/"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(
        missing.err.contains("missing/film.mkv.torrent"),
        "{}",
        missing.err
    );
    assert_eq!(place.everything(), ["film.mkv", "torrents"]);
}

#[test]
fn standard_output_takes_the_torrent_and_nothing_else() {
    let place = Place::new();
    place.write("film.mkv", &noise(1, 40_000));
    place.ok(&["create", "film.mkv", "-o", "there.torrent"]);
    let mut command = place.command(&["create", "film.mkv", "-o", "-"]);
    let finished = command.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(finished.status.code(), Some(0));
    assert_eq!(
        finished.stdout,
        fs::read(place.path("there.torrent")).unwrap()
    );
    let said = String::from_utf8(finished.stderr).unwrap();
    assert!(said.contains("info-hash:  "), "{said}");
    let both = place.run(&["create", "film.mkv", "-o", "-", "--json"]);
    assert_eq!((both.code, &*both.out), (Some(2), ""), "{both:?}");
    assert_eq!(place.everything(), ["film.mkv", "there.torrent"]);
}

#[test]
fn trackers_are_taken_once_and_a_private_torrent_needs_one() {
    let place = Place::new();
    place.write("f", b"data");
    let trackers = [
        "http://T.example:80/announce",
        "udp://u.example:1,http://t.example/announce",
        "udp://v.example:1",
    ];
    let trackers = trackers.map(|tracker| ["--tracker", tracker]).concat();
    let made = place.run(&[&["create", "f", "--private"], &trackers[..]].concat());
    assert_eq!(made.code, Some(0), "{made:?}");
    let warning = "warning: the tracker http://t.example/announce is given twice, and taken once\n";
    assert_eq!(made.err, warning);
    let tiers = json!([
        ["http://t.example/announce"],
        ["udp://u.example:1"],
        ["udp://v.example:1"]
    ]);
    assert_eq!(inspect(&place, "f.torrent")["trackers"], tiers);
    let lonely = place.run(&["create", "f", "--private", "--force"]);
    assert_eq!(lonely.code, Some(0), "{lonely:?}");
    assert!(
        lonely.err.starts_with("warning: a private torrent"),
        "{}",
        lonely.err
    );
    assert!(lonely.err.contains("--tracker URL"), "{}", lonely.err);
}

#[test]
fn a_dry_run_shows_what_would_be_made() {
    let place = Place::new();
    place.write("album/b.bin", &noise(2, 50_000));
    place.write("album/a.bin", &noise(1, 1));
    place.write("album/scans/cover.jpg", b"x");
    place.write("album/b.nfo", b"x");
    let exclude = [
        "--exclude",
        "*.nfo",
        "--exclude",
        "scans",
        "--exclude",
        "none",
    ];
    let args = [
        &["create", "album", "--dry-run", "--piece-length", "16KiB"],
        &exclude[..],
    ];
    let before = place.everything();
    let planned = place.run(&args.concat());
    assert_eq!(planned.code, Some(0), "{planned:?}");
    let expected = "       1 B  album/a.bin\n  48.8 KiB  album/b.bin\n\
                    48.8 KiB in 2 files, 4 pieces of 16.0 KiB; 2 excluded\nnothing was hashed or written\n";
    assert_eq!(planned.out, expected);
    assert_eq!(planned.err, "warning: nothing matches `--exclude none`\n");
    let planned = json(&place.ok(&[&args.concat()[..], &["--json"]].concat()));
    assert_eq!(
        planned["files"][1],
        json!({ "path": "album/b.bin", "length": 50_000 })
    );
    assert_eq!(
        (&planned["piece_count"], &planned["total_size"]),
        (&json!(4), &json!(50_001))
    );
    assert_eq!(place.everything(), before);

    place.ok(&[&["create", "album"], &exclude[..]].concat());
    let files = inspect(&place, "album.torrent")["files"].clone();
    assert_eq!(files.as_array().unwrap().len(), 2, "{files}");
    let file = place.run(&["create", "album/a.bin", "--exclude", "x"]);
    assert_eq!(file.code, Some(2), "{file:?}");
}

#[test]
fn name_and_source_are_the_users() {
    let place = Place::new();
    place.write("raw/a.bin", &noise(1, 20_000));
    let hash = |more: &[&str]| {
        let made = place.ok(&[&["create", "raw", "--force", "--json"], more].concat());
        json(&made)["info_hash_v1"].as_str().unwrap().to_owned()
    };
    let plain = hash(&[]);
    assert_ne!(plain, hash(&["--source", "HERE"]));
    assert_ne!(plain, hash(&["--name", "a better name"]));
    assert_eq!(
        inspect(&place, "a better name.torrent")["name"],
        "a better name"
    );
    let bytes = fs::read(place.path("raw.torrent")).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains("6:source4:HERE"));
    for name in ["a/b", "..", ""] {
        let refused = place.run(&["create", "raw", "--name", name]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
}

#[test]
fn names_that_others_must_change_are_named() {
    let place = Place::new();
    let long = format!("{}.mkv", "x".repeat(246));
    let names = ["README", "readme", "CON", "a\nb", "c:d", &long];
    for name in names {
        place.write(&format!("box/{name}"), name.as_bytes());
    }
    let made = place.run(&["create", "box"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let short = |length: usize| format!("{}…{}.mkv", "x".repeat(30), "x".repeat(length));
    for told in [
        "warning: 4 names that a download changes",
        "CON becomes _CON\n",
        "a\\nb becomes a_b\n",
        "readme becomes readme.1\n",
        &short(26),
        "warning: 1 name that Windows cannot have:\n  box/c:d\n",
    ] {
        assert!(made.err.contains(told), "{told} is not in {}", made.err);
    }
    let planned = place.run(&["create", "box", "--dry-run"]);
    assert_eq!(planned.err, made.err);

    // It is called in the torrent as it was named, whatever the file is called.
    let dry = ["create", "box/README", "--name", "CON", "--dry-run"];
    let planned = place.run(&dry);
    assert!(planned.out.contains("  CON\n"), "{planned:?}");
    assert!(planned.err.contains("CON becomes _CON\n"), "{planned:?}");
}

#[test]
fn a_torrent_in_the_folder_that_it_shares_is_no_part_of_its_successor() {
    let place = Place::new();
    place.write("a.bin", &noise(1, 20_000));
    place.ok(&["create", ".", "-o", "it.torrent"]);
    let first = inspect(&place, "it.torrent");
    place.ok(&["create", ".", "-o", "it.torrent", "--force"]);
    assert_eq!(
        inspect(&place, "it.torrent")["info_hash_v1"],
        first["info_hash_v1"]
    );
}

#[test]
fn a_device_is_written_to_and_not_replaced() {
    let place = Place::new();
    place.write("f", b"data");
    place.ok(&["create", "f", "-o", "/dev/null"]);
    place.ok(&["create", "f", "-o", "/dev/null", "--force"]);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let range = place.run(&["create", "f", "--piece-length", "1TiB"]);
    assert_eq!(range.code, Some(2), "{range:?}");
    assert!(range.err.contains("from 16KiB to 256MiB"), "{}", range.err);
}

#[test]
fn what_is_nothing_to_share_is_said_plainly() {
    let place = Place::new();
    place.write("box/a.bin", b"data");
    let cases: [(&[&str], i32, &str); 4] = [
        (
            &["/dev/null"],
            1,
            "/dev/null cannot be shared: it is neither a file nor a folder\n",
        ),
        (
            &["/dev/null", "--skip-unreadable"],
            1,
            "/dev/null cannot be shared",
        ),
        (&["box", "--exclude", "*"], 1, "there is no data to share"),
        (
            &["box", "--tracker", "tracker.example"],
            2,
            "begins with http://, https://, udp:// and a host",
        ),
    ];
    for (args, code, told) in cases {
        let refused = place.run(&[&["create"], args].concat());
        assert_eq!(refused.code, Some(code), "{refused:?}");
        assert!(refused.err.contains(told), "{args:?}: {}", refused.err);
    }
    assert_eq!(place.everything(), ["box", "box/a.bin"]);
}

#[test]
fn a_terminal_gets_no_torrent() {
    let place = Place::new();
    place.write("f", b"data");
    let (code, screen) = place.terminal(&["create", "f", "-o", "-"], 24, 80).finish();
    assert_eq!(code, Some(2), "{screen:?}");
    assert!(
        screen.concat().contains("which is a terminal"),
        "{screen:?}"
    );
}

#[test]
fn a_folder_that_is_not_there_is_named_with_what_to_do() {
    let place = Place::new();
    place.write("film.mkv", b"film");
    let finished = place.run(&["create", "film.mkv", "-o", "no dir/deep/"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let expected = "error: cannot write no dir/deep/film.mkv.torrent: no such file or directory\n  \
                    help: make the folder first: mkdir -p 'no dir/deep'\n";
    assert_eq!(finished.err, expected);
}

#[test]
fn links_are_followed_or_kept() {
    let place = Place::new();
    place.write("box/deep/film", &noise(1, 40_000));
    std::os::unix::fs::symlink("deep/film", place.path("box/link")).unwrap();
    place.create("box", &["--hybrid"]);
    let length = |said: &Value| {
        said["files"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|file| file["path"] == "box/link")
            .map(|file| file["length"].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(length(&inspect(&place, "box.torrent")), 40_000);
    let keep = ["create", "box", "--hybrid", "--keep-symlinks", "--force"];
    place.ok(&keep);
    let said = inspect(&place, "box.torrent");
    assert_eq!(length(&said), 0);
    let link = said["files"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| file["path"] == "box/link");
    assert_eq!(link.unwrap()["symlink"], "box/deep/film");
    // One that leads out is told of, and no torrent is made.
    std::os::unix::fs::symlink("../../elsewhere", place.path("box/deep/out")).unwrap();
    let refused = place.run(&keep);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let told = "box/deep/out: it is a link that leads out of the folder";
    assert!(refused.err.contains(told), "{}", refused.err);
}

#[test]
fn inspect_shows_trees() {
    let place = Place::new();
    place.write("box/long", &noise(1, 40_000));
    place.write("box/short", &noise(2, 5));
    place.write("box/none", b"");
    place.create("box", &["--v2", "--piece-length", "16KiB"]);
    let said = json(&place.ok(&["inspect", "box.torrent", "--json", "--trees"]));
    assert_eq!(said["version"], "v2");
    assert_eq!(said["info_hash_v2"].as_str().unwrap().len(), 64);
    let [long, none, short] = [0, 1, 2].map(|file| &said["files"][file]);
    let layer = long["piece_layer"].as_array().unwrap();
    assert_eq!(
        (layer.len(), long["piece_layer_len"].as_u64()),
        (3, Some(3))
    );
    assert!(layer.iter().all(|hash| hash.as_str().unwrap().len() == 64));
    assert_eq!(short["pieces_root"].as_str().unwrap().len(), 64);
    assert_eq!(
        (&short["piece_layer"], &none["pieces_root"]),
        (&Value::Null, &Value::Null)
    );
    let without = inspect(&place, "box.torrent");
    assert_eq!(without["files"][0]["piece_layer_len"], 3);
    assert_eq!(without["files"][0]["piece_layer"], Value::Null);
    let text = place.ok(&["inspect", "box.torrent", "--trees"]);
    let root = long["pieces_root"].as_str().unwrap();
    assert!(
        text.contains(&format!("root {root}, a layer of 3 hashes")),
        "{text}"
    );
    assert!(text.contains("no layer: it is one piece"), "{text}");
    assert!(!place.ok(&["inspect", "box.torrent"]).contains(root));
}
