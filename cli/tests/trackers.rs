//! Asking trackers, and running one.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

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

/// A torrent is a stranger's; what stands on the command line is the user's.
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
        let expected = format!("trackers: 3 asked, 1 answered, 1 failed; waiting for {host}");
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
