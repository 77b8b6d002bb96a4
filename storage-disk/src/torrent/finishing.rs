//! Looks at a torrent's files once more when all its pieces are there.

use tailwater_storage::{Completion, StorageError};

use crate::files::known::Expect;
use crate::torrent::{DiskTorrent, Shared};

impl Shared {
    fn finished(&self, looked: Result<(), StorageError>) {
        if looked.is_ok() {
            self.share_when_complete();
        }
        (self.on_completion)(Completion::Finished(looked));
    }
}

impl DiskTorrent {
    /// Looks at every wanted file once more when all its pieces are there: that it has its name and is the one that was
    /// written; what is too long is cut. Pieces of files that another program has touched are hashed again; those that
    /// are wrong are told as [`Completion::Evicted`]. At last comes [`Completion::Finished`].
    ///
    /// # Errors
    ///
    /// When the storage is closed.
    pub(crate) fn finish(&self) -> Result<(), StorageError> {
        let ticket = self.enter()?;
        let pool = self.pool().clone();
        // Between two writes, not in the middle of one.
        let look = move |_: &mut [u8]| {
            let shared = &ticket.shared;
            let looked = shared.store.look_at_names(Expect::Whole);
            match looked.and_then(|()| shared.is_touched()) {
                // Hashing may take long, and other torrents write on this thread.
                Ok(true) => {
                    // A pool that is closed has no torrent to tell.
                    let _ = pool.submit_read(Box::new(move |_| {
                        let rechecked = ticket.shared.recheck_and_tell();
                        ticket.shared.finished(rechecked);
                    }));
                }
                looked => shared.finished(looked.map(drop)),
            }
        };
        self.pool().submit(self.write_thread(), Box::new(look))
    }

    /// As [`DiskTorrent::finish`], with the answer.
    ///
    /// # Errors
    ///
    /// [`StorageError::FileChanged`]; when the storage is closed or a file cannot be looked at or cut.
    pub(crate) async fn look_again(&self) -> Result<(), StorageError> {
        self.run(|shared| shared.store.look_at_names(Expect::Whole))
            .await?
    }

    /// Checks that the files that have been opened are unchanged.
    ///
    /// # Errors
    ///
    /// [`StorageError::FileChanged`]; when the storage is closed or a file cannot be looked at.
    pub(crate) async fn check_unchanged(&self) -> Result<(), StorageError> {
        self.run(|shared| shared.store.look_at_names(Expect::Unchanged))
            .await?
    }
}
