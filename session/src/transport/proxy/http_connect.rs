//! `CONNECT` to an HTTP proxy (RFC 9110, section 9.3.6).

use std::net::SocketAddr;

use data_encoding::BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::ProxyError;
use crate::proxy::Credentials;

/// The longest head of an answer, in bytes. Proxies send a few lines.
const MAX_HEAD_LEN: usize = 8 * 1024;
/// Bytes of an answer that are looked at in one turn.
const PEEKED: usize = 1024;
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Asks for a tunnel to `to`. Nothing that comes after the answer's head is taken from the stream.
pub(super) async fn connect(
    stream: &mut TcpStream,
    credentials: Option<&Credentials>,
    to: SocketAddr,
) -> Result<(), ProxyError> {
    let to = SocketAddr::new(to.ip().to_canonical(), to.port());
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(Credentials { user, password }) = credentials {
        let pair = [user, &b":"[..], password].concat();
        request += &format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(&pair));
    }
    request += "\r\n";
    stream.write_all(request.as_bytes()).await?;
    let head = read_head(stream).await?;
    match status(&head) {
        Some(200..=299) => Ok(()),
        Some(407) if credentials.is_none() => Err(ProxyError::CredentialsNeeded),
        Some(407) => Err(ProxyError::CredentialsRefused),
        Some(status) => Err(ProxyError::HttpStatus(status)),
        None => Err(ProxyError::Malformed("no answer of HTTP")),
    }
}

async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, ProxyError> {
    let mut head = Vec::new();
    let mut peeked = [0; PEEKED];
    loop {
        let count = stream.peek(&mut peeked).await?;
        if count == 0 {
            return Err(ProxyError::Closed);
        }
        // The end may have begun with what was read before.
        let before = head.len();
        let begin = before.saturating_sub(END_OF_HEAD.len() - 1);
        head.extend_from_slice(peeked.get(..count).unwrap_or_default());
        let searched = head.get(begin..).unwrap_or_default();
        let end = searched
            .windows(END_OF_HEAD.len())
            .position(|window| window == END_OF_HEAD);
        if let Some(end) = end {
            head.truncate(begin + end + END_OF_HEAD.len());
        }
        // What was only looked at is taken.
        let taken = peeked.get_mut(..head.len() - before).unwrap_or_default();
        stream.read_exact(taken).await?;
        if end.is_some() {
            return Ok(head);
        }
        if head.len() > MAX_HEAD_LEN {
            return Err(ProxyError::Malformed("an answer without an end"));
        }
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}
