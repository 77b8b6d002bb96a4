//! Handles what the torrent's storage reports, and its failures.

use std::sync::Arc;
use std::time::Instant;

use super::Running;
use crate::error::TorrentError;
use crate::events::Event;
use crate::torrent::{Engine, Halt, PieceState};
use tailwater_metainfo::Metainfo;
use tailwater_storage::{Completion, Finish, Space, StorageError};

/// Tells the torrent's machine what is known of its hash trees, and what is missing (BEP 52).
pub(super) fn tell_hashes<S: Space>(engine: &mut Engine<S>, metainfo: &Metainfo) {
    let hashes = metainfo.info().info_hashes();
    if hashes.v2.is_none() {
        return;
    }
    engine.set_layers(metainfo.piece_layers().clone());
    let missing = metainfo.piece_layers().missing();
    if !missing.is_empty() {
        // A hybrid torrent has v1 hashes to check its pieces by meanwhile.
        engine.await_hashes(missing, hashes.v1.is_none());
    }
}

impl Running {
    /// Tells the storage which files are wanted: a file that is wanted again may get back what the storage keeps of it
    /// elsewhere.
    pub(super) async fn select_files(&mut self, wanted: Vec<bool>) {
        if let Err(error) = self.task.storage.set_wanted(wanted).await {
            self.fail(error);
        }
    }

    /// Tries again after a pause or a failure of the storage.
    pub(super) async fn resume(&mut self, now: Instant) -> Result<(), TorrentError> {
        if let Some(error @ TorrentError::Storage(StorageError::HashesDisagree(_))) = &self.failure
        {
            return Err(error.clone());
        }
        self.task.storage.resume().await?;
        // Losses from before the failure come ahead of whatever is fetched from now on.
        let mut completions = Vec::new();
        self.task.completions.take(&mut completions);
        for completion in completions {
            self.handle_completion(now, completion);
        }
        self.failure = None;
        self.task.board.resume();
        self.engine.resume(now);
        self.task.settings.lock().options.paused = false;
        let info_hash = self.task.info_hash();
        self.task.shared.events.send(Event::Resumed { info_hash });
        if self.engine.is_complete() && !self.is_finished {
            self.finish();
        }
        Ok(())
    }

    pub(super) fn handle_completion(&mut self, now: Instant, completion: Completion) {
        match completion {
            Completion::Verified { piece, verdict } => {
                // The answer to an earlier attempt says nothing of the one under way.
                if self.engine.piece_state(piece) == PieceState::Verifying {
                    self.task.storage.settle(piece);
                }
                self.engine.handle_verdict(now, piece, &verdict);
            }
            Completion::Judged { right, wrong } => {
                self.task.board.wake_blocks(&right);
                if !wrong.is_empty() {
                    self.engine.handle_wrong(now, &wrong);
                }
            }
            Completion::Digests {
                piece,
                digests: Ok(digests),
            } => {
                self.engine.handle_digests(now, piece, &digests);
            }
            // Without digests no sender can be convicted; the piece itself is fine.
            Completion::Digests {
                digests: Err(_), ..
            } => {}
            Completion::Finished(Ok(())) => self.finished(),
            Completion::Finished(Err(error)) | Completion::ReadFailed { error } => self.fail(error),
            Completion::Evicted { piece } => self.engine.handle_evicted(now, piece),
            Completion::VerifyFailed { error, .. } => self.fail(error),
            Completion::WriteFailed { error, lost } => {
                self.task.storage.disclaim(&lost);
                self.engine.handle_lost(&lost);
                self.fail(error);
            }
        }
    }

    /// Halts the torrent because its storage failed: everything waits until the user resumes it.
    pub(super) fn fail(&mut self, error: StorageError) {
        if self.failure.is_some() || error.is_closed() {
            return;
        }
        match error {
            // No other peers and no other bytes make it right.
            StorageError::HashesDisagree(_) => self.engine.give_up(Instant::now()),
            _ => self.engine.halt(Halt::Storage),
        }
        let error = TorrentError::Storage(error);
        self.failure = Some(error.clone());
        self.task.board.end(error.clone());
        self.task.shared.events.send(Event::Failed {
            info_hash: self.task.info_hash(),
            error,
        });
    }

    /// The hashes of pieces came from peers: the next start needs them to check the files.
    pub(super) fn save_hashes(&self) {
        let Some(saved) = self.task.saved.clone() else {
            return;
        };
        let metainfo = Arc::clone(&self.task.metainfo);
        self.tasks.spawn(async move {
            if let Err(error) = saved.save_hashes(&metainfo).await {
                tracing::warn!("saving hashes: {error}");
            }
        });
    }

    /// Everything wanted is verified. The torrent counts as complete when the files have been looked at once more:
    /// another program may have deleted or cut them meanwhile.
    pub(super) fn finish(&mut self) {
        if self.task.wants_nothing {
            // What is shared of an incomplete torrent is never complete.
            return;
        }
        self.is_finished = false;
        // A closed storage cannot be asked, and its torrent has ended.
        if self.task.storage.finish() == Ok(Finish::Done) {
            self.finished();
        }
    }

    pub(super) fn finished(&mut self) {
        // Something more may be wanted by now.
        if self.engine.is_complete() && !self.is_finished {
            self.is_finished = true;
            let info_hash = self.task.info_hash();
            self.task.shared.events.send(Event::Completed { info_hash });
        }
    }
}
