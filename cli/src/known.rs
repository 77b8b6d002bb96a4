//! What is known of the torrents of this process, for those who have only an info-hash.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tailwater_metainfo::{Info, InfoHash};

/// One torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) name: String,
    /// Where its file or folder is, absolute; `None` for one in memory.
    pub(crate) path: Option<String>,
    /// Whether what becomes of it is printed by the one who follows it, and not when its session says so.
    pub(crate) is_followed: bool,
}

impl About {
    /// A torrent whose files are in a folder, or in memory.
    pub(crate) fn new(info: &Info, dir: Option<&Path>) -> Self {
        // It fails for an empty path only, and where the current folder is gone.
        let dir = dir.map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()));
        let top = info.files().first().map(|file| {
            let path = file.path().as_str();
            path.split('/').next().unwrap_or(path)
        });
        let path = dir.zip(top).map(|(dir, top)| dir.join(top));
        Self {
            name: info.name().to_owned(),
            path: path.map(|path| path.to_string_lossy().into_owned()),
            is_followed: true,
        }
    }
}

/// All torrents of this process. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<HashMap<InfoHash, About>>>);

impl Known {
    /// To be called before a session is given the torrent, so that its first event has a name.
    pub(crate) fn insert(&self, info_hash: InfoHash, about: About) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(info_hash, about);
    }

    pub(crate) fn get(&self, info_hash: InfoHash) -> Option<About> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&info_hash).cloned()
    }
}
