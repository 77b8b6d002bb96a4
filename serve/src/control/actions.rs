//! What is done with one torrent.

use std::path::PathBuf;
use std::sync::Arc;

use tailwater_session::{Phase, RemoveOptions, SettingError, StorageError, Torrent, TorrentError};

use super::change::ChangeKind;
use super::entry::{Entry, Run, link};
use super::error::ControlError;
use super::id::TorrentId;
use super::request::{FileChange, TorrentPatch, trackers};
use super::service::{Control, Inner, now};
use super::upkeep::seeded;

impl Control {
    /// Pauses a torrent: nothing more is requested, and soon its connections end. One that is paused stays so.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or the change cannot be saved: it holds until the process ends then.
    pub async fn pause(&self, id: TorrentId) -> Result<(), ControlError> {
        self.change(id, |inner, entry| async move { inner.pause(&entry).await })
            .await
    }

    /// Has a torrent go on, or try again after an error.
    ///
    /// # Errors
    ///
    /// As for [`Control::pause`]; and when it still cannot go on.
    pub async fn resume(&self, id: TorrentId) -> Result<(), ControlError> {
        self.change(id, |inner, entry| async move { inner.resume(&entry).await })
            .await
    }

    /// As [`Control::resume`], and whatever the queue says, until it is paused.
    ///
    /// # Errors
    ///
    /// As for [`Control::resume`].
    pub async fn resume_now(&self, id: TorrentId) -> Result<(), ControlError> {
        self.change(id, |inner, entry| async move {
            entry.state().skips_queue = true;
            inner.resume(&entry).await
        })
        .await
    }

    /// Removes a torrent, and its files if `delete_files`.
    ///
    /// # Errors
    ///
    /// When there is no such torrent; when the removal cannot be saved, and then it is not removed; and when a file could not
    /// be deleted, and then it is removed all the same.
    pub async fn remove(&self, id: TorrentId, delete_files: bool) -> Result<(), ControlError> {
        self.remove_and_say(id, delete_files).await.map(drop)
    }

    /// As [`Control::remove`]; returns the files that stay although they were to be deleted: nothing says that they are the
    /// torrent's.
    ///
    /// # Errors
    ///
    /// As for [`Control::remove`].
    pub async fn remove_and_say(
        &self,
        id: TorrentId,
        delete_files: bool,
    ) -> Result<Vec<PathBuf>, ControlError> {
        self.change(id, move |inner, entry| async move {
            let torrent = inner.to_delete(&entry, delete_files).await;
            // First the database: a process that is killed in between does not download again what was deleted.
            inner.take_out(&entry).await?;
            entry.end_fetch().await;
            let options = RemoveOptions::default().delete_files(delete_files);
            let removed = match torrent {
                Some(torrent) => torrent.remove(options).await,
                None => Ok(()),
            };
            let removed = match removed {
                Ok(()) => Ok(Vec::new()),
                Err(StorageError::Foreign { files }) => Ok(files),
                Err(error) => Err(error),
            };
            let deleted_files = delete_files && removed.is_ok();
            for file in removed.iter().flatten() {
                let file = file.display();
                tracing::warn!(
                    "{file} is not deleted with its torrent: nothing says that it belongs to that"
                );
            }
            inner
                .log
                .push(Some(id), ChangeKind::Removed { deleted_files });
            removed.map_err(|error| ControlError::Torrent(error.into()))
        })
        .await
    }

    /// Begins to hash everything that is there anew.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or its metadata is not known.
    pub async fn recheck(&self, id: TorrentId) -> Result<(), ControlError> {
        let entry = self.inner.entry(id)?;
        let torrent = self.inner.awake(id).await?;
        self.inner
            .in_background(&entry, async move { torrent.recheck().await.map(drop) });
        Ok(())
    }

    /// Asks the trackers for peers, as soon as they allow.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or it does not run.
    pub fn reannounce(&self, id: TorrentId) -> Result<(), ControlError> {
        let torrent = self.inner.entry(id)?.running()?;
        Ok(torrent.reannounce()?)
    }

