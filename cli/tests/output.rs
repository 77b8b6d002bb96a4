//! Output about running transfers: events, rates, logs.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use support::{LOCAL, Place, Running, noise};

/// The next line of JSON that is as wanted.
fn event(running: &Running, is_wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let event: Value = serde_json::from_str(&running.line("{")).unwrap();
        if is_wanted(&event) {
            return event;
        }
    }
}

/// A torrent that takes seconds to arrive.
fn slow_transfer(place: &Place, more: &[&str]) -> (Running, Running) {
    place.write("here/film.bin", &noise(3, 2 << 20));
    place.ok(&["create", "here/film.bin", "-o", "film.torrent"]);
    let seed = [
        "seed",
        "film.torrent",
        "--data",
        "here",
        "--max-up",
        "300KiB",
    ];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let listening = seeder.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap();
    seeder.line("seeding ");
    let download = ["download", "film.torrent", "-o", "there", "--peer", addr];
    let downloader = place.start(&[&download, &LOCAL[..], more].concat());
    (seeder, downloader)
}

#[test]
#[cfg(unix)]
fn a_download_that_stalls_says_so_and_has_no_rate_and_no_eta() {
    let place = Place::new();
    // The end of a process that is killed shows at once over TCP alone.
    let more = ["--json", "--transport", "tcp"];
    let (seeder, downloader) = slow_transfer(&place, &more);
    let flowing = event(&downloader, |event| event["eta_seconds"].is_u64());
    assert_eq!(flowing["state"], "downloading");
    assert!(flowing["down_rate"].as_u64() > Some(0), "{flowing}");

    seeder.signal("STOP");
    let stalled = event(&downloader, |event| event["state"] == "stalled");
    assert_eq!(stalled["down_rate"], 0);
    assert!(stalled["eta_seconds"].is_null(), "{stalled}");
    assert_eq!(stalled["peers"], 1);

    seeder.signal("KILL");
    let alone = event(&downloader, |event| event["state"] == "no_peers");
    assert_eq!(
        (&alone["down_rate"], &alone["peers"]),
        (&0.into(), &0.into())
    );
    assert!(alone["eta_seconds"].is_null(), "{alone}");
}

#[test]
fn lines_of_json_name_their_torrent_and_have_its_figures() {
    let place = Place::new();
    let (_seeder, downloader) = slow_transfer(&place, &["--json", "--max-down", "2MiB"]);
    let is_progress = |event: &Value| event["event"] == "progress";
    let progress = event(&downloader, |event| {
        is_progress(event) && event["done"].as_u64() > Some(0)
    });
    let path = place.path("there/film.bin");
    for key in ["seconds", "down_rate", "up_rate", "uploaded", "downloaded"] {
        assert!(progress[key].is_number(), "{key}: {progress}");
    }
    assert_eq!(progress["name"], "film.bin");
    assert_eq!(progress["total"], 2 << 20);
    assert_eq!(progress["path"], path.to_str().unwrap());
    let finished = downloader.finish();
    let last = |name: &str| -> Value {
        let mut lines = finished
            .out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        lines.rfind(|line: &Value| line["event"] == name).unwrap()
    };
    let completed = last("completed");
    assert_eq!(
        (&completed["done"], &completed["state"]),
        (&(2 << 20).into(), &"complete".into())
    );
    assert_eq!(completed["path"], path.to_str().unwrap());
    assert!(completed["downloaded"].as_u64() >= Some(2 << 20));
    assert_eq!(last("closed")["name"], "film.bin");
}

