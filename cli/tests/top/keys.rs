//! Every key, each with what follows from it, and another size in the middle.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::enabled;
use crate::support::{Place, noise};
use crate::tmux::Tmux;

/// Waits until the daemon has a torrent as it should be.
fn wait(daemon: &Daemon<'_>, id: &str, is_right: impl Fn(&Value) -> bool) {
    let begun = Instant::now();
    loop {
        let torrent = daemon.get(&format!("/api/v1/torrents/{id}"));
        if is_right(&torrent) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{torrent}");
    }
}

/// A key, or several, and what is seen then.
fn see(tmux: &Tmux, steps: &[(&[&str], &str)]) {
    for (keys, text) in steps {
        tmux.press(keys);
        tmux.see(text);
    }
}

/// The same, and what is not seen any more: a key that is pressed while what Escape closes is still there is another one.
fn miss(tmux: &Tmux, keys: &[&str], text: &str) {
    tmux.see(text);
    tmux.press(keys);
    tmux.miss(text);
}

#[test]
fn every_key_does_what_the_help_says() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    for song in ["one", "two"] {
        let bytes = noise(1, 200_000);
        place.write(&format!("here/album/{song}.flac"), &bytes);
        place.write(&format!("data/album/{song}.flac"), &bytes);
    }
    place.write("here/film.mkv", &noise(2, 2_000_000));
    let (album, film) = (
        place.create("here/album", &[]),
        place.create("here/film.mkv", &[]),
    );
    let daemon = Daemon::start(&place, &[]);
    let album = daemon.add(&album, "");
    let film = daemon.add(&film, "paused=true");
    let top = format!("--daemon http://{}", daemon.addr);
    let tmux = Tmux::top(&place, &top, 100, 30);
    tmux.see("2 torrents");
    tmux.see("seeding");
    list(&tmux);
    tmux.resize(60, 12);
    torrents(&tmux, &daemon, &album, &film);
    tmux.resize(200, 50);
    details(&tmux, &daemon, &album);
    dialogs(&tmux, &daemon, &film);
    tmux.resize(100, 30);
    remove(&tmux, &place);
    tmux.press(&["q"]);
    tmux.ended();
}

fn list(tmux: &Tmux) {
    see(
        tmux,
        &[
            (&["Home"], "1 of 2"),
            (&["Down"], "2 of 2"),
            (&["k"], "1 of 2"),
            (&["j"], "2 of 2"),
            (&["Up"], "1 of 2"),
            (&["End"], "2 of 2"),
            (&["PageUp"], "1 of 2"),
            (&["PageDown"], "2 of 2"),
            (&["s"], "by name"),
            (&["S"], "by added"),
            (&["r"], "by added, reversed"),
            (&["r", "f"], "only active"),
            (&["f"], "only downloading"),
            (&["F"], "only active"),
            (&["Escape"], "1 of 2"),
            (&["/", "f", "i", "l"], "search: fil"),
            (&["Enter"], "1 of 1  search: fil"),
            (&["Escape"], "of 2"),
            (&["Home", "Space"], "1 marked"),
            (&["*"], "2 marked"),
        ],
    );
    miss(tmux, &["Escape"], "marked");
    see(
        tmux,
        &[
            (&["/", "x", "x"], "no torrent is as it is asked for"),
            (&["BSpace", "BSpace"], "album"),
        ],
    );
    miss(tmux, &["Escape"], "search:");
    see(
        tmux,
        &[
            (&["F1"], "look at the torrent"),
            (&["End"], "add it paused"),
            (&["Home"], "The list"),
        ],
    );
    miss(tmux, &["Escape"], "The list");
    see(tmux, &[(&["?"], "The list")]);
    miss(tmux, &["q"], "The list");
    see(
        tmux,
        &[
            (&["g"], "received in 5 minutes"),
            (&["t"], "received in an hour"),
            (&["t"], "received in a day"),
            (&["Escape"], "of 2"),
            (&["C-l"; 9], "of 2"),
        ],
    );
}

