//! Work on a torrent's files while it is suspended: rechecking them, moving them to another folder.

use std::path::PathBuf;
use std::sync::Arc;

use tailwater_storage::{Space, Storage, StorageError};
use tailwater_types::Bitfield;
use tokio::sync::{oneshot, watch};

use super::registry::Registration;
use super::torrent::{Continued, Suspended, TorrentTask};
use crate::error::{AddError, TorrentError};
use crate::events::{Event, EventSender};
use crate::mailbox::{COMPLETION_LIMIT, Mailbox};
use crate::options::StorageKind;
use crate::reader::Readers;
use crate::status::{Phase, Status};
use crate::storage::Storages;
use crate::torrent::Priority;

/// The work to be done.
#[derive(Debug)]
pub(crate) enum Work {
    /// Everything is hashed.
    Recheck,
    /// The files go to this folder.
    Move(PathBuf),
}

/// Work that a handle asked for.
#[derive(Debug)]
pub(crate) struct Upkeep {
    pub(crate) work: Work,
    pub(crate) answer: oneshot::Sender<Result<Bitfield, TorrentError>>,
}

/// Work that is done; its outcome is reported when the torrent has looked at its files.
pub(crate) struct Done {
    event: Option<Event>,
    answer: oneshot::Sender<Result<Bitfield, TorrentError>>,
    /// Why it was not done; the torrent goes on as it was.
    failure: Option<TorrentError>,
}

impl Done {
    /// The torrent has looked at its files.
    pub(crate) fn tell(self, events: &EventSender, have: &Bitfield) {
        let outcome = match self.failure {
            Some(failure) => Err(failure),
            None => Ok(have.clone()),
        };
        if let (Ok(have), Some(mut event)) = (&outcome, self.event) {
            if let Event::Rechecked { have: found, .. } = &mut event {
                *found = have.count();
            }
            events.send(event);
        }
        // A handle that no longer waits needs no answer.
        let _ = self.answer.send(outcome);
    }

    /// The torrent cannot go on.
    pub(crate) fn fail(self, error: &TorrentError) {
        let _ = self.answer.send(Err(error.clone()));
    }
}

/// A torrent that has been opened anew.
pub(crate) struct Reopened {
    pub(crate) task: TorrentTask,
    pub(crate) space: Box<dyn Space + Send>,
    pub(crate) continued: Continued,
    pub(crate) done: Done,
}

/// Carries out work on a torrent's files.
pub(crate) struct Workshop<'a> {
    pub(crate) storages: &'a Storages,
    pub(crate) readers: &'a Readers,
    pub(crate) registration: &'a Registration,
    pub(crate) status: &'a watch::Sender<Status>,
}

impl Workshop<'_> {
    /// Does the work, and opens the torrent anew.
    ///
    /// # Errors
    ///
    /// When it cannot be opened anew. Its task is there to refuse everything.
    pub(crate) async fn work(
        &self,
        suspended: Suspended,
    ) -> Result<Reopened, (TorrentTask, TorrentError)> {
        let Suspended {
            mut task,
            upkeep,
            continued,
        } = suspended;
        self.registration.shut();
        let info_hash = task.config.info_hash;
        let mut options = task.settings.lock().options.clone();
        let mut failure = None;
        let event = match upkeep.work {
            Work::Recheck => {
                options.disk.recheck = true;
                Event::Rechecked {
                    info_hash,
                    have: 0,
                    total: task.geometry.piece_count(),
                }
            }
            Work::Move(folder) => {
                failure = self.relocate(&*task.storage, folder.clone()).await.err();
                if failure.is_none() {
                    options.storage = StorageKind::Disk(folder.clone());
                    task.settings.lock().options.storage = options.storage.clone();
                }
                Event::Moved { info_hash, folder }
            }
        };
        task.storage.close().await;
        let files = task.settings.priorities();
        let wanted = files.iter().map(|file| *file > Priority::Skip).collect();
        let completions = Arc::new(Mailbox::new(COMPLETION_LIMIT));
        let opened = self
            .storages
            .open(&task.metainfo, wanted, &options, &completions);
        let done = Done {
            event: failure.is_none().then_some(event),
            answer: upkeep.answer,
            failure: failure.map(TorrentError::from),
        };
        match opened.await {
            Ok(opened) => {
                task.storage = Arc::clone(&opened.storage);
                task.completions = completions;
                self.readers.set_storage(opened.storage);
                Ok(Reopened {
                    task,
                    space: opened.space,
                    continued,
                    done,
                })
            }
            Err(error) => {
                let error = refused(error);
                done.fail(&error);
                Err((task, error))
            }
        }
    }

    async fn relocate(&self, storage: &dyn Storage, folder: PathBuf) -> Result<(), StorageError> {
        let status = self.status.clone();
        let moved = Arc::new(move |done, total| {
            status.send_modify(|status| status.phase = Phase::Moving { done, total });
        });
        moved(0, 0);
        storage.relocate(folder, moved).await
    }
}

/// Why a torrent that ran could not be opened anew.
fn refused(error: AddError) -> TorrentError {
    TorrentError::Storage(match error {
        AddError::Storage(error) => error,
        AddError::PathInUse { path, .. } => StorageError::InUse { path },
        other => StorageError::Layout(other.to_string()),
    })
}
