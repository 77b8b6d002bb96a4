//! A daemon with the RPC, and a client that writes requests by hand.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, raw};
use crate::process::Process;
use crate::seeder::Seeder;
use crate::support::Place;

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A daemon whose RPC is asked.
pub(crate) struct Rpc<'a> {
    pub(crate) daemon: Daemon<'a>,
    /// Where it is.
    pub(crate) addr: String,
    /// The header line with the id of the session.
    session: String,
}

impl<'a> Rpc<'a> {
    pub(crate) fn start(place: &'a Place, more: &[&str]) -> Self {
        let args = [&["--transmission", "127.0.0.1:0"], more].concat();
        let (daemon, line) = Daemon::start_saying(place, &args, "Transmission's RPC:");
        let url = line.rsplit(' ').next().unwrap();
        let addr = url.split('/').nth(2).unwrap().to_owned();
        let session = session(&addr, "");
        Self {
            daemon,
            addr,
            session,
        }
    }

    /// Sends a body with header lines, and the id of the session.
    pub(crate) fn send(&self, headers: &str, body: &[u8]) -> Answer {
        let headers = format!("{}{headers}", self.session);
        post(&self.addr, &headers, body)
    }

    /// Sends JSON, which must be answered as JSON.
    pub(crate) fn ask(&self, request: &Value) -> Value {
        let answer = self.send("", request.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{request}: {answer:?}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/json"), "{kind}");
        answer.json()
    }

    /// Calls a method in the legacy form, which must succeed; its arguments.
    pub(crate) fn call(&self, method: &str, arguments: Value) -> Value {
        let mut answer = self.ask(&request(method, arguments));
        assert_eq!(answer["result"], "success", "{method}: {answer}");
        answer["arguments"].take()
    }

    /// Calls a method in the legacy form, which must fail; what it says.
    pub(crate) fn refused(&self, method: &str, arguments: Value) -> String {
        let answer = self.ask(&request(method, arguments));
        let words = answer["result"].as_str().unwrap().to_owned();
        assert_ne!(words, "success", "{method}: {answer}");
        words
    }

    /// Fields of the only torrent that `ids` means.
    pub(crate) fn torrent(&self, ids: &Value, fields: &[&str]) -> Value {
        let answer = self.call("torrent-get", json!({"ids": ids, "fields": fields}));
        let torrents = answer["torrents"].as_array().unwrap();
        assert_eq!(torrents.len(), 1, "{answer}");
        torrents[0].clone()
    }

    /// Adds a .torrent file; what is answered of it.
    pub(crate) fn add(&self, place: &Place, torrent: &str, mut arguments: Value) -> Value {
        let bytes = std::fs::read(place.path(torrent)).unwrap();
        arguments["metainfo"] = data_encoding::BASE64.encode(&bytes).into();
        self.call("torrent-add", arguments)["torrent-added"].clone()
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < HANGS_AFTER, "not so: {what}");
        }
    }

    /// As [`Self::until`], of a torrent that may not be there yet.
    #[track_caller]
    pub(crate) fn until_some(&self, id: &Value, field: &str, is_so: impl Fn(&Value) -> bool) {
        let ask = json!({"ids": id, "fields": [field]});
        self.wait(field, || {
            let answer = self.call("torrent-get", ask.clone());
            is_so(&answer["torrents"][0][field])
        });
    }

    /// Waits until a field of a torrent is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, id: &Value, field: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.torrent(id, &[field])[field].clone();
            if is_so(&value) {
                return value;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "{field} stays {value}");
        }
    }
}

fn request(method: &str, arguments: Value) -> Value {
    let mut request = json!({"method": method});
    request["arguments"] = arguments;
    request
}

/// The header line with the id of the session, as a first request is told it.
pub(crate) fn session(addr: &str, headers: &str) -> String {
    let first = post(addr, headers, b"{}");
    assert_eq!(first.status, 409, "{first:?}");
    assert_eq!(first.header("x-transmission-rpc-version"), Some("6.0.0"));
    let id = first.header("x-transmission-session-id").unwrap();
    format!("X-Transmission-Session-Id: {id}\r\n")
}

/// Sends a body with header lines.
pub(crate) fn post(addr: &str, headers: &str, body: &[u8]) -> Answer {
    let host = match headers.contains("Host:") {
        true => String::new(),
        false => format!("Host: {addr}\r\n"),
    };
    let length = body.len();
    let head = format!(
        "POST /transmission/rpc HTTP/1.1\r\n{host}Content-Length: {length}\r\n{headers}\r\n"
    );
    raw(addr, &[head.as_bytes(), body].concat())
}

/// The magnet link of a torrent, with the address of its seeder.
pub(crate) fn magnet(place: &Place, torrent: &str, seeder: &Seeder) -> String {
    let torrent: Value = serde_json::from_str(&place.ok(&["inspect", "--json", torrent])).unwrap();
    format!(
        "{}&x.pe={}",
        torrent["magnet"].as_str().unwrap(),
        seeder.addr
    )
}

/// Serves what is in the place over HTTP; the URL of a file.
pub(crate) fn served(place: &Place, name: &str) -> (Process, String) {
    let mut server = Command::new("python3");
    server.args(["-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]);
    let server = Process::start("http.server", server.current_dir(place.work()));
    let line = server.line("Serving HTTP on");
    let port = line.split_whitespace().nth(5).unwrap();
    let url = format!("http://127.0.0.1:{port}/{name}");
    (server, url)
}
