//! Transfers between processes.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};
use support::{LOCAL, Place, noise};

/// A folder of three files, shared through a tracker.
fn album(place: &Place, tracker: &str) -> String {
    place.write("here/album/a.bin", &noise(1, 300_000));
    place.write("here/album/b.bin", &noise(2, 70_000));
    place.write("here/album/live/c.bin", &noise(3, 200_000));
    place.write("here/album/live/none.bin", b"");
    place.ok(&[
        "create",
        "here/album",
        "-o",
        "album.torrent",
        "--piece-length",
        "16KiB",
        "--tracker",
        tracker,
    ]);
    "album.torrent".to_owned()
}

fn download<'a>(torrent: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["download", torrent, "--no-progress"], &LOCAL[..], more].concat()
}

fn same_files(place: &Place, names: &[&str]) {
    for name in names {
        let (here, there) = (
            fs::read(place.path(&format!("here/{name}"))),
            fs::read(place.path(&format!("there/{name}"))),
        );
        assert!(here.unwrap() == there.unwrap(), "{name} differs");
    }
}

#[test]
fn a_torrent_goes_from_seeder_to_downloader_by_way_of_a_tracker() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let torrent = album(&place, &url);
    let (_seeder, _) = place.seed(&torrent, "here");
    let out = place.ok(&download(&torrent, &["-o", "there"]));
    assert!(out.contains("complete: album"), "{out}");
    same_files(
        &place,
        &[
            "album/a.bin",
            "album/b.bin",
            "album/live/c.bin",
            "album/live/none.bin",
        ],
    );
    place.ok(&["verify", &torrent, "--data", "there"]);
    assert!(
        place.state().iter().any(|file| file.ends_with(".resume")),
        "{:?}",
        place.state()
    );

    let again = place.ok(&download(&torrent, &["-o", "there"]));
    assert!(again.contains("was here already"), "{again}");
}

/// With all that finds peers switched on, as most people run it.
#[test]
fn no_flags_are_needed() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let torrent = album(&place, &url);
    let seeder = place.start(&["seed", &torrent, "--data", "here"]);
    seeder.line("seeding ");
    let out = place.ok(&["download", &torrent, "-o", "there"]);
    assert!(out.contains("complete: album"), "{out}");
    same_files(&place, &["album/a.bin", "album/live/c.bin"]);
}

#[test]
fn a_peer_can_be_named() {
    let place = Place::new();
    place.write("here/one.bin", &noise(7, 500_000));
    place.ok(&["create", "here/one.bin"]);
    let (_seeder, addr) = place.seed("one.bin.torrent", "here");
    place.ok(&download(
        "one.bin.torrent",
        &["-o", "there", "--peer", &addr, "--sequential"],
    ));
    same_files(&place, &["one.bin"]);
}

#[test]
fn into_memory_nothing_touches_the_disk() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let torrent = album(&place, &url);
    let (_seeder, _) = place.seed(&torrent, "here");
    let before = place.everything();
    let out = place.ok(&download(
        &torrent,
        &["--storage", "memory", "--memory", "1MiB"],
    ));
    assert!(out.contains("verified"), "{out}");
    assert_eq!(place.everything(), before);
    assert!(place.state().is_empty());
}

#[test]
fn a_torrent_larger_than_the_memory_is_refused_with_the_remedy() {
    let place = Place::new();
    let torrent = album(&place, "http://127.0.0.1:1/announce");
    let finished = place.run(&download(
        &torrent,
        &["--storage", "memory", "--memory", "300kB"],
    ));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for told in [
        "570000 bytes",
        "300000 bytes",
        "--memory 1MiB",
        "--storage disk",
    ] {
        assert!(
            finished.err.contains(told),
            "{told:?} is not in {}",
            finished.err
        );
    }
    assert_eq!(finished.out, "", "nothing was opened");

    // What the remedy says, the same command takes: a part of the files fits.
    let (_seeder, addr) = place.seed(&torrent, "here");
    place.ok(&download(
        &torrent,
        &[
            "--storage",
            "memory",
            "--memory",
            "300kB",
            "--files",
            "1",
            "--peer",
            &addr,
        ],
    ));
}

#[test]
fn only_the_chosen_files_appear() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let torrent = album(&place, &url);
    let (_seeder, _) = place.seed(&torrent, "here");
    place.ok(&download(
        &torrent,
        &["-o", "there", "--files", "1,live/none.bin"],
    ));
    same_files(&place, &["album/b.bin", "album/live/none.bin"]);
    assert!(!place.path("there/album/a.bin").exists());
    assert!(!place.path("there/album/live/c.bin").exists());

    let refused = place.run(&download(&torrent, &["-o", "there", "--files", "9"]));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.err.contains("album has no file \"9\"") && refused.err.contains("inspect"),
        "{}",
        refused.err
    );
}

