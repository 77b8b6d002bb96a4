//! Tests of `tailwater bench`: small runs, for what it prints and leaves, not for the figures.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use support::Place;

/// Options of a small swarm of this machine's own.
const SMALL: [&str; 8] = [
    "bench",
    "swarm",
    "--rounds",
    "1",
    "--network",
    "loopback",
    "--no-progress",
    "--size",
];

fn json(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_swarm_is_measured_and_its_figures_are_shown_and_saved() {
    let place = Place::new();
    let more = ["4MiB", "--files", "3", "--pairs", "ours-ours,ours-lt"];
    let files = ["--save", "now.jsonl", "--chart", "now.svg"];
    // One client is missing: the others are measured.
    let without = ["--python", "/nowhere/python3"];
    let out = place.ok(&[&SMALL[..], &more, &files, &without].concat());
    for shown in [
        "ours-ours  rate, MiB/s",
        "download cpu, s/GiB",
        "seed peak, MiB",
        "the loopback interface",
        "not measured: lt: /nowhere/python3 has no libtorrent",
    ] {
        assert!(out.contains(shown), "{shown:?} is not in {out}");
    }
    let lines = json(&fs::read_to_string(place.path("now.jsonl")).unwrap());
    assert_eq!(lines[0]["event"], "about");
    assert!(lines[0]["machine"]["cores"].as_u64().unwrap() > 0);
    let figures: Vec<_> = lines
        .iter()
        .filter(|line| line["case"].is_string())
        .collect();
    assert!(figures.iter().all(|line| line["case"] == "ours-ours"));
    let median = |measure: &str| {
        let found = figures.iter().find(|line| line["measure"] == measure);
        found.unwrap()["median"].as_f64().unwrap()
    };
    assert!(median("rate") > 0.0 && median("download peak") > 0.0);
    let (cpu, parts) = (
        median("download cpu"),
        median("download user") + median("download system"),
    );
    assert!((cpu - parts).abs() < 1e-6, "{cpu} is not {parts}");
    let svg = fs::read_to_string(place.path("now.svg")).unwrap();
    assert!(svg.starts_with("<svg"));
    assert_eq!(place.everything(), ["now.jsonl", "now.svg"]);
    assert!(place.temporary().is_empty() && place.state().is_empty());
}

#[test]
fn torrents_go_to_memory_and_several_at_once() {
    let place = Place::new();
    let more = [
        "1MiB",
        "--torrents",
        "3",
        "--seeders",
        "2",
        "--storage",
        "memory",
    ];
    let pairs = ["--pairs", "ours-ours", "--encryption", "rc4", "--json"];
    let lines = json(&place.ok(&[&SMALL[..], &more, &pairs].concat()));
    let rate = lines.iter().find(|line| line["measure"] == "rate").unwrap();
    assert_eq!((&rate["n"], &rate["unit"]), (&1.into(), &"MiB/s".into()));
}

#[test]
fn an_unknown_pair_is_refused_with_those_that_there_are() {
    let place = Place::new();
    let finished = place.run(&["bench", "swarm", "--pairs", "ours-theirs"]);
    assert_eq!(finished.code, Some(2));
    for known in ["lt-ours", "ours-transmission", "aria2-aria2"] {
        assert!(finished.err.contains(known), "{}", finished.err);
    }
}

#[test]
fn what_cannot_be_measured_is_said_before_anything_is_made() {
    let place = Place::new();
    let error = |args: &[&str]| {
        let finished = place.run(args);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        finished.err
    };
    let too_large = error(&["bench", "swarm", "--size", "100000TiB"]);
    assert!(too_large.contains("--dir"), "{too_large}");
    let no_sources = error(&["bench", "stream"]);
    assert!(no_sources.contains("checkout"), "{no_sources}");
    place.write("old.jsonl", b"{}\nno\n");
    let no_json = error(&["bench", "dht", "--compare", "old.jsonl"]);
    assert!(no_json.contains("line 2"), "{no_json}");
    let exists = error(&["bench", "dht", "--save", "old.jsonl"]);
    assert!(exists.contains("exists already"), "{exists}");
    assert!(place.temporary().is_empty());
}

#[test]
fn hot_paths_are_timed_and_compared_with_an_earlier_run() {
    let place = Place::new();
    let earlier = concat!(
        r#"{"bench":"dht","case":"dht-find-node, a query","measure":"time","unit":"µs","#,
        r#""n":1,"median":1e-9,"min":1,"max":1,"values":[1]}"#,
    );
    place.write("earlier.jsonl", earlier.as_bytes());
    let run = [
        "bench",
        "dht",
        "--rounds",
        "1",
        "--compare",
        "earlier.jsonl",
    ];
    let out = place.ok(&run);
    let row = |name: &str| {
        let found = out.lines().find(|line| line.starts_with(name)).unwrap();
        found.split_whitespace().count()
    };
    assert!(out.contains("to earlier"), "{out}");
    assert_eq!(row("dht-find-node"), row("dht-get-peers") + 1, "{out}");
}

#[test]
fn idle_torrents_and_the_start_and_a_check_are_measured() {
    let place = Place::new();
    let measured = |args: &[&str], measures: &[&str]| {
        let common = ["--rounds", "1", "--json", "--python", "/nowhere/python3"];
        let lines = json(&place.ok(&[&["bench"], args, &common[..]].concat()));
        for measure in measures {
            let mut found = lines.iter().filter(|line| line["measure"] == *measure);
            assert!(
                found.any(|line| line["median"].as_f64().unwrap() > 0.0),
                "{measure}"
            );
        }
    };
    let idle = [
        "idle",
        "--torrents",
        "20",
        "--seconds",
        "1",
        "--settle",
        "0",
    ];
    measured(&idle, &["until all seed"]);
    measured(&["start", "--pieces", "1000"], &["first request after"]);
    measured(&["verify", "--size", "4MiB"], &["rate"]);
    assert!(place.temporary().is_empty() && place.state().is_empty());
}

#[test]
fn an_interrupted_bench_leaves_nothing() {
    let place = Place::new();
    let idle = [
        "bench",
        "idle",
        "--torrents",
        "2",
        "--seconds",
        "86400",
        "--no-progress",
    ];
    let running = place.start(&idle);
    // It seeds when its log says so.
    while !seeds(&place) {
        std::thread::yield_now();
    }
    running.signal("INT");
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    assert!(place.temporary().is_empty(), "{:?}", place.temporary());
}

/// Whether one of the processes of a bench says that it seeds.
fn seeds(place: &Place) -> bool {
    let logs = place.temporary().into_iter();
    let mut logs = logs.filter(|name| name.ends_with("ours-idle.log"));
    logs.any(|name| {
        let path: PathBuf = place.work().join("../tmp").join(name);
        fs::read_to_string(path).is_ok_and(|said| said.contains("seeding "))
    })
}
