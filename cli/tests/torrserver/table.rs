//! The tables of docs/torrserver.md name every call and every key of the settings, each as full, partial or ignored.

use serde_json::json;

use crate::server::TorrServer;
use crate::support::Place;

const DOCS: &str = include_str!("../../../docs/torrserver.md");

/// The calls of TorrServer.
const CALLS: [&str; 26] = [
    "/echo",
    "/torrents add",
    "/torrents get",
    "/torrents set",
    "/torrents rem",
    "/torrents list",
    "/torrents drop",
    "/torrents wipe",
    "/torrent/upload",
    "/stream play",
    "/stream preload",
    "/stream stat",
    "/stream m3u",
    "/stream fromlast",
    "/stream save",
    "/play",
    "/playlist",
    "/playlistall/all.m3u",
    "/cache",
    "/settings",
    "/viewed",
    "/download",
    "/shutdown",
    "/search",
    "/torznab",
    "/ffp",
];

/// The names in the first column of a table.
fn names(title: &str) -> Vec<String> {
    let (_, after) = DOCS.split_once(title).unwrap();
    let section = after.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|'));
    let mut names = Vec::new();
    for row in rows.skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(["full", "partial", "ignored"].contains(&cells[1]), "{row}");
        // What is not full has a reason.
        assert!(cells[1] == "full" || !cells[2].is_empty(), "{row}");
        let cell = cells[0].split(',');
        names.extend(cell.map(|name| name.trim().trim_matches('`').to_owned()));
    }
    names
}

#[test]
fn the_docs_say_of_each_call_how_far_it_goes() {
    let names = names("\n## Calls\n");
    for call in CALLS {
        assert!(names.iter().any(|name| name == call), "{call}: {names:?}");
    }
}

#[test]
fn the_docs_say_of_each_setting_how_far_it_goes() {
    let names = names("\n## Settings\n");
    let place = Place::new();
    let server = TorrServer::start(&place, &[]);
    let settings = server.ask("/settings", &json!({"action": "get"}));
    let keys: Vec<_> = settings.as_object().unwrap().keys().cloned().collect();
    for key in &keys {
        assert!(names.contains(key), "{key}: {names:?}");
    }
    assert!(names.iter().all(|name| keys.contains(name)), "{names:?}");
    server.daemon.stop();
}