#[test]
fn files_are_chosen_by_folder_and_pattern_and_excluded() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let torrent = album(&place, &url);
    let (_seeder, _) = place.seed(&torrent, "here");
    let some = |to: &str, more: &[&str]| {
        place.ok(&download(&torrent, &[&["-o", to], more].concat()));
        let all = place.everything();
        let files = all.into_iter().filter_map(|path| {
            let path = path.strip_prefix(&format!("{to}/album/"))?.to_owned();
            place
                .path(&format!("{to}/album/{path}"))
                .is_file()
                .then_some(path)
        });
        files.collect::<Vec<_>>()
    };
    assert_eq!(
        some("1", &["--files", "live/"]),
        ["live/c.bin", "live/none.bin"]
    );
    assert_eq!(some("2", &["--files", "[ab].bin"]), ["a.bin", "b.bin"]);
    assert_eq!(some("3", &["--files", "-1"]), ["a.bin", "b.bin"]);
    let rest = some("4", &["--exclude", "c*", "--files", "!a.bin"]);
    assert_eq!(rest, ["b.bin", "live/none.bin"]);

    place.write("here/other", &noise(4, 20_000));
    place.ok(&["create", "here/other", "--tracker", &url]);
    let (_other, _) = place.seed("other.torrent", "here");
    let several = |list| {
        let several = ["other.torrent", "-o", "5", "--files", list];
        place.run(&download(&torrent, &several))
    };
    let finished = several("a.bin,o*");
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("album has no file \"o*\"")
            && finished.err.contains("other has no file \"a.bin\""),
        "{}",
        finished.err
    );
    assert_eq!(several("!live/").code, Some(0));
    assert!(place.path("5/other").exists() && !place.path("5/album/live").exists());
    let finished = several("1-");
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.err.contains("--files 1-"), "{}", finished.err);
}

/// The bytes take so long at least, however fast the machine is.
#[test]
fn each_torrent_has_limits_of_its_own() {
    let place = Place::new();
    place.write("here/one", &noise(9, 60_000));
    place.ok(&["create", "here/one"]);
    let seed = ["seed", "one.torrent", "--data", "here", "--no-progress"];
    let seeder = place.start(&[&seed, &LOCAL[..], &["--max-up-each", "30kB"]].concat());
    let limited = seeder.line("listening on ");
    seeder.line("seeding ");
    let (_seeder, free) = place.seed("one.torrent", "here");
    let limited = limited.rsplit(' ').next().unwrap();
    for args in [
        &["-o", "1", "--peer", limited, "--max-peers", "5"][..],
        &["-o", "2", "--peer", &free, "--max-down-each", "30kB"],
    ] {
        let began = Instant::now();
        place.ok(&download("one.torrent", args));
        assert!(began.elapsed() > Duration::from_millis(1_500), "{args:?}");
    }
    let finished = place.run(&download("one.torrent", &["--max-peers", "0"]));
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.err.contains("from 1 to 65535"), "{}", finished.err);
}

#[test]
fn events_come_as_lines_of_json() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    let torrent = album(&place, &url);
    let (_seeder, _) = place.seed(&torrent, "here");
    let run = |folder: &str, level: &str| -> Vec<Value> {
        let out = place.ok(&download(&torrent, &["-o", folder, level]));
        let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.collect()
    };
    let names = |events: &[Value]| -> Vec<String> {
        let names = events.iter().map(|event| event["event"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(&run("results", "--json=results")), ["completed"]);
    let usual = names(&run("usual", "--json"));
    assert!(usual.contains(&"started".to_owned()) && usual.contains(&"closed".to_owned()));
    assert!(!usual.contains(&"piece_verified".to_owned()), "{usual:?}");
    let events = run("there", "--json=pieces");
    let of = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(of("listening"), 1);
    assert_eq!(of("started"), 1);
    assert_eq!(
        of("piece_verified"),
        35,
        "570 000 bytes in pieces of 16 KiB"
    );
    assert_eq!(of("completed"), 1);
    assert_eq!(of("closed"), 1);
    let answered = events
        .iter()
        .find(|event| event["event"] == "tracker_answered")
        .unwrap();
    assert_eq!(answered["tracker"], url);
}

#[test]
fn several_torrents_come_at_once_and_one_that_fails_does_not_stop_the_others() {
    let place = Place::new();
    for name in ["one", "two"] {
        place.write(&format!("here/{name}"), &noise(9, 100_000));
        place.ok(&["create", &format!("here/{name}")]);
    }
    let (_one, addr_one) = place.seed("one.torrent", "here");
    let (_two, addr_two) = place.seed("two.torrent", "here");
    // A folder stands where a file should be.
    fs::create_dir_all(place.path("there/two/in-the-way")).unwrap();
    let args = [
        "download",
        "two.torrent",
        "one.torrent",
        "-o",
        "there",
        "--peer",
        &addr_one,
        "--peer",
        &addr_two,
    ];
    let finished = place.run(&[&args[..], &LOCAL].concat());
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("two") && finished.out.contains("complete: one"),
        "{finished:?}"
    );
    same_files(&place, &["one"]);
}

