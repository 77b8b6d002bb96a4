//! Magnet links in the place of torrent files.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use support::{LOCAL, Place, Running, noise};

/// A folder of three files that is seeded, and its link, which names the seeder.
fn shared(place: &Place) -> (Running, String) {
    for (seed, name) in [(1, "a.bin"), (2, "b.mp4"), (3, "c.mp4")] {
        let len = 40_000 * usize::try_from(seed).unwrap();
        place.write(&format!("here/album/{name}"), &noise(seed, len));
    }
    place.ok(&["create", "here/album", "-o", "album.torrent"]);
    let (seeder, addr) = place.seed("album.torrent", "here");
    (seeder, format!("{}&x.pe={addr}", link(place)))
}

/// The link by `inspect`.
fn link(place: &Place) -> String {
    let said = place.ok(&["inspect", "album.torrent", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    said["magnet"].as_str().unwrap().to_owned()
}

fn download<'a>(link: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["download", link, "-o", "there"], &LOCAL[..], more].concat()
}

fn arrived(place: &Place) -> Vec<String> {
    let all = place.everything();
    all.into_iter()
        .filter_map(|path| path.strip_prefix("there/album/").map(str::to_owned))
        .collect()
}

#[test]
fn a_link_that_names_a_seeder_is_downloaded() {
    let place = Place::new();
    let (_seeder, link) = shared(&place);
    let out = place.ok(&download(&link, &["--no-progress"]));
    assert!(out.contains("complete: album"), "{out}");
    for name in ["a.bin", "b.mp4", "c.mp4"] {
        let there = fs::read(place.path(&format!("there/album/{name}"))).unwrap();
        assert!(there == fs::read(place.path(&format!("here/album/{name}"))).unwrap());
    }
}

#[test]
fn a_tracker_leads_from_the_link_to_the_torrent() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    place.write("here/album/a.bin", &noise(1, 100_000));
    place.ok(&[
        "create",
        "here/album",
        "-o",
        "album.torrent",
        "--tracker",
        &url,
    ]);
    let (_seeder, _) = place.seed("album.torrent", "here");
    let link = link(&place);
    let out = place.ok(&download(&link, &["--json"]));
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| -> Vec<&Value> {
        let lines = lines.iter();
        lines.filter(|line| line["event"] == event).collect()
    };
    let metadata = of("metadata");
    let (first, last) = (metadata[0], metadata[metadata.len() - 1]);
    assert!(first["name"].is_null(), "{first}");
    assert_eq!(last["name"], "album");
    assert_eq!(last["trackers_answered"], 1);
    assert_eq!(
        (&last["blocks_have"], &last["blocks_total"]),
        (&1.into(), &1.into())
    );
    assert_eq!(of("completed").len(), 1);

    // Trackers can be asked about a link as it is.
    let said: Value = serde_json::from_str(&place.ok(&["scrape", &link, "--json"])).unwrap();
    assert_eq!(said["seeders"], 1);
    let said: Value = serde_json::from_str(&place.ok(&["announce", &link, "--json"])).unwrap();
    assert!(said["error"].is_null(), "{said}");
}

#[test]
fn a_link_selects_files_unless_the_user_does() {
    let place = Place::new();
    let (_seeder, link) = shared(&place);
    let link = format!("{link}&so=0,2-90");
    place.ok(&download(&link, &["--no-progress", "--files", "1"]));
    assert_eq!(arrived(&place), ["b.mp4"]);
    fs::remove_dir_all(place.path("there")).unwrap();
    place.ok(&download(&link, &["--no-progress"]));
    assert_eq!(arrived(&place), ["a.bin", "c.mp4"]);

    let none = link.replace("so=0,2-90", "so=7");
    let finished = place.run(&download(&none, &["--no-progress"]));
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.err.contains("selects (so=) no file"),
        "{}",
        finished.err
    );
}

#[test]
fn inspect_and_verify_take_links_and_need_nobody_the_second_time() {
    let place = Place::new();
    let (seeder, link) = shared(&place);
    let inspect = [&["inspect", &link, "--json"], &LOCAL[..]].concat();
    let first = place.ok(&inspect);
    let said: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(said["files"][2]["path"], "album/c.mp4");
    drop(seeder);
    assert_eq!(place.ok(&inspect), first);
    let verify = [&["verify", &link, "--data", "here"], &LOCAL[..]].concat();
    assert!(place.ok(&verify).contains("all right: 3 files"));
    // And a client that has the data can seed it by the link.
    let seed = [&["seed", &link, "--data", "here"], &LOCAL[..]].concat();
    place.start(&seed).line("seeding album");
}

