//! What a link of a client means: a magnet link, an info-hash, the URL of a .torrent file, or `torrs://`.

use tailwater_metainfo::{InfoHash, InfoHashes, Magnet};

use super::base62;
use super::refused::Refused;
use super::torrs_hash::{self, TorrsHash};
use crate::control::{AddSource, TorrentId};

/// A `torrs` link without its scheme is longer than an info-hash in any form.
const SHORTEST_WORD: usize = 46;

/// What a link means.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) source: AddSource,
    /// The torrent; unknown as long as only a URL is.
    pub(super) id: Option<TorrentId>,
    /// What the link says of it.
    pub(super) title: String,
    pub(super) poster: String,
    pub(super) category: String,
}

impl Link {
    /// Reads a link. Files of this machine are not read.
    pub(super) fn read(text: &str) -> Result<Self, Refused> {
        // Web pages write it so, and some clients take it over.
        let text = text.trim().replace("&amp;", "&");
        if let Some(link) = Self::known(&text)? {
            return Ok(link);
        }
        // Some clients encode it twice.
        let again = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
        let link = Self::known(&again)?;
        link.ok_or_else(|| {
            Refused::bad(
                "the link is no magnet link, info-hash, torrs link or URL of a .torrent file",
            )
        })
    }

    fn known(text: &str) -> Result<Option<Self>, Refused> {
        if begins(text, "magnet:") {
            return Self::of_magnet(text).map(Some);
        }
        if let Ok(hash) = text.parse::<InfoHash>() {
            return Ok(Some(Self::of_hash(hash, Vec::new())));
        }
        if begins(text, "http://") || begins(text, "https://") {
            return Ok(Some(Self {
                source: AddSource::Link(text.to_owned()),
                id: None,
                title: String::new(),
                poster: String::new(),
                category: String::new(),
            }));
        }
        let is_word = text.len() >= SHORTEST_WORD && base62::is_base62(text);
        if text.starts_with(torrs_hash::SCHEME) || is_word {
            return TorrsHash::unpack(text).map(Self::of_word).map(Some);
        }
        // An info-hash in base 32 is one for magnet links too.
        match text.len() {
            32 => Self::of_magnet(&format!("magnet:?xt=urn:btih:{text}")).map(Some),
            _ => Ok(None),
        }
    }

    fn of_magnet(text: &str) -> Result<Self, Refused> {
        let magnet: Magnet = text
            .parse()
            .map_err(|error| Refused::bad(format!("the magnet link: {error}")))?;
        let hash = magnet.hashes.wire();
        let hash = hash.ok_or_else(|| Refused::bad("the magnet link has no info-hash"))?;
        Ok(Self {
            source: AddSource::Link(text.to_owned()),
            id: Some(hash.into()),
            title: magnet.name.unwrap_or_default(),
            poster: String::new(),
            category: String::new(),
        })
    }

    fn of_hash(hash: InfoHash, trackers: Vec<String>) -> Self {
        let mut magnet = Magnet::new(InfoHashes {
            v1: Some(hash),
            v2: None,
        });
        magnet.trackers = trackers;
        Self {
            source: AddSource::Link(magnet.to_string()),
            id: Some(hash.into()),
            title: String::new(),
            poster: String::new(),
            category: String::new(),
        }
    }

    fn of_word(says: TorrsHash) -> Self {
        Self {
            title: says.title,
            poster: says.poster,
            category: says.category,
            ..Self::of_hash(says.info_hash, says.trackers)
        }
    }
}

fn begins(text: &str, scheme: &str) -> bool {
    let start = text.get(..scheme.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
}

/// The torrent that a client names by its info-hash: in another form than this there is none.
pub(super) fn id(text: &str) -> Option<TorrentId> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    fn read(text: &str) -> (Option<String>, String) {
        let link = Link::read(text).unwrap();
        let AddSource::Link(source) = link.source else {
            panic!("{link:?}");
        };
        (link.id.map(|id| id.to_string()), source)
    }

    #[test]
    fn links_of_all_kinds_name_their_torrent() {
        let word = TorrsHash {
            title: "A film".to_owned(),
            trackers: vec!["http://a.example/announce".to_owned()],
            ..TorrsHash::new(HASH.parse().unwrap())
        };
        let word = word.pack();
        let torrs = format!("torrs://{word}");
        let magnet = format!("magnet:?xt=urn:btih:{HASH}&dn=A%20film");
        let html = format!("magnet:?xt=urn:btih:{HASH}&amp;dn=A");
        let twice = format!("magnet%3A%3Fxt%3Durn%3Abtih%3A{HASH}");
        let base32 = "AERUKZ4JVPG66AJDIVTYTK6N54ASGRLH";
        for text in [
            HASH,
            &magnet,
            &html,
            &twice,
            &torrs,
            &word,
            base32,
            &HASH.to_uppercase(),
        ] {
            assert_eq!(read(text).0.as_deref(), Some(HASH), "{text}");
        }
        assert!(read(&html).1.ends_with("&dn=A"));
        assert!(read(&torrs).1.contains("a.example"));
        assert_eq!(Link::read(&torrs).unwrap().title, "A film");
        assert_eq!(Link::read(&magnet).unwrap().title, "A film");
        let url = "https://example.org/film.torrent?a=b%26c";
        assert_eq!(read(url), (None, url.to_owned()));
    }

    #[test]
    fn others_are_refused() {
        let long = "a".repeat(100_000);
        for text in [
            "",
            "film",
            "file:///etc/passwd",
            "/etc/passwd",
            "ftp://a/b",
            "magnet:?dn=a",
            "torrs://",
            "torrs://x",
            &long,
            &HASH[1..],
        ] {
            let refused = Link::read(text).unwrap_err();
            assert_eq!(refused.status.as_u16(), 400, "{text}");
        }
    }
}
