//! The removal of a torrent: the request to its task, and the outcome.

use parking_lot::Mutex;
use tailwater_storage::StorageError;

use crate::options::RemoveOptions;

/// A request to remove a torrent, and its outcome.
#[derive(Debug, Default)]
pub(crate) struct Removal {
    state: Mutex<RemovalState>,
}

#[derive(Debug, Default)]
struct RemovalState {
    asked: Option<RemoveOptions>,
    outcome: Option<Result<(), StorageError>>,
}

impl Removal {
    /// The first who asks decides, unless a later one wants files deleted too.
    pub(crate) fn ask(&self, options: RemoveOptions) {
        let mut state = self.state.lock();
        let asked = state.asked.get_or_insert(options);
        asked.delete_files |= options.delete_files;
    }

    /// How the torrent is to be removed; `None` if its session closes.
    pub(crate) fn asked(&self) -> Option<RemoveOptions> {
        let state = self.state.lock();
        state.asked
    }

    pub(crate) fn answer(&self, outcome: Result<(), StorageError>) {
        let mut state = self.state.lock();
        state.outcome = Some(outcome);
    }

    /// How it went; fine as long as there is no answer.
    pub(crate) fn outcome(&self) -> Result<(), StorageError> {
        let state = self.state.lock();
        state.outcome.clone().unwrap_or(Ok(()))
    }
}
