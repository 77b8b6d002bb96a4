//! The URLs of announces and scrapes.

use std::fmt::Write;

use ::url::Url;
use tailwater_types::InfoHash;

use super::percent;
use crate::announce::{AcceptedEncryption, AnnounceRequest};
use crate::error::TrackerError;
use crate::scrape::MAX_SCRAPE_HASHES;

/// The longest passkey in a path that is asked of an address that is not public, in bytes. Trackers use 32 to 64.
const MAX_PASSKEY_LEN: usize = 128;

/// The URL of an announce: `tracker` with the request's parameters after those that it has
/// already (a passkey, say).
///
/// # Errors
///
/// [`TrackerError::InvalidUrl`] or [`TrackerError::UnsupportedScheme`].
pub fn announce_url(tracker: &str, request: &AnnounceRequest) -> Result<String, TrackerError> {
    let mut query = Query::after(&parse(tracker)?);
    query.bytes("info_hash", request.info_hash.as_bytes());
    query.bytes("peer_id", request.peer_id.as_bytes());
    query.number("port", request.port.into());
    query.number("uploaded", request.uploaded);
    query.number("downloaded", request.downloaded);
    query.number("left", request.left);
    // BEP 23; a tracker that cannot answers with dictionaries, whose ids are of no use here.
    query.number("compact", 1);
    query.number("no_peer_id", 1);
    if let Some(event) = request.event {
        query.bytes("event", event.as_str().as_bytes());
    }
    if let Some(wanted) = request.num_want {
        query.number("numwant", wanted.into());
    }
    if let Some(key) = request.key {
        query.bytes("key", format!("{key:08X}").as_bytes());
    }
    if let Some(address) = request.ipv4 {
        query.bytes("ip", address.to_string().as_bytes());
    }
    if let Some(address) = request.ipv6 {
        query.bytes("ipv6", address.to_string().as_bytes());
    }
    match request.encryption {
        None => {}
        Some(AcceptedEncryption::Supported) => query.number("supportcrypto", 1),
        Some(AcceptedEncryption::Required) => {
            query.number("supportcrypto", 1);
            query.number("requirecrypto", 1);
        }
    }
    if let Some(id) = &request.tracker_id {
        query.bytes("trackerid", id);
    }
    Ok(query.url)
}

/// The URL of a scrape: in `tracker`'s path, `announce` at the start of its last such component
/// becomes `scrape` (BEP 48).
///
/// # Errors
///
/// [`TrackerError::ScrapeUnsupported`] if the path has no such component,
/// [`TrackerError::TooManyHashes`], [`TrackerError::InvalidUrl`] or
/// [`TrackerError::UnsupportedScheme`].
pub fn scrape_url(tracker: &str, info_hashes: &[InfoHash]) -> Result<String, TrackerError> {
    const ANNOUNCE: &str = "/announce";
    let (count, limit) = (info_hashes.len(), MAX_SCRAPE_HASHES);
    if count > limit {
        return Err(TrackerError::TooManyHashes { count, limit });
    }
    let mut url = parse(tracker)?;
    let path = url.path();
    let at = path
        .rfind(ANNOUNCE)
        .ok_or(TrackerError::ScrapeUnsupported)?;
    let path = format!("{}/scrape{}", &path[..at], &path[at + ANNOUNCE.len()..]);
    url.set_path(&path);
    let mut query = Query::after(&url);
    for hash in info_hashes {
        query.bytes("info_hash", hash.as_bytes());
    }
    Ok(query.url)
}

/// Whether a path is one that trackers have for announces: `announce` or `announce.php`, with a passkey before or after it
/// if there is one.
///
/// Only such a path may be asked of an address that is not public, for a stranger's URL. So the passkey has only
/// letters, digits, `-` and `_`: a service that reads it as more than a name would have to call something dangerous
/// `announce`.
#[must_use]
pub fn is_announce_path(path: &str) -> bool {
    is_path_of(path, "announce")
}

/// The same for scrapes: `scrape` or `scrape.php` (BEP 48).
#[must_use]
pub fn is_scrape_path(path: &str) -> bool {
    is_path_of(path, "scrape")
}

fn is_path_of(path: &str, name: &str) -> bool {
    let is_name = |part: &str| part.strip_suffix(".php").unwrap_or(part) == name;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut parts = path.split('/');
    match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(""), Some(only), None, None] => is_name(only),
        [Some(""), Some(first), Some(last), None] => {
            is_passkey(first) && is_name(last) || is_name(first) && is_passkey(last)
        }
        _ => false,
    }
}

fn is_passkey(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=MAX_PASSKEY_LEN).contains(&part.len()) && part.bytes().all(is_plain)
}

fn parse(tracker: &str) -> Result<Url, TrackerError> {
    let invalid = |error: ::url::ParseError| TrackerError::InvalidUrl {
        reason: error.to_string(),
    };
    let mut url = Url::parse(tracker.trim()).map_err(invalid)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TrackerError::UnsupportedScheme {
            scheme: url.scheme().to_owned(),
        });
    }
    url.set_fragment(None);
    Ok(url)
}

/// A URL whose query grows.
struct Query {
    url: String,
    separator: &'static str,
}

impl Query {
    fn after(url: &Url) -> Self {
        let separator = match url.query() {
            None => "?",
            Some(query) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        Self {
            url: url.as_str().to_owned(),
            separator,
        }
    }

    fn name(&mut self, name: &str) {
        self.url
            .push_str(std::mem::replace(&mut self.separator, "&"));
        self.url.push_str(name);
        self.url.push('=');
    }

    fn bytes(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        percent::encode(value, &mut self.url);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        // Writing to a `String` does not fail.
        let _ = write!(self.url, "{value}");
    }
}

#[cfg(test)]
mod tests {
    use tailwater_types::PeerId;

