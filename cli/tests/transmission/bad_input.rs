//! What is malformed, too long, unknown or forbidden, and who may not ask.

use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::json;

use crate::http::raw;
use crate::rpc::{Rpc, post, session};
use crate::support::{Place, noise};

#[test]
fn malformed_bodies_are_answered_and_harm_nothing() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    let deep = "[".repeat(200_000);
    let batch = format!("[{}]", vec!["{}"; 101].join(","));
    let cases: [(&[u8], i64); 8] = [
        (b"", -32_700),
        (b"{", -32_700),
        (b"\xff\xfe\x00", -32_700),
        (deep.as_bytes(), -32_700),
        (b"[]", -32_600),
        (b"17", -32_600),
        (
            br#"{"jsonrpc":"3.0","method":"session_get","id":1}"#,
            -32_600,
        ),
        (batch.as_bytes(), -32_600),
    ];
    for (body, code) in cases {
        let answer = rpc.send("", body);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["error"]["code"], code);
    }
    // Values of the wrong type count as missing.
    for arguments in [json!(5), json!("x"), json!([]), json!(null)] {
        let answer = rpc.ask(&json!({"method": "torrent-get", "arguments": arguments}));
        assert_eq!(answer["result"], "no fields specified");
    }
    assert_eq!(
        rpc.ask(&json!({"method": ["session-get"]}))["result"],
        "no method name"
    );
    rpc.daemon.stop();
}

#[test]
fn wrong_types_and_unknown_ids_change_nothing() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    rpc.add(&place, &torrent, json!({"paused": true}));
    let all = |name: &str| {
        rpc.call(
            name,
            json!({"fields": tailwater_serve::transmission::FIELDS.to_vec()}),
        )
    };
    let before = all("torrent-get");
    let wrong = json!({"labels": "x", "downloadLimit": "fast", "downloadLimited": "maybe", "queuePosition": -1,
        "seedRatioMode": 17, "files-wanted": {"0": true}, "peer-limit": [], "trackerAdd": "http://a/", "nothing": 1});
    rpc.call("torrent-set", wrong);
    for ids in [
        json!([99]),
        json!(-1),
        json!("x"),
        json!(["ffffffffffffffffffffffffffffffffffffffff", null, {}]),
        json!([]),
    ] {
        for method in [
            "torrent-remove",
            "torrent-start",
            "torrent-verify",
            "queue-move-top",
        ] {
            rpc.call(method, json!({"ids": ids}));
        }
        let none = rpc.call("torrent-get", json!({"ids": ids, "fields": ["id"]}));
        assert_eq!(none["torrents"], json!([]), "{ids}");
    }
    assert_eq!(all("torrent-get"), before);
    let many: Vec<i64> = (0..200_000).map(|it| it % 3).collect();
    let each_once = rpc.call("torrent-get", json!({"ids": many, "fields": ["id", "id"]}));
    assert_eq!(each_once["torrents"], json!([{"id": 1}]));
    let session = rpc.call("session-get", json!({}));
    let wrong = json!({"speed-limit-down": "x", "seedRatioLimited": [], "peer-limit-global": -5, "nothing": 1});
    rpc.call("session-set", wrong);
    let mut after = rpc.call("session-get", json!({}));
    after["download-dir-free-space"] = session["download-dir-free-space"].clone();
    assert_eq!(after, session);
}

