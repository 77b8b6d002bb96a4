//! Moves the files of torrents: when a user asks for it, and when they are complete.
//!
//! What is to be moved is saved before it begins, so that a process that is killed in the middle goes on with it when it is
//! started anew. At any moment one of the two folders has everything.

use std::path::PathBuf;
use std::sync::Arc;

use tailwater_session::{StorageRecord, TorrentError};

use super::change::ChangeKind;
use super::entry::Entry;
use super::error::ControlError;
use super::id::TorrentId;
use super::service::{Control, Inner};

impl Control {
    /// Begins to move a torrent's files to another folder, which must be one that the daemon was given, or below.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, the folder may not be used, or it cannot be saved. What fails later is in the log.
    pub async fn move_to(&self, id: TorrentId, folder: PathBuf) -> Result<(), ControlError> {
        let entry = self.inner.entry(id)?;
        if entry.folder().is_none() {
            return Err(ControlError::Conflict(
                "a torrent in memory has no folder".to_owned(),
            ));
        }
        let folder = self.inner.folder(folder).await?;
        let inner = Arc::clone(&self.inner);
        self.inner
            .finish(async move {
                {
                    let _changing = entry.changing.lock().await;
                    let is_untouched = entry.state().is_untouched();
                    if is_untouched {
                        return inner.move_untouched(&entry, folder).await;
                    }
                    inner.wake(&entry).await?;
                }
                inner.begin_move(&entry, folder).await
            })
            .await
    }
}

impl Inner {
    /// A torrent has become complete: its files go where they are to be then.
    pub(super) fn move_completed(self: &Arc<Self>, entry: &Arc<Entry>) {
        let Some(named) = self.completed_folder(entry) else {
            return;
        };
        let (inner, entry) = (Arc::clone(self), Arc::clone(entry));
        self.spawn(async move {
            let moved = match inner.folder(named.into()).await {
                Ok(folder) if entry.folder().as_ref() == Some(&folder) => Ok(()),
                Ok(folder) => inner.begin_move(&entry, folder).await,
                Err(error) => Err(error),
            };
            if let Err(error) = moved {
                inner.warn(&entry, &format!("cannot be moved: {error}"));
            }
        });
    }

    /// Where a torrent's files are to be when it is complete: its own folder, that of a label, the daemon's.
    fn completed_folder(&self, entry: &Entry) -> Option<String> {
        entry.folder()?;
        let state = entry.state();
        let own = state.options.completed_folder.clone();
        let of_labels = || self.of_labels(&state.labels, |it| it.completed_folder.clone());
        let of_daemon = || self.settings.lock().completed_folder.clone();
        let folder = own.or_else(of_labels).or_else(of_daemon)?;
        (!folder.is_empty()).then_some(folder)
    }

    /// Saves what is to be done, and begins to do it.
    async fn begin_move(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        folder: PathBuf,
    ) -> Result<(), ControlError> {
        {
            let _changing = entry.changing.lock().await;
            entry.state().options.moving_to = Some(folder);
            self.save(entry, None).await?;
        }
        self.go_on_moving(entry);
        Ok(())
    }

    /// Moves a torrent's files in the background, if they are to be moved.
    pub(super) fn go_on_moving(self: &Arc<Self>, entry: &Arc<Entry>) {
        let folder = entry.state().options.moving_to.clone();
        let (Some(folder), Some(torrent)) = (folder, entry.torrent()) else {
            return;
        };
        let (inner, entry) = (Arc::clone(self), Arc::clone(entry));
        self.spawn(async move {
            let moved = torrent.move_storage(&folder).await;
            // It is gone, or the daemon ends: it goes on at the next start.
            if matches!(moved, Err(TorrentError::Closed)) {
                return;
            }
            let _changing = entry.changing.lock().await;
            {
                let mut state = entry.state();
                // Another folder may have been named meanwhile, and has its turn.
                if state.options.moving_to.as_ref() == Some(&folder) {
                    state.options.moving_to = None;
                }
            }
            match moved {
                Ok(()) => entry.state().warning = None,
                Err(error) => {
                    let folder = folder.display();
                    inner.warn(&entry, &format!("cannot be moved to {folder}: {error}"));
                }
            }
            // The log says it if this fails.
            let _ = inner.save(&entry, None).await;
        });
    }

    /// A process that was killed when everything had been moved, and before it could say so, finds it in the new folder.
    pub(super) async fn find_moved(&self, entry: &Entry, file: Option<&[u8]>) {
        let folders = entry.folder().zip(entry.state().options.moving_to.clone());
        let (Some((old, new)), Some(Ok(metainfo))) =
            (folders, file.map(|file| entry.metainfo(file)))
        else {
            return;
        };
        let looking = tokio::task::spawn_blocking(move || {
            let files = metainfo.info().files();
            let is_in = |folder: &PathBuf| {
                let mut files = files.iter().filter(|file| !file.is_pad());
                files.any(|file| file.path().under(folder).symlink_metadata().is_ok())
            };
            (!is_in(&old) && is_in(&new)).then_some(new)
        });
        if let Ok(Some(folder)) = looking.await {
            let mut state = entry.state();
            state.record.storage = StorageRecord::Folder(folder);
            state.options.moving_to = None;
        }
    }

    /// Something failed that a torrent can live without; it is shown until it works.
    fn warn(&self, entry: &Entry, error: &str) {
        tracing::warn!("torrent {}: {error}", entry.id);
        let error = error.to_owned();
        entry.state().warning = Some(error.clone());
        self.log
            .push(Some(entry.id), ChangeKind::Warning { warning: error });
    }
}
