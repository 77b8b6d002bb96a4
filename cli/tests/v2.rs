//! v2 and hybrid torrents (BEP 52) on the command line: files are chosen, a download is resumed, damage is found.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;

use serde_json::Value;
use support::{LOCAL, Place, noise};

const VERSIONS: [&str; 2] = ["--v2", "--hybrid"];
const FILES: [(&str, usize); 4] = [("a", 100_001), ("b", 16_384), ("c/d", 40_000), ("none", 0)];

fn place(option: &str) -> (Place, String) {
    let place = Place::new();
    for (number, (name, len)) in FILES.iter().enumerate() {
        place.write(&format!("here/box/{name}"), &noise(number as u64, *len));
    }
    let torrent = place.create("here/box", &[option, "--piece-length", "32KiB"]);
    (place, torrent)
}

fn download<'a>(torrent: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let download = [
        "download",
        torrent,
        "-o",
        "there",
        "--no-progress",
        "--json",
    ];
    [&download[..], &LOCAL[..], more].concat()
}

fn assert_arrived(place: &Place) {
    for (number, (name, len)) in FILES.iter().enumerate() {
        let found = fs::read(place.path(&format!("there/box/{name}"))).unwrap();
        assert!(found == noise(number as u64, *len), "{name}");
    }
}

/// Bytes that were downloaded, by the event that it is complete.
fn downloaded(said: &str) -> u64 {
    let events = said
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let completed = events.rev().find(|event| event["event"] == "completed");
    completed.unwrap()["downloaded"].as_u64().unwrap()
}

#[test]
fn files_are_chosen_and_the_rest_comes_later() {
    // The padding of a hybrid comes with the pieces that it is in.
    let sizes = [(40_000, 116_385), (65_536, 163_840)];
    for (option, (chosen, others)) in VERSIONS.into_iter().zip(sizes) {
        let (place, torrent) = place(option);
        let (_seeder, peer) = place.seed(&torrent, "here");
        let some = place.ok(&download(&torrent, &["--files", "c/", "--peer", &peer]));
        assert_eq!(downloaded(&some), chosen, "{option}");
        assert!(!place.path("there/box/a").exists());
        // What is there is remembered.
        let rest = place.ok(&download(&torrent, &["--peer", &peer]));
        assert_eq!(downloaded(&rest), others, "{option}");
        assert_arrived(&place);
        place.ok(&["verify", &torrent, "--data", "there", "--no-progress"]);
    }
}

#[test]
fn damage_is_found_and_mended() {
    for option in VERSIONS {
        let (place, torrent) = place(option);
        let (_seeder, peer) = place.seed(&torrent, "here");
        place.ok(&download(&torrent, &["--peer", &peer]));
        let path = place.path("there/box/a");
        let mut bytes = fs::read(&path).unwrap();
        bytes[70_000] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let verify = [
            "verify",
            &torrent,
            "--data",
            "there",
            "--no-progress",
            "--json",
        ];
        let found = place.run(&verify);
        assert_eq!(found.code, Some(1), "{found:?}");
        // A piece, and nothing else, is fetched again.
        let mended = place.ok(&download(&torrent, &["--check", "--peer", &peer]));
        assert_eq!(downloaded(&mended), 32_768, "{option}");
        assert_arrived(&place);
        place.ok(&verify);
        // By a link, a file is right or wrong as a whole.
        let said = place.ok(&["inspect", &torrent, "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        let link = format!("{}&x.pe={peer}", said["magnet"].as_str().unwrap());
        let by_link = ["verify", &link, "--data", "there", "--no-progress"];
        let by_link = [&by_link[..], &LOCAL[..]].concat();
        place.ok(&by_link);
        fs::write(&path, &bytes).unwrap();
        let found = place.run(&by_link);
        assert_eq!(found.code, Some(1), "{found:?}");
        assert!(found.out.contains("ok       box/c/d"), "{}", found.out);
    }
}

#[test]
fn pieces_are_kept_in_memory_and_passed_on() {
    for option in VERSIONS {
        let (place, torrent) = place(option);
        let (_seeder, peer) = place.seed(&torrent, "here");
        let memory = [
            "download",
            &torrent,
            "--storage",
            "memory",
            "--seed",
            "--no-progress",
            "--peer",
            &peer,
        ];
        let between = place.start(&[&memory[..], &LOCAL[..]].concat());
        let addr = between
            .line("listening on ")
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned();
        place.ok(&download(&torrent, &["--peer", &addr]));
        assert_arrived(&place);
    }
}
