//! Tests of `announce`, `scrape` and `tracker`.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Place, noise};

fn torrent(place: &Place, trackers: &[&str]) {
    place.write("one", &noise(9, 100_000));
    let trackers: Vec<_> = trackers.iter().flat_map(|url| ["--tracker", url]).collect();
    place.ok(&[&["create", "one"], &trackers[..]].concat());
}

#[test]
fn trackers_are_asked_over_http_and_udp() {
    let place = Place::new();
    let server = place.start(&[
        "tracker",
        "--http",
        "127.0.0.1:0",
        "--udp",
        "127.0.0.1:0",
        "--json",
    ]);
    let listening: Value = serde_json::from_str(&server.line("listening")).unwrap();
    let http = format!("http://{}/announce", listening["http"].as_str().unwrap());
    let udp = format!("udp://{}", listening["udp"].as_str().unwrap());
    torrent(&place, &[&http, &udp]);
    let (_seeder, addr) = place.seed("one.torrent", ".");

    for url in [&http, &udp] {
        // The seeder asks the second tracker only if the first one fails; on this server they are the same.
        let said: Value = serde_json::from_str(&place.ok(&[
            "announce",
            "one.torrent",
            "--tracker",
            url,
            "--json",
        ]))
        .unwrap();
        assert_eq!(said["error"], Value::Null);
        assert_eq!(said["peers"], serde_json::json!([addr]), "{url}");
        let said: Value =
            serde_json::from_str(&place.ok(&["scrape", "one.torrent", "--tracker", url, "--json"]))
                .unwrap();
        assert_eq!(
            (&said["seeders"], &said["leechers"]),
            (&1.into(), &0.into()),
            "{url}: it heard us leave"
        );
    }
    let human = place.ok(&["announce", "one.torrent"]);
    for shown in [&http, &udp, &addr] {
        assert!(human.contains(shown.as_str()), "{shown} is not in {human}");
    }
    assert!(
        place
            .ok(&["scrape", "one.torrent"])
            .contains("1 seeder, 0 leechers, completed 0 times")
    );
}

#[test]
fn a_hybrid_is_asked_for_under_both_its_hashes() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    place.write("one", &noise(9, 100_000));
    place.ok(&["create", "one", "--hybrid", "--tracker", &url]);
    let (_seeder, addr) = place.seed("one.torrent", ".");
    let ask = |command| -> Vec<Value> {
        let said = place.ok(&[command, "one.torrent", "--json"]);
        let said = said.lines().map(|line| serde_json::from_str(line).unwrap());
        said.collect()
    };
    // It announces itself under each on its own.
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ask("scrape").iter().all(|answer| answer["seeders"] == 1) {
        assert!(Instant::now() < deadline, "{:?}", ask("scrape"));
    }
    for command in ["announce", "scrape"] {
        let said = ask(command);
        let hashes: BTreeSet<_> = said.iter().map(|it| it["info_hash"].to_string()).collect();
        assert_eq!((said.len(), hashes.len()), (2, 2), "{said:?}");
        if command == "announce" {
            for answer in said {
                assert_eq!(answer["peers"], serde_json::json!([addr]), "{answer}");
            }
        }
        let human = place.ok(&[command, "one.torrent"]);
        for version in ["v1", "v2"] {
            let heading = format!("{url} ({version})\n");
            assert!(human.contains(&heading), "{heading:?} is not in {human}");
        }
    }
}

#[test]
fn one_answer_is_enough_and_none_is_a_failure() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    torrent(&place, &["http://127.0.0.1:1/announce", &url]);
    for command in ["announce", "scrape"] {
        let out = place.ok(&[command, "one.torrent"]);
        assert!(
            out.contains("http://127.0.0.1:1/announce\n  failed: "),
            "{out}"
        );
        let finished = place.run(&[
            command,
            "one.torrent",
            "--tracker",
            "http://127.0.0.1:1/announce",
        ]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
    }
}

