//! ffprobe and ffmpeg read a film over HTTP while it arrives.

use std::ffi::OsStr;
use std::process::Command;

use crate::enabled;
use crate::film::{Film, RATE, SECONDS, ffmpeg};
use crate::place::{FILM, Place};
use crate::process::{self, Process};
use crate::streaming::create;

/// What ffprobe says of a film.
fn probe(input: &OsStr) -> String {
    let mut command = Command::new("ffprobe");
    command.args([
        "-v",
        "error",
        "-of",
        "json",
        "-show_streams",
        "-show_entries",
    ]);
    command
        .arg("format=format_name,duration,size,bit_rate")
        .arg(input);
    process::run("ffprobe", &mut command)
}

/// The hash of every picture and of every piece of sound in the two seconds after `second`.
fn frames(input: &OsStr, second: u32) -> String {
    let mut command = ffmpeg();
    command
        .args(["-ss", &second.to_string(), "-t", "2", "-i"])
        .arg(input);
    command.args(["-map", "0", "-f", "framemd5", "-"]);
    process::run("ffmpeg", &mut command)
}

/// A player that looks at what the film is and then at places in it, forward and back.
fn reads_the_film(film: Film) {
    if !enabled() {
        return;
    }
    let place = Place::new(&film.path(), FILM);
    let (url, file) = (OsStr::new(&place.ours.file), place.payload.as_os_str());
    assert_eq!(probe(url), probe(file));
    let sent = place.seeder.counts().sent;
    assert!(sent < place.payload_len(), "nothing is left to arrive");
    for second in [0, 60, 61, 120, SECONDS - 2, 30, 90, 0] {
        let expected = frames(file, second);
        let pictures = expected.lines().filter(|line| line.starts_with("0,"));
        assert_eq!(
            pictures.count(),
            2 * RATE as usize,
            "{second} s: {expected}"
        );
        assert_eq!(frames(url, second), expected, "{second} s");
    }
}

#[test]
fn ffmpeg_reads_a_film_whose_index_is_first() {
    reads_the_film(Film::IndexFirst);
}

#[test]
fn ffmpeg_reads_a_film_whose_index_is_last() {
    reads_the_film(Film::IndexLast);
}

#[test]
fn ffmpeg_reads_a_webm_film() {
    reads_the_film(Film::Webm);
}

/// They all do that: when paused for long, when the sound's track is read apart, when something looks at the tags.
#[test]
fn a_player_that_reopens_its_connection_downloads_nothing_twice() {
    if !enabled() {
        return;
    }
    let place = Place::new(&Film::IndexFirst.path(), FILM);
    let len = place.payload_len();
    let script = "curl -sS --range \"$1-\" \"$2\" 2>/dev/null | head -c \"$3\" \
         | cmp - <(tail -c \"+$(($1 + 1))\" \"$4\" | head -c \"$3\")";
    let step = 5_000_000;
    let mut position = 0;
    while position < len {
        let mut command = Command::new("bash");
        command.args([
            "-c",
            script,
            "bash",
            &position.to_string(),
            &place.ours.file,
        ]);
        command.arg(step.to_string()).arg(&place.payload);
        process::run("curl", &mut command);
        position += step;
    }
    let counts = place.seeder.counts();
    assert!(counts.sent >= len, "{counts:?}");
    // What was on its way when a connection ended may come again.
    let slack = len / 100;
    assert!(counts.again <= slack, "{counts:?}");
    assert!(counts.sent <= len + slack, "{counts:?}");
}

#[test]
fn mpv_is_started_with_subtitles_and_the_stream_ends_with_it() {
    if !enabled() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::create_dir_all(path("here/film")).unwrap();
    std::fs::copy(Film::IndexFirst.path(), path("here/film/film.mp4")).unwrap();
    let words = "1\n00:00:00,000 --> 00:00:09,000\nHello\n";
    std::fs::write(path("here/film/film.en.srt"), words).unwrap();
    create(&path("here/film"), &path("film.torrent"), "256KiB");
    let ours = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tailwater"));
        command.args(args).current_dir(dir.path());
        command.args(["--listen", "127.0.0.1:0", "--no-dht", "--no-lsd"]);
        command.args(["--no-port-map", "--no-progress"]);
        command.env("XDG_STATE_HOME", path("state"));
        command
    };
    let mut seed = ours(&["seed", "film.torrent", "--data", "here"]);
    let seeder = Process::start("seed", &mut seed);
    let line = seeder.line("listening on ");
    let addr = line.rsplit(' ').next().unwrap();
    // The film would play for three minutes: mpv ends itself, and writes down what it plays. It does not read the whole
    // film ahead: it is shown as a reader for as long as it is connected, and that is looked at once a second.
    let mpv = "mpv --no-config --vo=null --ao=null --length=3 --demuxer-max-bytes=2MiB --log-file=mpv.log";
    let mut stream = ours(&[
        "stream",
        "film.torrent",
        "--peer",
        addr,
        "--open",
        mpv,
        "--json",
    ]);
    let mut streaming = Process::start("stream", &mut stream);
    streaming.line("\"program\":\"mpv\"");
    streaming.line("mpv has ended: the stream ends with it");
    streaming.succeed();
    let log = std::fs::read_to_string(path("mpv.log")).unwrap();
    let subtitles = log.lines().find(|line| line.contains("Subs  --sid=1"));
    assert!(
        subtitles.is_some_and(|line| line.contains("film.en.vtt")),
        "{log}"
    );
}