#[test]
fn what_fails_is_a_result_with_its_name() {
    let place = Place::new();
    place.write("here/film.bin", &noise(3, 100_000));
    place.ok(&["create", "here/film.bin", "-o", "film.torrent"]);
    std::fs::create_dir_all(place.path("there/film.bin")).unwrap();
    let download = ["download", "film.torrent", "-o", "there", "--json=results"];
    let finished = place.run(&[&download, &LOCAL[..]].concat());
    assert_eq!(finished.code, Some(1));
    let failed: Value = serde_json::from_str(finished.out.trim()).unwrap();
    assert_eq!(
        (&failed["event"], &failed["name"]),
        (&"failed".into(), &"film.bin".into())
    );
    assert!(
        failed["error"].as_str().unwrap().contains("there/film.bin"),
        "{failed}"
    );
    assert!(!finished.err.contains("os error"), "{}", finished.err);
}

#[test]
fn the_system_is_quoted_without_capitals_and_numbers() {
    let place = Place::new();
    place.write("here/film.bin", &noise(3, 100_000));
    let tracker = "http://127.0.0.1:1/announce";
    place.ok(&[
        "create",
        "here/film.bin",
        "-o",
        "film.torrent",
        "--tracker",
        tracker,
    ]);
    let seed = ["seed", "film.torrent", "--data", "here"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let addr = seeder.line("listening on ");
    let addr = addr.rsplit(' ').next().unwrap();
    let warning = seeder.error_line("warning: tracker ");
    let refused = "cannot connect: connection refused";
    assert_eq!(warning, format!("warning: tracker {tracker}: {refused}"));

    let listen = ["download", "film.torrent", "-o", "there", "--listen", addr];
    let said = [
        place.run(&[&listen, &LOCAL[2..]].concat()).err,
        place.run(&["download", "http://127.0.0.1:1/a.torrent"]).err,
        place.run(&["inspect", "nowhere.torrent"]).err,
        place.run(&["create", "nowhere"]).err,
        place.run(&["tracker", "--http", addr]).err,
    ];
    for error in said {
        let (what, why) = error.lines().next().unwrap().rsplit_once(": ").unwrap();
        assert!(
            what.starts_with("error: ") && !error.contains("os error"),
            "{error}"
        );
        assert!(why.starts_with(char::is_lowercase), "{error}");
    }
}

/// A seeder, and a download from it with more options, to its end.
fn transfer(place: &Place, more: &[&str]) -> support::Finished {
    let (_tracker, url) = place.tracker();
    place.write("here/film.bin", &noise(3, 200_000));
    let create = ["create", "here/film.bin", "-o", "film.torrent"];
    place.ok(&[&create, &["--tracker", &url, "--force"][..]].concat());
    let (_seeder, _) = place.seed("film.torrent", "here");
    let download = ["download", "film.torrent", "-o", "there"];
    place.run(&[&download, &LOCAL[..], more].concat())
}

#[test]
fn v_says_what_happens_in_plain_words_and_without_times() {
    let place = Place::new();
    let finished = transfer(&place, &["-v", "--no-progress"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for text in [
        "info: film.bin: peer 127.0.0.1:",
        ") is connected",
        "info: film.bin: tracker http://127.0.0.1:",
        "named 1 peer, and wants to be asked again in ",
        "info: film.bin: the file film.bin is complete",
    ] {
        assert!(finished.err.contains(text), "{text}: {}", finished.err);
    }
    for line in finished.err.lines() {
        assert!(
            line.starts_with("info: ") || line.starts_with("warning: "),
            "{line}"
        );
    }
}

#[test]
fn a_log_file_keeps_what_happens_with_times_and_is_appended_to() {
    let place = Place::new();
    let finished = transfer(&place, &["--log-file", "log.txt", "--no-progress"]);
    assert_eq!((finished.code, finished.err.as_str()), (Some(0), ""));
    let log = std::fs::read_to_string(place.path("log.txt")).unwrap();
    for text in ["film.bin: ", "complete: film.bin, "] {
        assert!(log.contains(text), "{text}: {log}");
    }
    // Whichever side was faster.
    let met = ["is connected", "has connected to us"];
    assert!(met.iter().any(|text| log.contains(text)), "{log}");
    for line in log.lines() {
        let (time, said) = line.split_once(' ').unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        assert!(said.starts_with("info: "), "{line}");
    }
    let missing = place.run(&["inspect", "nowhere.torrent", "--log-file", "log.txt"]);
    assert_eq!(missing.code, Some(1));
    let longer = std::fs::read_to_string(place.path("log.txt")).unwrap();
    assert!(
        longer.starts_with(&log) && longer.contains(" error: cannot open nowhere.torrent: "),
        "{longer}"
    );
    let nowhere = place.run(&["inspect", "film.torrent", "--log-file", "no/log.txt"]);
    let refused = "error: cannot write to no/log.txt: no such file or directory";
    assert_eq!(
        (nowhere.code, nowhere.err.lines().next()),
        (Some(1), Some(refused))
    );
}

#[test]
fn quiet_says_errors_alone() {
    let place = Place::new();
    let finished = transfer(&place, &["-q"]);
    let said = (finished.out.as_str(), finished.err.as_str());
    assert_eq!((finished.code, said), (Some(0), ("", "")));
    let verify = ["verify", "film.torrent", "--data", "there", "--quiet"];
    assert_eq!(place.ok(&verify), "");
    place.write("there/film.bin", b"something else");
    let wrong = place.run(&verify);
    assert!(wrong.out.starts_with("WRONG "), "{}", wrong.out);
    let missing = place.run(&["download", "nowhere.torrent", "-q"]);
    assert!(missing.err.starts_with("error: "), "{}", missing.err);
}

#[test]
#[cfg(unix)]
fn what_is_interrupted_is_a_result_with_its_figures() {
    let place = Place::new();
    let missing = "0".repeat(40);
    let more = [missing.as_str(), "--json=results", "-v"];
    let (_seeder, downloader) = slow_transfer(&place, &more);
    downloader.error_line(" connected");
    downloader.signal("INT");
    let finished = downloader.finish();
    assert_eq!(finished.code, Some(130), "{finished:?}");
    let lines = finished.out.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.iter().all(|line| line["event"] == "interrupted"),
        "{lines:#?}"
    );
    assert_eq!(lines.len(), 2, "{lines:#?}");
    let film = lines
        .iter()
        .find(|line| line["name"] == "film.bin")
        .unwrap();
    assert_eq!(film["total"], 2 << 20);
    assert_eq!(film["path"], place.path("there/film.bin").to_str().unwrap());
    for key in ["done", "seconds", "downloaded", "peers"] {
        assert!(film[key].is_number(), "{key}: {film}");
    }
    assert!(
        lines
            .iter()
            .any(|line| line["info_hash"] == missing.as_str()),
        "{lines:#?}"
    );
}

#[test]
fn a_source_that_cannot_be_opened_is_a_result() {
    let place = Place::new();
    place.write("here/film.bin", &noise(3, 100_000));
    place.ok(&["create", "here/film.bin", "-o", "film.torrent"]);
    let commands: [&[&str]; 2] = [
        &["download", "nowhere.torrent", "--json=results"],
        &[
            "seed",
            "nowhere.torrent",
            "--data",
            "here",
            "--json=results",
        ],
    ];
    for command in commands {
        let finished = place.run(&[command, &LOCAL[..]].concat());
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let failed: Value = serde_json::from_str(finished.out.trim()).unwrap();
        assert_eq!(failed["event"], "failed");
        assert_eq!(failed["source"], "nowhere.torrent");
        let error = failed["error"].as_str().unwrap();
        assert!(error.contains("no such file"), "{failed}");
    }
    let chosen = ["download", "film.torrent", "--files", "x", "--json=results"];
    let finished = place.run(&[&chosen, &LOCAL[..]].concat());
    let failed: Value = serde_json::from_str(finished.out.trim()).unwrap();
    assert_eq!(
        (&failed["event"], &failed["name"]),
        (&"failed".into(), &"film.bin".into())
    );
}