#[test]
fn a_link_is_streamed_and_its_selection_plays_first() {
    let place = Place::new();
    let (_seeder, link) = shared(&place);
    let link = format!("{link}&so=1");
    let streamer = place.start(&[&["stream", &link], &LOCAL[..]].concat());
    let line = streamer.line("streaming http://");
    let url = line.split_whitespace().nth(1).unwrap().to_owned();
    let (addr, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    assert!(path.ends_with("b.mp4"), "{path}");
    let mut stream = TcpStream::connect(addr).unwrap();
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(&noise(2, 80_000)), "{}", answer.len());
}

#[test]
fn memory_is_promised_when_the_size_is_known_and_the_disk_left_alone() {
    let place = Place::new();
    let (_seeder, link) = shared(&place);
    let memory = ["--storage", "memory", "--no-progress"];
    let args = |more: &'static str| {
        let budget = ["--memory", more];
        [&["download", &link], &LOCAL[..], &memory, &budget].concat()
    };
    assert!(place.ok(&args("1MiB")).contains("complete: album"));
    let finished = place.run(&args("100KiB"));
    assert_eq!(finished.code, Some(1));
    assert!(
        finished.err.contains("does not fit the memory"),
        "{}",
        finished.err
    );
    assert!(place.state().is_empty(), "{:?}", place.state());
}

const HASH: &str = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";

#[cfg(unix)]
#[test]
fn without_a_network_it_says_what_it_waits_for_until_ctrl_c() {
    let place = Place::new();
    let link = format!("{HASH}&dn=nowhere&tr=http%3A%2F%2F127.0.0.1%3A1%2Fannounce");
    let commands = [["download"], ["stream"], ["inspect"]];
    let all = commands.map(|command| place.start(&[&command, &[&*link], &LOCAL[..]].concat()));
    for waiting in all {
        let line = waiting.error_line("waiting for metadata");
        assert_eq!(
            line,
            "nowhere: waiting for metadata: 1 of 1 tracker failed; no peers found"
        );
        waiting.signal("INT");
        let finished = waiting.finish();
        assert_eq!(finished.code, Some(130), "{finished:?}");
        assert!(
            !finished.err.contains("what was downloaded"),
            "{finished:?}"
        );
    }
    // For programs at once.
    let waiting = place.start(&[&["download", HASH, "--json"], &LOCAL[..]].concat());
    let line: Value = serde_json::from_str(&waiting.line("\"metadata\"")).unwrap();
    assert_eq!(
        (&line["trackers"], &line["peers_known"]),
        (&0.into(), &0.into())
    );
    waiting.error_line("names no trackers and no peers");
    waiting.signal("TERM");
    assert_eq!(waiting.finish().code, Some(130));
}

/// With all sources of peers switched on, and no peer anywhere.
#[cfg(unix)]
#[test]
fn without_nodes_it_says_that_it_looks_for_some_until_ctrl_c() {
    let place = Place::new();
    // Bound, so that no other program gets the port, and never read.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let node = silent.local_addr().unwrap().to_string();
    let waiting = place.start(&["download", HASH, "--dht-bootstrap", &node]);
    let line = waiting.error_line("waiting for metadata: looking for DHT nodes");
    assert!(line.ends_with("no peers found"), "{line}");
    waiting.signal("INT");
    let finished = waiting.finish_within(Duration::from_secs(2));
    assert_eq!(finished.code, Some(130), "{finished:?}");
}

#[test]
fn a_link_that_cannot_work_is_refused() {
    let place = Place::new();
    let short = format!("magnet:?xt=urn:btmh:1220{}", "ab".repeat(31));
    let many = (0..10_000).fold(HASH.to_owned(), |link, number| {
        format!("{link}&tr=u:{number}")
    });
    let cases = [
        ("magnet:?dn=x", "names no torrent"),
        ("magnet:?xt=urn:btih:0123", "not a v1 info-hash"),
        ("magnet:", "does not begin with magnet:?"),
        (&*short, "not a v2 info-hash"),
        (&*many, "more than 65536"),
    ];
    for (link, told) in cases {
        for command in [
            &["download"][..],
            &["stream"],
            &["inspect"],
            &["verify", "--data", "."],
        ] {
            let finished = place.run(&[command, &[link]].concat());
            assert_eq!(finished.code, Some(1), "{command:?} {told}: {finished:?}");
            assert!(finished.err.contains(told), "{told}: {}", finished.err);
            assert_eq!(finished.out, "", "{command:?} {told}");
        }
    }
    assert!(place.everything().is_empty());
}
