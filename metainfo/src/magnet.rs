//! Magnet links (BEP 9, BEP 53).

use crate::limits::MAX_MAGNET_LEN;
use crate::{HostPort, InfoHash, InfoHashV2, InfoHashes};
use data_encoding::BASE32_NOPAD_NOCASE;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// The prefix of a v2 hash in hex: the multihash code and length of SHA-256 (BEP 9).
const SHA256_TAG: &str = "1220";

/// All characters but those that need no escape in a value (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A magnet link: enough to find a torrent's peers and, from them, its info dictionary.
///
/// [`FromStr`] reads one, [`Display`](fmt::Display) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Magnet {
    /// `xt`: at least one of the two.
    pub hashes: InfoHashes,
    /// `dn`: a name to show until the real one is known; it is not safe as a file name.
    pub name: Option<String>,
    /// `tr`: URLs of trackers, each a tier of its own.
    pub trackers: Vec<String>,
    /// `ws`: URLs of web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// `x.pe`: peers to connect to.
    pub peers: Vec<HostPort>,
    /// `so`: the numbers of the files to download, as ranges in the order of the link; empty means all (BEP 53). They
    /// are not checked against any torrent, and may be as large as [`u32::MAX`]: iterate over the files, not over them.
    pub select_only: Vec<RangeInclusive<u32>>,
}

/// Why a text is not a magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MagnetError {
    /// It is longer than [`MAX_MAGNET_LEN`].
    #[error("a magnet link of {0} bytes: more than {MAX_MAGNET_LEN}")]
    TooLong(usize),
    /// It does not begin with `magnet:?`.
    #[error("not a magnet link: it does not begin with magnet:?")]
    Scheme,
    /// No `xt` parameter names a torrent.
    #[error("the magnet link names no torrent: no xt=urn:btih: or xt=urn:btmh:")]
    NoHash,
    /// A `btih` is neither 40 hexadecimal nor 32 base32 digits.
    #[error("{0:?} is not a v1 info-hash of 40 hexadecimal or 32 base32 digits")]
    HashV1(String),
    /// A `btmh` is not the multihash of a SHA-256 in hexadecimal.
    #[error("{0:?} is not a v2 info-hash: 1220 and 64 hexadecimal digits")]
    HashV2(String),
    /// It names two torrents.
    #[error("the magnet link names two torrents")]
    TwoTorrents,
    /// The file numbers of `so` cannot be read (BEP 53).
    #[error("so={0}: not a list of file numbers and ranges")]
    SelectOnly(String),
}

impl Magnet {
    /// A link with hashes and nothing else.
    #[must_use]
    pub const fn new(hashes: InfoHashes) -> Self {
        Self {
            hashes,
            name: None,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            select_only: Vec::new(),
        }
    }

    /// Whether the link selects the file of this number; one without `so` selects all (BEP 53).
    #[must_use]
    pub fn selects(&self, file: u32) -> bool {
        self.select_only.is_empty() || self.select_only.iter().any(|range| range.contains(&file))
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), MagnetError> {
        // `tr.1` is another way to repeat a key.
        let (name, number) = key.rsplit_once('.').unwrap_or((key, "0"));
        let name = if number.bytes().all(|byte| byte.is_ascii_digit()) {
            name
        } else {
            key
        };
        match name.to_ascii_lowercase().as_str() {
            "xt" => self.take_topic(&decode(value))?,
            "dn" => {
                let spaced = value.replace('+', " ");
                self.name = Some(decode(&spaced).into_owned()).filter(|name| !name.is_empty());
            }
            "tr" => push_new(&mut self.trackers, &decode(value)),
            "ws" => push_new(&mut self.web_seeds, &decode(value)),
            // A peer that cannot be read is one source less, not a broken link.
            "x.pe" => self.peers.extend(decode(value).parse::<HostPort>().ok()),
            "so" => self.select_only.extend(file_numbers(&decode(value))?),
            _ => {}
        }
        Ok(())
    }

