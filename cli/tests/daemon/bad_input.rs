//! What strangers and broken programs send: a clear error each time, and the daemon goes on.

use std::io::Write;
use std::net::TcpStream;

use crate::daemon::Daemon;
use crate::support::Place;

const SETTINGS: &str = "/api/v1/settings";
const TORRENTS: &str = "/api/v1/torrents";
const NO_TORRENT: &str = "/api/v1/torrents/0123456789abcdef0123456789abcdef01234567";

#[test]
fn malformed_bodies_are_refused_with_a_reason() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for body in ["{", "nothing", "{\"max_peers\":1", "\u{0}"] {
        daemon
            .json("PATCH", SETTINGS, body)
            .is_problem(400, "bad-request");
    }
    let deep = "[".repeat(100_000);
    daemon
        .json("PATCH", SETTINGS, &deep)
        .is_problem(400, "bad-request");
    for body in [
        "[]",
        "5",
        r#"{"max_peers":"x"}"#,
        r#"{"max_peers":-1}"#,
        r#"{"x":1}"#,
        r#"{"max_peers":0}"#,
    ] {
        daemon
            .json("PATCH", SETTINGS, body)
            .is_problem(422, "invalid");
    }
    for body in [
        "{}",
        r#"{"link":"x"}"#,
        r#"{"link":"magnet:?xt=y"}"#,
        r#"{"torrent":"ZGll"}"#,
    ] {
        daemon
            .json("POST", TORRENTS, body)
            .is_problem(422, "invalid");
    }
    let inside = r#"{"link":"http://127.0.0.1:9/x.torrent"}"#;
    daemon
        .json("POST", TORRENTS, inside)
        .is_problem(502, "fetch-failed");
    let empty = daemon.send("PATCH", SETTINGS, "", b"");
    empty.is_problem(415, "wrong-type");
    assert_eq!(daemon.get(TORRENTS)["total"], 0);
    assert_eq!(daemon.get(SETTINGS)["max_peers"], 200);
}

#[test]
fn a_body_of_10_mb_is_refused_without_being_read() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let headers = "Content-Type: application/json\r\nContent-Length: 10000000\r\n";
    // Nothing of it is sent: the answer comes all the same.
    daemon
        .send("PATCH", SETTINGS, headers, b"")
        .is_problem(413, "too-long");
    let headers = "Content-Type: application/x-bittorrent\r\nContent-Length: 4000000000\r\n";
    daemon
        .send("POST", TORRENTS, headers, b"")
        .is_problem(413, "too-long");
    // One that does not say how long it is, is read up to the limit.
    let mut body = Vec::new();
    for _ in 0..40 {
        write!(body, "10000\r\n").unwrap();
        body.extend_from_slice(&[b' '; 0x10000]);
        write!(body, "\r\n").unwrap();
    }
    let head = format!(
        "PATCH {SETTINGS} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        daemon.addr
    );
    let answer = crate::http::raw(&daemon.addr, &[head.as_bytes(), &body].concat());
    answer.is_problem(413, "too-long");
}

#[test]
fn unknown_addresses_methods_and_torrents_are_said_to_be_so() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for path in [
        "/api/v1/nothing",
        "/api/v2/torrents",
        "/x",
        "/api/v1/torrents/",
        "/stream",
    ] {
        daemon
            .send("GET", path, "", b"")
            .is_problem(404, "no-such-address");
    }
    for (method, path) in [
        ("DELETE", TORRENTS),
        ("BREW", SETTINGS),
        ("PUT", "/healthz"),
    ] {
        let answer = daemon.send(method, path, "", b"");
        answer.is_problem(405, "wrong-method");
        assert!(answer.header("allow").is_some(), "{answer:?}");
    }
    daemon
        .send("GET", NO_TORRENT, "", b"")
        .is_problem(404, "no-such-torrent");
    daemon
        .send("DELETE", NO_TORRENT, "", b"")
        .is_problem(404, "no-such-torrent");
    let pause = format!("{NO_TORRENT}/pause");
    daemon
        .send("POST", &pause, "", b"")
        .is_problem(404, "no-such-torrent");
    for id in ["x", "0123", "..%2f..", "%00", "%ff"] {
        let answer = daemon.send("GET", &format!("{TORRENTS}/{id}"), "", b"");
        assert!((400..=404).contains(&answer.status), "{id}: {answer:?}");
    }
    let events = daemon.send("GET", "/api/v1/events", "Last-Event-ID: x\r\n", b"");
    events.is_problem(400, "bad-request");
}

#[test]
fn a_thousand_silent_clients_shut_no_one_out() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let mut held = Vec::new();
    while held.len() < 1_000 {
        let mut stream = TcpStream::connect(&daemon.addr).unwrap();
        if held.len() % 2 == 0 {
            // One that was displaced is closed.
            let _ = write!(
                stream,
                "GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n",
                daemon.addr
            );
        }
        held.push(stream);
    }
    assert_eq!(daemon.get("/api/v1/stats")["torrents"], 0);
    drop(held);
    daemon.stop();
}
