//! Work on a torrent's files: rechecking, moving and removing them.

use std::path::PathBuf;

use tailwater_storage::StorageError;
use tailwater_types::Bitfield;
use tokio::sync::oneshot;

use super::Torrent;
use crate::driver::message::{Request, TorrentMessage};
use crate::driver::upkeep::{Upkeep, Work};
use crate::error::TorrentError;
use crate::options::RemoveOptions;
use crate::status::Phase;

/// The outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recheck {
    /// Everything was hashed; these pieces are right.
    Checked {
        /// The pieces that are there.
        have: Bitfield,
    },
    /// Nothing was hashed: only the torrent can change what it holds, as in memory.
    Needless,
}

impl Torrent {
    /// Hashes everything that is there anew, while the torrent stays in the session. Its peers are disconnected
    /// meanwhile, and are told what is there when they are back; what is wrong is missing from then on, and is fetched
    /// again. This also repairs a torrent whose files were [changed](tailwater_storage::StorageError::FileChanged) by
    /// another program. Readers wait.
    ///
    /// Priorities of single pieces are those of their files again afterwards.
    ///
    /// # Cancel safety
    ///
    /// The check goes on when the future is dropped.
    ///
    /// # Errors
    ///
    /// When its files cannot be read, and then it stops with [`Phase::Failed`](crate::Phase::Failed); when it is closed.
    pub async fn recheck(&self) -> Result<Recheck, TorrentError> {
        if !self.shared.readers.storage().can_change_unseen() {
            return match self.status.borrow().phase {
                Phase::Closed => Err(TorrentError::Closed),
                _ => Ok(Recheck::Needless),
            };
        }
        let have = self.upkeep(Work::Recheck).await?;
        Ok(Recheck::Checked { have })
    }

    /// Moves its files to another folder while the torrent stays in the session; [`Status`](crate::Status) shows the
    /// progress. Where the folder is on the same file system, nothing is copied; else each copy is compared. At any
    /// moment one of the two folders has everything. Peers are disconnected meanwhile, and readers wait. Files of
    /// others stay where they are.
    ///
    /// With a [`state_dir`](crate::SessionBuilder::state_dir), nothing is hashed afterwards. A program that keeps
    /// [records](crate::TorrentRecord) saves a new one when this returns, or at [`Event::Moved`](crate::Event::Moved).
    ///
    /// # Cancel safety
    ///
    /// The move goes on when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`StorageError::Foreign`](crate::StorageError::Foreign) with the files that are there already,
    /// [`StorageError::Unsupported`](crate::StorageError::Unsupported) for one in memory, and why files could not be
    /// copied: then everything is where it was, and the torrent goes on. When it is closed.
    pub async fn move_storage(&self, folder: impl Into<PathBuf>) -> Result<(), TorrentError> {
        self.upkeep(Work::Move(folder.into())).await.map(drop)
    }

    /// Removes it from the session: its trackers get `stopped`, its connections end. Its files stay, unless the options
    /// say otherwise. So does its resume data, so that adding it again needs no check; the session removes that when
    /// the files are gone or after 90 days. Returns when all that is done.
    ///
    /// # Cancel safety
    ///
    /// The torrent is removed even when the future is dropped.
    ///
    /// # Errors
    ///
    /// When a file could not be deleted; [`StorageError::Foreign`] with files that stay, because nothing says that they are
    /// the torrent's. The torrent is removed all the same.
    pub async fn remove(&self, options: RemoveOptions) -> Result<(), StorageError> {
        self.shared.removal.ask(options);
        self.shared.closing.cancel();
        let mut status = self.status.clone();
        // An error means that its task has ended already.
        let _ = status
            .wait_for(|status| status.phase == Phase::Closed)
            .await;
        self.shared.removal.outcome()
    }

    async fn upkeep(&self, work: Work) -> Result<Bitfield, TorrentError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Upkeep(Upkeep { work, answer });
        self.send(TorrentMessage::Request(request)).await?;
        answered.await.map_err(|_| self.refusal())?
    }
}