    /// Other kinds of topic, such as those of other networks, are ignored.
    fn take_topic(&mut self, topic: &str) -> Result<(), MagnetError> {
        if let Some(hash) = strip_prefix_ignoring_case(topic, "urn:btih:") {
            let hash = parse_v1(hash).ok_or_else(|| MagnetError::HashV1(hash.to_owned()))?;
            set(&mut self.hashes.v1, hash)?;
        } else if let Some(hash) = strip_prefix_ignoring_case(topic, "urn:btmh:") {
            let digits = hash
                .strip_prefix(SHA256_TAG)
                .and_then(|digits| digits.parse().ok());
            let hash: InfoHashV2 = digits.ok_or_else(|| MagnetError::HashV2(hash.to_owned()))?;
            set(&mut self.hashes.v2, hash)?;
        }
        Ok(())
    }
}

/// Reads a magnet link. Keys that it does not know are ignored, so are unusable peers.
impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(text: &str) -> Result<Self, MagnetError> {
        let text = text.trim();
        if text.len() > MAX_MAGNET_LEN {
            return Err(MagnetError::TooLong(text.len()));
        }
        let query = strip_prefix_ignoring_case(text, "magnet:?").ok_or(MagnetError::Scheme)?;
        let mut magnet = Self::new(InfoHashes { v1: None, v2: None });
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            magnet.take(key, value)?;
        }
        if magnet.hashes.wire().is_none() {
            return Err(MagnetError::NoHash);
        }
        Ok(magnet)
    }
}

/// The link; reading it gives an equal magnet.
impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("magnet:?")?;
        let v1 = self.hashes.v1.map(|hash| format!("xt=urn:btih:{hash}"));
        let v2 = self
            .hashes
            .v2
            .map(|hash| format!("xt=urn:btmh:{SHA256_TAG}{hash}"));
        let topics: Vec<_> = v1.into_iter().chain(v2).collect();
        f.write_str(&topics.join("&"))?;
        let mut write =
            |key: &str, value: &str| write!(f, "&{key}={}", utf8_percent_encode(value, ESCAPED));
        self.name.iter().try_for_each(|name| write("dn", name))?;
        self.trackers.iter().try_for_each(|url| write("tr", url))?;
        self.web_seeds.iter().try_for_each(|url| write("ws", url))?;
        self.peers
            .iter()
            .try_for_each(|peer| write("x.pe", &peer.to_string()))?;
        if !self.select_only.is_empty() {
            let ranges: Vec<_> = self.select_only.iter().map(range_text).collect();
            write!(f, "&so={}", ranges.join(","))?;
        }
        Ok(())
    }
}

fn decode(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8_lossy()
}

fn push_new(urls: &mut Vec<String>, url: &str) {
    let url = url.trim();
    if !url.is_empty() && !urls.iter().any(|known| known == url) {
        urls.push(url.to_owned());
    }
}

fn set<T: PartialEq>(slot: &mut Option<T>, hash: T) -> Result<(), MagnetError> {
    if slot.as_ref().is_some_and(|known| *known != hash) {
        return Err(MagnetError::TwoTorrents);
    }
    *slot = Some(hash);
    Ok(())
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn parse_v1(text: &str) -> Option<InfoHash> {
    text.parse().ok().or_else(|| parse_base32(text))
}

/// 32 digits of 5 bits, in either case (RFC 4648).
fn parse_base32(text: &str) -> Option<InfoHash> {
    let mut bytes = [0; 20];
    // Another length of text is another length of output, for which there would be no room.
    let is_base32 = text.len() == 32
        && BASE32_NOPAD_NOCASE
            .decode_mut(text.as_bytes(), &mut bytes)
            .is_ok();
    is_base32.then_some(InfoHash::new(bytes))
}

/// Numbers and inclusive ranges of numbers, with commas between (BEP 53).
fn file_numbers(text: &str) -> Result<Vec<RangeInclusive<u32>>, MagnetError> {
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits)
    };
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = number(first)?..=number(last)?;
        (!range.is_empty()).then_some(range)
    };
    let ranges: Option<Vec<_>> = text.split(',').map(range).collect();
    ranges.ok_or_else(|| MagnetError::SelectOnly(text.to_owned()))
}

fn range_text(range: &RangeInclusive<u32>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{}-{}", range.start(), range.end())
    }
}
