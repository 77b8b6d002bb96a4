//! A daemon with rqbit's calls, and a client that writes them by hand.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::http::{Answer, raw};
use crate::support::Place;

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

pub(crate) struct Rqbit<'a> {
    pub(crate) daemon: Daemon<'a>,
    pub(crate) addr: String,
}

impl<'a> Rqbit<'a> {
    pub(crate) fn start(place: &'a Place, more: &[&str]) -> Self {
        let args = [&["--rqbit", "127.0.0.1:0"], more].concat();
        let (daemon, line) = Daemon::start_saying(place, &args, "rqbit's API:");
        let url = line.rsplit(' ').next().unwrap();
        let addr = url.split('/').nth(2).unwrap().to_owned();
        Self { daemon, addr }
    }

    /// Sends a request with header lines.
    pub(crate) fn send(&self, call: &str, headers: &str, body: &[u8]) -> Answer {
        let host = match headers.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.addr),
        };
        let length = match headers.contains("Content-Length:") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let head = format!("{call} HTTP/1.1\r\n{host}{length}{headers}\r\n");
        raw(&self.addr, &[head.as_bytes(), body].concat())
    }

    /// Calls something that must succeed.
    #[track_caller]
    pub(crate) fn ok(&self, call: &str, body: &[u8]) -> Value {
        let answer = self.send(call, "", body);
        assert_eq!(answer.status, 200, "{call}: {answer:?}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/json"), "{kind}");
        answer.json()
    }

    /// Calls something that must fail, as rqbit says it.
    #[track_caller]
    pub(crate) fn refused(&self, call: &str, body: &[u8], status: u16) -> String {
        let answer = self.send(call, "", body);
        assert_eq!(answer.status, status, "{call}: {answer:?}");
        let answer = answer.json();
        assert_eq!(answer["status"], status);
        assert!(answer["error_kind"].is_string(), "{answer}");
        answer["human_readable"].as_str().unwrap().to_owned()
    }

    /// Waits until a torrent's figures are as they should be.
    #[track_caller]
    pub(crate) fn until(&self, torrent: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let stats = self.ok(&format!("GET /torrents/{torrent}/stats/v1"), b"");
            if is_so(&stats) {
                return stats;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "{stats}");
        }
    }
}