#[test]
fn long_bodies_are_refused_and_others_are_answered_meanwhile() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    // As long as the longest .torrent file, and no torrent.
    let long = "A".repeat(10_000_000);
    let words = rpc.refused("torrent-add", json!({"metainfo": long}));
    assert!(
        words.starts_with("invalid or corrupt torrent file"),
        "{words}"
    );
    let head = format!(
        "POST /transmission/rpc HTTP/1.1\r\nHost: {}\r\n{}Content-Length: 20000000\r\n\r\n{{",
        rpc.addr,
        session(&rpc.addr, "")
    );
    let refused = raw(&rpc.addr, head.as_bytes());
    assert_eq!(refused.status, 413, "{refused:?}");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut stream = std::net::TcpStream::connect(&rpc.addr).unwrap();
        let session = session(&rpc.addr, "");
        let addr = &rpc.addr;
        let head = format!(
            "POST /transmission/rpc HTTP/1.1\r\nHost: {addr}\r\n{session}Content-Length: 9000000\r\n\r\n{{"
        );
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        waiting.push(stream);
    }
    let begun = Instant::now();
    rpc.call("session-stats", json!({}));
    assert!(begun.elapsed() < Duration::from_secs(30));
    let memory = rpc.daemon.memory();
    assert!(memory < 400 << 20, "{memory} bytes");
}

#[test]
fn paths_outside_of_the_folders_and_urls_of_private_networks_are_refused() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(2, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    let metainfo = BASE64.encode(&std::fs::read(place.path(&torrent)).unwrap());
    let folder_of = |dir: &str| {
        rpc.refused(
            "torrent-add",
            json!({"metainfo": metainfo, "download-dir": dir}),
        )
    };
    assert!(
        folder_of("/etc").contains("not below a folder"),
        "{}",
        folder_of("/etc")
    );
    assert!(folder_of("relative").contains("not absolute"));
    let up = format!("{}/../out", place.path("data").display());
    assert!(folder_of(&up).contains(".."));
    for filename in [
        "/etc/passwd",
        "file:///etc/passwd",
        "data/film.torrent",
        "ftp://127.0.0.1/x",
    ] {
        let words = rpc.refused("torrent-add", json!({"filename": filename}));
        assert!(words.starts_with("unrecognized info"), "{words}");
    }
    let tracker = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
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
        let words = rpc.refused("torrent-add", json!({"filename": url}));
        assert!(words.starts_with("cannot fetch"), "{words}");
    }
    tracker.set_nonblocking(true).unwrap();
    assert!(tracker.accept().is_err(), "it was asked");
    rpc.add(&place, &torrent, json!({"paused": true}));
    let moved = json!({"ids": 1, "location": "/etc", "move": true});
    assert!(
        rpc.refused("torrent-set-location", moved)
            .contains("not below a folder")
    );
    let asked = rpc.ask(&json!({"method": "free-space", "arguments": {"path": "/etc"}}));
    assert_eq!(asked["arguments"]["size-bytes"], -1, "{asked}");
    assert!(
        asked["result"]
            .as_str()
            .unwrap()
            .contains("not below a folder"),
        "{asked}"
    );
}

#[test]
fn foreign_hosts_and_pages_are_refused() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &["--allow-host", "nas.local"]);
    let body = json!({"method": "session-get"}).to_string();
    let send = |headers: &str| rpc.send(headers, body.as_bytes()).status;
    assert_eq!(send("Host: evil.example:9091\r\n"), 421);
    assert_eq!(send("Host: evil.example\r\n"), 421);
    let port = rpc.addr.rsplit(':').next().unwrap();
    assert_eq!(send(&format!("Host: nas.local:{port}\r\n")), 200);
    assert_eq!(
        send("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n"),
        403
    );
    let head = format!(
        "OPTIONS /transmission/rpc HTTP/1.1\r\nHost: {}\r\nOrigin: http://evil.example\r\n\r\n",
        rpc.addr
    );
    let preflight = raw(&rpc.addr, head.as_bytes());
    assert!(preflight.status >= 400 && preflight.header("access-control-allow-origin").is_none());
}

