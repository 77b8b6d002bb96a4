//! What is malformed, too long, unknown or forbidden.

use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::server::{TorrServer, encoded};
use crate::support::{Place, noise};

#[test]
fn malformed_bodies_and_wrong_types_are_refused_and_harm_nothing() {
    let place = Place::new();
    let server = TorrServer::start(&place, &[]);
    let deep = "{\"a\":".repeat(100_000);
    for body in [
        &b""[..],
        b"{",
        b"[]",
        b"17",
        b"null",
        b"\xff\xfe",
        deep.as_bytes(),
    ] {
        for target in ["/torrents", "/cache", "/settings", "/viewed"] {
            let answer = server.send("POST", target, "", body);
            assert_eq!(answer.status, 400, "{target} {answer:?}");
        }
    }
    for (target, body) in [
        ("/torrents", json!({})),
        ("/torrents", json!({"action": "what"})),
        ("/torrents", json!({"action": 5})),
        ("/torrents", json!({"action": "add"})),
        ("/torrents", json!({"action": "add", "link": ""})),
        ("/torrents", json!({"action": "add", "link": ["x"]})),
        ("/torrents", json!({"action": "add", "link": "nothing"})),
        (
            "/torrents",
            json!({"action": "add", "link": "0".repeat(40), "save_to_db": "yes"}),
        ),
        (
            "/torrents",
            json!({"action": "add", "link": "0".repeat(40), "data": {"a": 1}}),
        ),
        ("/torrents", json!({"action": "get"})),
        ("/torrents", json!({"action": "rem", "hash": ""})),
        ("/torrents", json!({"action": "set", "hash": 17})),
        ("/cache", json!({"action": "get"})),
        ("/cache", json!({"hash": "0"})),
        ("/settings", json!({"action": "set"})),
        ("/settings", json!({"action": "set", "sets": []})),
        (
            "/settings",
            json!({"action": "set", "sets": {"CacheSize": "64"}}),
        ),
        (
            "/settings",
            json!({"action": "set", "sets": {"DownloadRateLimit": 1.5}}),
        ),
        (
            "/viewed",
            json!({"action": "set", "hash": "x", "file_index": 1}),
        ),
        (
            "/viewed",
            json!({"action": "set", "hash": "0".repeat(40), "file_index": -1}),
        ),
        (
            "/viewed",
            json!({"action": "set", "hash": "0".repeat(40), "timecode": "1"}),
        ),
        ("/viewed", json!({"action": "what", "hash": "0".repeat(40)})),
    ] {
        let answer = server.post(target, &body);
        assert_eq!(answer.status, 400, "{target} {body}: {answer:?}");
    }
    for hash in ["x", "../..", &"f".repeat(40), &"0".repeat(10_000)] {
        let unknown = server.post("/torrents", &json!({"action": "get", "hash": hash}));
        assert_eq!(unknown.status, 404, "{hash}");
        for action in ["rem", "drop", "set"] {
            server.tell("/torrents", &json!({"action": action, "hash": hash}));
        }
    }
    assert!(server.list().is_empty());
    assert_eq!(server.ask("/viewed", &json!({"action": "list"})), json!([]));
    server.daemon.stop();
}

#[test]
fn queries_that_make_no_sense_are_refused() {
    let place = Place::new();
    place.write("here/t/a.mkv", &noise(1, 1_000));
    place.write("here/t/b.mkv", &noise(2, 1_000));
    let torrent = place.create("here/t", &[]);
    let server = TorrServer::start(&place, &[]);
    let hash = server.daemon.add(&torrent, "paused=true");
    for (target, status) in [
        ("/stream".to_owned(), 400),
        ("/stream?link=".to_owned(), 400),
        ("/stream?link=%FF%FE&play".to_owned(), 400),
        (format!("/stream?link={hash}&play"), 400),
        (format!("/stream?link={hash}&play&index=x"), 400),
        (format!("/stream?link={hash}&play&index=0"), 400),
        (format!("/stream?link={hash}&play&index=3"), 400),
        (format!("/stream?link={hash}&play&index=-1"), 400),
        (
            format!("/stream?link={hash}&play&index=99999999999999999999"),
            400,
        ),
        (format!("/play/{hash}"), 404),
        (format!("/play/{hash}/9"), 404),
        (format!("/play/{}/1", "0".repeat(40)), 404),
        ("/play/../../etc/passwd".to_owned(), 404),
        ("/stream/..%2F..%2Fetc%2Fpasswd".to_owned(), 400),
        ("/nothing".to_owned(), 404),
        ("/download/99999999".to_owned(), 400),
    ] {
        let answer = server.get(&target);
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    server.daemon.stop();
}

#[test]
fn long_bodies_are_refused_before_they_are_read() {
    let place = Place::new();
    let server = TorrServer::start(&place, &[]);
    let long = json!({"action": "add", "link": "0".repeat(40), "data": "x".repeat(10_000_000)});
    let refused = server.post("/torrents", &long);
    assert_eq!(refused.status, 413, "{refused:?}");
    let kept = json!({"action": "add", "link": "0".repeat(40), "data": "x".repeat(100_000)});
    assert_eq!(server.post("/torrents", &kept).status, 400);
    assert!(server.list().is_empty());
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(&server.addr).unwrap();
        let addr = &server.addr;
        let head = format!(
            "POST /torrent/upload HTTP/1.1\r\nHost: {addr}\r\nContent-Type: multipart/form-data; boundary=X\r\n\
            Content-Length: 9000000\r\n\r\n--X\r\n"
        );
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        waiting.push(stream);
    }
    // Others are answered meanwhile.
    assert!(server.list().is_empty());
    drop(waiting);
    server.daemon.stop();
}

#[test]
fn links_into_private_networks_and_paths_are_refused() {
    let place = Place::new();
    let server = TorrServer::start(&place, &[]);
    let tracker = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tracker.local_addr().unwrap().port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0x7f000001",
        "10.0.0.1",
        "169.254.169.254",
    ] {
        let url = format!("http://{host}:{port}/x.torrent");
        let added = server.post("/torrents", &json!({"action": "add", "link": url}));
        assert_eq!(added.status, 400, "{url} {added:?}");
        let streamed = server.get(&format!("/stream?link={}&stat", encoded(&url)));
        assert_eq!(streamed.status, 400, "{url} {streamed:?}");
    }
    tracker.set_nonblocking(true).unwrap();
    assert!(tracker.accept().is_err(), "it was asked");
    for link in [
        "file:///etc/passwd",
        "/etc/passwd",
        "data/film.torrent",
        "ftp://127.0.0.1/x",
    ] {
        let added = server.post("/torrents", &json!({"action": "add", "link": link}));
        assert_eq!(added.status, 400, "{link}");
    }
    assert!(server.list().is_empty());
    server.daemon.stop();
}
