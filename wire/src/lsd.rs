//! The announce of local service discovery (BEP 14): a datagram in the manner of HTTP, sent to a multicast group.

use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use tailwater_types::InfoHash;

use crate::limits::{MAX_LSD_COOKIE_LEN, MAX_LSD_LEN, MAX_LSD_SENT_LEN};

/// The port of both groups (BEP 14).
const PORT: u16 = 6771;

/// A multicast group to which announces are sent. The groups and their port are fixed by BEP 14.
// Not `#[non_exhaustive]`: there are two kinds of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LsdGroup {
    /// `239.192.152.143:6771`, local to an organisation.
    V4,
    /// `[ff15::efc0:988f]:6771`, local to a site.
    V6,
}

impl LsdGroup {
    /// The group of IPv4.
    pub const IPV4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
    /// The group of IPv6.
    pub const IPV6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);

    /// The address that announces are sent to, and, as to the port, received at.
    #[must_use]
    pub const fn addr(self) -> SocketAddr {
        match self {
            Self::V4 => SocketAddr::new(IpAddr::V4(Self::IPV4), PORT),
            Self::V6 => SocketAddr::new(IpAddr::V6(Self::IPV6), PORT),
        }
    }
}

/// A client's mark in its announces, by which it recognises its own: 1 to [`MAX_LSD_COOKIE_LEN`] visible ASCII
/// characters.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LsdCookie(Box<str>);

impl LsdCookie {
    /// The cookie as it stands in the datagram.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LsdCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LsdCookie({})", self.0)
    }
}

/// The number as 16 hexadecimal digits.
impl From<u64> for LsdCookie {
    fn from(number: u64) -> Self {
        Self(format!("{number:016x}").into())
    }
}

impl FromStr for LsdCookie {
    type Err = LsdError;

    fn from_str(text: &str) -> Result<Self, LsdError> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(LsdError::Cookie);
        }
        if text.len() > MAX_LSD_COOKIE_LEN {
            return Err(LsdError::CookieTooLong { len: text.len() });
        }
        Ok(Self(text.into()))
    }
}

/// An announce: its sender takes part in these swarms, at the address it comes from and this port.
// Not `#[non_exhaustive]`: these are the headers of BEP 14.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalAnnounce {
    /// Where the sender listens for peers; never 0 in what [`LocalAnnounce::parse`] gives.
    pub port: u16,
    /// The swarms, in the order of the datagram; never none in what [`LocalAnnounce::parse`] gives.
    pub info_hashes: Vec<InfoHash>,
    /// The cookie by which the sender recognises its own announces.
    pub cookie: Option<LsdCookie>,
}

/// Why a datagram is no announce, or an announce cannot be sent.
///
/// Offsets count bytes from the start of the datagram to that of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LsdError {
    /// A datagram is longer than one that is read or sent may be.
    #[error("an announce of {len} bytes where at most {max} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// [`MAX_LSD_LEN`] or [`MAX_LSD_SENT_LEN`].
        max: usize,
    },
    /// The first line is not `BT-SEARCH * HTTP/1.1`, or of a later HTTP/1.
    #[error("an announce does not begin with BT-SEARCH * HTTP/1.1")]
    RequestLine,
    /// The empty line after the headers is missing.
    #[error("an announce ends within its headers")]
    Unfinished,
    /// A line is not a header: a name, a colon, and a value of visible characters.
    #[error("at offset {offset}: not a header")]
    Header {
        /// Where the line begins.
        offset: usize,
    },
    /// A port that is not a number from 1 to 65535.
    #[error("at offset {offset}: not a port")]
    Port {
        /// Where the line begins.
        offset: usize,
    },
    /// An info-hash that is not 40 hexadecimal digits.
    #[error("at offset {offset}: not an info-hash")]
    InfoHash {
        /// Where the line begins.
        offset: usize,
    },
    /// A header that may come once comes again.
    #[error("at offset {offset}: this header has come before")]
    Duplicate {
        /// Where the second one begins.
        offset: usize,
    },
    /// A cookie with blanks or other characters that are not visible ASCII.
    #[error("a cookie is not made of visible ASCII characters")]
    Cookie,
    /// A cookie longer than [`MAX_LSD_COOKIE_LEN`].
    #[error("a cookie of {len} bytes where at most {MAX_LSD_COOKIE_LEN} are allowed")]
    CookieTooLong {
        /// Its length.
        len: usize,
    },
    /// There is no port, or it is 0 in an announce that is to be sent.
    #[error("an announce without a port")]
    NoPort,
    /// There is no info-hash.
    #[error("an announce without an info-hash")]
    NoInfoHash,
}