#[test]
fn a_torrent_without_trackers_cannot_be_asked_about() {
    let place = Place::new();
    torrent(&place, &[]);
    let finished = place.run(&["announce", "one.torrent"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("one has no trackers") && finished.err.contains("--tracker URL"),
        "{}",
        finished.err
    );
}

/// A torrent is untrusted; what is on the command line is the user's.
#[test]
fn only_the_user_names_urls_of_internal_services() {
    let place = Place::new();
    let admin = "http://127.0.0.1:1/internal/admin?do=delete";
    torrent(&place, &[admin]);
    let by_torrent = place.run(&["announce", "one.torrent"]);
    assert_eq!(by_torrent.code, Some(1), "{by_torrent:?}");
    let said = by_torrent.out + &by_torrent.err;
    assert!(said.contains("127.0.0.1 is not public"), "{said}");
    let by_hand = place.run(&["announce", "one.torrent", "--tracker", admin]);
    let said = by_hand.out + &by_hand.err;
    assert!(said.contains("failed: cannot connect"), "{said}");
}

/// A tracker that takes a request and never answers; its announce URL, and what keeps it there.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn trackers_are_not_asked_while_the_interface_that_the_user_names_is_away() {
    let place = Place::new();
    let (listener, url) = silent();
    listener.set_nonblocking(true).unwrap();
    torrent(&place, &[&url]);
    for command in ["announce", "scrape"] {
        let ask = |more: &[&str]| {
            let asked = [command, "one.torrent", "--tracker", &url, "--timeout", "1s"];
            let finished = place.run(&[&asked[..], more].concat());
            assert_eq!(finished.code, Some(1), "{finished:?}");
            finished.out
        };
        ask(&[]);
        assert!(listener.accept().is_ok(), "it was asked");
        // It may be told that we have gone, too.
        while listener.accept().is_ok() {}
        let said = ask(&["--interface", "nosuch0"]);
        assert!(said.contains("interface nosuch0 is not there"), "{said}");
        assert!(listener.accept().is_err(), "nothing is sent by another one");
    }
}

#[test]
fn answers_are_shown_as_they_come_and_the_others_named_until_they_time_out() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let (_listener, silent) = silent();
    let refusing = "http://127.0.0.1:1/announce";
    // The one that answers is the last of the tiers.
    torrent(&place, &[&silent, refusing, &url]);
    let asking = ["announce", "scrape"]
        .map(|command| place.start(&[command, "one.torrent", "--timeout", "3s"]));
    for asking in asking {
        asking.line(&url);
        let host = silent.split('/').nth(2).unwrap();
        let line = asking.error_line("waiting for");
        let expected = format!("trackers: 3 asked, 1 answered, 1 failed, waiting for {host}");
        assert_eq!(line, expected);
        let finished = asking.finish();
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let late = format!("{silent}\n  failed: no answer from the tracker within 3s\n");
        assert!(finished.out.contains(&late), "{}", finished.out);
        assert!(
            finished
                .out
                .ends_with("trackers: 3 asked, 1 answered, 2 failed\n"),
            "{}",
            finished.out
        );
        assert!(!finished.err.contains("os error"), "{}", finished.err);
    }
    for wrong in ["0", "2d", "soon"] {
        let refused = place.run(&["scrape", "one.torrent", "--timeout", wrong]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains("from 1s to 1d"), "{}", refused.err);
    }
}