#[test]
fn what_is_in_the_way_of_the_output_is_named() {
    let place = Place::new();
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one"]);
    place.write("file", b"precious");
    let finished = place.run(&download("one.torrent", &["-o", "file/sub"]));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("file/sub") && finished.err.contains("help:"),
        "{}",
        finished.err
    );
    assert_eq!(fs::read(place.path("file")).unwrap(), b"precious");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let place = Place::new();
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one"]);
    // Not even root makes files there.
    let finished = place.run(&download("one.torrent", &["-o", "/proc/self/fdinfo"]));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("/proc/self/fdinfo"),
        "{}",
        finished.err
    );
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let place = Place::new();
    place.write("one", &noise(9, 100_000));
    place.ok(&["create", "one"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let on_it = LOCAL.map(|flag| if flag == "127.0.0.1:0" { &addr } else { flag });
    let seed = ["seed", "one.torrent", "--data", "."];
    let download = ["download", "one.torrent", "-o", "there"];
    for args in [
        [&seed, &on_it[..]].concat(),
        [&download, &on_it[..]].concat(),
        vec!["tracker", "--http", &addr],
    ] {
        let finished = place.run(&args);
        assert_eq!(finished.code, Some(1), "{args:?}: {finished:?}");
        assert!(
            finished.err.contains(&addr) && finished.err.contains("help:"),
            "{args:?}: {}",
            finished.err
        );
        assert!(
            finished.err.to_lowercase().contains("in use"),
            "{args:?}: {}",
            finished.err
        );
    }
    assert_eq!(place.everything(), ["one", "one.torrent"]);
}

#[test]
fn seed_refuses_incomplete_data_and_leaves_it_alone() {
    let place = Place::new();
    let torrent = album(&place, "http://127.0.0.1:1/announce");
    let seed = || place.run(&[&["seed", &torrent, "--data", "here"], &LOCAL[..]].concat());

    // The right length, but not the right bytes: only the check can tell.
    let mut bytes = noise(1, 300_000);
    bytes[20_000] ^= 1;
    place.write("here/album/a.bin", &bytes);
    let before = place.everything();
    let finished = seed();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("WRONG    here/album/a.bin")
            || finished.err.contains("WRONG    album/a.bin"),
        "{}",
        finished.err
    );
    assert!(
        finished
            .err
            .contains(": 1 wrong (16.0 KiB of 556 KiB) in here"),
        "{}",
        finished.err
    );
    assert_eq!(fs::read(place.path("here/album/a.bin")).unwrap(), bytes);
    assert_eq!(place.everything(), before);

    fs::remove_file(place.path("here/album/b.bin")).unwrap();
    let before = place.everything();
    let finished = seed();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("MISSING  album/b.bin") && finished.err.contains("help:"),
        "{}",
        finished.err
    );
    assert_eq!(finished.out, "", "nothing was opened");
    assert_eq!(place.everything(), before);
}

#[test]
fn a_lonely_download_says_why_nothing_comes() {
    let place = Place::new();
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one"]);
    let downloader = place.start(&download("one.torrent", &["-o", "there"]));
    downloader.error_line("one has no trackers");

    let torrent = album(&place, "http://127.0.0.1:1/announce");
    let downloader = place.start(&download(&torrent, &["-o", "there"]));
    downloader.error_line("warning: tracker http://127.0.0.1:1/announce: ");
}

#[test]
fn nothing_older_than_what_was_said_is_shown_at_the_end() {
    let place = Place::new();
    place.write("here/film", &noise(1, 600_000));
    let torrent = place.create("here/film", &[]);
    let seed = ["seed", &torrent, "--data", "here", "--max-up", "300KiB"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let listening = seeder.line("listening on ");
    seeder.line("seeding ");
    let addr = listening.rsplit(' ').next().unwrap();
    let download = [
        "download",
        &torrent,
        "-o",
        "there",
        "--peer",
        addr,
        "--seed-ratio",
        "0",
    ];
    let finished = place.run(&[&download, &LOCAL[..]].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.out.contains("done: film, "), "{}", finished.out);
    assert!(!finished.err.contains(" %, "), "{}", finished.err);
}

#[cfg(target_os = "linux")]
#[test]
fn a_state_folder_that_cannot_be_written_is_one_warning() {
    let place = Place::new();
    place.write("here/film", &noise(1, 200_000));
    let torrent = place.create("here/film", &[]);
    let (_seeder, addr) = place.seed(&torrent, "here");
    let args = download(&torrent, &["-o", "there", "--peer", &addr]);
    let mut command = place.command(&args);
    // Not even root makes files there.
    command.env("XDG_STATE_HOME", "/proc/self/fdinfo");
    let finished = support::Running::of(command).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let warnings = finished.err.matches("/proc/self/fdinfo").count();
    assert_eq!(warnings, 1, "{}", finished.err);
}
