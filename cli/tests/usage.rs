//! The command line itself: exit codes, help, completions.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use support::Place;

const COMMANDS: [&str; 17] = [
    "demo",
    "download",
    "stream",
    "seed",
    "create",
    "edit",
    "inspect",
    "verify",
    "announce",
    "scrape",
    "tracker",
    "dht",
    "sim",
    "bench",
    "config",
    "completions",
    "man",
];

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    let overview = place.ok(&["--help"]);
    for command in COMMANDS {
        assert!(
            overview.contains(&format!("  {command} ")),
            "{command} is not in the overview"
        );
        let help = place.ok(&[command, "--help"]);
        assert!(help.contains("Examples:"), "{command}");
        assert!(
            help.contains(&format!("Usage: tailwater {command}")),
            "{command}"
        );
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{command}: a line of {widest:?}");
    }
    assert!(place.ok(&["--version"]).starts_with("tailwater "));
}

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_wrong() {
    let place = Place::new();
    let cases: [(&[&str], &str); 14] = [
        (&[], "Usage:"),
        (&["frobnicate"], "frobnicate"),
        (&["download"], "SOURCE"),
        (&["seed", "x.torrent"], "--data"),
        (&["download", "x", "--memory", "1 potato"], "potato"),
        (&["download", "x", "--memory", "1GB"], "--storage memory"),
        (
            &["download", "x", "--storage", "memory", "-o", "y"],
            "--output",
        ),
        (&["download", "x", "y", "--files", "0"], "--files"),
        (&["download", "x", "--listen", "nowhere"], "not an address"),
        (&["download", "x", "--peer", "localhost"], "--peer"),
        (&["create", "x", "--tracker", "ftp://a/b"], "udp"),
        (
            &["create", "x", "--piece-length", "99999999999999999999"],
            "2^64",
        ),
        (&["completions", "tcl"], "tcl"),
        (&["demo", "--size", "1"], "--size"),
    ];
    for (args, told) in cases {
        let finished = place.run(args);
        assert_eq!(finished.code, Some(2), "{args:?}: {finished:?}");
        assert!(finished.err.contains(told), "{args:?}: {}", finished.err);
        assert_eq!(finished.out, "", "{args:?}");
    }
    assert!(place.everything().is_empty());
}

#[test]
fn the_options_of_a_download_are_grouped() {
    let place = Place::new();
    let help = place.ok(&["download", "--help"]);
    let headings = ["Files:", "Seeding:", "Limits:", "Network:", "Output:"];
    let found = help.lines().filter(|line| headings.contains(line));
    assert_eq!(found.collect::<Vec<_>>(), headings);
}

#[test]
fn the_last_of_an_option_that_is_given_twice_wins() {
    let place = Place::new();
    place.write("one", &[7; 20_000]);
    let args = ["create", "one", "-o", "x.torrent", "-o", "y.torrent"];
    place.ok(&args);
    assert_eq!(place.everything(), ["one", "y.torrent"]);
}

#[test]
fn a_torrent_in_the_place_of_a_command_leads_to_the_commands() {
    let place = Place::new();
    place.write("a film", b"d4:infod4:name1:aee");
    place.write("notes", b"no torrent");
    let magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a";
    for (typed, quoted) in [
        ("film.torrent", "film.torrent"),
        (magnet, &format!("'{magnet}'")),
        ("a film", "'a film'"),
    ] {
        let finished = place.run(&[typed]);
        assert_eq!(finished.code, Some(2), "{finished:?}");
        for command in ["download", "stream"] {
            let told = format!("tailwater {command} {quoted}");
            assert!(finished.err.contains(&told), "{told}: {}", finished.err);
        }
    }
    let finished = place.run(&["notes"]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    let told = "tailwater download";
    assert!(!finished.err.contains(told), "{}", finished.err);
}

#[test]
fn ranges_are_said_in_words() {
    let place = Place::new();
    let finished = place.run(&["announce", "x", "--port", "65536"]);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    let told = "65536 is not from 1 to 65535";
    assert!(finished.err.contains(told), "{}", finished.err);
}

/// Systems give a process a thousand files or fewer unless it asks, which is less than a session's connections.
#[test]
#[cfg(target_os = "linux")]
fn more_open_files_are_asked_for() {
    let script = "ulimit -Sn 200; exec \"$0\" tracker --http 127.0.0.1:0 --no-progress";
    let mut tracker = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_tailwater")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(tracker.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", tracker.id()));
    tracker.kill().unwrap();
    tracker.wait().unwrap();
    let limits = limits.unwrap();
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let [soft, hard] = [0, 1].map(|column| {
        let number = limit.unwrap().split_whitespace().nth(column).unwrap();
        number.parse::<u64>().unwrap_or(u64::MAX)
    });
    assert_eq!(soft, hard.min(4_096), "{limit:?}");
}

#[test]
fn what_is_small_is_said_in_bytes_once() {
    let place = Place::new();
    place.write("one", b"1");
    place.ok(&["create", "one"]);
    let said = place.ok(&["inspect", "one.torrent"]);
    assert!(said.contains("size:          1 B\n"), "{said}");
    place.write("two", &[2; 2_048]);
    place.ok(&["create", "two"]);
    let said = place.ok(&["inspect", "two.torrent"]);
    assert!(
        said.contains("size:          2.00 KiB (2048 bytes)\n"),
        "{said}"
    );
}

#[test]
fn no_limit_is_a_limit_of_0() {
    let place = Place::new();
    let help = place.ok(&["download", "--help"]);
    assert_eq!(help.matches("0 is no limit").count(), 2, "{help}");
}