fn torrents(tmux: &Tmux, daemon: &Daemon<'_>, album: &str, film: &str) {
    see(tmux, &[(&["Home", "p"], "paused 1 torrent")]);
    wait(daemon, album, |torrent| torrent["state"] == "paused");
    // What the key does depends on what the list shows.
    tmux.until("both are paused", |lines| {
        let rows = lines.iter().filter(|line| line.contains(" % "));
        rows.filter(|line| line.starts_with("paused ")).count() == 2
    });
    // What is said of it is soon not the last that was said, if the torrent has left the session meanwhile: that it is complete.
    tmux.press(&["p"]);
    wait(daemon, album, |torrent| torrent["state"] == "seeding");
    // What the check found may be told before it is said that it has begun.
    tmux.press(&["c"]);
    tmux.until("the check", |lines| {
        let is_told = |line: &String| {
            line.contains("pieces are there") || line.contains("checking the files")
        };
        lines.iter().any(is_told)
    });
    tmux.press(&["T"]);
    let settings = || daemon.get("/api/v1/settings");
    let begun = Instant::now();
    while settings()["alternative_mode"] != "on" {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", settings());
    }
    // What the key does depends on what the figures say.
    tmux.resize(200, 12);
    tmux.see("alternative limits");
    see(tmux, &[(&["T"], "the alternative limits are off")]);
    assert_eq!(settings()["alternative_mode"], "off");
    see(tmux, &[(&["n"], "asking the trackers of 1 torrent")]);
    tmux.press(&["End", ">"]);
    wait(daemon, film, |torrent| torrent["queue_position"] == 2);
    tmux.press(&["<"]);
    wait(daemon, film, |torrent| torrent["queue_position"] == 1);
}

fn details(tmux: &Tmux, daemon: &Daemon<'_>, album: &str) {
    see(
        tmux,
        &[
            (&["Home", "Enter"], "info-hash"),
            (&["2"], "one.flac"),
            (&["3"], "no peer is connected"),
            (&["4"], "no trackers"),
            (&["+"], "Add a tracker: album"),
            (&["x", "Enter"], "type the URL of a tracker"),
        ],
    );
    miss(tmux, &["Escape"], "type the URL of a tracker");
    see(
        tmux,
        &[
            (&["5"], "pieces of 16.0 KiB held"),
            (&["6"], "received in 5 minutes"),
            (&["t"], "received in an hour"),
            (&["1"], "info-hash"),
            (&["Tab"], "one.flac"),
            (&["BTab"], "info-hash"),
            (&["Right"], "one.flac"),
            (&["Left"], "info-hash"),
            (&["2"], "one.flac"),
        ],
    );
    trackers(tmux, daemon, album);
    rename(tmux, daemon, album);
    let priority = |file: usize, expected: &str| {
        let path = format!("/api/v1/torrents/{album}/files");
        let begun = Instant::now();
        while daemon.get(&path)[file]["priority"] != expected {
            assert!(begun.elapsed() < Duration::from_secs(60), "{expected}");
        }
    };
    see(tmux, &[(&["+"], "high")]);
    priority(0, "high");
    miss(tmux, &["-"], "high");
    see(tmux, &[(&["Space"], " no")]);
    priority(0, "skip");
    see(tmux, &[(&["Space", "j", "-"], "low")]);
    priority(1, "low");
    see(tmux, &[(&["Escape"], "of 2")]);
}

/// The torrent, and the file at the cursor.
fn rename(tmux: &Tmux, daemon: &Daemon<'_>, album: &str) {
    see(
        tmux,
        &[
            (&["e"], "Rename: album"),
            (&["C-u"], "the name that it came with"),
        ],
    );
    tmux.type_in("My record");
    tmux.press(&["Enter"]);
    tmux.miss("Rename:");
    wait(daemon, album, |torrent| torrent["title"] == "My record");
    tmux.until("the title is the name", |lines| {
        lines
            .iter()
            .any(|line| line.starts_with("My record seeding"))
    });
    see(
        tmux,
        &[
            (&["E"], "Rename the file: My record"),
            (
                &["C-u", "a", "/", "b", "Enter"],
                "the file stays in its folder",
            ),
            (&["C-u", "Enter"], "type a name"),
        ],
    );
    miss(tmux, &["Escape"], "Rename the file");
    see(
        tmux,
        &[
            (&["E"], "Rename the file: My record"),
            (&["Home", "0", "Enter"], "0one.flac"),
        ],
    );
    wait(daemon, album, |torrent| torrent["state"] == "seeding");
    let files = daemon.get(&format!("/api/v1/torrents/{album}/files"));
    assert_eq!(files[0]["path"], "album/0one.flac");
    // Back to what it was, as the next steps know it.
    see(tmux, &[(&["E"], "Rename the file: My record")]);
    tmux.press(&["Home", "Delete", "Enter"]);
    tmux.miss("0one.flac");
    wait(daemon, album, |torrent| torrent["state"] == "seeding");
    see(
        tmux,
        &[
            (&["e"], "Rename: My record"),
            (&["C-u", "Enter"], "album seeding"),
        ],
    );
}

