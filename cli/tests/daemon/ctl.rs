//! `tailwater ctl`, as a person uses it.

use crate::daemon::Daemon;
use crate::http::Events;
use crate::support::{Place, noise};

#[test]
fn a_person_adds_watches_changes_and_removes_a_torrent() {
    let place = Place::new();
    place.write("here/album/a.mp3", &noise(1, 40_000));
    place.write("here/album/b.mp3", &noise(2, 50_000));
    let torrent = place.create("here/album", &["--piece-length", "16KiB"]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &[]);
    let mut events = Events::open(&daemon.addr, None);
    assert_eq!(daemon.ctl(&["list"]), "no torrents\n");
    let added = daemon.ctl(&["add", &torrent, "--label", "music", "--peer", &peer]);
    assert!(added.starts_with("added 1: album ("), "{added}");
    events.next_named("completed");
    let list = daemon.ctl(&["list"]);
    let lines: Vec<_> = list.lines().collect();
    assert_eq!(lines.len(), 2, "{list}");
    assert!(lines[0].starts_with("#  state"), "{list}");
    assert!(
        lines[1].contains("seeding") && lines[1].contains("100 %"),
        "{list}"
    );
    assert!(lines[1].ends_with("album"), "{list}");
    let files = daemon.ctl(&["files", "album"]);
    assert!(
        files.contains("album/b.mp3") && files.contains("normal"),
        "{files}"
    );
    let files = daemon.ctl(&["files", "1", "--set", "1", "--priority", "low"]);
    assert!(files.contains("low"), "{files}");
    daemon.ctl(&["pause", "1"]);
    assert!(daemon.ctl(&["list", "--state", "paused"]).contains("album"));
    daemon.ctl(&["resume", "--all"]);
    daemon.ctl(&["limit", "1", "--down", "1MiB", "--ratio", "3"]);
    daemon.ctl(&["label", "1", "old", "very old"]);
    daemon.ctl(&["limit", "--up", "2MiB"]);
    assert_eq!(daemon.get("/api/v1/settings")["upload_limit"], 2 << 20);
    let limits = daemon.ctl(&["limit"]);
    assert!(limits.contains("up                 2.00 MiB/s"), "{limits}");
    let limits = daemon.ctl(&["limit", "1"]);
    assert!(limits.contains("ratio              3"), "{limits}");
    daemon.ctl(&["limit", "--up", "0"]);
    assert!(daemon.get("/api/v1/settings")["upload_limit"].is_null());
    let shown = daemon.ctl(&["show", "1"]);
    for text in ["old, very old", "1.00 MiB/s", "magnet:?xt=", "data"] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    daemon.ctl(&["trackers", "1"]);
    assert_eq!(daemon.ctl(&["peers", "1", "--add", &peer]), "");
    assert!(daemon.ctl(&["peers", "1"]).starts_with("address"));
    assert!(daemon.ctl(&["stats"]).contains("1: 0 downloading"));
    daemon.ctl(&["move", "1", "music"]);
    events.next_named("moved");
    assert!(place.path("data/music/album/a.mp3").exists());
    daemon.ctl(&["remove", "--all", "--delete-files", "--yes"]);
    assert!(!place.path("data/music/album").exists());
    assert_eq!(daemon.ctl(&["list"]), "no torrents\n");
}

#[test]
fn a_file_in_the_way_is_told_of_and_stays() {
    let place = Place::new();
    place.write("here/a.bin", &noise(1, 40_000));
    let torrent = place.create("here/a.bin", &[]);
    place.write("data/a.bin", b"mine");
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "");
    daemon.says("warning: a.bin: ");
    // The warning may come a moment before.
    while daemon.get(&format!("/api/v1/torrents/{id}"))["state"] != "error" {}
    let shown = daemon.get(&format!("/api/v1/torrents/{id}"));
    assert_eq!(
        (&shown["progress"], &shown["left"]),
        (&0.0.into(), &40_000.into())
    );
    let files = daemon.ctl(&["files", "1", "--set", "0", "--priority", "skip"]);
    assert!(files.contains("skip"), "{files}");
    let removed = daemon.ctl(&["remove", "--all", "--delete-files", "--yes"]);
    assert!(removed.contains("a.bin is not deleted"), "{removed}");
    assert_eq!(std::fs::read(place.path("data/a.bin")).unwrap(), b"mine");
    daemon.stop();
}

#[test]
fn programs_get_json_lines_and_events() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let daemon = Daemon::start(&place, &[]);
    let newest = daemon.get("/api/v1/stats")["newest_event"].to_string();
    let added = daemon.ctl(&["--json", "add", &torrent, "--paused"]);
    let added: serde_json::Value = serde_json::from_str(&added).unwrap();
    assert_eq!(
        (&added["name"], &added["state"]),
        (&"film.mp4".into(), &"paused".into())
    );
    let list = daemon.ctl(&["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(listed["id"], added["id"]);
    let events = daemon.ctl(&["events", "--json", "--since", &newest, "--count", "1"]);
    let event: serde_json::Value = serde_json::from_str(&events).unwrap();
    assert_eq!(
        (&event["event"], &event["torrent"]),
        (&"added".into(), &added["id"])
    );
    let text = daemon.ctl(&["events", "--since", &newest, "--count", "1"]);
    assert!(
        text.starts_with("added  ") && text.contains("film.mp4"),
        "{text}"
    );
}

#[test]
fn what_goes_wrong_is_said_with_a_remedy() {
    let place = Place::new();
    let no_daemon = place.run(&["ctl", "--daemon", "http://127.0.0.1:9", "list"]);
    assert_eq!(no_daemon.code, Some(1), "{no_daemon:?}");
    assert!(no_daemon.err.contains("tailwater daemon"), "{no_daemon:?}");
    let daemon = Daemon::start(&place, &[]);
    let url = format!("http://{}", daemon.addr);
    let run = |args: &[&str]| place.run(&[&["ctl", "--daemon", &url], args].concat());
    for (args, says) in [
        (&["show", "7"][..], "there is no torrent \"7\""),
        (&["pause", "film"], "there is no torrent"),
        (&["add", "magnet:?xt=x"], "magnet"),
        (&["add", "http://127.0.0.1:9/a"], "cannot fetch"),
        (&["add", "missing.torrent"], "missing.torrent"),
        (&["--token", "tw_1_x", "list"], "--token"),
    ] {
        let failed = run(args);
        assert_eq!(failed.code, Some(1), "{args:?}: {failed:?}");
        assert!(failed.err.contains(says), "{args:?}: {failed:?}");
    }
    let unasked = run(&["remove", "--all", "--delete-files"]);
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    let address = place.run(&["ctl", "--daemon", "nas", "list"]);
    assert_eq!(address.code, Some(1), "{address:?}");
}

#[test]
fn the_configuration_of_the_daemon_is_printed_and_read() {
    let place = Place::new();
    let printed = place.ok(&["daemon", "--print-config"]);
    for option in [
        "#http = ",
        "#data = ",
        "#max-down = ",
        "#require-token = true",
    ] {
        assert!(printed.contains(option), "{option}: {printed}");
    }
    assert!(!printed.contains("create-token"), "{printed}");
    place.configure(&printed);
    place.ok(&["daemon", "--print-config"]);
    place.configure("[daemon]\nmax-down = \"3MiB\"\n");
    let daemon = Daemon::start(&place, &[]);
    assert_eq!(daemon.get("/api/v1/settings")["download_limit"], 3 << 20);
    place.configure("[daemon]\nmax-dwon = \"3MiB\"\n");
    let wrong = place.run(&Daemon::args(&[]));
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("max-down"), "{wrong:?}");
}
