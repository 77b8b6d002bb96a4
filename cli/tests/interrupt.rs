//! Ctrl-C and SIGTERM.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use support::{LOCAL, Place, noise};

fn shared(place: &Place, tracker: &str) {
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one", "--tracker", tracker]);
}

/// Who the tracker believes is there.
fn scrape(place: &Place) -> (u64, u64) {
    let said: Value =
        serde_json::from_str(&place.ok(&["scrape", "one.torrent", "--json"])).unwrap();
    (
        said["seeders"].as_u64().unwrap_or(0),
        said["leechers"].as_u64().unwrap_or(0),
    )
}

#[test]
fn an_interrupted_download_tells_its_tracker_and_keeps_what_it_has() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        let (_tracker, url) = place.tracker();
        shared(&place, &url);
        let download = ["download", "one.torrent", "-o", "there", "--json"];
        let downloader = place.start(&[&download, &LOCAL[..]].concat());
        downloader.line("tracker_answered");
        assert_eq!(scrape(&place), (0, 1));
        downloader.signal(signal);
        let finished = downloader.finish();
        assert_eq!(finished.code, Some(130), "{signal}: {finished:?}");
        assert_eq!(scrape(&place), (0, 0), "the tracker heard `stopped`");
        assert!(
            finished.err.contains("the same command goes on"),
            "{}",
            finished.err
        );
        assert!(!finished.err.contains("error"), "{}", finished.err);
    }
}

#[test]
fn an_interrupted_seeder_tells_its_tracker() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    shared(&place, &url);
    let seed = ["seed", "one.torrent", "--data", "here", "--json"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    seeder.line("tracker_answered");
    assert_eq!(scrape(&place), (1, 0));
    seeder.signal("INT");
    let finished = seeder.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert_eq!(scrape(&place), (0, 0));
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let place = Place::new();
    // A tracker that takes a call and never answers: the farewell has to wait for it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    shared(
        &place,
        &format!("http://{}/announce", silent.local_addr().unwrap()),
    );
    let seed = ["seed", "one.torrent", "--data", "here"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    seeder.line("seeding ");
    seeder.signal("INT");
    seeder.signal("INT");
    assert_eq!(seeder.finish().code, Some(130));
}

#[test]
fn a_tracker_runs_until_it_is_interrupted() {
    let place = Place::new();
    let tracker = place.start(&["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"]);
    tracker.line("http://127.0.0.1:");
    tracker.line("udp://127.0.0.1:");
    tracker.signal("INT");
    let finished = tracker.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
}

#[test]
fn an_interrupted_demo_cleans_up() {
    let place = Place::new();
    let demo = place.start(&["demo", "--size", "1GiB"]);
    // By then the tracker runs, and the payload is being made.
    demo.line("tracker:");
    demo.signal("INT");
    let finished = demo.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(place.temporary().is_empty(), "{:?}", place.temporary());
}
