//! What is malformed, too long, unknown or forbidden.

use serde_json::json;

use crate::Stremio;
use crate::support::Place;

#[test]
fn malformed_requests_are_refused_and_harm_nothing() {
    let place = Place::new();
    let server = Stremio::start(&place, &[]);
    let hash = "1".repeat(40);
    let deep = "{\"torrent\":".repeat(100_000);
    for body in [
        &b"{"[..],
        b"[]",
        b"17",
        b"\xff",
        deep.as_bytes(),
        br#"{"blob":5}"#,
        br#"{"peerSearch":[]}"#,
    ] {
        let create = server.send("POST", &format!("/{hash}/create"), "", body);
        assert_eq!(
            create.status,
            if body.len() > 262_144 { 413 } else { 400 },
            "{create:?}"
        );
    }
    for body in [
        json!({}),
        json!({"blob": ""}),
        json!({"blob": "zz"}),
        json!({"blob": "64313a"}),
        json!({"from": "http://a/"}),
    ] {
        assert_eq!(server.post("/create", &body).status, 400, "{body}");
    }
    for (target, status) in [
        (format!("/{hash}/stats.json"), 404),
        (format!("/{hash}/0/stats.json"), 404),
        (format!("/{hash}/x"), 404),
        (format!("/{hash}/-2"), 404),
        (format!("/{hash}"), 404),
        ("/0/0".to_owned(), 404),
        ("/../../etc/passwd".to_owned(), 404),
        ("/hlsv2/probe?mediaURL=http://127.0.0.1/".to_owned(), 404),
        ("/proxy/d=http://127.0.0.1/x".to_owned(), 404),
        ("/create".to_owned(), 405),
        (format!("/{hash}/remove"), 200),
    ] {
        let answer = server.get(&target);
        assert_eq!(answer.status, status, "{target}: {answer:?}");
    }
    assert_eq!(
        server.send("DELETE", &format!("/{hash}/0"), "", b"").status,
        405
    );
    let long = json!({"torrent": {"infoHash": hash}, "x": "x".repeat(10_000_000)});
    assert_eq!(server.post(&format!("/{hash}/create"), &long).status, 413);
    assert_eq!(server.json("/stats.json"), json!({}));
    server.daemon.stop();
}

#[test]
fn pages_of_other_origins_are_refused_unless_they_are_allowed() {
    let place = Place::new();
    let web = "https://web.stremio.com";
    let server = Stremio::start(&place, &["--allow-origin", web]);
    let ask = |origin: &str| server.send("GET", "/settings", &format!("Origin: {origin}\r\n"), b"");
    let allowed = ask(web);
    assert_eq!(
        (
            allowed.status,
            allowed.header("access-control-allow-origin")
        ),
        (200, Some(web))
    );
    let refused = ask("https://evil.example");
    assert_eq!(
        (
            refused.status,
            refused.header("access-control-allow-origin")
        ),
        (403, None)
    );
    assert_eq!(
        server
            .send("GET", "/settings", "Host: evil.example\r\n", b"")
            .status,
        421
    );
    server.daemon.stop();
}

#[test]
fn a_password_that_may_only_read_adds_nothing_and_none_is_no_access() {
    let place = Place::new();
    let args = [
        "daemon",
        "--state",
        "daemon",
        "--create-token",
        "viewer",
        "--read-only",
    ];
    let token = place.ok(&args);
    let server = Stremio::start(&place, &["--require-token"]);
    assert_eq!(server.get("/settings").status, 401);
    let login = data_encoding::BASE64.encode(format!("x:{}", token.trim()).as_bytes());
    let login = format!("Authorization: Basic {login}\r\n");
    let send = |method: &str, target: &str| server.send(method, target, &login, b"").status;
    assert_eq!(send("GET", "/settings"), 200);
    let hash = "1".repeat(40);
    assert_eq!(send("GET", &format!("/{hash}/0")), 403);
    assert_eq!(send("POST", &format!("/{hash}/create")), 403);
    assert_eq!(send("GET", &format!("/{hash}/remove")), 403);
    server.daemon.stop();
}
