//! When seeds stop, where files go when they are complete, and rate limits by the hour.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::Events;
use crate::support::{Place, noise};

const LABELS: &str = "/api/v1/labels";
const SETTINGS: &str = "/api/v1/settings";

#[test]
fn a_seed_stops_at_the_limit_of_its_label_and_goes_on_when_it_is_resumed() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 50_000));
    place.write("data/films/film.mp4", &noise(1, 50_000));
    let torrent = place.create("here/film.mp4", &[]);
    let daemon = Daemon::start(&place, &[]);
    let label = r#"{"folder":"films","idle_limit":1,"ratio_limit":"none"}"#;
    assert_eq!(
        daemon
            .json("PUT", "/api/v1/labels/short%20films", label)
            .status,
        204
    );
    let mut events = Events::open(&daemon.addr, None);
    // The label's folder is that of the torrent, so it is complete at once.
    let id = daemon.add(&torrent, "labels=short+films");
    let (_, done) = events.next_named("seeding_done");
    assert_eq!(
        (&done["torrent"], &done["limit"]),
        (&id.as_str().into(), &"idle".into())
    );
    events.next_named("paused");
    let path = format!("/api/v1/torrents/{id}");
    let paused = daemon.get(&path);
    assert_eq!(
        (&paused["state"], &paused["idle_limit"]),
        (&"paused".into(), &Value::Null)
    );
    assert!(paused["folder"].as_str().unwrap().ends_with("data/films"));
    // The user wants it to go on: the limit that it has reached holds no more, and the others do.
    let resumed = daemon
        .send("POST", &format!("{path}/resume"), "", b"")
        .json();
    assert_eq!(
        (&resumed["state"], &resumed["idle_limit"]),
        (&"seeding".into(), &"none".into())
    );
    let stop = json!({ "seeding_time_limit": 1 }).to_string();
    assert_eq!(daemon.json("PATCH", &path, &stop).status, 200);
    assert_eq!(events.next_named("seeding_done").1["limit"], "seeding_time");
    daemon.kill();
    // All of it is kept.
    let daemon = Daemon::start(&place, &[]);
    let kept = daemon.get(&path);
    assert_eq!(
        (&kept["idle_limit"], &kept["seeding_time_limit"]),
        (&"none".into(), &1.into())
    );
    let labels = daemon.get(LABELS);
    let expected = json!([{ "name": "short films", "torrents": 1, "folder": "films", "idle_limit": 1, "ratio_limit": "none" }]);
    assert_eq!(labels, expected);
    assert_eq!(
        daemon
            .send("DELETE", "/api/v1/labels/short%20films", "", b"")
            .status,
        204
    );
    assert_eq!(daemon.get(&path)["labels"], json!([]));
    daemon
        .send("DELETE", "/api/v1/labels/short%20films", "", b"")
        .is_problem(404, "no-such-label");
}

