//! `tailwater daemon --stremio`, as Stremio's clients meet it.
//!
//! The test with a client runs when `TAILWATER_INTEROP=1` is set and it is there (`scripts/install-clients.sh`); if it is missing that
//! is then a failure. Otherwise it says that it is skipped.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod bad_input;
mod calls;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/chromium.rs"]
mod chromium;
#[allow(dead_code, reason = "the daemon's tests use the rest of it")]
#[path = "../daemon/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/film.rs"]
mod film;
#[allow(dead_code, reason = "the daemon's tests use the rest of it")]
#[path = "../daemon/http.rs"]
mod http;
#[allow(dead_code, reason = "the interop tests use the rest of it")]
#[path = "../interop/process.rs"]
mod process;
#[allow(dead_code, reason = "the stream tests use the rest of it")]
#[path = "../stream/seeder.rs"]
mod seeder;
#[allow(dead_code, reason = "TorrServer's tests use the rest of it")]
#[path = "../torrserver/server.rs"]
mod server;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod video;

use daemon::Daemon;
use serde_json::Value;
use support::Place;

/// Whether the tests with programs of others are to run; says so if not.
fn enabled() -> bool {
    let enabled = std::env::var_os("TAILWATER_INTEROP").is_some_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: set TAILWATER_INTEROP=1 (and run scripts/install-clients.sh first)");
    }
    enabled
}

/// A daemon whose streaming server is asked.
struct Stremio<'a> {
    daemon: Daemon<'a>,
    addr: String,
}

impl<'a> Stremio<'a> {
    fn start(place: &'a Place, more: &[&str]) -> Self {
        let args = [&["--stremio", "127.0.0.1:0"], more].concat();
        let (daemon, line) = Daemon::start_saying(place, &args, "Stremio's streaming server:");
        let addr = server::addr(&line);
        Self { daemon, addr }
    }

    fn send(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> http::Answer {
        server::send(&self.addr, method, target, headers, body)
    }

    fn get(&self, target: &str) -> http::Answer {
        self.send("GET", target, "", b"")
    }

    /// What must be answered with JSON.
    #[track_caller]
    fn json(&self, target: &str) -> Value {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        answer.json()
    }

    fn post(&self, target: &str, json: &Value) -> http::Answer {
        let kind = "Content-Type: application/json\r\n";
        self.send("POST", target, kind, json.to_string().as_bytes())
    }

    /// Adds a .torrent file, as the desktop client does; its info-hash.
    fn create(&self, place: &Place, torrent: &str) -> (String, Value) {
        let bytes = std::fs::read(place.path(torrent)).unwrap();
        let blob = data_encoding::HEXLOWER.encode(&bytes);
        let created = self.post("/create", &serde_json::json!({ "blob": blob }));
        assert_eq!(created.status, 200, "{created:?}");
        let created = created.json();
        (created["infoHash"].as_str().unwrap().to_owned(), created)
    }
}
