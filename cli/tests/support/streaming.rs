//! `tailwater stream` that runs, and a client of it.

#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::{LOCAL, Place, Running};

/// A stream that runs, and where.
pub(crate) struct Streaming {
    pub(crate) process: Running,
    pub(crate) urls: Value,
}

impl Streaming {
    pub(crate) fn start(place: &Place, torrent: &str, peer: &str, more: &[&str]) -> Self {
        let fixed = ["stream", torrent, "--peer", peer, "--json"];
        let process = place.start(&[&fixed, &LOCAL[..], more].concat());
        let urls = serde_json::from_str(&process.line("\"page\"")).unwrap();
        Self { process, urls }
    }

    pub(crate) fn url(&self, name: &str) -> &str {
        self.urls[name].as_str().unwrap()
    }

    pub(crate) fn get(&self, name: &str, headers: &str) -> (String, Vec<u8>) {
        get(self.url(name), headers)
    }

    pub(crate) fn stats(&self) -> Value {
        serde_json::from_slice(&self.get("stats", "").1).unwrap()
    }
}

/// A head, and a body.
pub(crate) fn get(url: &str, headers: &str) -> (String, Vec<u8>) {
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let request =
        format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let body = answer.split_off(end);
    (String::from_utf8(answer).unwrap(), body)
}