    use super::*;
    use crate::announce::Event;

    fn request() -> AnnounceRequest {
        AnnounceRequest::new(
            InfoHash::new(*b"\x12\x34Vx\x9a\xbc\xde\xf1#Eg\x89\xab\xcd\xef\x124Vx\x9a"),
            PeerId::new(*b"-TW0100-abcdefghijkl"),
            6881,
        )
    }

    #[test]
    fn an_announce_is_coded_byte_for_byte() {
        let mut request = request();
        request.left = 5;
        assert_eq!(
            announce_url("http://tracker.example/announce", &request).unwrap(),
            "http://tracker.example/announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
             &peer_id=-TW0100-abcdefghijkl&port=6881&uploaded=0&downloaded=0&left=5&compact=1&no_peer_id=1"
        );
        request.encryption = Some(AcceptedEncryption::Supported);
        let url = announce_url("http://t/a", &request).unwrap();
        assert!(url.ends_with("&no_peer_id=1&supportcrypto=1"), "{url}");
        request.encryption = Some(AcceptedEncryption::Required);
        let url = announce_url("http://t/a", &request).unwrap();
        assert!(url.ends_with("&supportcrypto=1&requirecrypto=1"), "{url}");
        request.encryption = None;
        request.event = Some(Event::Stopped);
        request.num_want = Some(0);
        request.key = Some(0xbeef);
        request.ipv4 = Some([10, 0, 0, 1].into());
        request.ipv6 = Some("2001:db8::1".parse().unwrap());
        request.tracker_id = Some(b"a&b".to_vec());
        let url = announce_url("https://t/a", &request).unwrap();
        assert!(url.ends_with(
            "&no_peer_id=1&event=stopped&numwant=0&key=0000BEEF&ip=10.0.0.1&ipv6=2001%3Adb8%3A%3A1&trackerid=a%26b"
        ), "{url}");
    }

    #[test]
    fn a_query_that_is_there_is_kept() {
        for (tracker, start) in [
            (
                "http://t/announce?passkey=%aB+c",
                "http://t/announce?passkey=%aB+c&info_hash=",
            ),
            (
                "http://t/announce?passkey=1&",
                "http://t/announce?passkey=1&info_hash=",
            ),
            ("http://t/announce?", "http://t/announce?info_hash="),
            ("http://t/announce#frag", "http://t/announce?info_hash="),
            (" http://t:80 ", "http://t/?info_hash="),
        ] {
            let url = announce_url(tracker, &request()).unwrap();
            assert!(url.starts_with(start), "{tracker}: {url}");
        }
    }

    #[test]
    fn announce_paths_are_told_from_others() {
        for path in [
            "/announce",
            "/announce/",
            "/announce.php",
            "/0123456789abcdef0123456789abcdef/announce",
            "/tracker/announce.php",
            "/announce/abc_D-3",
        ] {
            assert!(is_announce_path(path), "{path}");
            assert!(
                is_scrape_path(&path.replace("announce", "scrape")),
                "{path}"
            );
            assert!(!is_scrape_path(path), "{path}");
        }
        let long = format!("/{}/announce", "a".repeat(MAX_PASSKEY_LEN + 1));
        for path in [
            "",
            "/",
            "announce",
            "/a",
            "/internal/admin",
            "/announcement",
            "/reannounce",
            "/announce.phps",
            "/announce.php.php",
            "/ANNOUNCE",
            "//announce",
            "/a/b/announce",
            "/a.b/announce",
            "/announce/..%2fadmin",
            "/announce/a%3Fdo=delete",
            "/announce;do=delete",
            "/announce/a;b",
            long.as_str(),
        ] {
            assert!(!is_announce_path(path), "{path}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        assert!(matches!(
            announce_url("announce", &request()),
            Err(TrackerError::InvalidUrl { .. })
        ));
        assert!(matches!(
            announce_url("http://", &request()),
            Err(TrackerError::InvalidUrl { .. })
        ));
        let scheme = "wss".to_owned();
        assert_eq!(
            announce_url("wss://t/announce", &request()),
            Err(TrackerError::UnsupportedScheme { scheme })
        );
    }

    #[test]
    fn the_scrape_url_comes_from_the_announce_url() {
        let hash = request().info_hash;
        for (tracker, start) in [
            ("http://t/announce", "http://t/scrape?info_hash="),
            ("http://t/x/announce", "http://t/x/scrape?info_hash="),
            (
                "http://t/announce.php?a=1",
                "http://t/scrape.php?a=1&info_hash=",
            ),
            ("http://t/announce/key", "http://t/scrape/key?info_hash="),
            (
                "http://t/announce/announce",
                "http://t/announce/scrape?info_hash=",
            ),
        ] {
            let url = scrape_url(tracker, &[hash]).unwrap();
            assert!(url.starts_with(start), "{tracker}: {url}");
        }
        for tracker in [
            "http://t/a",
            "http://t/",
            "http://t/reannounce",
            "http://announce/x?announce",
        ] {
            assert_eq!(
                scrape_url(tracker, &[hash]),
                Err(TrackerError::ScrapeUnsupported),
                "{tracker}"
            );
        }
        let two = scrape_url("http://t/announce", &[hash, InfoHash::new([b'a'; 20])]).unwrap();
        assert!(two.ends_with("&info_hash=aaaaaaaaaaaaaaaaaaaa"), "{two}");
        assert_eq!(
            scrape_url("http://t/announce", &vec![hash; 75]),
            Err(TrackerError::TooManyHashes {
                count: 75,
                limit: 74
            })
        );
    }
}