fn trackers(tmux: &Tmux, daemon: &Daemon<'_>, album: &str) {
    let tiers = || {
        let all = daemon.get(&format!("/api/v1/torrents/{album}/trackers"));
        let all = all.as_array().unwrap().iter();
        let urls = all.map(|it| it["url"].as_str().unwrap().to_owned());
        urls.collect::<Vec<_>>()
    };
    let [first, second] = ["http://127.0.0.1:1/announce", "udp://127.0.0.1:1/announce"];
    tmux.press(&["4"]);
    for url in [first, second] {
        tmux.press(&["+"]);
        tmux.see("Add a tracker: album");
        tmux.type_in(url);
        tmux.press(&["Enter"]);
        tmux.miss("Add a tracker");
        tmux.see(url);
    }
    assert_eq!(tiers(), [first, second]);
    see(tmux, &[(&["+"], "Add a tracker: album")]);
    tmux.type_in(second);
    see(tmux, &[(&["Enter"], "has this tracker already")]);
    miss(tmux, &["Escape"], "Add a tracker");
    miss(tmux, &["Home", "-"], first);
    assert_eq!(tiers(), [second]);
    see(tmux, &[(&["-"], "no trackers"), (&["2"], "one.flac")]);
}

fn dialogs(tmux: &Tmux, daemon: &Daemon<'_>, film: &str) {
    see(
        tmux,
        &[
            (&["End", "m"], "Limits: film.mkv"),
            (&["f", "a", "s", "t", "Enter"], "unknown unit"),
            (
                &["C-u", "1", "M", "i", "B", "Tab", "2", "M", "i", "B"],
                "2MiB",
            ),
            (&["Enter"], "changed"),
        ],
    );
    wait(daemon, film, |torrent| {
        torrent["download_limit"] == 1 << 20 && torrent["upload_limit"] == 2 << 20
    });
    see(tmux, &[(&["l"], "Labels: film.mkv")]);
    tmux.type_in("films, new");
    see(tmux, &[(&["Enter"], "films,new")]);
    see(
        tmux,
        &[
            (&["v"], "Move the files: film.mkv"),
            (&["Enter"], "name a folder"),
        ],
    );
    miss(tmux, &["Escape"], "name a folder");
    see(
        tmux,
        &[
            (&["G"], "Limits of the daemon"),
            (&["7", "k", "Enter"], "the limits of the daemon are changed"),
        ],
    );
    assert_eq!(daemon.get("/api/v1/settings")["download_limit"], 7 << 10);
    see(
        tmux,
        &[
            (&["a", "Enter"], "type a path, a magnet link"),
            (&["x", "Enter"], "cannot read"),
        ],
    );
    miss(tmux, &["Escape"], "Add a torrent");
}

fn remove(tmux: &Tmux, place: &Place) {
    see(
        tmux,
        &[
            (&["Home", "d"], "its files stay"),
            (&["D"], "This cannot be undone"),
        ],
    );
    miss(tmux, &["n"], "This cannot be undone");
    see(
        tmux,
        &[
            (&["d"], "its files stay"),
            (&["y"], "removed 1 torrent; the files stay"),
        ],
    );
    assert!(place.path("data/album/one.flac").exists());
    tmux.until("one is left", |lines| lines[0].contains("1 torrent "));
    see(
        tmux,
        &[
            (&["Delete"], "film.mkv"),
            (&["D", "D"], "removed 1 torrent with the files"),
        ],
    );
    tmux.see("no torrents; press a to add one");
}
