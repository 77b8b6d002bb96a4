//! The URL of a web seed, and the URLs that are made of it.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tailwater_http::{Url, UrlTrust};
use tailwater_metainfo::{FileEntry, Info, InfoHash};

/// The characters of a file name that stand in a URL as they are: the unreserved ones of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// How a web seed is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Files as they are, by HTTP ranges (BEP 19).
    Files,
    /// A script that is asked for pieces by a query (BEP 17).
    Query,
}

/// A web seed: its URL, and how it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebSeedUrl {
    pub(crate) url: String,
    pub(crate) protocol: Protocol,
    pub(crate) trust: UrlTrust,
}

impl WebSeedUrl {
    /// A web seed that the torrent or a magnet link names; `None` if its scheme is another or it is no URL. On a private
    /// address it may carry no query of its own.
    pub(crate) fn of_stranger(url: &str, protocol: Protocol) -> Option<Self> {
        let parsed = parse(url)?;
        Some(Self {
            url: url.to_owned(),
            protocol,
            trust: UrlTrust::of_stranger(&parsed, |_| true),
        })
    }

    /// A web seed that the user named (BEP 19): it may lead anywhere.
    pub(crate) fn named(url: &str) -> Option<Self> {
        parse(url)?;
        Some(Self {
            url: url.to_owned(),
            protocol: Protocol::Files,
            trust: UrlTrust::Named,
        })
    }

    /// The URL for people: without user name, password, query and fragment, which may be secrets.
    pub(crate) fn shown(&self) -> String {
        let Some(mut url) = parse(&self.url) else {
            return String::new();
        };
        // Neither fails for a URL with a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        url.into()
    }

    /// The URL of a file (BEP 19).
    pub(crate) fn of_file(&self, info: &Info, file: &FileEntry) -> String {
        let mut url = self.url.clone();
        if !info.is_multi_file() {
            if url.ends_with('/') {
                push_segment(&mut url, info.original_name().unwrap_or(info.name()));
            }
            return url;
        }
        if !url.ends_with('/') {
            url.push('/');
        }
        let mut safe = file.path().components();
        let safe_name = safe.next().unwrap_or_default();
        let original = file.original_path().filter(|path| is_plain(path));
        let name = info.original_name().filter(|name| is_plain(name));
        push_segment(&mut url, name.unwrap_or(safe_name));
        let segments: Vec<&str> = match original {
            Some(path) => path.split('/').collect(),
            None => safe.collect(),
        };
        for segment in segments {
            url.push('/');
            push_segment(&mut url, segment);
        }
        url
    }

    /// The URL for a range of a piece, in bytes from its beginning, the last one included (BEP 17).
    pub(crate) fn of_piece(
        &self,
        info_hash: &InfoHash,
        piece: u32,
        first: u32,
        last: u32,
    ) -> String {
        let mut url = self.url.clone();
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str("info_hash=");
        for byte in info_hash.as_bytes() {
            // Writing to a string does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
        let _ = write!(url, "&piece={piece}&ranges={first}-{last}");
        url
    }
}

/// Whether no part of a path has a meaning in a URL: `..` would lead elsewhere, also percent-encoded.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn push_segment(url: &mut String, segment: &str) {
    url.extend(utf8_percent_encode(segment, ESCAPED));
}

fn parse(url: &str) -> Option<Url> {
    let url = Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}
