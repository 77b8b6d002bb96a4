//! A client of HTTP that sends whatever a test wants, and reads one answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The answer is a problem document of this status, whose type ends like this.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, kind: &str) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{} {text}", self.head);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{text}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(
            problem["type"],
            format!("urn:tailwater:problem:{kind}"),
            "{problem}"
        );
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty())
        );
    }
}

/// Sends a request as it is written, and reads the answer.
pub(crate) fn raw(addr: &str, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    // The server may answer before it has read everything, and close.
    let _ = stream.write_all(request);
    answer(&mut BufReader::new(stream))
}

/// A connection for several requests.
pub(crate) struct Kept {
    reader: BufReader<TcpStream>,
    addr: String,
}

impl Kept {
    pub(crate) fn open(addr: &str) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            reader: BufReader::new(stream),
            addr: addr.to_owned(),
        }
    }

    /// Sends JSON.
    pub(crate) fn send(&mut self, method: &str, path: &str, json: &str) -> Answer {
        let (host, length) = (&self.addr, json.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let request = head + json;
        self.write(request.as_bytes());
        self.read()
    }

    /// Sends a part of a request.
    pub(crate) fn write(&mut self, part: &[u8]) {
        self.reader.get_mut().write_all(part).unwrap();
    }

    /// Reads an answer.
    pub(crate) fn read(&mut self) -> Answer {
        answer(&mut self.reader)
    }
}

fn answer(reader: &mut BufReader<TcpStream>) -> Answer {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = reader.read_line(&mut head).unwrap();
        assert!(read > 0, "the answer ended: {head:?}");
    }
    let status = head[9..12].parse().unwrap();
    let mut answer = Answer {
        status,
        head,
        body: Vec::new(),
    };
    // These have no body, and no length of it.
    if matches!(status, 204 | 304) {
        return answer;
    }
    match answer
        .header("content-length")
        .map(|len| len.parse().unwrap())
    {
        Some(len) => {
            answer.body = vec![0; len];
            reader.read_exact(&mut answer.body).unwrap();
        }
        None => answer.body = chunked(reader),
    }
    answer
}

fn chunked(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return body;
        }
        let len = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
        if len == 0 {
            return body;
        }
        let start = body.len();
        body.resize(start + len, 0);
        reader.read_exact(&mut body[start..]).unwrap();
        let mut end = [0; 2];
        reader.read_exact(&mut end).unwrap();
    }
}

/// Server-sent events, one after the other.
pub(crate) struct Events {
    reader: BufReader<TcpStream>,
}

impl Events {
    /// Begins behind an event, as a client that reconnects.
    pub(crate) fn open(addr: &str, last: Option<u64>) -> Self {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(HANGS_AFTER)).unwrap();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        write!(
            stream,
            "GET /api/v1/events HTTP/1.1\r\nHost: {addr}\r\n{last}\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0);
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("text/event-stream"), "{head}");
        let mut events = Self { reader };
        // It has begun when this has come.
        events.until(|line| line.starts_with("retry:"));
        events
    }

    fn until(&mut self, is_meant: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            // Comments keep a connection alive that has nothing to say.
            assert!(begun.elapsed() < HANGS_AFTER, "no such event has come");
            let mut line = String::new();
            assert!(
                self.reader.read_line(&mut line).unwrap() > 0,
                "the events ended"
            );
            if is_meant(line.trim_end()) {
                return line.trim_end().to_owned();
            }
        }
    }

    /// The next event: its number, name and data.
    pub(crate) fn next(&mut self) -> (u64, String, Value) {
        let id = self.until(|line| line.starts_with("id: "));
        let name = self.until(|line| line.starts_with("event: "));
        let data = self.until(|line| line.starts_with("data: "));
        (
            id["id: ".len()..].parse().unwrap(),
            name["event: ".len()..].to_owned(),
            serde_json::from_str(&data["data: ".len()..]).unwrap(),
        )
    }

    /// The next event of this name.
    pub(crate) fn next_named(&mut self, wanted: &str) -> (u64, Value) {
        loop {
            let (id, name, data) = self.next();
            if name == wanted {
                return (id, data);
            }
        }
    }
}
