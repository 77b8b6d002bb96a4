//! Goals of a torrent: `--seed-ratio`, `--seed-time`, `--stop-timeout`, and the program of `--on-complete`.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

#[cfg(unix)]
use std::fs;

use support::{LOCAL, Place, Running, noise};

fn shared(place: &Place) -> (Running, String) {
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one"]);
    place.seed("one.torrent", "here")
}

fn download<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let download = ["download", "one.torrent", "-o", "there", "--no-progress"];
    [&download, &LOCAL[..], more].concat()
}

fn seed<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let seed = ["seed", "one.torrent", "--data", "here", "--no-progress"];
    [&seed, &LOCAL[..], more].concat()
}

#[test]
fn a_seeder_ends_when_its_ratio_is_reached() {
    let place = Place::new();
    place.write("here/one", &noise(9, 100_000));
    place.ok(&["create", "here/one"]);
    let seeder = place.start(&seed(&["--seed-ratio", "1"]));
    let addr = seeder.line("listening on ");
    let addr = addr.rsplit(' ').next().unwrap();
    seeder.line("seeding one");
    place.ok(&download(&["--peer", addr]));
    let finished = seeder.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told = "done: one, 1.00 times its size was sent";
    assert!(finished.out.contains(told), "{}", finished.out);
}

#[test]
fn goals_that_are_reached_at_once_end_at_once() {
    let place = Place::new();
    let (_seeder, addr) = shared(&place);
    for goal in [["--seed-ratio", "0"], ["--seed-time", "0s"]] {
        let out = place.ok(&seed(&goal));
        assert!(out.contains("done: one, "), "{out}");
        // A goal of seeding means that it is seeded.
        let out = place.ok(&download(&[&goal[..], &["--peer", &addr]].concat()));
        assert!(out.contains("complete: one"), "{out}");
        assert!(out.contains("done: one, "), "{out}");
    }
    for (args, told) in [
        (["--seed-time", "60"], "90s, 15min, 2h"),
        (["--seed-ratio", "-1"], "1.5"),
        (["--stop-timeout", "soon"], "90s"),
    ] {
        let finished = place.run(&download(&[&format!("{}={}", args[0], args[1])]));
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.err.contains(told), "{}", finished.err);
    }
}

#[test]
fn what_waits_in_vain_is_given_up_and_the_others_go_on() {
    let place = Place::new();
    let (_seeder, addr) = shared(&place);
    place.write("here/two", &noise(2, 50_000));
    place.ok(&["create", "here/two"]);
    let hash = "0123456789abcdef0123456789abcdef01234567";
    // Long enough for a busy machine to have dialled the peer of the one that completes.
    let more = ["two.torrent", hash, "--stop-timeout", "5s", "--peer", &addr];
    let finished = place.run(&download(&more));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.out.contains("complete: one"), "{}", finished.out);
    for told in [
        "error: two: given up, because no data came for 5",
        &format!("error: {hash}: given up, because no metadata came for 5"),
        "help: ",
    ] {
        assert!(finished.err.contains(told), "{told}: {}", finished.err);
    }

    let finished = place.run(&seed(&["--stop-timeout", "1s"]));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let told = "error: one: given up, because no peer was connected for 1";
    assert!(finished.err.contains(told), "{}", finished.err);
}

#[test]
#[cfg(unix)]
fn a_program_is_told_of_each_torrent_that_completes() {
    let place = Place::new();
    let (_seeder, addr) = shared(&place);
    let script = "#!/bin/sh\necho \"$# $1\"\necho $TAILWATER_NAME $TAILWATER_INFO_HASH $TAILWATER_SIZE $TAILWATER_PATH $TAILWATER_DIR >> told\nexit 3\n";
    let script = place.write("tell it", script.as_bytes());
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let hook = ["--on-complete", "'./tell it' '$(rm -r there)'"];
    let args = download(&[&hook[..], &["--peer", &addr, "--json"]].concat());
    let finished = place.run(&args);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told = fs::read_to_string(place.path("told")).unwrap();
    let told: Vec<_> = told.trim().split(' ').collect();
    assert_eq!(told[0], "one");
    assert_eq!(told[1].len(), 40);
    assert_eq!(told[2], "100000");
    // The current folder may be named through a link.
    assert_eq!(fs::read(told[3]).unwrap(), noise(9, 100_000));
    assert!(told[3].starts_with('/') && told[3] == format!("{}/one", told[4]));
    assert!(
        finished.err.contains("1 $(rm -r there)"),
        "{}",
        finished.err
    );
    assert!(
        finished.err.contains("warning: ") && finished.err.contains("exit code 3"),
        "{}",
        finished.err
    );
    assert!(finished.out.lines().all(|line| line.starts_with('{')));

    // It is complete already.
    place.ok(&args);
    let told = fs::read_to_string(place.path("told")).unwrap();
    assert_eq!(told.lines().count(), 1);

    let hook = ["--on-complete", "./nothing", "--peer", &addr, "-o", "again"];
    let finished = place.run(&download(&hook));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.err.contains("cannot be started"),
        "{}",
        finished.err
    );
    let finished = place.run(&download(&["--on-complete", "a 'b"]));
    assert_eq!(finished.code, Some(2), "{finished:?}");
}

#[test]
#[cfg(unix)]
fn an_interrupt_does_not_wait_for_the_program() {
    let place = Place::new();
    let (_seeder, addr) = shared(&place);
    // Its own output is none of ours: a program that holds a pipe would be waited for by the test.
    let script = place.write(
        "wait",
        b"#!/bin/sh\necho begun >&2\nexec sleep 30 >/dev/null 2>&1\n",
    );
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let hook = ["--on-complete", "./wait", "--peer", &addr];
    let downloader = place.start(&download(&hook));
    downloader.error_line("begun");
    downloader.signal("INT");
    let finished = downloader.finish_within(std::time::Duration::from_secs(20));
    assert_eq!(finished.code, Some(130), "{finished:?}");
}
