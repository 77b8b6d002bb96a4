//! `tailwater stream`, as a player sees it.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "support/streaming.rs"]
mod streaming;
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use streaming::{Streaming, get};
use support::{LOCAL, Place, Running, noise};

/// An album with a film in it, and its seeder.
fn album(place: &Place) -> (Vec<u8>, Running, String) {
    let film = noise(3, 3_000_001);
    place.write("here/album/about.txt", b"about");
    place.write("here/album/disc/film.mp4", &film);
    place.write("here/album/song.mp3", &noise(4, 100_000));
    place.ok(&[
        "create",
        "here/album",
        "-o",
        "album.torrent",
        "--piece-length",
        "32KiB",
    ]);
    let (seeder, addr) = place.seed("album.torrent", "here");
    (film, seeder, addr)
}

#[test]
fn a_film_larger_than_the_memory_comes_whole_and_in_parts() {
    let place = Place::new();
    let (film, _seeder, addr) = album(&place);
    let before = place.everything();
    let streaming = Streaming::start(&place, "album.torrent", &addr, &["--memory", "1MiB"]);
    assert!(
        streaming.url("file").ends_with("/1/film.mp4"),
        "{}",
        streaming.urls
    );
    let (head, body) = streaming.get("file", "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(body == film, "{} bytes", body.len());
    for (range, part) in [
        ("0-99", &film[..100]),
        ("2999999-", &film[2_999_999..]),
        ("1000000-1100000", &film[1_000_000..1_100_001]),
    ] {
        let (head, body) = streaming.get("file", &format!("Range: bytes={range}\r\n"));
        assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
        assert!(body == part, "{range}: {} bytes", body.len());
    }
    let stats = streaming.stats();
    let memory = &stats["memory"];
    assert_eq!(memory["budget"], 1 << 20);
    assert!(memory["used"].as_u64().unwrap() <= 1 << 20, "{memory}");
    assert!(memory["evictions"].as_u64().unwrap() > 0, "{memory}");
    assert_eq!(place.everything(), before, "nothing touches the disk");
}

#[test]
fn the_page_and_the_playlist_name_every_file() {
    let place = Place::new();
    let (_, _seeder, addr) = album(&place);
    let streaming = Streaming::start(&place, "album.torrent", &addr, &["--file", "song.mp3"]);
    let file = streaming.url("file").to_owned();
    assert!(file.ends_with("/2/song.mp3"), "{file}");
    let (_, page) = streaming.get("page", "");
    let page = String::from_utf8(page).unwrap();
    for link in ["/0/about.txt", "/1/film.mp4", "/2/song.mp3"] {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
    }
    assert!(
        page.contains("data-file=\"2\" src=\"/2/song.mp3?page\""),
        "{page}"
    );
    let (_, playlist) = streaming.get("playlist", "");
    let playlist = String::from_utf8(playlist).unwrap();
    assert_eq!(playlist.matches("http://").count(), 2, "{playlist}");
    assert!(playlist.contains(&file), "{playlist}");
    let (_, text) = get(&file.replace("/2/song.mp3", "/0/about.txt"), "");
    assert_eq!(text, b"about");
}

#[test]
fn with_the_disk_what_was_watched_is_kept() {
    let place = Place::new();
    let (film, _seeder, addr) = album(&place);
    let more = ["--storage", "disk", "-o", "there"];
    let streaming = Streaming::start(&place, "album.torrent", &addr, &more);
    let (_, body) = streaming.get("file", "");
    assert!(body == film, "{} bytes", body.len());
    assert!(streaming.stats()["memory"]["budget"].is_null());
    drop(streaming);
    assert!(std::fs::read(place.path("there/album/disc/film.mp4")).unwrap() == film);
}

/// A film of which the system's buffers do not hold all, and its seeder.
fn long_film(place: &Place) -> (Running, String) {
    place.write("here/film.mp4", &noise(5, 16 << 20));
    place.ok(&["create", "here/film.mp4", "-o", "film.torrent"]);
    place.seed("film.torrent", "here")
}

#[test]
fn silent_sockets_shut_no_caller_out() {
    let place = Place::new();
    let (_seeder, addr) = long_film(&place);
    let streaming = Streaming::start(&place, "film.torrent", &addr, &[]);
    let http = streaming.url("http").to_owned();
    let mut held = Vec::new();
    for count in [64, 500] {
        while held.len() < count {
            held.push(TcpStream::connect(&http).unwrap());
        }
        let (head, body) = streaming.get("file", "Range: bytes=1000-1099\r\n");
        assert!(head.starts_with("HTTP/1.1 206 "), "{count}: {head}");
        assert_eq!(body.len(), 100);
    }
}

#[test]
fn clients_that_do_not_read_shut_no_caller_out() {
    let place = Place::new();
    let (_seeder, addr) = long_film(&place);
    let streaming = Streaming::start(&place, "film.torrent", &addr, &[]);
    let http = streaming.url("http").to_owned();
    let unread = |_| {
        let mut stream = TcpStream::connect(&http).unwrap();
        write!(stream, "GET /0 HTTP/1.1\r\nHost: {http}\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
        stream
    };
    let held: Vec<_> = (0..16).map(unread).collect();
    let (head, body) = loop {
        let (head, body) = streaming.get("file", "Range: bytes=1000-1099\r\n");
        if !head.starts_with("HTTP/1.1 503 ") {
            break (head, body);
        }
        // It says when to come back; by then one of them has taken nothing for long enough.
        assert!(head.contains("\r\nretry-after: 2\r\n"), "{head}");
    };
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert_eq!(body.len(), 100);
    drop(held);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_though_a_client_waits() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(5, 100_000));
    place.ok(&["create", "here/film.mp4", "-o", "film.torrent"]);
    // No peer has the film: the client waits for its first byte.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = silent.local_addr().unwrap().to_string();
    let streaming = Streaming::start(&place, "film.torrent", &addr, &[]);
    let http = streaming.url("http").to_owned();
    let mut waiting = TcpStream::connect(&http).unwrap();
    write!(waiting, "GET /0 HTTP/1.1\r\nHost: {http}\r\n\r\n").unwrap();
    let mut status = [0; 12];
    waiting.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    streaming.process.signal("INT");
    let finished = streaming.process.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(!finished.err.contains("error"), "{}", finished.err);
    // Reset, or at its end: it is over, and no byte of the film came.
    let mut rest = Vec::new();
    let _ = waiting.read_to_end(&mut rest);
    assert!(rest.ends_with(b"\r\n\r\n"), "{} bytes", rest.len());
}

#[test]
fn what_cannot_work_is_said_at_once() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(5, 100_000));
    place.ok(&["create", "here/film.mp4", "-o", "film.torrent"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], i32, &str); 14] = [
        (&["--file", "other.mp4"], 1, "has no file \"other.mp4\""),
        (&["--file", "1"], 1, "has no file \"1\""),
        (
            &["--http", &taken],
            1,
            "choose another address with `--http ADDR:PORT`",
        ),
        (
            &["--open", "./no-such-player"],
            1,
            "cannot start ./no-such-player",
        ),
        (&["-o", "there"], 2, "`--output` needs `--storage disk`"),
        (
            &["--storage", "disk", "--memory", "1MiB"],
            2,
            "`--memory` has no meaning",
        ),
        (&["--lookbehind", "soon"], 2, "write 60s, or 64MiB"),
        (
            &["--lookbehind", "60x"],
            2,
            "unknown unit \"x\"; use s for seconds, or ",
        ),
        (
            &["--peer", "127.0.0.1:70000"],
            2,
            "a port is a number from 1 to 65535",
        ),
        (
            &["--lookbehind", "60"],
            2,
            "60 of what? Write 60s for seconds, or 60MiB for a size",
        ),
        (&["--open", "mpv 'x"], 2, "a quote is not closed"),
        (&["--exit-with-player"], 2, "--open"),
        (
            &["--allow-host", "http://films.example/"],
            2,
            "not a host name",
        ),
        (&["--duration", "0"], 2, "not a number of seconds"),
    ];
    for (flags, code, says) in cases {
        let fixed = ["stream", "film.torrent"];
        let finished = place.run(&[&fixed, &LOCAL[..], flags].concat());
        assert_eq!(finished.code, Some(code), "{flags:?}: {finished:?}");
        assert!(finished.err.contains(says), "{flags:?}: {}", finished.err);
    }
}

#[test]
fn people_get_one_line_with_the_addresses() {
    let place = Place::new();
    let (_, _seeder, addr) = album(&place);
    let stream = ["stream", "album.torrent", "--peer", &addr];
    let streaming = place.start(&[&stream, &LOCAL[..]].concat());
    let line = streaming.line("streaming ");
    let words: Vec<_> = line.split_whitespace().collect();
    let ["streaming", file, "(page:", page] = words[..] else {
        panic!("{line}");
    };
    let (head, _) = get(file, "Range: bytes=0-0\r\n");
    assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
    assert!(
        get(page.trim_end_matches(')'), "")
            .0
            .starts_with("HTTP/1.1 200 ")
    );
}
