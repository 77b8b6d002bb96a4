//! One file of a torrent, as it is served.

use std::net::SocketAddr;

use super::condition::Validators;
use super::escape::segment;
use super::media::Media;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Among all files of the torrent.
    pub index: usize,
    /// With the torrent's folder, parts divided by `/`.
    pub path: String,
    /// Bytes.
    pub length: u64,
    /// Where it begins in the torrent, in bytes.
    pub offset: u64,
    pub(crate) media: Media,
    pub(crate) validators: Validators,
}

impl Item {
    /// Without its folders.
    pub fn name(&self) -> &str {
        base_name(&self.path)
    }

    /// Its folders, without the slash at the end; empty if it has none.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The path of its URL.
    pub fn url_path(&self) -> String {
        format!("/{}/{}", self.index, segment(self.name()))
    }

    /// Its URL at a server.
    pub fn url(&self, addr: SocketAddr) -> String {
        format!("http://{addr}{}", self.url_path())
    }

    /// Whether some player plays files of such a name.
    #[must_use]
    pub const fn is_named_as_playable(&self) -> bool {
        self.media.kind.is_playable()
    }

    /// Whether some player plays it.
    pub const fn is_playable(&self) -> bool {
        self.length > 0 && self.media.kind.is_playable()
    }

    /// Whether browsers play it.
    pub const fn is_for_browsers(&self) -> bool {
        self.length > 0 && self.media.kind.is_for_browsers()
    }
}

/// A path without its folders.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