    /// Changes labels, limits and the like.
    ///
    /// # Errors
    ///
    /// When there is no such torrent or a value makes no sense, and then nothing is changed; when it cannot be saved, and
    /// then it holds until the process ends.
    pub async fn patch(&self, id: TorrentId, mut patch: TorrentPatch) -> Result<(), ControlError> {
        patch.check()?;
        if let Some(Some(folder)) = &patch.completed_folder {
            self.inner.folder(folder.into()).await?;
        }
        self.change(id, |inner, entry| async move {
            if let Some(torrent) = entry.torrent() {
                apply(&torrent, &patch).await?;
            }
            let position = patch.queue_position;
            if patch.forced.is_some() {
                inner.queue_changed.notify_one();
            }
            record(&entry, patch);
            if let Some(position) = position {
                let moved = inner.move_in_queue(&entry, position);
                inner.queue_changed.notify_one();
                inner.store.save_positions(moved).await?;
            }
            inner.changed(&entry).await
        })
        .await
    }

    /// Changes how much files are wanted.
    ///
    /// # Errors
    ///
    /// When there is no such torrent or file, and then nothing is changed; when it cannot be saved, and then it holds until
    /// the process ends.
    pub async fn set_files(
        &self,
        id: TorrentId,
        files: Vec<FileChange>,
    ) -> Result<(), ControlError> {
        self.change(id, |inner, entry| async move {
            let is_untouched = entry.state().is_untouched();
            let could_not_start = matches!(entry.state().run, Run::Failed(_));
            if is_untouched || could_not_start {
                inner.set_untouched_files(&entry, files).await?;
                return inner.changed(&entry).await;
            }
            let torrent = inner.wake(&entry).await?;
            let files: Result<Vec<_>, _> = files.into_iter().map(FileChange::file).collect();
            match torrent.set_file_priorities(&files?).await {
                // One that failed keeps to them when it goes on.
                Err(SettingError::Torrent(_)) if has_failed(&torrent) => {}
                set => set?,
            }
            inner.changed(&entry).await
        })
        .await
    }

    /// Replaces the trackers, by tier.
    ///
    /// # Errors
    ///
    /// When there is no such torrent or a URL cannot be that of a tracker, and then nothing is changed; when it cannot be
    /// saved, and then it holds until the process ends.
    pub async fn set_trackers(
        &self,
        id: TorrentId,
        tiers: Vec<Vec<String>>,
    ) -> Result<(), ControlError> {
        trackers(&tiers)?;
        self.change(id, |inner, entry| async move {
            inner.wake(&entry).await?.replace_trackers(tiers)?;
            inner.changed(&entry).await
        })
        .await
    }

    /// Changes one torrent, alone, and to the end.
    pub(super) async fn change<W, F, T>(&self, id: TorrentId, work: W) -> Result<T, ControlError>
    where
        W: FnOnce(Arc<Inner>, Arc<Entry>) -> F + Send + 'static,
        F: Future<Output = Result<T, ControlError>> + Send,
        T: Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        self.inner
            .finish(async move {
                let entry = inner.entry(id)?;
                let _changing = entry.changing.lock().await;
                // It may have been removed meanwhile, and another one added in its place.
                let is_same = inner.find(id).is_some_and(|now| Arc::ptr_eq(&now, &entry));
                if !is_same {
                    return Err(ControlError::NotFound(id));
                }
                work(inner, Arc::clone(&entry)).await
            })
            .await
    }
}

impl Inner {
    /// Its lock is held by the caller.
    pub(super) async fn pause(&self, entry: &Entry) -> Result<(), ControlError> {
        let was_paused = std::mem::replace(&mut entry.state().record.paused, true);
        {
            let mut state = entry.state();
            state.is_held = false;
            state.skips_queue = false;
            state.needed_at = now();
        }
        // Its place is another's.
        self.queue_changed.notify_one();
        let is_link = matches!(entry.state().run, Run::Fetching(_));
        match entry.torrent() {
            Some(torrent) => match torrent.pause().await {
                // One that could not start does nothing anyway.
                Ok(()) | Err(TorrentError::Storage(_) | TorrentError::Incomplete { .. }) => {}
                Err(error) => return Err(error.into()),
            },
            None if is_link => entry.end_fetch().await,
            None => {}
        }
        if !was_paused {
            self.log.push(Some(entry.id), ChangeKind::Paused);
        }
        Ok(self.save(entry, None).await?)
    }

