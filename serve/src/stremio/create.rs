//! The body of `create`: the torrent, where peers are to be looked for, and which file is to be guessed.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use serde_json::Value;
use tailwater_metainfo::{InfoHash, InfoHashes, Magnet};

use super::guess::Episode;

/// The most trackers that are taken of a request.
const MAX_TRACKERS: usize = 100;
/// What stands before the URL of a tracker in a list of sources.
const TRACKER: &str = "tracker:";

/// What a client wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Create {
    /// The bytes of a .torrent file.
    pub(super) file: Option<Vec<u8>>,
    pub(super) trackers: Vec<String>,
    /// A file is to be guessed.
    pub(super) guess: Option<Episode>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Raw {
    blob: Option<String>,
    peer_search: Option<Sources>,
    guess_file_idx: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Sources {
    sources: Vec<String>,
}

impl Create {
    /// Reads a body; an empty one wants nothing besides.
    ///
    /// # Errors
    ///
    /// Words for the client.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self::default());
        }
        let wrong = |error: serde_json::Error| format!("the body: {error}");
        let value: Value = serde_json::from_slice(bytes).map_err(wrong)?;
        // A list would count as an object whose values have no names.
        let search = value.get("peerSearch").filter(|search| !search.is_null());
        if !value.is_object() || search.is_some_and(|search| !search.is_object()) {
            return Err("the body, and peerSearch in it, have to be objects".to_owned());
        }
        let raw: Raw = serde_json::from_value(value).map_err(wrong)?;
        let file = raw
            .blob
            .map(|hex| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()));
        let file = file
            .transpose()
            .map_err(|_| "blob is not hexadecimal".to_owned())?;
        let sources = raw.peer_search.unwrap_or_default().sources;
        Ok(Self {
            file,
            trackers: trackers(sources.iter().map(String::as_str)),
            guess: raw.guess_file_idx.and_then(|value| guess(&value)),
        })
    }
}

/// `false` means that the client knows the file.
fn guess(value: &Value) -> Option<Episode> {
    let Value::Object(object) = value else {
        return None;
    };
    let number = |name: &str| {
        let number = object.get(name)?.as_u64()?;
        u32::try_from(number).ok()
    };
    Some(Episode {
        season: number("season"),
        episode: number("episode"),
    })
}

/// The trackers among sources. The DHT is used anyway, if it is on.
pub(super) fn trackers<'a>(sources: impl Iterator<Item = &'a str>) -> Vec<String> {
    let urls = sources.filter_map(|source| match source.strip_prefix(TRACKER) {
        Some(url) => Some(url),
        None if source.contains("://") => Some(source),
        None => None,
    });
    let mut trackers: Vec<String> = Vec::new();
    for url in urls.take(MAX_TRACKERS) {
        if !trackers.iter().any(|known| known == url) {
            trackers.push(url.to_owned());
        }
    }
    trackers
}

/// The link by which a torrent is added.
pub(super) fn link(hash: InfoHash, trackers: Vec<String>) -> String {
    let mut magnet = Magnet::new(InfoHashes {
        v1: Some(hash),
        v2: None,
    });
    magnet.trackers = trackers;
    magnet.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_names_sources_and_what_is_to_be_guessed() {
        let body = br#"{"torrent":{"infoHash":"x"},"peerSearch":{"sources":["dht:x","tracker:udp://a:1","http://b/announce",
            "tracker:udp://a:1","what"],"min":40,"max":200},"guessFileIdx":{"season":2,"episode":5}}"#;
        let create = Create::read(body).unwrap();
        assert_eq!(create.trackers, ["udp://a:1", "http://b/announce"]);
        let episode = |season, episode| Some(Episode { season, episode });
        assert_eq!(create.guess, episode(Some(2), Some(5)));
        let guess = |json: &str| Create::read(json.as_bytes()).unwrap().guess;
        assert_eq!(guess(r#"{"guessFileIdx":{}}"#), episode(None, None));
        assert_eq!(
            guess(r#"{"guessFileIdx":{"season":-1,"episode":"2"}}"#),
            episode(None, None)
        );
        for none in [
            "{}",
            r#"{"guessFileIdx":false}"#,
            r#"{"guessFileIdx":null}"#,
            "",
        ] {
            assert_eq!(guess(none), None, "{none}");
        }
        let file = Create::read(br#"{"blob":"64313A"}"#).unwrap().file;
        assert_eq!(file.as_deref(), Some(&b"d1:"[..]));
        for wrong in [
            "[]",
            "5",
            "{",
            r#"{"blob":"x"}"#,
            r#"{"blob":5}"#,
            r#"{"peerSearch":[]}"#,
        ] {
            assert!(Create::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn trackers_are_few() {
        let many: Vec<String> = (0..1_000)
            .map(|at| format!("tracker:http://t{at}/"))
            .collect();
        assert_eq!(
            trackers(many.iter().map(String::as_str)).len(),
            MAX_TRACKERS
        );
    }
}
