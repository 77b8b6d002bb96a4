//! Names and paths of the torrents of this process, by info-hash.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{Info, InfoHash};
use tailwater_session::Event;

/// One torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) name: String,
    /// Where its file or folder is, absolute; `None` for one in memory.
    pub(crate) path: Option<String>,
    /// Whether its follower prints its outcome, rather than the handler of session events.
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

/// The last answer of a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// How many peers it named, or why it did not answer.
    pub(crate) answer: Result<usize, String>,
    /// When a tracker of the torrent is asked next.
    pub(crate) next_at: Option<Instant>,
}

/// All torrents of this process. Clones share one map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<Torrents>>);

#[derive(Debug, Default)]
struct Torrents {
    about: HashMap<InfoHash, About>,
    /// By URL.
    trackers: HashMap<InfoHash, BTreeMap<String, Asked>>,
    /// The network interface that connections are bound to is not there.
    is_cut_off: bool,
}

impl Known {
    /// Adds a torrent. Call it before the session gets the torrent, so that its first event has a name.
    pub(crate) fn insert(&self, info_hash: InfoHash, about: About) {
        self.lock().about.insert(info_hash, about);
    }

    /// Records the answers of trackers.
    pub(crate) fn listen(&self, event: &Event, now: Instant) {
        let (info_hash, tracker, answer, next) = match event {
            Event::TrackerAnswered {
                info_hash,
                tracker,
                peers,
                next_announce,
                ..
            } => (info_hash, tracker, Ok(*peers), next_announce),
            Event::TrackerFailed {
                info_hash,
                tracker,
                error,
                next_announce,
            } => (info_hash, tracker, Err(error.clone()), next_announce),
            Event::Closed { info_hash } => {
                self.lock().trackers.remove(info_hash);
                return;
            }
            Event::InterfaceChanged { is_up, .. } => return self.set_cut_off(!is_up),
            _ => return,
        };
        let next_at = next.and_then(|next| now.checked_add(next));
        let asked = Asked { answer, next_at };
        let mut known = self.lock();
        let trackers = known.trackers.entry(*info_hash).or_default();
        trackers.insert(tracker.clone(), asked);
    }

    /// The network interface that connections are bound to is not there, or is again.
    pub(crate) fn set_cut_off(&self, is_cut_off: bool) {
        self.lock().is_cut_off = is_cut_off;
    }

    /// Whether there is no network interface.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.lock().is_cut_off
    }

    /// The trackers that have been asked, by URL.
    pub(crate) fn trackers(&self, info_hash: InfoHash) -> BTreeMap<String, Asked> {
        let known = self.lock();
        known.trackers.get(&info_hash).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Torrents> {
        self.0.lock()
    }

    pub(crate) fn get(&self, info_hash: InfoHash) -> Option<About> {
        self.lock().about.get(&info_hash).cloned()
    }
}
