//! Programs that play through it, and requests of add-ons, with libtorrent on the other side.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::film::{Film, RATE, ffmpeg};
use crate::seeder::{Seeder, python};
use crate::server::{TorrServer, encoded, hash_of, magnet};
use crate::support::{Place, noise};
use crate::{enabled, process};

const KODI: &str = include_str!("kodi.py");

/// What it says that it has done.
const STEPS: [&str; 6] = [
    "version",
    "added",
    "preloaded",
    "played",
    "uploaded",
    "removed",
];

/// Memory for half of a film or less.
const MEMORY: [&str; 2] = ["--memory", "32MiB"];

fn seed(place: &Place, torrent: &str, data: &Path) -> Seeder {
    let command = Command::new(python());
    Seeder::start(command, &place.path(torrent), data, "127.0.0.1", 0)
}

/// A film, its torrent and its seeder.
fn film(place: &Place, film: Film) -> (Seeder, String) {
    let path = film.path();
    let torrent = "film.torrent";
    let created = [
        "create",
        path.to_str().unwrap(),
        "-o",
        torrent,
        "--piece-length",
        "256KiB",
    ];
    place.ok(&created);
    let seeder = seed(place, torrent, path.parent().unwrap());
    let link = magnet(place, torrent, &seeder.addr.to_string());
    (seeder, link)
}

/// The hash of every picture and of every piece of sound in the two seconds after `second`.
fn frames(input: &OsStr, second: u32) -> String {
    let mut command = ffmpeg();
    command.args(["-ss", &second.to_string(), "-t", "2", "-i"]);
    command
        .arg(input)
        .args(["-map", "0", "-f", "framemd5", "-"]);
    process::run("ffmpeg", &mut command)
}

#[test]
fn ffmpeg_jumps_about_in_a_film_whose_index_is_last() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, link) = film(&place, Film::IndexLast);
    let server = TorrServer::start(&place, &MEMORY);
    let url = format!(
        "{}/stream/film.mp4?link={}&index=1&play&preload",
        server.url(),
        encoded(&link)
    );
    let file = Film::IndexLast.path();
    for second in [0, 90, 30, 170] {
        let expected = frames(file.as_os_str(), second);
        let pictures = expected.lines().filter(|line| line.starts_with("0,"));
        assert_eq!(pictures.count(), 2 * RATE as usize);
        assert_eq!(frames(OsStr::new(&url), second), expected, "{second} s");
    }
    server.daemon.stop();
}

/// What the scripts of mpv do: they hand a magnet link over and open the playlist that comes back; or they upload a file and open
/// the playlist of its hash.
#[test]
fn mpv_plays_a_magnet_link_and_a_file_by_their_playlists() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let (_seeder, link) = film(&place, Film::IndexFirst);
    let server = TorrServer::start(&place, &MEMORY);
    let base = server.url();
    let play = |url: &str| {
        let mut mpv = Command::new("mpv");
        // A playlist of the network is not opened by itself.
        mpv.args([
            "--no-config",
            "--vo=null",
            "--ao=null",
            "--length=2",
            "--ytdl=no",
        ]);
        mpv.args(["--demuxer-max-bytes=2MiB", "--load-unsafe-playlists", url]);
        process::run("mpv", &mut mpv)
    };
    let said = play(&format!("{base}/stream?m3u&link={}", encoded(&link)));
    assert!(
        said.contains("Video --vid=1") && said.contains("End of file"),
        "{said}"
    );
    server.tell("/torrents", &serde_json::json!({"action": "wipe"}));
    let mut curl = Command::new("curl");
    let torrent = place.path("film.torrent");
    // A line is taken when it has ended.
    curl.args(["--silent", "--show-error", "--write-out", "\\n", "--form"]);
    curl.arg(format!("file=@{}", torrent.display()));
    curl.arg(format!("{base}/torrent/upload"));
    let uploaded = process::run("curl", &mut curl);
    let uploaded: serde_json::Value = serde_json::from_str(&uploaded).unwrap();
    let hash = uploaded["hash"].as_str().unwrap();
    assert_eq!(hash, hash_of(&link));
    // It knows no one yet.
    let (_, peer) = link.split_once("x.pe=").unwrap();
    server.daemon.connect(hash, peer);
    let said = play(&format!("{base}/stream?m3u&link={hash}"));
    assert!(
        said.contains("Video --vid=1") && said.contains("End of file"),
        "{said}"
    );
    server.daemon.stop();
}

/// What Kodi's module `script.module.torrserver` asks for, with the library for HTTP that it uses.
#[test]
fn the_requests_of_the_kodi_module_are_answered_as_it_expects() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/Show/e1.mkv", &noise(1, 400_000));
    place.write("here/Show/e2.mkv", &noise(2, 300_000));
    let torrent = place.create("here/Show", &[]);
    let seeder = seed(&place, &torrent, &place.path("here"));
    let link = magnet(&place, &torrent, &seeder.addr.to_string());
    let token = place.ok(&["daemon", "--state", "daemon", "--create-token", "kodi"]);
    let server = TorrServer::start(&place, &["--require-token", "--memory", "16MiB"]);
    let (host, port) = server.addr.split_once(':').unwrap();
    let mut client = Command::new(python());
    client.args(["-u", "-c", KODI, host, port, token.trim(), &link]);
    client
        .arg(place.path(&torrent))
        .arg(place.path("here/Show/e2.mkv"));
    let said = process::run("kodi", &mut client);
    assert_eq!(said.lines().collect::<Vec<_>>(), STEPS);
    server.daemon.stop();
}
