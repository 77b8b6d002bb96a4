//! A minimal HTTP client: it measures when bytes arrive, directly at the socket.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use url::Url;

/// A wait of this long means that something hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// As much as one read takes from the socket.
const READ: usize = 256 * 1024;

/// The longest response header.
const HEADER: usize = 16 * 1024;

/// A body that arrives.
pub(crate) struct Body {
    stream: TcpStream,
    /// From before the connection was opened to the body's first byte.
    pub(crate) first_byte: Duration,
    buffer: Vec<u8>,
    /// What of the buffer has come and was not read yet.
    pending: std::ops::Range<usize>,
}

/// Asks for a file from `position` on; returns when the first byte of the body has come.
pub(crate) fn get(url: &Url, position: u64) -> io::Result<Body> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let addrs = url.socket_addrs(|| None)?;
    let asked = Instant::now();
    let mut stream = TcpStream::connect(&addrs[..])?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    let host = url.authority();
    let path = url.path();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nRange: bytes={position}-\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut buffer = vec![0; READ];
    let mut len = 0;
    let body = loop {
        let end = buffer[..len]
            .windows(4)
            .position(|window| window == b"\r\n\r\n");
        match end {
            Some(end) if end + 4 < len => break end + 4,
            None if len > HEADER => return Err(bad("the header does not end")),
            _ => {}
        }
        match stream.read(&mut buffer[len..])? {
            0 => return Err(bad("no body")),
            more => len += more,
        }
    };
    let first_byte = asked.elapsed();
    if !buffer.starts_with(b"HTTP/1.1 206 ") {
        let status = String::from_utf8_lossy(&buffer[..buffer.len().min(20)]);
        return Err(bad(&format!("not a range: {status}")));
    }
    Ok(Body {
        stream,
        first_byte,
        buffer,
        pending: body..len,
    })
}

impl Body {
    /// The next bytes; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<&[u8]> {
        if self.pending.is_empty() {
            self.pending = 0..self.stream.read(&mut self.buffer)?;
        }
        let pending = std::mem::take(&mut self.pending);
        Ok(&self.buffer[pending])
    }
}