#[test]
#[cfg(unix)]
fn an_interrupted_announce_leaves_the_trackers_that_have_answered() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let (_listener, silent) = silent();
    torrent(&place, &[&silent, &url]);
    let asking = place.start(&["announce", "one.torrent"]);
    asking.line(&url);
    asking.signal("INT");
    let finished = asking.finish();
    assert_eq!(
        (finished.code, &*finished.err),
        (Some(130), ""),
        "{finished:?}"
    );
    let said = place.ok(&["scrape", "one.torrent", "--tracker", &url, "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["leechers"].as_u64().unwrap_or(0), 0, "{said}");
}

/// What a server answers to a request without a body: its head and its body.
fn http(authority: &str, request: &str) -> (String, String) {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    let head =
        format!("{request} HTTP/1.1\r\nHost: tracker.example:6969\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn authority(url: &str) -> String {
    url.split('/').nth(2).unwrap().to_owned()
}

#[test]
fn a_tracker_has_a_page_with_its_numbers() {
    let place = Place::new();
    let tracker = place.start(&["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"]);
    let udp = tracker.line("udp://");
    let page = tracker.line("page:");
    let at = authority(page.split_whitespace().last().unwrap());
    torrent(&place, &[&format!("http://{at}/announce")]);
    let (_seeder, _) = place.seed("one.torrent", ".");
    place.ok(&["announce", "one.torrent"]);

    let (head, body) = http(&at, "GET /");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let head = head.to_lowercase();
    assert!(
        head.contains("content-type: text/html") && head.contains("default-src 'none'"),
        "{head}"
    );
    let port = udp.rsplit(':').next().unwrap();
    for shown in [
        "<code>http://tracker.example:6969/announce</code>",
        &format!("<code>udp://tracker.example:{port}</code>"),
        "<tr><th>Torrents</th><td>1</td></tr>",
        "<tr><th>Seeders</th><td>1</td></tr>",
        "<tr><th>Leechers</th><td>0</td></tr>",
        "<th>Running for</th>",
    ] {
        assert!(body.contains(shown), "{shown} is not in {body}");
    }
    let hash = {
        let said = place.ok(&["inspect", "one.torrent", "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        said["info_hash_v1"].as_str().unwrap().to_owned()
    };
    assert!(!body.contains(&hash), "{body}");
    let (_, stats) = http(&at, "GET /stats");
    let stats: Value = serde_json::from_str(&stats).unwrap();
    assert_eq!(
        (&stats["torrents"], &stats["seeders"]),
        (&1.into(), &1.into())
    );
    assert_eq!(stats["list"], Value::Null);
    let (head, body) = http(&at, "HEAD /");
    assert!(
        head.starts_with("HTTP/1.1 200") && body.is_empty(),
        "{head}"
    );
}

#[test]
fn torrents_are_listed_only_on_demand() {
    let place = Place::new();
    let tracker = place.start(&["tracker", "--http", "127.0.0.1:0", "--list"]);
    let url = tracker
        .line("http://")
        .split_whitespace()
        .last()
        .unwrap()
        .to_owned();
    torrent(&place, &[&url]);
    let (_seeder, _) = place.seed("one.torrent", ".");
    place.ok(&["announce", "one.torrent"]);
    let (_, stats) = http(&authority(&url), "GET /stats");
    let stats: Value = serde_json::from_str(&stats).unwrap();
    let hash = stats["list"][0]["info_hash"].as_str().unwrap();
    assert_eq!(stats["list"][0]["seeders"], 1);
    let (_, page) = http(&authority(&url), "GET /");
    assert!(page.contains(&format!("<code>{hash}</code>")), "{page}");
}

#[test]
fn bad_requests_are_answered_as_trackers_do() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let at = authority(&url);
    let twenty = "a".repeat(20);
    let refusals = [
        ("/announce".to_owned(), "info_hash"),
        (
            format!("/announce?info_hash={twenty}&peer_id=short&port=1"),
            "peer_id",
        ),
        (
            format!("/announce?info_hash={twenty}&peer_id={twenty}&port=99999"),
            "port",
        ),
        (
            format!("/announce?info_hash={twenty}&peer_id={twenty}&port=1&left=much"),
            "left",
        ),
        ("/scrape".to_owned(), "info_hash"),
        ("/scrape?info_hash=%zz".to_owned(), "info_hash"),
    ];
    for (path, told) in refusals {
        let (head, body) = http(&at, &format!("GET {path}"));
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        assert!(body.starts_with("d14:failure reason"), "{path}: {body}");
        assert!(body.contains(told), "{path}: {body}");
        assert!(body.contains(":bad request: "), "{path}: {body}");
    }
    // Fields beyond the protocol are no reason to refuse a client.
    let (_, body) = http(
        &at,
        &format!("GET /announce?info_hash={twenty}&peer_id={twenty}&port=1&event=eaten"),
    );
    assert!(body.starts_with("d8:complete"), "{body}");
    let (head, body) = http(&at, "GET /elsewhere");
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert!(body.contains("/announce"), "{body}");
    let (head, _) = http(&at, "POST /announce");
    assert!(head.starts_with("HTTP/1.1 405"), "{head}");
}

/// A tracker on all interfaces is told of by an address that leads to it.
#[test]
fn the_announce_url_is_one_that_others_can_use() {
    let place = Place::new();
    let tracker = place.start(&[
        "tracker",
        "--http",
        "0.0.0.0:0",
        "--udp",
        "0.0.0.0:0",
        "--json",
    ]);
    let listening: Value = serde_json::from_str(&tracker.line("listening")).unwrap();
    let urls = listening["urls"].as_array().unwrap();
    let urls: Vec<_> = urls.iter().map(|url| url.as_str().unwrap()).collect();
    assert!(urls.iter().any(|url| url.starts_with("udp://")), "{urls:?}");
    for url in urls {
        assert!(!url.contains("0.0.0.0"), "{url}");
        if url.starts_with("http://") {
            let (head, _) = http(&authority(url), "GET /stats");
            assert!(head.starts_with("HTTP/1.1 200"), "{url}: {head}");
        }
    }
}

#[test]
#[cfg(unix)]
fn a_terminal_shows_who_is_waited_for_until_ctrl_c() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let (_listener, silent) = silent();
    torrent(&place, &[&silent, &url]);
    let mut terminal = place.terminal(&["announce", "one.torrent"], 24, 80);
    let host = authority(&silent);
    let waiting = format!("trackers 2 asked, 1 answered, 0 failed, waiting for {host}");
    // The answer is printed above the line that counts it, a moment later.
    terminal.until(|lines| lines.last() == Some(&waiting) && lines[0] == url);
    terminal.type_in("\u{3}");
    let (code, lines) = terminal.finish();
    assert_eq!(code, Some(130), "{lines:#?}");
    assert!(lines.contains(&url), "{lines:#?}");
}
