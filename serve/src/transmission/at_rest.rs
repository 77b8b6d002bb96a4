//! Files and pieces of paused torrents. A paused torrent is not in the session, and asking for its files puts it there; clients
//! that ask for all fields every few seconds would keep all of them there. They do not change until the log tells of a change.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::control::{ChangeLog, FileView, PiecesView, TorrentId};

/// The most torrents whose files are remembered.
const MAX_TORRENTS: usize = 5_000;
/// A torrent with more files is not remembered.
const MAX_FILES: usize = 2_000;
/// One with more pieces neither.
const MAX_PIECES: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct AtRest {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The number of the last change that was looked at.
    change: u64,
    files: HashMap<TorrentId, Arc<Vec<FileView>>>,
    pieces: HashMap<TorrentId, Arc<PiecesView>>,
}

impl AtRest {
    /// Forgets those that have changed since the last look.
    pub(super) fn refresh(&self, log: &ChangeLog) {
        let mut known = self.known.lock();
        loop {
            let changes = match log.since(known.change) {
                Ok(changes) if changes.is_empty() => return,
                Ok(changes) => changes,
                Err(missed) => {
                    known.change = missed.newest;
                    known.files.clear();
                    known.pieces.clear();
                    return;
                }
            };
            for change in changes {
                known.change = change.id;
                if let Some(id) = change.torrent {
                    known.files.remove(&id);
                    known.pieces.remove(&id);
                }
            }
        }
    }

    pub(super) fn files(&self, id: TorrentId) -> Option<Arc<Vec<FileView>>> {
        self.known.lock().files.get(&id).cloned()
    }

    pub(super) fn pieces(&self, id: TorrentId) -> Option<Arc<PiecesView>> {
        self.known.lock().pieces.get(&id).cloned()
    }

    /// Remembers what was asked for. `log` tells whether it has changed meanwhile: then it is not.
    pub(super) fn keep_files(&self, id: TorrentId, files: &Arc<Vec<FileView>>, log: &ChangeLog) {
        let mut known = self.known.lock();
        let has_room = known.files.len() < MAX_TORRENTS && files.len() <= MAX_FILES;
        if has_room && known.change == log.newest() {
            known.files.insert(id, Arc::clone(files));
        }
    }

    /// The same for pieces.
    pub(super) fn keep_pieces(&self, id: TorrentId, pieces: &Arc<PiecesView>, log: &ChangeLog) {
        let mut known = self.known.lock();
        let has_room = known.pieces.len() < MAX_TORRENTS && pieces.count <= MAX_PIECES;
        if has_room && known.change == log.newest() {
            known.pieces.insert(id, Arc::clone(pieces));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::control::ChangeKind;

    #[test]
    fn files_are_remembered_until_their_torrent_changes() {
        let log = ChangeLog::new(UNIX_EPOCH);
        let at_rest = AtRest::default();
        let [one, other] = ["11", "22"].map(|byte| byte.repeat(20).parse::<TorrentId>().unwrap());
        at_rest.refresh(&log);
        for id in [one, other] {
            at_rest.keep_files(id, &Arc::default(), &log);
            at_rest.keep_pieces(id, &Arc::default(), &log);
        }
        assert!(at_rest.files(one).is_some() && at_rest.pieces(other).is_some());
        log.push(Some(one), ChangeKind::Changed);
        log.push(None, ChangeKind::SettingsChanged);
        // It may have changed while it was asked for.
        at_rest.keep_files(one, &Arc::default(), &log);
        at_rest.refresh(&log);
        assert!(at_rest.files(one).is_none() && at_rest.pieces(one).is_none());
        assert!(at_rest.files(other).is_some());
        for _ in 0..=crate::control::RING_LEN {
            log.push(None, ChangeKind::SettingsChanged);
        }
        at_rest.refresh(&log);
        assert!(at_rest.files(other).is_none(), "changes were missed");
    }
}