#[test]
fn limits_and_folders_that_make_no_sense_are_refused() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    for (body, status, problem) in [
        (r#"{"folder":"../out"}"#, 403, "folder-not-allowed"),
        (r#"{"completed_folder":"/etc"}"#, 403, "folder-not-allowed"),
        (r#"{"ratio_limit":-1}"#, 422, "invalid"),
        (r#"{"ratio_limit":"some"}"#, 422, "invalid"),
        (r#"{"idle_limit":0}"#, 422, "invalid"),
        (r#"{"colour":"red"}"#, 422, "invalid"),
    ] {
        let answer = daemon.json("PUT", "/api/v1/labels/x", body);
        answer.is_problem(status, problem);
    }
    for name in ["a%2Cb", "%20", "%0A"] {
        let answer = daemon.json("PUT", &format!("{LABELS}/{name}"), "{}");
        answer.is_problem(422, "invalid");
    }
    assert_eq!(daemon.get(LABELS), json!([]));
    for body in [
        r#"{"schedule":[{"days":["mon"],"from":"25:00","to":"08:00"}]}"#,
        r#"{"schedule":[{"days":[],"from":"07:00","to":"08:00"}]}"#,
        r#"{"schedule":[{"days":["noday"],"from":"07:00","to":"08:00"}]}"#,
        r#"{"completed_folder":7}"#,
        r#"{"alternative_download_limit":0}"#,
    ] {
        daemon
            .json("PATCH", SETTINGS, body)
            .is_problem(422, "invalid");
    }
    let outside = daemon.json("PATCH", SETTINGS, r#"{"completed_folder":"../out"}"#);
    outside.is_problem(403, "folder-not-allowed");
    assert!(daemon.get(SETTINGS)["completed_folder"].is_null());
}

#[test]
fn files_go_to_another_folder_when_they_are_complete() {
    let place = Place::new();
    let film = noise(3, 300_000);
    place.write("here/film.mp4", &film);
    let torrent = place.create("here/film.mp4", &[]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &[]);
    daemon.ctl(&[
        "labels",
        "films",
        "--completed-folder",
        "films/done",
        "--ratio",
        "2",
    ]);
    let mut events = Events::open(&daemon.addr, None);
    let id = daemon.add(&torrent, "labels=films&folder=new");
    daemon.connect(&id, &peer);
    events.next_named("completed");
    let (_, moved) = events.next_named("moved");
    assert!(
        moved["folder"]
            .as_str()
            .unwrap()
            .ends_with("data/films/done")
    );
    assert!(std::fs::read(place.path("data/films/done/film.mp4")).unwrap() == film);
    assert!(!place.path("data/new/film.mp4").exists());
    let labels = daemon.ctl(&["labels"]);
    assert!(labels.contains("films/done"), "{labels}");
    let path = format!("/api/v1/torrents/{id}");
    while daemon.get(&path)["state"] != "seeding" {}
    assert!(daemon.get(&path)["warning"].is_null());

    // What is in the way is said, stays, and everything goes on where it was.
    place.write("data/other/film.mp4", b"another one's");
    daemon.ctl(&["move", "1", "other"]);
    let (_, warning) = events.next_named("warning");
    assert!(
        warning["warning"].as_str().unwrap().contains("film.mp4"),
        "{warning}"
    );
    while daemon.get(&path)["state"] != "seeding" {}
    let shown = daemon.ctl(&["show", "1"]);
    assert!(shown.contains("warning"), "{shown}");
    assert_eq!(
        std::fs::read(place.path("data/other/film.mp4")).unwrap(),
        b"another one's"
    );
    daemon.kill();
    let daemon = Daemon::start(&place, &[]);
    while daemon.get(&path)["state"] != "seeding" {}
    assert!(std::fs::read(place.path("data/films/done/film.mp4")).unwrap() == film);
}

#[test]
fn alternative_limits_hold_when_they_are_asked_for_and_at_their_hours() {
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    daemon.ctl(&[
        "limit",
        "--down",
        "5MiB",
        "--alt-down",
        "1MiB",
        "--alt-up",
        "2MiB",
    ]);
    let held = || {
        let stats = daemon.get("/api/v1/stats");
        let rate = |name: &str| stats[name].as_u64().map(|rate| rate >> 20);
        (rate("download_limit"), rate("upload_limit"))
    };
    assert_eq!(held(), (Some(5), None));
    daemon.ctl(&["limit", "--alt", "on"]);
    assert_eq!(held(), (Some(1), Some(2)));
    // All hours of all days, and then none.
    daemon.ctl(&[
        "limit",
        "--alt",
        "schedule",
        "--schedule",
        "mon-sun 12:00-12:00",
    ]);
    assert_eq!(held(), (Some(1), Some(2)));
    assert_eq!(daemon.get("/api/v1/stats")["are_limits_alternative"], true);
    daemon.kill();
    let daemon = Daemon::start(&place, &[]);
    let settings = daemon.get(SETTINGS);
    assert_eq!(settings["schedule"][0]["from"], "12:00");
    assert_eq!(daemon.get("/api/v1/stats")["download_limit"], 1 << 20);
    daemon.ctl(&["limit", "--schedule", "none"]);
    assert_eq!(daemon.get("/api/v1/stats")["download_limit"], 5 << 20);
    assert_eq!(daemon.get(SETTINGS)["schedule"], json!([]));
    daemon.ctl(&[
        "limit",
        "--idle",
        "2h",
        "--seeding-time",
        "7d",
        "--ratio",
        "1.5",
    ]);
    let settings = daemon.get(SETTINGS);
    assert_eq!(
        (&settings["idle_limit"], &settings["seeding_time_limit"]),
        (&7_200.into(), &604_800.into())
    );
    daemon.ctl(&["limit", "--idle", "none"]);
    assert!(daemon.get(SETTINGS)["idle_limit"].is_null());
}
