//! The settings of a torrent that can be changed while it runs.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{FileIndex, Info};

use crate::error::{AddError, SettingError};
use crate::options::AddOptions;
use crate::torrent::Priority;

/// The shared settings of a torrent; its handles write them and its task reads them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    state: Arc<Mutex<TorrentSettings>>,
}

/// A torrent's settings as they are now.
#[derive(Clone, Debug)]
pub(crate) struct TorrentSettings {
    /// The options that it was added with, kept up to date with what was changed since.
    pub(crate) options: AddOptions,
    /// How much each file is wanted.
    pub(crate) priorities: Vec<Priority>,
}

impl Settings {
    pub(crate) fn new(settings: TorrentSettings) -> Self {
        Self {
            state: Arc::new(Mutex::new(settings)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, TorrentSettings> {
        // Nothing under the lock can panic halfway through a change.
        self.state.lock()
    }

    /// How much each file is wanted.
    pub(crate) fn priorities(&self) -> Vec<Priority> {
        self.lock().priorities.clone()
    }

    /// Changes how much some files are wanted.
    ///
    /// # Errors
    ///
    /// When there is no such file; then nothing is changed.
    pub(crate) fn set_priorities(
        &self,
        files: &[(FileIndex, Priority)],
    ) -> Result<(), SettingError> {
        let mut settings = self.lock();
        let count = settings.priorities.len();
        if let Some((file, _)) = files.iter().find(|(file, _)| file.as_usize() >= count) {
            let index = file.as_usize();
            return Err(SettingError::NoSuchFile { index, count });
        }
        for (file, priority) in files {
            settings.priorities[file.as_usize()] = *priority;
        }
        Ok(())
    }
}

/// How much each file is wanted when a torrent is added.
///
/// # Errors
///
/// When the options name a file that there is not.
pub(crate) fn first_priorities(
    info: &Info,
    options: &AddOptions,
) -> Result<Vec<Priority>, AddError> {
    let count = info.files().len();
    let unknown = |index| AddError::NoSuchFile { index, count };
    let mut priorities = match &options.files {
        None => vec![Priority::Normal; count],
        Some(_) => vec![Priority::Skip; count],
    };
    for &index in options.files.iter().flatten() {
        *priorities.get_mut(index).ok_or_else(|| unknown(index))? = Priority::Normal;
    }
    for (file, priority) in &options.priorities {
        let index = file.as_usize();
        *priorities.get_mut(index).ok_or_else(|| unknown(index))? = *priority;
    }
    Ok(priorities)
}
