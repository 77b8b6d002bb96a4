//! Who is let in.

use crate::daemon::Daemon;
use crate::support::{Place, noise};

const STATS: &str = "/api/v1/stats";

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn an_address_for_others_needs_a_token_or_the_daemon_does_not_start() {
    let place = Place::new();
    let mut args = Daemon::args(&[]);
    args[2] = "0.0.0.0:0";
    let refused = place.run(&args);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("--create-token"), "{refused:?}");
    assert!(refused.out.is_empty());
    let token = place.ok(&["daemon", "--state", "daemon", "--create-token", "mine"]);
    let token = token.trim();
    let process = place.start(&args);
    let line = process.line("daemon:");
    let port = line
        .split(['/', ':'])
        .find_map(|part| part.parse::<u16>().ok())
        .unwrap();
    let addr = format!("127.0.0.1:{port}");
    let ask = |headers: &str| {
        let request = format!("GET {STATS} HTTP/1.1\r\nHost: {addr}\r\n{headers}\r\n");
        crate::http::raw(&addr, request.as_bytes())
    };
    ask("").is_problem(401, "no-token");
    ask(&bearer("tw_1_x")).is_problem(401, "wrong-token");
    assert_eq!(ask(&bearer(token)).status, 200);
}

#[test]
fn a_token_that_may_read_changes_nothing_and_a_wrong_one_is_refused_here_too() {
    let place = Place::new();
    let create = |name: &str, more: &[&str]| {
        let args = ["daemon", "--state", "daemon", "--create-token", name];
        place.ok(&[&args, more].concat()).trim().to_owned()
    };
    let full = create("full", &[]);
    let read = create("read", &["--read-only"]);
    let daemon = Daemon::start(&place, &["--require-token"]);
    daemon
        .send("GET", STATS, "", b"")
        .is_problem(401, "no-token");
    assert_eq!(daemon.send("GET", "/healthz", "", b"").status, 200);
    assert_eq!(daemon.send("GET", STATS, &bearer(&read), b"").status, 200);
    let json = "Content-Type: application/json\r\n";
    let patch = |token: &str| {
        let headers = bearer(token) + json;
        daemon.send("PATCH", "/api/v1/settings", &headers, br#"{"max_peers":9}"#)
    };
    patch(&read).is_problem(403, "read-only");
    assert_eq!(patch(&full).json()["max_peers"], 9);
    // A token over the API, which works at once and no longer when it is deleted.
    let new = daemon.send(
        "POST",
        "/api/v1/tokens",
        &(bearer(&full) + json),
        br#"{"name":"new"}"#,
    );
    assert_eq!(new.status, 201, "{new:?}");
    let new = new.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(daemon.send("GET", STATS, &bearer(&new), b"").status, 200);
    let deleted = daemon.send("DELETE", "/api/v1/tokens/new", &bearer(&full), b"");
    assert_eq!(deleted.status, 204);
    daemon
        .send("GET", STATS, &bearer(&new), b"")
        .is_problem(401, "wrong-token");
    let list = daemon.send("GET", "/api/v1/tokens", &bearer(&full), b"");
    assert!(!String::from_utf8(list.body).unwrap().contains("tw_"));
    has_playlist(&place, &daemon, &full);
    // As a password, for players: bWU6 is "me:".
    let basic = data_encoding::BASE64.encode(format!("me:{full}").as_bytes());
    let basic = format!("Authorization: Basic {basic}\r\n");
    assert_eq!(daemon.send("GET", STATS, &basic, b"").status, 200);
    daemon.stop();

    // Without --require-token, no token is needed here; but one that is sent must be right.
    let daemon = Daemon::start(&place, &[]);
    assert_eq!(daemon.send("GET", STATS, "", b"").status, 200);
    daemon
        .send("GET", STATS, &bearer("tw_1_wrong"), b"")
        .is_problem(401, "wrong-token");
    let mut tries = 0;
    let answer = loop {
        let answer = daemon.send("GET", STATS, &bearer("tw_1_wrong"), b"");
        tries += 1;
        if answer.status != 401 {
            break answer;
        }
        assert!(tries < 20);
    };
    answer.is_problem(429, "too-many-failures");
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn only_requests_that_name_the_server_and_come_from_no_foreign_page_are_answered() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &["--allow-host", "films.example"]);
    let get = |headers: &str| daemon.send("GET", STATS, headers, b"");
    get("Host: evil.example\r\n").is_problem(421, "not-this-server");
    get("Host: 127.0.0.1:1\r\n").is_problem(421, "not-this-server");
    get("Host: a\r\nHost: b\r\n").is_problem(400, "not-this-server");
    assert_eq!(get("Host: films.example\r\n").status, 200);
    get("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n")
        .is_problem(403, "not-this-server");
    let patch = |origin: &str| {
        let headers = format!("Content-Type: application/json\r\nOrigin: {origin}\r\n");
        daemon.send("PATCH", "/api/v1/settings", &headers, br#"{"max_peers":9}"#)
    };
    for origin in [
        "http://evil.example",
        "null",
        "https://127.0.0.1:1",
        "http://films.example.evil",
    ] {
        patch(origin).is_problem(403, "foreign-origin");
    }
    assert_eq!(daemon.get("/api/v1/settings")["max_peers"], 200);
    let own = format!("http://{}", daemon.addr);
    assert_eq!(patch(&own).status, 200);
    // What a form of a foreign page can send without asking: no JSON.
    let headers = "Content-Type: text/plain\r\n";
    let form = daemon.send("PATCH", "/api/v1/settings", headers, br#"{"max_peers":1}"#);
    form.is_problem(415, "wrong-type");
    let answer = get("Origin: http://evil.example\r\n");
    assert!(answer.header("access-control-allow-origin").is_none());
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn two_daemons_do_not_share_a_state_folder() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let second = place.run(&Daemon::args(&[]));
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("another daemon"), "{second:?}");
    // A token can be made meanwhile.
    let token = place.ok(&["daemon", "--state", "daemon", "--create-token", "mine"]);
    let answer = daemon.send("GET", STATS, &bearer(token.trim()), b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    let again = place.run(&["daemon", "--state", "daemon", "--create-token", "mine"]);
    assert_eq!(again.code, Some(1), "{again:?}");
    place.ok(&["daemon", "--state", "daemon", "--revoke-token", "mine"]);
    let gone = place.run(&["daemon", "--state", "daemon", "--revoke-token", "mine"]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
}

/// The playlist of a player that gave a password has it in its URLs; that of a page has not.
fn has_playlist(place: &Place, daemon: &Daemon<'_>, token: &str) {
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = std::fs::read(place.path(&place.create("here/film.mp4", &[]))).unwrap();
    let headers = bearer(token) + "Content-Type: application/x-bittorrent\r\n";
    let added = daemon.send("POST", "/api/v1/torrents", &headers, &torrent);
    let id = added.json()["id"].as_str().unwrap().to_owned();
    let playlist = |headers: &str| {
        let list = daemon.send("GET", &format!("/stream/{id}/playlist.m3u"), headers, b"");
        String::from_utf8(list.body).unwrap()
    };
    let basic = data_encoding::BASE64.encode(format!("m/e:{token}").as_bytes());
    let basic = playlist(&format!("Authorization: Basic {basic}\r\n"));
    let url = format!(
        "http://m%2Fe:{token}@{}/stream/{id}/0/film.mp4",
        daemon.addr
    );
    assert!(basic.lines().any(|line| line == url), "{basic}");
    assert!(!playlist(&bearer(token)).contains("tw_"));
    let gone = daemon.send(
        "DELETE",
        &format!("/api/v1/torrents/{id}"),
        &bearer(token),
        b"",
    );
    assert_eq!(gone.status, 204);
}