impl LocalAnnounce {
    /// Reads a datagram.
    ///
    /// Header names may be in either case, blanks may surround names and values, lines may end without a carriage return;
    /// unknown headers are passed over (BEP 14), as is whatever comes after the empty line.
    ///
    /// # Errors
    ///
    /// When it is not an announce, is longer than [`MAX_LSD_LEN`], or lacks the port or an info-hash.
    pub fn parse(datagram: &[u8]) -> Result<Self, LsdError> {
        if datagram.len() > MAX_LSD_LEN {
            return Err(LsdError::TooLong {
                len: datagram.len(),
                max: MAX_LSD_LEN,
            });
        }
        let mut lines = Lines::new(datagram);
        let (_, request) = lines.next().ok_or(LsdError::RequestLine)?;
        check_request_line(request)?;
        let (mut port, mut cookie) = (None, None);
        let mut info_hashes = Vec::new();
        for (offset, line) in lines {
            if line.is_empty() {
                return Ok(Self {
                    port: port.ok_or(LsdError::NoPort)?,
                    info_hashes: some(info_hashes)?,
                    cookie: cookie.flatten(),
                });
            }
            let (name, value) = header(line).ok_or(LsdError::Header { offset })?;
            if name.eq_ignore_ascii_case("infohash") {
                let hash = value.parse().map_err(|_| LsdError::InfoHash { offset })?;
                info_hashes.push(hash);
            } else if name.eq_ignore_ascii_case("port") {
                once(&mut port, parse_port(value, offset)?, offset)?;
            } else if name.eq_ignore_ascii_case("cookie") {
                let value = (!value.is_empty()).then(|| value.parse()).transpose()?;
                once(&mut cookie, value, offset)?;
            }
        }
        Err(LsdError::Unfinished)
    }

    /// The datagram for a group.
    ///
    /// # Errors
    ///
    /// When the port is 0, there is no info-hash, or it would be longer than [`MAX_LSD_SENT_LEN`], which it is not with
    /// [`MAX_LSD_SENT_HASHES`](crate::limits::MAX_LSD_SENT_HASHES) or fewer.
    pub fn encode(&self, group: LsdGroup) -> Result<Vec<u8>, LsdError> {
        if self.port == 0 {
            return Err(LsdError::NoPort);
        }
        if self.info_hashes.is_empty() {
            return Err(LsdError::NoInfoHash);
        }
        let mut text = String::with_capacity(MAX_LSD_SENT_LEN);
        self.write(group, &mut text)
            .map_err(|fmt::Error| LsdError::Unfinished)?;
        match text.len() > MAX_LSD_SENT_LEN {
            true => Err(LsdError::TooLong {
                len: text.len(),
                max: MAX_LSD_SENT_LEN,
            }),
            false => Ok(text.into_bytes()),
        }
    }

    /// Names are written as BEP 14 writes them: there are clients that take no other case.
    fn write(&self, group: LsdGroup, text: &mut String) -> fmt::Result {
        write!(text, "BT-SEARCH * HTTP/1.1\r\nHost: {}\r\n", group.addr())?;
        write!(text, "Port: {}\r\n", self.port)?;
        for hash in &self.info_hashes {
            write!(text, "Infohash: {hash}\r\n")?;
        }
        if let Some(cookie) = &self.cookie {
            write!(text, "cookie: {}\r\n", cookie.as_str())?;
        }
        text.write_str("\r\n\r\n")
    }
}

/// Lines with their offsets, without their line ends. Text without a line feed after it is no line.
struct Lines<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Lines<'a> {
    const fn new(datagram: &'a [u8]) -> Self {
        Self {
            rest: datagram,
            offset: 0,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let (line, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        let offset = self.offset;
        self.rest = rest;
        self.offset += end + 1;
        Some((offset, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

fn check_request_line(line: &[u8]) -> Result<(), LsdError> {
    let line = visible(line).ok_or(LsdError::RequestLine)?;
    let mut words = line.split_ascii_whitespace();
    let expected = words.next() == Some("BT-SEARCH") && words.next() == Some("*");
    let minor = words.next().and_then(|word| word.strip_prefix("HTTP/1."));
    // A parser of 1.1 must accept later minor versions of HTTP/1; no client sends 1.0.
    let is_known = minor.is_some_and(|minor| minor.parse::<u8>().is_ok_and(|minor| minor >= 1));
    match expected && is_known && words.next().is_none() {
        true => Ok(()),
        false => Err(LsdError::RequestLine),
    }
}

/// Name and value, without the blanks around them.
fn header(line: &[u8]) -> Option<(&str, &str)> {
    let (name, value) = visible(line)?.split_once(':')?;
    let (name, value) = (name.trim_end(), value.trim());
    // A blank before the name would continue the line above, which RFC 7230 no longer allows.
    let is_token = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_token.then_some((name, value))
}

/// The line as text, if it is printable ASCII and tabs.
fn visible(line: &[u8]) -> Option<&str> {
    let is_visible = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    let text = line.iter().all(is_visible).then_some(line)?;
    std::str::from_utf8(text).ok()
}

fn parse_port(value: &str, offset: usize) -> Result<u16, LsdError> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let port = value.parse().ok().filter(|&port| is_number && port != 0);
    port.ok_or(LsdError::Port { offset })
}

fn once<T>(slot: &mut Option<T>, value: T, offset: usize) -> Result<(), LsdError> {
    match slot.replace(value) {
        Some(_) => Err(LsdError::Duplicate { offset }),
        None => Ok(()),
    }
}

fn some(info_hashes: Vec<InfoHash>) -> Result<Vec<InfoHash>, LsdError> {
    match info_hashes.is_empty() {
        true => Err(LsdError::NoInfoHash),
        false => Ok(info_hashes),
    }
}
