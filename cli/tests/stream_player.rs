//! `tailwater stream --open`: the player's command line, and its end.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

#[path = "support/streaming.rs"]
mod streaming;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use streaming::Streaming;
use support::{LOCAL, Place, Running, noise};

/// Writes its arguments, a line each, into `called`, and ends.
const CALLED: &str = "#!/bin/sh\nprintf '%s\\n' \"$@\" > called.new\nmv called.new called\n";
/// Reads all of its last argument, and ends with 3.
const READS: &str = r#"#!/bin/bash
for url in "$@"; do :; done
rest=${url#http://}
host=${rest%%/*}
exec 3<>"/dev/tcp/${host%:*}/${host##*:}"
printf 'GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "${rest#*/}" "$host" >&3
cat <&3 >/dev/null
exit 3
"#;

fn script(place: &Place, name: &str, text: &str) {
    let path = place.write(name, text.as_bytes());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A film with subtitles, and its seeder.
fn film(place: &Place) -> (Running, String) {
    place.write("here/film/film.mp4", &noise(3, 100_001));
    place.write("here/film/film.en.srt", b"1\n0:01,0 --> 0:02,0\nHello\n");
    place.ok(&["create", "here/film", "-o", "film.torrent"]);
    place.seed("film.torrent", "here")
}

fn stream(place: &Place, peer: &str, more: &[&str]) -> Running {
    let fixed = ["stream", "film.torrent", "--peer", peer, "--no-progress"];
    place.start(&[&fixed, &LOCAL[..], more].concat())
}

#[test]
fn mpv_gets_its_options_the_subtitles_and_the_address() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    script(&place, "mpv", CALLED);
    let more = ["--open", "./mpv --fs '--title=a b; $HOME'"];
    let streaming = Streaming::start(&place, "film.torrent", &addr, &more);
    let said = streaming.process.error_line("./mpv has ended");
    assert!(
        said.starts_with("./mpv has ended before it read anything; still streaming at http://"),
        "{said}"
    );
    let called = fs::read_to_string(place.path("called")).unwrap();
    let subtitles = streaming.urls["subtitles"][0].as_str().unwrap();
    assert!(
        subtitles.ends_with("/subtitles/0/film.en.vtt"),
        "{subtitles}"
    );
    let expected = format!(
        "--sub-file={subtitles}\n--fs\n--title=a b; $HOME\n{}\n",
        streaming.url("file")
    );
    assert_eq!(called, expected);
}

#[test]
fn the_address_stands_where_the_braces_are() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    script(&place, "player", CALLED);
    let more = ["--open", "./player --url={} --loop"];
    let streaming = Streaming::start(&place, "film.torrent", &addr, &more);
    streaming.process.error_line("./player has ended");
    let called = fs::read_to_string(place.path("called")).unwrap();
    assert_eq!(called, format!("--url={}\n--loop\n", streaming.url("file")));
}

#[test]
fn the_stream_ends_with_the_player_unless_told_otherwise() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    script(&place, "reads", READS);
    script(&place, "does-nothing", "#!/bin/sh\n");

    let finished = stream(&place, &addr, &["--open", "./reads"]).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let said = "./reads has ended with exit code 3: the stream ends with it\n";
    assert_eq!(finished.err, said);

    let more = ["--open", "./does-nothing", "--exit-with-player"];
    let finished = stream(&place, &addr, &more).finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");

    let more = ["--open", "./reads", "--keep-streaming"];
    let streaming = stream(&place, &addr, &more);
    streaming.error_line("./reads has ended with exit code 3; still streaming at http://");
    streaming.signal("INT");
    assert_eq!(streaming.finish().code, Some(130));
}

/// Why a player failed is in what it printed: on either output, after much else, and perhaps harmful to a terminal.
#[test]
fn a_player_that_fails_is_quoted_and_fails_the_stream() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    let text = "#!/bin/sh\nseq 100000\nprintf 'no such option: \\033[2J--x\\r\\n' >&2\nexit 2\n";
    script(&place, "fails", text);
    for more in [&[][..], &["--exit-with-player"]] {
        let finished = stream(&place, &addr, &[&["--open", "./fails"], more].concat()).finish();
        assert_eq!(finished.code, Some(1), "{more:?}: {finished:?}");
        let err = &finished.err;
        assert!(err.contains("./fails: 100000\n"), "{err}");
        assert!(
            err.contains("./fails: no such option: \\u{1b}[2J--x\n"),
            "{err}"
        );
        assert!(
            err.contains(
                "error: ./fails has ended with exit code 2 before it read anything\n  help: "
            ),
            "{err}"
        );
        assert!(err.lines().count() <= 12, "{err}");
    }
    let more = ["--open", "./fails", "--keep-streaming"];
    let streaming = stream(&place, &addr, &more);
    streaming.error_line("./fails: no such option");
    streaming.error_line(
        "./fails has ended with exit code 2 before it read anything; still streaming at http://",
    );
    streaming.signal("INT");
    assert_eq!(streaming.finish().code, Some(130));
}

/// Programs that a player leaves behind hold its outputs open, and hold nothing up.
#[test]
fn a_player_that_leaves_a_program_behind_has_ended() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    script(
        &place,
        "leaves",
        "#!/bin/sh\nsleep 300 &\necho $! > left\necho why\nexit 2\n",
    );
    let finished = stream(&place, &addr, &["--open", "./leaves"]).finish();
    let left = fs::read_to_string(place.path("left")).unwrap();
    let killed = std::process::Command::new("kill").arg(left.trim()).status();
    assert!(killed.unwrap().success());
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.err.contains("./leaves: why\n"), "{finished:?}");
}

#[test]
fn a_player_that_is_not_there_is_named() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    let finished = stream(&place, &addr, &["--open", "no-such-player --fs"]).finish();
    assert_eq!(finished.code, Some(1));
    assert!(
        finished
            .err
            .starts_with("error: cannot start no-such-player: no such file or directory\n  help: "),
        "{}",
        finished.err
    );
}

#[cfg(target_os = "linux")]
#[test]
fn the_page_is_opened_in_the_desktops_browser() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    script(&place, "bin/xdg-open", CALLED);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", place.path("bin").display());
    let fixed = ["stream", "film.torrent", "--peer", &addr, "--open", "page"];
    let mut command = place.command(&[&fixed, &LOCAL[..]].concat());
    command.env("PATH", path);
    let streaming = Running::of(command);
    let line = streaming.line("(page: http://");
    let page = line.split("(page: ").nth(1).unwrap().trim_end_matches(')');
    let called = place.path("called");
    let until = Instant::now() + Duration::from_secs(60);
    while !called.exists() {
        assert!(Instant::now() < until, "no browser was opened");
        std::thread::yield_now();
    }
    assert_eq!(fs::read_to_string(called).unwrap(), format!("{page}\n"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_desktop_without_a_browser_is_told_in_words() {
    let place = Place::new();
    let (_seeder, addr) = film(&place);
    script(&place, "bin/xdg-open", "#!/bin/sh\nexit 3\n");
    let fixed = ["stream", "film.torrent", "--peer", &addr, "--open", "page"];
    let mut command = place.command(&[&fixed, &LOCAL[..]].concat());
    command.env(
        "PATH",
        format!("{}:/usr/bin:/bin", place.path("bin").display()),
    );
    let finished = Running::of(command).finish();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let err = &finished.err;
    assert!(
        err.contains(
            "in a browser: xdg-open failed, as it does where there is no browser\n  help: "
        ),
        "{err}"
    );
}
