//! A daemon with the API, and a client that writes requests by hand.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::Daemon;
use crate::http::{Answer, raw};
use crate::support::Place;

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A daemon whose API is asked.
pub(crate) struct Api<'a> {
    pub(crate) daemon: Daemon<'a>,
    /// Where it is.
    pub(crate) addr: String,
}

impl<'a> Api<'a> {
    pub(crate) fn start(place: &'a Place, more: &[&str]) -> Self {
        let args = [&["--qbittorrent", "127.0.0.1:0"], more].concat();
        let (daemon, line) = Daemon::start_saying(place, &args, "qBittorrent's Web API:");
        let url = line.rsplit(' ').next().unwrap();
        let addr = url.split('/').nth(2).unwrap().to_owned();
        Self { daemon, addr }
    }

    /// A GET with parameters, which must be answered as JSON.
    #[track_caller]
    pub(crate) fn get(&self, call: &str, params: &[(&str, &str)]) -> Value {
        let answer = get(&self.addr, call, "", params);
        assert_eq!(answer.status, 200, "{call}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{call}"
        );
        answer.json()
    }

    /// A POST with parameters, which must succeed; the words of its answer.
    #[track_caller]
    pub(crate) fn post(&self, call: &str, params: &[(&str, &str)]) -> String {
        let answer = post(&self.addr, call, "", params);
        assert_eq!(answer.status, 200, "{call}: {answer:?}");
        text(&answer)
    }

    /// A POST that must fail with a status; what it says.
    #[track_caller]
    pub(crate) fn refused(&self, call: &str, status: u16, params: &[(&str, &str)]) -> String {
        let answer = post(&self.addr, call, "", params);
        assert_eq!(answer.status, status, "{call}: {answer:?}");
        text(&answer)
    }

    /// Adds a .torrent file with options, as a form with a file; the words of the answer.
    pub(crate) fn add(&self, place: &Place, torrent: &str, params: &[(&str, &str)]) -> String {
        let bytes = std::fs::read(place.path(torrent)).unwrap();
        let answer = form(&self.addr, "", params, &[("a.torrent", &bytes)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        text(&answer)
    }

    /// A torrent of the list.
    #[track_caller]
    pub(crate) fn torrent(&self, hash: &str) -> Value {
        let all = self.get("torrents/info", &[("hashes", hash)]);
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
        all[0].clone()
    }

    /// Waits until a field of a torrent is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, hash: &str, field: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let value = self.torrent(hash)[field].clone();
            if is_so(&value) {
                return value;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "{field} stays {value}");
        }
    }
}

/// The words of an answer.
pub(crate) fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// Parameters as they are written in a URL.
pub(crate) fn encoded(params: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        let bytes = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        });
        bytes.collect()
    };
    let pairs: Vec<String> = params
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    pairs.join("&")
}

fn host(addr: &str, headers: &str) -> String {
    match headers.contains("Host:") {
        true => String::new(),
        false => format!("Host: {addr}\r\n"),
    }
}

/// Sends a GET with header lines.
pub(crate) fn get(addr: &str, call: &str, headers: &str, params: &[(&str, &str)]) -> Answer {
    let (host, query) = (host(addr, headers), encoded(params));
    raw(
        addr,
        format!("GET /api/v2/{call}?{query} HTTP/1.1\r\n{host}{headers}\r\n").as_bytes(),
    )
}

/// Sends a POST with header lines.
pub(crate) fn post(addr: &str, call: &str, headers: &str, params: &[(&str, &str)]) -> Answer {
    let kind = "application/x-www-form-urlencoded";
    send(
        addr,
        call,
        &format!("Content-Type: {kind}\r\n{headers}"),
        encoded(params).as_bytes(),
    )
}

/// Sends a body with header lines.
pub(crate) fn send(addr: &str, call: &str, headers: &str, body: &[u8]) -> Answer {
    let (host, length) = (host(addr, headers), body.len());
    let head =
        format!("POST /api/v2/{call} HTTP/1.1\r\n{host}Content-Length: {length}\r\n{headers}\r\n");
    raw(addr, &[head.as_bytes(), body].concat())
}

/// Sends a form with files to `torrents/add`.
pub(crate) fn form(
    addr: &str,
    headers: &str,
    params: &[(&str, &str)],
    files: &[(&str, &[u8])],
) -> Answer {
    let mut body = Vec::new();
    for (name, value) in params {
        let part =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    for (name, bytes) in files {
        let head = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"torrents\"; filename=\"{name}\"\r\n\
            Content-Type: application/x-bittorrent\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    send(
        addr,
        "torrents/add",
        &format!("Content-Type: multipart/form-data; boundary=XX\r\n{headers}"),
        &body,
    )
}

/// The info-hash of a torrent.
pub(crate) fn hash(place: &Place, torrent: &str) -> String {
    let seen: Value = serde_json::from_str(&place.ok(&["inspect", "--json", torrent])).unwrap();
    let magnet = seen["magnet"].as_str().unwrap();
    let (_, hash) = magnet.split_once("urn:btih:").unwrap();
    hash[..40].to_owned()
}
