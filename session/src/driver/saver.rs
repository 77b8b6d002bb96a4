//! Saving resume data.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::status::Status;
use crate::storage::Store;
use tailwater_storage::StorageError;
use tailwater_storage_disk::{DiskTorrent, ResumeData, ResumeStore};

/// Resume data is saved this often while something is being downloaded.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A disk that needs longer to write everything down does not hold up the shutdown.
const SYNC_LIMIT: Duration = Duration::from_secs(1);

/// Saves a torrent's resume data.
pub(super) struct Saver<'a> {
    pub(super) store: &'a Store,
    pub(super) resume: Option<&'a ResumeStore>,
    pub(super) status: &'a watch::Sender<Status>,
    /// It has been said that saving does not work.
    has_warned: AtomicBool,
}

impl<'a> Saver<'a> {
    pub(super) const fn new(
        store: &'a Store,
        resume: Option<&'a ResumeStore>,
        status: &'a watch::Sender<Status>,
    ) -> Self {
        Self {
            store,
            resume,
            status,
            has_warned: AtomicBool::new(false),
        }
    }

    pub(super) async fn save_now_and_then(&self, closing: &CancellationToken) {
        let mut saved = self.status.borrow().stats.pieces_have;
        loop {
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(SAVE_EVERY) => {}
            }
            let have = self.status.borrow().stats.pieces_have;
            if have != saved {
                saved = have;
                self.save().await;
            }
        }
    }

    /// A download begins: what is written from now on is the torrent's own.
    pub(super) async fn begin(&self) {
        let Some((disk, resume)) = self.parts() else {
            return;
        };
        let saved = async {
            let have = disk.verified();
            let mut data = self.vouch_for_nothing(disk);
            data.have = have.as_bytes().to_vec();
            data.files = disk.untouched_states().await?;
            resume.save(data).await
        };
        if let Err(error) = saved.await {
            self.warn(&error);
        }
    }

    /// Failing to save costs a check at the next start, nothing else.
    pub(super) async fn save(&self) {
        let Some((disk, resume)) = self.parts() else {
            return;
        };
        match self.try_save(disk, resume).await {
            Ok(()) => self.has_warned.store(false, Ordering::Relaxed),
            Err(error) => {
                if error.is_changed_file() {
                    // What was saved before vouches for what is not there any more.
                    let _ = resume.remove(disk.key()).await;
                }
                self.warn(&error);
            }
        }
    }

    /// Says so once, until saving works again.
    fn warn(&self, error: &StorageError) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("resume data is not saved, so the next start checks the files: {error}");
        }
    }

    async fn try_save(&self, disk: &DiskTorrent, resume: &ResumeStore) -> Result<(), StorageError> {
        let mut data = self.vouch_for_nothing(disk);
        // What the resume data vouches for has to survive a power failure.
        let synced = async {
            let verified = disk.verified();
            data.files = disk.untouched_states().await?;
            // If the device is too slow, these files are told apart from those of other programs all the same.
            data.unsynced = verified.as_bytes().to_vec();
            disk.sync().await
        };
        match tokio::time::timeout(SYNC_LIMIT, synced).await {
            Err(_) => tracing::info!("the disk is busy: the files are checked at the next start"),
            Ok(synced) => {
                synced?;
                data.unsynced.clear();
                data.have = disk.verified().as_bytes().to_vec();
                disk.check_unchanged().await?;
                data.files = disk.untouched_states().await?;
            }
        }
        resume.save(data).await
    }

    /// Says that the files are the torrent's and have to be checked.
    fn vouch_for_nothing(&self, disk: &DiskTorrent) -> ResumeData {
        let stats = self.status.borrow().stats;
        ResumeData {
            key: disk.key().clone(),
            top: disk.top(),
            have: Vec::new(),
            unsynced: Vec::new(),
            files: Vec::new(),
            uploaded: stats.uploaded,
            downloaded: stats.downloaded,
        }
    }

    fn parts(&self) -> Option<(&DiskTorrent, &ResumeStore)> {
        match (self.store, self.resume) {
            (Store::Disk(disk), Some(resume)) => Some((&disk.torrent, resume)),
            _ => None,
        }
    }
}
