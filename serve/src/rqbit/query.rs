//! What a request asks for.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::control::{AddParams, AddSource, TorrentId, TorrentView};

/// The most files that are named.
const MAX_FILES: usize = 100_000;
/// The longest link, in bytes: a magnet link with many trackers.
const MAX_LINK_LEN: usize = 16 * 1_024;

/// Why a request cannot be done, in words.
pub(super) type Wrong = &'static str;

/// What stands behind `/torrents`. What is unknown is passed over, as by rqbit.
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub(super) struct Query {
    with_stats: Option<String>,
    is_url: Option<String>,
    list_only: Option<String>,
    paused: Option<String>,
    output_folder: Option<String>,
    sub_folder: Option<String>,
    only_files: Option<String>,
    only_files_regex: Option<String>,
    initial_peers: Option<String>,
}

fn is_true(text: Option<&String>) -> bool {
    text.is_some_and(|text| text == "true")
}

impl Query {
    pub(super) fn read(query: Option<&str>) -> Result<Self, Wrong> {
        serde_urlencoded::from_str(query.unwrap_or_default()).map_err(|_| "the query is malformed")
    }

    pub(super) fn with_stats(&self) -> bool {
        is_true(self.with_stats.as_ref())
    }

    pub(super) fn list_only(&self) -> bool {
        is_true(self.list_only.as_ref())
    }

    pub(super) fn peers(&self) -> Vec<SocketAddr> {
        let peers = self.initial_peers.as_deref().unwrap_or_default();
        peers
            .split(',')
            .filter_map(|peer| peer.trim().parse().ok())
            .collect()
    }

    pub(super) fn params(&self) -> Result<AddParams, Wrong> {
        if self
            .only_files_regex
            .as_ref()
            .is_some_and(|it| !it.is_empty())
        {
            return Err(
                "only_files_regex is not supported; name the files by number, with only_files",
            );
        }
        // One replaces the folder, the other is inside it: both mean the same to the daemon.
        let folder = self.output_folder.as_ref().or(self.sub_folder.as_ref());
        let files = self.only_files.as_deref().filter(|it| !it.is_empty());
        Ok(AddParams {
            folder: folder.filter(|it| !it.is_empty()).cloned(),
            paused: is_true(self.paused.as_ref()),
            files: files.map(numbers).transpose()?,
            peers: self.peers(),
            ..AddParams::default()
        })
    }

    /// What the body is: a link, or a .torrent file.
    pub(super) fn source(&self, body: &[u8]) -> Result<AddSource, Wrong> {
        let looks_like_link = ["magnet:", "http:", "https:"]
            .iter()
            .any(|it| body.starts_with(it.as_bytes()));
        let is_hash =
            || std::str::from_utf8(body).is_ok_and(|text| text.trim().parse::<TorrentId>().is_ok());
        let is_link = match self.is_url.as_deref() {
            Some("true") => true,
            Some("false") => false,
            _ => looks_like_link || is_hash(),
        };
        if !is_link {
            return Ok(AddSource::TorrentFile(body.to_vec()));
        }
        if body.len() > MAX_LINK_LEN {
            return Err("the link is too long");
        }
        let text = std::str::from_utf8(body).map_err(|_| "the link is not UTF-8")?;
        Ok(AddSource::Link(text.trim().to_owned()))
    }
}

/// Numbers with commas between them.
fn numbers(text: &str) -> Result<Vec<usize>, Wrong> {
    let mut found = Vec::new();
    for number in text.split(',') {
        if found.len() == MAX_FILES {
            return Err("too many files are named");
        }
        found.push(
            number
                .trim()
                .parse()
                .map_err(|_| "only_files is not a list of numbers")?,
        );
    }
    Ok(found)
}

/// The body of a choice of files.
#[derive(Debug, Deserialize)]
pub(super) struct OnlyFiles {
    pub(super) only_files: Vec<usize>,
}

/// The torrent that a path names, by its number or its info-hash.
pub(super) fn named(torrents: Vec<TorrentView>, name: &str) -> Option<TorrentView> {
    let number: Option<i64> = name.parse().ok();
    let id: Option<TorrentId> = name.parse().ok();
    let is_it = |it: &TorrentView| id.map_or_else(|| number == Some(it.number), |id| it.id == id);
    torrents.into_iter().find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_how_a_torrent_is_added() {
        let text = "overwrite=true&paused=true&output_folder=%2Fd&only_files=0,+2&initial_peers=192.0.2.1:5,x&nothing=1";
        let query = Query::read(Some(text)).unwrap();
        let params = query.params().unwrap();
        assert_eq!(params.folder.as_deref(), Some("/d"));
        assert_eq!((params.paused, params.files), (true, Some(vec![0, 2])));
        assert_eq!(params.peers, ["192.0.2.1:5".parse().unwrap()]);
        assert!(!query.with_stats() && !query.list_only());
        assert!(Query::read(Some("with_stats=true")).unwrap().with_stats());
        assert_eq!(Query::read(None), Ok(Query::default()));
        for wrong in [
            "only_files=a",
            "only_files=1,,2",
            "only_files=-1",
            "only_files_regex=.*mkv",
        ] {
            assert!(
                Query::read(Some(wrong)).unwrap().params().is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_body_is_a_link_or_a_file() {
        let guess = Query::default();
        let link = |query: &Query, body: &[u8]| match query.source(body) {
            Ok(AddSource::Link(text)) => Some(text),
            Ok(AddSource::TorrentFile(_)) => None,
            Err(wrong) => Some(wrong.to_owned()),
        };
        let hash = "0123456789abcdef0123456789abcdef01234567";
        for text in ["magnet:?xt=urn:btih:x", "http://a/b", "https://a", hash] {
            assert_eq!(link(&guess, text.as_bytes()).as_deref(), Some(text));
        }
        assert_eq!(link(&guess, b"d8:announce"), None);
        let is_file = Query::read(Some("is_url=false")).unwrap();
        assert_eq!(link(&is_file, b"magnet:?x"), None);
        let is_url = Query::read(Some("is_url=true")).unwrap();
        assert_eq!(link(&is_url, b"x").as_deref(), Some("x"));
        assert_eq!(
            link(&is_url, b"\xff").as_deref(),
            Some("the link is not UTF-8")
        );
        let long = format!("magnet:?{}", "x".repeat(MAX_LINK_LEN));
        assert_eq!(
            link(&guess, long.as_bytes()).as_deref(),
            Some("the link is too long")
        );
    }
}
