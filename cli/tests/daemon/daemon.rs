//! A running daemon.

use std::process::Command;

use serde_json::Value;

use crate::http::{Answer, Kept, raw};
use crate::support::{Finished, LOCAL, Place, Running};

/// A daemon that runs; it is killed when dropped.
pub(crate) struct Daemon<'a> {
    place: &'a Place,
    process: Running,
    pub(crate) addr: String,
}

impl<'a> Daemon<'a> {
    /// With its folders below the place, on a free port.
    pub(crate) fn start(place: &'a Place, more: &[&str]) -> Self {
        Self::of(place, place.command(&Self::args(more)))
    }

    /// The one that a command starts.
    pub(crate) fn of(place: &'a Place, command: Command) -> Self {
        Self::saying(place, Running::of(command))
    }

    fn saying(place: &'a Place, process: Running) -> Self {
        let line = process.line("daemon:");
        let url = line.split_whitespace().nth(1).unwrap();
        let addr = url.strip_prefix("http://").unwrap();
        let addr = addr.strip_suffix("/api/v1").unwrap().to_owned();
        Self {
            place,
            process,
            addr,
        }
    }

    /// The same, and the line with this text that it prints before it says that it serves.
    pub(crate) fn start_saying(place: &'a Place, more: &[&str], text: &str) -> (Self, String) {
        let process = Running::of(place.command(&Self::args(more)));
        let line = process.line(text);
        (Self::saying(place, process), line)
    }

    /// What starts one.
    pub(crate) fn args<'b>(more: &[&'b str]) -> Vec<&'b str> {
        let own = [
            "daemon",
            "--http",
            "127.0.0.1:0",
            "--data",
            "data",
            "--state",
            "daemon",
        ];
        [&own, &LOCAL[..], more].concat()
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until it has ended.
    pub(crate) fn finish(self) -> Finished {
        self.process.finish()
    }

    /// Waits for a line of its standard error.
    pub(crate) fn says(&self, text: &str) -> String {
        self.process.error_line(text)
    }

    /// Kills it at once, as a power cut does.
    pub(crate) fn kill(self) {
        self.process.signal("KILL");
        self.process.finish();
    }

    /// Has it end well.
    pub(crate) fn stop(self) {
        self.process.signal("TERM");
        let finished = self.process.finish();
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }

    /// Its resident memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = resident.and_then(|text| text.split_whitespace().next());
        // Elsewhere than on Linux there is no such file.
        kib.map_or(0, |kib| kib.parse::<usize>().unwrap() * 1_024)
    }

    /// A connection that is kept for several requests.
    pub(crate) fn keep(&self) -> Kept {
        Kept::open(&self.addr)
    }

    /// Sends a request with these header lines.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let host = match headers.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.addr),
        };
        let length = match body.is_empty() || headers.contains("Content-Length:") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let head = format!("{method} {path} HTTP/1.1\r\n{host}{length}{headers}\r\n");
        raw(&self.addr, &[head.as_bytes(), body].concat())
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, "", b"");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// Sends JSON.
    pub(crate) fn json(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send(
            method,
            path,
            "Content-Type: application/json\r\n",
            body.as_bytes(),
        )
    }

    /// Adds a .torrent file with options as in a query; its info-hash.
    pub(crate) fn add(&self, torrent: &str, options: &str) -> String {
        let bytes = std::fs::read(self.place.path(torrent)).unwrap();
        let path = format!("/api/v1/torrents?{options}");
        let kind = "Content-Type: application/x-bittorrent\r\n";
        let answer = self.send("POST", &path, kind, &bytes);
        assert_eq!(answer.status, 201, "{answer:?}");
        let torrent = answer.json();
        let id = torrent["id"].as_str().unwrap().to_owned();
        let location = format!("/api/v1/torrents/{id}");
        assert_eq!(answer.header("location"), Some(location.as_str()));
        id
    }

    /// Connects a torrent to a peer.
    pub(crate) fn connect(&self, id: &str, peer: &str) {
        let body = format!(r#"{{"peers":["{peer}"]}}"#);
        let answer = self.json("POST", &format!("/api/v1/torrents/{id}/peers"), &body);
        assert_eq!(answer.status, 202, "{answer:?}");
    }

    /// Runs `tailwater ctl` on it, which must succeed; its output.
    pub(crate) fn ctl(&self, args: &[&str]) -> String {
        let url = format!("http://{}", self.addr);
        self.place.ok(&[&["ctl", "--daemon", &url], args].concat())
    }
}
