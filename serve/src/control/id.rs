//! The name of a torrent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tailwater_metainfo::InfoHash;

/// The name of a torrent in every API: its info-hash, as 40 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(InfoHash);

/// A text that is not the name of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an info-hash of 40 hexadecimal digits")]
pub struct ParseIdError;

impl TorrentId {
    /// The info-hash.
    #[must_use]
    pub const fn info_hash(self) -> InfoHash {
        self.0
    }
}

impl From<InfoHash> for TorrentId {
    fn from(hash: InfoHash) -> Self {
        Self(hash)
    }
}

impl FromStr for TorrentId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        text.parse().map(Self).map_err(|_| ParseIdError)
    }
}

impl fmt::Display for TorrentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for TorrentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TorrentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
