//! Saves resume data, now and then and at the end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::status::Status;
use tailwater_storage::{Reply, Storage, StorageError, Totals};

/// The interval between saves of resume data while something is being downloaded.
const SAVE_EVERY: Duration = Duration::from_secs(30);

/// A disk that needs longer to write everything down does not hold up the shutdown.
const SYNC_LIMIT: Duration = Duration::from_secs(1);

/// Saves the resume data of a torrent through its storage.
pub(super) struct Saver<'a> {
    storage: &'a dyn Storage,
    status: &'a watch::Sender<Status>,
    /// Whether a failure to save has been logged.
    has_warned: AtomicBool,
}

impl<'a> Saver<'a> {
    pub(super) const fn new(storage: &'a dyn Storage, status: &'a watch::Sender<Status>) -> Self {
        Self {
            storage,
            status,
            has_warned: AtomicBool::new(false),
        }
    }

    pub(super) async fn save_now_and_then(&self, closing: &CancellationToken) {
        let mut status = self.status.subscribe();
        let mut saved = status.borrow().stats.pieces_have;
        loop {
            // A torrent that gets nothing is not looked at: there may be thousands.
            let due = async {
                // Its sender is ours, so there is one.
                let _ = status.wait_for(|now| now.stats.pieces_have != saved).await;
                tokio::time::sleep(SAVE_EVERY).await;
            };
            if closing.run_until_cancelled(due).await.is_none() {
                return;
            }
            saved = self.status.borrow().stats.pieces_have;
            self.save().await;
        }
    }

    /// Failing to save costs a check at the next start, nothing else.
    pub(super) async fn save(&self) {
        let stats = self.status.borrow().stats;
        let totals = Totals {
            uploaded: stats.uploaded,
            downloaded: stats.downloaded,
        };
        let patience = Reply::later(tokio::time::sleep(SYNC_LIMIT));
        match self.storage.save(totals, patience).await {
            Ok(()) => self.has_warned.store(false, Ordering::Relaxed),
            Err(error) => self.warn(&error),
        }
    }

    /// Says so once, until saving works again.
    fn warn(&self, error: &StorageError) {
        if !self.has_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("resume data is not saved, so the next start checks the files: {error}");
        }
    }
}
