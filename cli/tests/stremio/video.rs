//! The client of npm's `@stremio/stremio-video` in Chromium, on a page of another origin: it creates a torrent, plays it and asks for
//! its parameters.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::chromium::Browser;
use crate::film::{Film, SECONDS};
use crate::process::Process;
use crate::seeder::{Seeder, python};
use crate::support::Place;
use crate::{Stremio, enabled};

const CLIENT: &str = include_str!("video.js");
/// It takes a quarter of a minute.
const PLAYING: Duration = Duration::from_secs(180);

/// A file of the client, where `scripts/install-clients.sh` puts it; nothing of it is shipped.
fn module(name: &str) -> String {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let path = target.join("pages/stremio-video").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; run scripts/install-clients.sh",
            path.display()
        )
    })
}

/// A page with nothing on it; its server and its origin.
fn page(place: &Place) -> (Process, String) {
    place.write("page/index.html", b"<!doctype html><title>a page</title>");
    let mut server = Command::new("python3");
    server.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]);
    let server = Process::start("http.server", server.current_dir(place.path("page")));
    let line = server.line("Serving HTTP on");
    let port = line.split_whitespace().nth(5).unwrap();
    let origin = format!("http://127.0.0.1:{port}");
    (server, origin)
}

async fn run(origin: &str, server: &str, hash: &str) -> Value {
    let browser = Browser::open(origin).await;
    let args = vec![
        json!(server),
        json!(hash),
        json!(module("createTorrent.js")),
        json!(module("fetchVideoParams.js")),
    ];
    let said = browser.driver.execute_async(CLIENT, args).await.unwrap();
    let said: Value = said.convert().unwrap();
    browser.driver.quit().await.unwrap();
    said
}

#[test]
fn stremio_video_creates_plays_and_asks_in_chromium() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let film = Film::IndexFirst.path();
    let torrent = "film.torrent";
    place.ok(&[
        "create",
        film.to_str().unwrap(),
        "-o",
        torrent,
        "--piece-length",
        "256KiB",
    ]);
    let command = Command::new(python());
    let seeder = Seeder::start(
        command,
        &place.path(torrent),
        film.parent().unwrap(),
        "127.0.0.1",
        0,
    );
    let (_server, origin) = page(&place);
    let server = Stremio::start(&place, &["--memory", "32MiB", "--allow-origin", &origin]);
    let (hash, _) = server.create(&place, torrent);
    server.daemon.connect(&hash, &seeder.addr.to_string());
    let url = format!("http://{}", server.addr);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = async { tokio::time::timeout(PLAYING, run(&origin, &url, &hash)).await };
    let said = runtime.block_on(running).expect("Chromium hangs");
    assert!(said["error"].is_null(), "{said}");
    assert_eq!(said["fileIdx"], 0);
    assert!(
        said["url"]
            .as_str()
            .unwrap()
            .starts_with(&format!("{url}/{hash}/0?tr=")),
        "{said}"
    );
    let duration = said["duration"].as_f64().unwrap();
    assert!((duration - f64::from(SECONDS)).abs() < 1.0, "{said}");
    let size = std::fs::metadata(&film).unwrap().len();
    let params = &said["params"];
    assert_eq!(
        (&params["size"], &params["filename"]),
        (&json!(size), &json!("index-first-10fps.mp4"))
    );
    assert_eq!(params["hash"].as_str().map(str::len), Some(16), "{said}");
    assert_eq!(said["stats"]["streamLen"], json!(size));
    server.daemon.stop();
}
