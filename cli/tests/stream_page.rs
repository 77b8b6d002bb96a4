//! What `tailwater stream` serves besides the film's bytes: the page while metadata is awaited, subtitles, order,
//! warnings.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "support/streaming.rs"]
mod streaming;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;
use streaming::{Streaming, get};
use support::{LOCAL, Place, Running, noise};

/// Somewhere that nothing listens.
const NOWHERE: &str = "127.0.0.1:9";

/// Makes a torrent of these files, and shares it.
fn shared(place: &Place, files: &[(&str, &[u8])], more: &[&str]) -> (Running, String) {
    for (path, bytes) in files {
        place.write(&format!("here/t/{path}"), bytes);
    }
    let create = ["create", "here/t", "-o", "t.torrent"];
    place.ok(&[&create, more].concat());
    place.seed("t.torrent", "here")
}

fn text(url: &str) -> String {
    String::from_utf8(get(url, "").1).unwrap()
}

fn magnet(place: &Place) -> String {
    let said = place.ok(&["inspect", "t.torrent", "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    said["magnet"].as_str().unwrap().to_owned()
}

#[test]
fn the_page_is_there_before_the_metadata_and_becomes_the_films() {
    let place = Place::new();
    let film = noise(3, 100_001);
    place.write("here/t/film.mp4", &film);
    place.ok(&["create", "here/t", "-o", "t.torrent"]);
    let link = magnet(&place);
    let streaming = place.start(&[&["stream", &link, "--json"], &LOCAL[..]].concat());
    let ours: Value = serde_json::from_str(&streaming.line("\"addr\"")).unwrap();
    let urls: Value = serde_json::from_str(&streaming.line("\"page\"")).unwrap();
    assert_eq!(urls["event"], "listening");
    assert!(urls["file"].is_null(), "{urls}");
    let url = |name: &str| urls[name].as_str().unwrap().to_owned();

    let (head, page) = get(&url("page"), "");
    let page = String::from_utf8(page).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(page.contains("What is being tried"), "{page}");
    assert!(page.contains("<title>t · tailwater"), "{page}");
    let stats: Value = serde_json::from_str(&text(&url("stats"))).unwrap();
    assert_eq!(
        (&stats["phase"], &stats["name"]),
        (&"metadata".into(), &"t".into())
    );
    assert_eq!(stats["fetch"]["peers_connected"], 0);
    assert_eq!(stats["info_hash"].as_str().unwrap().len(), 40);
    for path in ["0", "0/film.mp4", "playlist.m3u", "subtitles/1/a.vtt"] {
        let (head, _) = get(&format!("{}{path}", url("page")), "");
        assert!(head.starts_with("HTTP/1.1 503 "), "{path}: {head}");
        assert!(head.contains("\r\nretry-after: 2\r\n"), "{path}: {head}");
    }
    let (head, _) = get(&format!("{}elsewhere", url("page")), "");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");

    let ours = ours["addr"].as_str().unwrap();
    let seed = ["seed", "t.torrent", "--data", "here", "--peer", ours];
    let _seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let ready: Value = serde_json::from_str(&streaming.line("\"ready\"")).unwrap();
    assert_eq!(ready["page"], urls["page"]);
    assert!(get(ready["file"].as_str().unwrap(), "").1 == film);
    let page = text(&url("page"));
    assert!(page.contains("data-file=\"0\""), "{page}");
    let stats: Value = serde_json::from_str(&text(&url("stats"))).unwrap();
    assert_eq!(
        (&stats["phase"], &stats["name"]),
        (&"streaming".into(), &"t".into())
    );
}

#[test]
fn people_see_the_pages_address_at_once() {
    let place = Place::new();
    let link = format!("magnet:?xt=urn:btih:{}&dn=film", "ab".repeat(20));
    let peer = ["--peer", NOWHERE];
    let streaming = place.start(&[&["stream", &link], &LOCAL[..], &peer].concat());
    let line = streaming.line("page: http://127.0.0.1:");
    assert!(line.ends_with("/ (waiting for the metadata)"), "{line}");
}

#[test]
fn subtitles_are_offered_as_webvtt_to_the_page_and_by_address() {
    let place = Place::new();
    let srt = b"1\r\n00:00:01,000 --> 00:00:02,500\r\nD\xe9j\xe0 vu \xe0 la t\xe9l\xe9\r\n\r\n";
    let long = vec![b'x'; (2 << 20) + 1];
    let files: [(&str, &[u8]); 5] = [
        ("film.mp4", &noise(1, 50_000)),
        ("film.fr.srt", srt),
        ("film.long.srt", &long),
        (
            "Subs/film.vtt",
            b"\xef\xbb\xbfWEBVTT\n\n00:01.000 --> 00:02.000\nHi\n",
        ),
        ("other.mp4", &noise(2, 40_000)),
    ];
    let (_seeder, addr) = shared(&place, &files, &[]);
    let streaming = Streaming::start(&place, "t.torrent", &addr, &[]);
    let urls: Vec<_> = streaming.urls["subtitles"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let urls: Vec<_> = urls.iter().map(|url| url.as_str().unwrap()).collect();
    let [french, other] = urls[..] else {
        panic!("{urls:?}");
    };
    let page = text(streaming.url("page"));
    let root = streaming.url("page");
    let path = |url: &str| url.replace(root, "/");
    let track = format!(
        "<track kind=\"subtitles\" src=\"{}?page\" label=\"French\" srclang=\"fr\">",
        path(french)
    );
    assert!(page.contains(&track), "{track} in {page}");
    assert_eq!(page.matches("<track ").count(), 2, "{page}");

    let (head, body) = get(french, "");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert!(
        head.contains("\r\ncontent-type: text/vtt; charset=utf-8\r\n"),
        "{head}"
    );
    let expected = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nDéjà vu à la télé\n";
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    assert!(text(other).starts_with("WEBVTT\n\n00:01.000"), "{other}");

    // One that is too long, a film, and a file by another name.
    for path in ["2/film.long.vtt", "1/film.vtt", "0/other.vtt", "9/film.vtt"] {
        let (head, _) = get(&format!("{root}subtitles/{path}"), "");
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
    }
}

#[test]
fn files_stand_in_natural_order_folder_by_folder() {
    let place = Place::new();
    let files: [(&str, &[u8]); 5] = [
        ("Season 10/e1.mkv", b"a"),
        ("Season 2/Episode 10.mkv", b"b"),
        ("Season 2/Episode 2.mkv", b"c"),
        ("Season 2/episode 1.mkv", b"d"),
        ("about.txt", b"e"),
    ];
    let (_seeder, addr) = shared(&place, &files, &[]);
    let streaming = Streaming::start(&place, "t.torrent", &addr, &[]);
    let order = [
        "episode%201.mkv",
        "Episode%202.mkv",
        "Episode%2010.mkv",
        "e1.mkv",
    ];
    let is_ordered = |text: &str| {
        let at: Vec<_> = order
            .iter()
            .map(|name| text.rfind(&format!("/{name}")))
            .collect();
        at.iter().all(Option::is_some) && at.is_sorted()
    };
    let page = text(streaming.url("page"));
    assert!(is_ordered(&page), "{page}");
    for folder in ["t", "t/Season 2", "t/Season 10"] {
        let heading = format!("<th colspan=\"5\" scope=\"rowgroup\"><bdi>{folder}</bdi></th>");
        assert!(page.contains(&heading), "{folder} in {page}");
    }
    let playlist = text(streaming.url("playlist"));
    assert!(is_ordered(&playlist), "{playlist}");
}

#[test]
fn a_name_that_the_user_allows_is_answered_and_no_other() {
    let place = Place::new();
    let (_seeder, addr) = shared(&place, &[("film.mp4", b"film")], &[]);
    let more = [
        "--allow-host",
        "shelf.local",
        "--allow-host",
        "films.example",
    ];
    let streaming = Streaming::start(&place, "t.torrent", &addr, &more);
    let http = streaming.url("http").to_owned();
    let port = http.rsplit(':').next().unwrap();
    let status = |host: &str| {
        let mut stream = TcpStream::connect(&http).unwrap();
        let request = format!("GET /stats HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for host in [&format!("shelf.local:{port}"), "films.example", &http] {
        assert_eq!(status(host), "200", "{host}");
    }
    for host in [&format!("evil.example:{port}"), "shelf.local.evil.example"] {
        assert_eq!(status(host), "421", "{host}");
    }
}

#[cfg(unix)]
#[test]
fn a_server_for_other_machines_says_who_can_watch() {
    let place = Place::new();
    let (_seeder, addr) = shared(&place, &[("film.mp4", b"film")], &[]);
    for (http, is_open) in [("0.0.0.0:0", true), ("127.0.0.1:0", false)] {
        let streaming = Streaming::start(&place, "t.torrent", &addr, &["--http", http]);
        assert_eq!(get(streaming.url("file"), "").1, b"film");
        streaming.process.signal("INT");
        let said = streaming.process.finish().err;
        let warning = "warning: all who can reach this machine can watch, at http://";
        assert_eq!(said.contains(warning), is_open, "{http}: {said}");
    }
}

#[test]
fn what_does_not_play_is_said_and_served() {
    let place = Place::new();
    let files: [(&str, &[u8]); 2] = [("disc.iso", b"data"), ("notes.txt", b"text")];
    let (_seeder, addr) = shared(&place, &files, &[]);
    let streaming = Streaming::start(&place, "t.torrent", &addr, &[]);
    let said = streaming.process.error_line("warning: ");
    assert_eq!(
        said,
        "warning: nothing in t plays: its 2 files, by name, are neither video nor sound (.iso, .txt); \
         it is served all the same"
    );
    assert_eq!(get(streaming.url("file"), "").1, b"data");
    let page = text(streaming.url("page"));
    assert!(page.contains("data-kind=\"file\""), "{page}");

    let place = Place::new();
    let files: [(&str, &[u8]); 2] = [("film.mp4", b"film"), ("notes.txt", b"text")];
    let (_seeder, addr) = shared(&place, &files, &[]);
    let more = ["--file", "notes.txt"];
    let streaming = Streaming::start(&place, "t.torrent", &addr, &more);
    let said = streaming.process.error_line("warning: ");
    assert_eq!(
        said,
        "warning: notes.txt is neither video nor sound, by its name; it is served all the same"
    );
    assert_eq!(get(streaming.url("file"), "").1, b"text");
}

#[test]
fn totals_outlive_their_readers_and_a_slow_download_is_told() {
    let place = Place::new();
    place.write("here/t/film.mp4", &noise(1, 4 << 20));
    let create = [
        "create",
        "here/t",
        "-o",
        "t.torrent",
        "--piece-length",
        "64KiB",
    ];
    place.ok(&create);
    // A piece takes two seconds.
    let seed = ["seed", "t.torrent", "--data", "here", "--max-up", "32KiB"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let addr = seeder
        .line("listening on ")
        .rsplit(' ')
        .next()
        .unwrap()
        .to_owned();
    let more = ["--duration", "10"];
    let streaming = Streaming::start(&place, "t.torrent", &addr, &more);
    let totals = || {
        let stats = streaming.stats();
        assert!(stats["readers"].is_array());
        let total = |name: &str| stats["totals"][name].as_u64().unwrap();
        (total("served"), total("stalls"))
    };
    assert_eq!(streaming.stats()["needed"], (4 << 20) / 10);

    // The wait for the first bytes is no stall.
    let (_, body) = streaming.get("file", "Range: bytes=0-99\r\n");
    assert_eq!(body.len(), 100);
    streaming.process.line("\"readers\":[]");
    assert_eq!(totals(), (100, 0));

    let url = streaming.url("file").to_owned();
    let mut player = TcpStream::connect(streaming.url("http")).unwrap();
    let (host, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    write!(
        player,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: VLC/3.0 LibVLC/3.0\r\n\r\n"
    )
    .unwrap();
    let copy = player.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        let mut player = player;
        let mut buffer = [0; 4096];
        while player.read(&mut buffer).is_ok_and(|len| len > 0) {}
    });
    let slow: Value = serde_json::from_str(&streaming.process.line("\"too_slow\":{")).unwrap();
    assert_eq!(slow["readers"][0]["program"], "VLC", "{slow}");
    assert_eq!(
        (&slow["name"], &slow["needed"]),
        (&"t".into(), &419_430.into())
    );
    let rate = slow["too_slow"]["rate"].as_u64().unwrap();
    assert!((10_000..100_000).contains(&rate), "{slow}");
    copy.shutdown(std::net::Shutdown::Both).unwrap();
    reading.join().unwrap();
    streaming.process.line("\"readers\":[]");
    let (served, stalls) = totals();
    assert!(
        served > 300_000 && stalls > 2,
        "{served} bytes, {stalls} stalls"
    );
}

#[cfg(unix)]
#[test]
fn the_line_on_a_terminal_says_what_the_player_gets() {
    let place = Place::new();
    place.write("here/t/film.mp4", &noise(1, 4 << 20));
    let create = [
        "create",
        "here/t",
        "-o",
        "t.torrent",
        "--piece-length",
        "64KiB",
    ];
    place.ok(&create);
    let seed = ["seed", "t.torrent", "--data", "here", "--max-up", "32KiB"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let addr = seeder.line("listening on ");
    let addr = addr.rsplit(' ').next().unwrap();
    let stream = ["stream", "t.torrent", "--peer", addr, "--duration", "10"];
    let mut terminal = place.terminal(&[&stream, &LOCAL[..]].concat(), 12, 120);
    let has = |lines: &[String], text: &str| lines.iter().any(|line| line.contains(text));
    let lines =
        terminal.until(|lines| has(lines, "no player reads, ") && has(lines, " of 256 MiB held, "));
    let line = lines.iter().find(|line| line.contains("(page: ")).unwrap();
    let file = line.split(' ').nth(1).unwrap().to_owned();
    let (host, path) = file
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut player = TcpStream::connect(host).unwrap();
    // From the middle: both ends may have come already.
    let from = "Range: bytes=2097152-";
    write!(
        player,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\n{from}\r\n\r\n"
    )
    .unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while player.read(&mut buffer).is_ok_and(|len| len > 0) {}
    });
    terminal.until(|lines| has(lines, "waiting, 0 B ahead") && has(lines, "1 peer, 0 stalls"));
    terminal.until(|lines| has(lines, "1 peer, 1 stall") && !has(lines, "1 stalls"));
    terminal.until(|lines| has(lines, "too slow for this film (") && has(lines, " of 409 KiB/s)"));
    terminal.type_in("\u{3}");
    assert_eq!(terminal.finish().0, Some(130));
}

#[cfg(unix)]
#[test]
fn the_line_on_a_terminal_says_what_is_tried_for_a_link() {
    let place = Place::new();
    let link = format!("magnet:?xt=urn:btih:{}&dn=film", "ab".repeat(20));
    let args = [&["stream", &link, "--peer", NOWHERE], &LOCAL[..]].concat();
    let mut terminal = place.terminal(&args, 12, 120);
    terminal.until(|lines| {
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        has("/ (waiting for the metadata)")
            && has("film waiting for metadata: no trackers to ask; 1 peer found")
    });
    terminal.type_in("\u{3}");
    assert_eq!(terminal.finish().0, Some(130));
}

#[test]
fn a_name_of_several_files_is_told_from_one_of_none() {
    let place = Place::new();
    let files: [(&str, &[u8]); 3] = [
        ("a/Season 1/Ep 1.mp4", b"first"),
        ("a/Season 2/Ep 1.mp4", b"second"),
        ("a/Season 2/Ep 2.mp4", b"third"),
    ];
    let (_seeder, addr) = shared(&place, &files, &[]);
    let run = |file: &str| place.run(&["stream", "t.torrent", "--no-dht", "--file", file]);
    let finished = run("Ep 1.mp4");
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.starts_with(
            "error: 2 files of t are named \"Ep 1.mp4\": 0 (t/a/Season 1/Ep 1.mp4), 1 (t/a/Season 2/Ep 1.mp4)\n  help: "
        ),
        "{}",
        finished.err
    );
    let finished = run("Ep 3.mp4");
    let none = "error: t has no file \"Ep 3.mp4\"\n";
    assert!(finished.err.starts_with(none), "{finished:?}");
    // So much of its path as tells it from others.
    for (file, bytes) in [
        ("Season 2/Ep 1.mp4", &b"second"[..]),
        ("Ep 2.mp4", b"third"),
    ] {
        let streaming = Streaming::start(&place, "t.torrent", &addr, &["--file", file]);
        assert_eq!(get(streaming.url("file"), "").1, bytes, "{file}");
    }
}