#[test]
fn a_password_is_needed_where_it_was_asked_for_and_wrong_ones_have_to_wait() {
    let place = Place::new();
    let token = |name: &str, more: &[&str]| {
        let args = ["daemon", "--state", "daemon", "--create-token", name];
        place.ok(&[&args, more].concat()).trim().to_owned()
    };
    let (full, read) = (token("sonarr", &[]), token("viewer", &["--read-only"]));
    let (daemon, line) = crate::daemon::Daemon::start_saying(
        &place,
        &["--transmission", "127.0.0.1:0", "--require-token"],
        "Transmission's RPC:",
    );
    let addr = line
        .rsplit(' ')
        .next()
        .unwrap()
        .split('/')
        .nth(2)
        .unwrap()
        .to_owned();
    let basic = |text: &str| {
        format!(
            "Authorization: Basic {}\r\n",
            BASE64.encode(text.as_bytes())
        )
    };
    let body = |method: &str| json!({"method": method}).to_string();
    let none = post(&addr, "", body("session-get").as_bytes());
    assert_eq!(
        (none.status, none.header("www-authenticate")),
        (401, Some("Basic realm=\"tailwater\""))
    );
    assert!(none.header("x-transmission-session-id").is_none());
    let owner = basic(&format!("sonarr:{full}"));
    let id = session(&addr, &owner);
    let ask =
        |login: &str, method: &str| post(&addr, &format!("{login}{id}"), body(method).as_bytes());
    assert_eq!(ask(&owner, "session-get").json()["result"], "success");
    let viewer = basic(&format!("anyone:{read}"));
    assert_eq!(ask(&viewer, "session-get").json()["result"], "success");
    assert_eq!(
        ask(&viewer, "torrent-start").json()["result"],
        "this password may only read"
    );
    assert_eq!(
        ask("Authorization: Bearer x\r\n", "session-get").status,
        401
    );
    let wrong = || ask(&basic("sonarr:tw_1_wrong"), "session-get");
    let statuses: Vec<u16> = (0..15).map(|_| wrong().status).collect();
    assert_eq!((statuses[0], statuses[14]), (401, 429), "{statuses:?}");
    assert!(wrong().header("retry-after").is_some());
    // One that was right before has not to wait for others behind the same address.
    assert_eq!(ask(&owner, "session-get").status, 200);
    daemon.stop();
}

/// A program that was set up for Transmission sends what that one wanted.
#[test]
fn the_password_of_another_server_is_passed_over_where_none_is_needed() {
    let place = Place::new();
    let args = ["--state", "daemon", "--create-token", "r", "--read-only"];
    let reader = place.ok(&[&["daemon"], &args[..]].concat());
    let rpc = Rpc::start(&place, &[]);
    let ask = |password: &str, method: &str| {
        let login = BASE64.encode(format!("transmission:{password}").as_bytes());
        let body = json!({"method": method}).to_string();
        let head = format!("Authorization: Basic {login}\r\n");
        let answer = rpc.send(&head, body.as_bytes());
        (answer.status, answer.json()["result"].clone())
    };
    // Nobody has to wait for it, however often it comes.
    for _ in 0..15 {
        assert_eq!(
            ask("transmission", "torrent-start"),
            (200, json!("success"))
        );
    }
    assert_eq!(
        ask(reader.trim(), "torrent-start"),
        (200, json!("this password may only read")),
        "a token is what it is"
    );
}

#[test]
fn other_machines_need_a_password() {
    let place = Place::new();
    let args = crate::daemon::Daemon::args(&["--transmission", "0.0.0.0:0"]);
    let refused = place.run(&args);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("no token"), "{refused:?}");
    place.ok(&["daemon", "--state", "daemon", "--create-token", "phone"]);
    let (daemon, line) = crate::daemon::Daemon::start_saying(
        &place,
        &["--transmission", "0.0.0.0:0"],
        "Transmission's RPC:",
    );
    let port = line
        .rsplit(' ')
        .next()
        .unwrap()
        .split('/')
        .nth(2)
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .to_owned();
    let addr = format!("127.0.0.1:{port}");
    assert_eq!(post(&addr, "", b"{}").status, 401);
    daemon.stop();
}
