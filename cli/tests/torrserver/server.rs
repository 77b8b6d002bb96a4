//! A daemon with the API, and a client that writes requests by hand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, raw};
use crate::support::Place;

/// Nothing here takes longer unless it hangs.
pub(crate) const HANGS_AFTER: Duration = Duration::from_secs(90);

/// A daemon whose API is asked.
pub(crate) struct TorrServer<'a> {
    pub(crate) daemon: Daemon<'a>,
    /// Where it is.
    pub(crate) addr: String,
}

impl<'a> TorrServer<'a> {
    pub(crate) fn start(place: &'a Place, more: &[&str]) -> Self {
        let args = [&["--torrserver", "127.0.0.1:0"], more].concat();
        let (daemon, line) = Daemon::start_saying(place, &args, "TorrServer's API:");
        let addr = addr(&line);
        Self { daemon, addr }
    }

    /// Where it is, for programs.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Sends a request with these header lines.
    pub(crate) fn send(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        send(&self.addr, method, target, headers, body)
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send("GET", target, "", b"")
    }

    /// Posts JSON, with the type that jQuery and curl give it.
    pub(crate) fn post(&self, target: &str, json: &Value) -> Answer {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.send("POST", target, kind, json.to_string().as_bytes())
    }

    /// Posts JSON that must be answered with JSON.
    #[track_caller]
    pub(crate) fn ask(&self, target: &str, json: &Value) -> Value {
        let answer = self.post(target, json);
        assert_eq!(answer.status, 200, "{json}: {answer:?}");
        let kind = answer.header("content-type").unwrap();
        assert!(kind.starts_with("application/json"), "{kind}");
        answer.json()
    }

    /// Posts JSON that must be answered with nothing.
    #[track_caller]
    pub(crate) fn tell(&self, target: &str, json: &Value) {
        let answer = self.post(target, json);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{json}");
    }

    /// What is said of a torrent.
    #[track_caller]
    pub(crate) fn torrent(&self, hash: &str) -> Value {
        self.ask("/torrents", &json!({"action": "get", "hash": hash}))
    }

    /// All torrents.
    pub(crate) fn list(&self) -> Vec<Value> {
        let list = self.ask("/torrents", &json!({"action": "list"}));
        list.as_array().unwrap().clone()
    }

    /// Waits until something of a torrent is as it should be.
    #[track_caller]
    pub(crate) fn until(&self, hash: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let torrent = self.torrent(hash);
            if is_so(&torrent) {
                return torrent;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "it stays {torrent}");
        }
    }

    /// Waits until the list is as it should be, without asking for a torrent.
    #[track_caller]
    pub(crate) fn until_list(&self, is_so: impl Fn(&[Value]) -> bool) {
        let begun = Instant::now();
        loop {
            let list = self.list();
            if is_so(&list) {
                return;
            }
            assert!(begun.elapsed() < HANGS_AFTER, "it stays {list:?}");
        }
    }
}

/// The address in a line of the daemon.
pub(crate) fn addr(line: &str) -> String {
    let url = line.rsplit(' ').next().unwrap();
    url.split('/').nth(2).unwrap().to_owned()
}

/// Sends a request with these header lines.
pub(crate) fn send(addr: &str, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
    let host = match headers.contains("Host:") {
        true => String::new(),
        false => format!("Host: {addr}\r\n"),
    };
    let length = match headers.contains("Content-Length:") || method != "POST" {
        true => String::new(),
        false => format!("Content-Length: {}\r\n", body.len()),
    };
    let close = "Connection: close\r\n";
    let head = format!("{method} {target} HTTP/1.1\r\n{host}{length}{close}{headers}\r\n");
    let request = [head.as_bytes(), body].concat();
    match method {
        "HEAD" => head_of(addr, &request),
        _ => raw(addr, &request),
    }
}

/// The answer to a request for the head alone.
fn head_of(addr: &str, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    stream.write_all(request).unwrap();
    let mut head = String::new();
    stream.read_to_string(&mut head).unwrap();
    assert!(head.ends_with("\r\n\r\n"), "it has a body: {head}");
    Answer {
        status: head[9..12].parse().unwrap(),
        head,
        body: Vec::new(),
    }
}

/// Percent-encodes all but letters and digits.
pub(crate) fn encoded(text: &str) -> String {
    let bytes = text.bytes();
    bytes
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// The magnet link of a torrent, with the address of a peer.
pub(crate) fn magnet(place: &Place, torrent: &str, peer: &str) -> String {
    let torrent: Value = serde_json::from_str(&place.ok(&["inspect", "--json", torrent])).unwrap();
    format!("{}&x.pe={peer}", torrent["magnet"].as_str().unwrap())
}

/// The info-hash in a magnet link.
pub(crate) fn hash_of(magnet: &str) -> String {
    let (_, after) = magnet.split_once("urn:btih:").unwrap();
    after[..40].to_owned()
}

/// A form with a file and texts.
pub(crate) fn form(files: &[&[u8]], texts: &[(&str, &str)]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, text) in texts {
        let part =
            format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    for file in files {
        let head =
            "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.torrent\"\r\n\r\n";
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--XX--\r\n");
    let kind = "Content-Type: multipart/form-data; boundary=XX\r\n".to_owned();
    (kind, body)
}
