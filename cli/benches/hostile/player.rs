//! A player of `tailwater stream`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Bytes that a player takes at once.
const PORTION: usize = 64 * 1024;
/// The longest wait for any data.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The measurements of one play.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Played {
    /// The longest that the player waited for the next bytes, the first ones included.
    pub(crate) worst_gap: Duration,
    pub(crate) bytes: u64,
}

/// Plays `url` from `position` on at `rate` bytes a second, for so long or until `bytes` have come.
pub(crate) fn play(url: &str, position: u64, rate: u64, bytes: u64) -> Played {
    let mut played = Played::default();
    let began = Instant::now();
    match read(url, position, |count, waited| {
        played.bytes += count as u64;
        played.worst_gap = played.worst_gap.max(waited);
        let due = began + Duration::from_secs_f64(played.bytes as f64 / rate as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        played.bytes < bytes
    }) {
        Ok(()) => {}
        // It waited in vain.
        Err(_) => played.worst_gap = PATIENCE,
    }
    played
}

/// Requests the rest of the file and passes on how many bytes came and how long each read took, until `more` returns
/// false.
fn read(url: &str, position: u64, mut more: impl FnMut(usize, Duration) -> bool) -> io::Result<()> {
    let (addr, path) = parts(url);
    let mut asked = Instant::now();
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nRange: bytes={position}-\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut buffer = vec![0; PORTION];
    let mut head = Vec::new();
    let mut in_body = false;
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut body = count;
        if !in_body {
            head.extend_from_slice(&buffer[..count]);
            let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                continue;
            };
            if !head.starts_with(b"HTTP/1.1 206") {
                return Err(io::ErrorKind::InvalidData.into());
            }
            in_body = true;
            body = head.len() - end - 4;
            if body == 0 {
                continue;
            }
        }
        if !more(body, asked.elapsed()) {
            return Ok(());
        }
        asked = Instant::now();
    }
}

/// Where a URL of the stream server leads.
pub(crate) fn parts(url: &str) -> (SocketAddr, &str) {
    let rest = url.trim_start_matches("http://");
    let (addr, _) = rest.split_once('/').unwrap();
    (addr.parse().unwrap(), &rest[addr.len()..])
}