    /// Its lock is held by the caller.
    pub(super) async fn resume(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<(), ControlError> {
        let was_paused = std::mem::replace(&mut entry.state().record.paused, false);
        if was_paused {
            self.lift_reached(entry, seeded);
        }
        {
            let mut state = entry.state();
            state.is_held = false;
            state.runs_since = now();
        }
        self.queue_changed.notify_one();
        let torrent = entry.torrent();
        if let (Some(_), Some(facts)) = (&torrent, &mut entry.state().facts) {
            // It has them already.
            facts.peers.clear();
        }
        let has_failed = torrent
            .as_ref()
            .is_some_and(|torrent| matches!(torrent.status().phase, Phase::Failed(_)));
        let resumed = match torrent {
            Some(torrent) => match torrent.resume().await {
                Ok(()) => Ok(()),
                // One that could not start at all is added anew.
                Err(_) if has_failed => {
                    let _ = torrent.remove(RemoveOptions::default()).await;
                    self.restart(entry).await
                }
                Err(error) => Err(error.into()),
            },
            None => self.restart(entry).await,
        };
        if let Err(error) = resumed {
            if entry.torrent().is_none() {
                self.fail(entry, &error);
            }
            return Err(error);
        }
        if was_paused || has_failed {
            self.log.push(Some(entry.id), ChangeKind::Resumed);
        }
        Ok(self.save(entry, None).await?)
    }

    /// Adds a torrent to the session that is not in it.
    async fn restart(self: &Arc<Self>, entry: &Arc<Entry>) -> Result<(), ControlError> {
        if matches!(entry.state().run, Run::Fetching(_)) {
            return Ok(());
        }
        match self.store.torrent_file(entry.number).await? {
            Some(file) => self.activate(entry, Some(file), Vec::new()).await,
            None => {
                let magnet = link(&entry.record());
                let magnet = magnet.ok_or(ControlError::NotFound(entry.id))?;
                self.begin_fetch(entry, &magnet, Vec::new());
                Ok(())
            }
        }
    }

    /// Something was changed: says so, and saves it.
    pub(super) async fn changed(&self, entry: &Entry) -> Result<(), ControlError> {
        self.log.push(Some(entry.id), ChangeKind::Changed);
        Ok(self.save(entry, None).await?)
    }

    /// Does something that takes long. The session's events tell its end, and the log a failure.
    fn in_background(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        work: impl Future<Output = Result<(), TorrentError>> + Send + 'static,
    ) {
        let (inner, id) = (Arc::clone(self), entry.id);
        self.spawn(async move {
            if let Err(error) = work.await {
                let error = error.to_string();
                inner.log.push(Some(id), ChangeKind::Failed { error });
            }
        });
    }
}

/// Whether a torrent stopped with an error.
pub(super) fn has_failed(torrent: &Torrent) -> bool {
    matches!(torrent.status().phase, Phase::Failed(_))
}

/// Has a running torrent keep to a patch that was checked.
async fn apply(torrent: &Torrent, patch: &TorrentPatch) -> Result<(), ControlError> {
    if let Some(limit) = patch.download_limit {
        torrent.set_download_limit(limit)?;
    }
    if let Some(limit) = patch.upload_limit {
        torrent.set_upload_limit(limit)?;
    }
    if let Some(peers) = patch.max_peers {
        torrent.set_max_peers(peers)?;
    }
    if let Some(slots) = patch.upload_slots {
        torrent.set_upload_slots(slots)?;
    }
    if let Some(sequential) = patch.sequential {
        torrent.set_sequential(sequential).await?;
    }
    if let Some(super_seeding) = patch.super_seeding {
        torrent.set_super_seeding(super_seeding).await?;
    }
    Ok(())
}

/// The same in what is saved.
fn record(entry: &Entry, patch: TorrentPatch) {
    let mut state = entry.state();
    state.options.seeding = patch.seeding(state.options.seeding);
    if let Some(labels) = patch.labels {
        state.labels = labels;
    }
    if let Some(folder) = patch.completed_folder {
        state.options.completed_folder = folder;
    }
    if let Some(title) = patch.title {
        state.options.title = title;
    }
    state.options.forced = patch.forced.unwrap_or(state.options.forced);
    let record = &mut state.record;
    record.download_limit = patch.download_limit.unwrap_or(record.download_limit);
    record.upload_limit = patch.upload_limit.unwrap_or(record.upload_limit);
    record.max_peers = patch.max_peers.unwrap_or(record.max_peers);
    record.upload_slots = patch.upload_slots.unwrap_or(record.upload_slots);
    record.sequential = patch.sequential.unwrap_or(record.sequential);
    record.super_seeding = patch.super_seeding.unwrap_or(record.super_seeding);
}
