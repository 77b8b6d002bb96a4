//! Tests of `tailwater demo`.

mod support;

use serde_json::Value;
use support::Place;

#[test]
fn the_demo_works_and_leaves_nothing_behind() {
    let place = Place::new();
    let out = place.ok(&["demo", "--size", "8MiB", "--no-progress"]);
    for shown in [
        "payload:",
        "tracker:",
        "downloader:",
        "every piece matches its hash",
    ] {
        assert!(out.contains(shown), "{shown:?} is not in {out}");
    }
    assert!(
        place.everything().is_empty() && place.state().is_empty() && place.temporary().is_empty()
    );
}

#[test]
fn its_numbers_add_up() {
    let place = Place::new();
    let out = place.ok(&["demo", "--size", "8MiB", "--json"]);
    let summary: Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let number = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(summary["verified"], true);
    assert!(number("memory_peak") <= number("memory_budget"));
    let sent: u64 = summary["bytes_from_each_seeder"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bytes| bytes.as_u64().unwrap())
        .sum();
    assert!(sent >= number("bytes"), "{summary}");
}
