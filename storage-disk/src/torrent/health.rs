//! The health of a torrent's disk, and the operations under way.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tailwater_storage::StorageError;
use tokio::sync::Notify;

/// The health of a torrent's disk: a count (the epoch) of its failures and resumes, which is even while the disk works.
///
/// A job remembers the count from when it was queued and does nothing when it has changed since: after a failure, what
/// was queued behind the failed write is refused too, even if the torrent has been resumed meanwhile. So a piece is never
/// judged by data of which a part was not written.
#[derive(Default)]
pub(crate) struct Health {
    epoch: AtomicU64,
    error: Mutex<Option<StorageError>>,
}

impl Health {
    /// The count to remember.
    ///
    /// # Errors
    ///
    /// The failure, while the torrent has not been resumed.
    pub(crate) fn epoch(&self) -> Result<u64, StorageError> {
        let epoch = self.epoch.load(Ordering::Acquire);
        if epoch.is_multiple_of(2) {
            Ok(epoch)
        } else {
            Err(self.error())
        }
    }

    /// Whether nothing has failed since `epoch`.
    ///
    /// # Errors
    ///
    /// The latest failure.
    pub(crate) fn check(&self, epoch: u64) -> Result<(), StorageError> {
        if self.epoch.load(Ordering::Acquire) == epoch {
            Ok(())
        } else {
            Err(self.error())
        }
    }

    /// Notes a failure of a job from `epoch`. The first one is kept.
    pub(crate) fn fail(&self, epoch: u64, error: &StorageError) {
        let mut kept = self.error.lock();
        if self.epoch.load(Ordering::Acquire) == epoch {
            *kept = Some(error.clone());
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Ends a failure; says whether there was one.
    pub(crate) fn resume(&self) -> bool {
        let _kept = self.error.lock();
        let failed = !self.epoch.load(Ordering::Acquire).is_multiple_of(2);
        if failed {
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        failed
    }

    fn error(&self) -> StorageError {
        let kept = self.error.lock();
        kept.clone().unwrap_or(StorageError::Closed)
    }
}

/// The top bit of [`Pending`]'s count: closed.
const CLOSED: usize = 1 << (usize::BITS - 1);

/// Counts the operations under way, so that closing can wait for them.
#[derive(Default)]
pub(crate) struct Pending {
    count: AtomicUsize,
    idle: Notify,
}

impl Pending {
    /// Begins an operation.
    ///
    /// # Errors
    ///
    /// [`StorageError::Closed`] once it is closed.
    pub(crate) fn enter(&self) -> Result<(), StorageError> {
        let entered = self
            .count
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
                (count & CLOSED == 0).then_some(count + 1)
            });
        entered.map(|_| ()).map_err(|_| StorageError::Closed)
    }

    /// Ends an operation.
    pub(crate) fn leave(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == CLOSED + 1 {
            self.idle.notify_waiters();
        }
    }

    /// Whether closing has begun.
    pub(crate) fn is_closed(&self) -> bool {
        self.count.load(Ordering::Acquire) & CLOSED != 0
    }

    /// Lets no operation begin any more and waits until all have ended.
    pub(crate) async fn close(&self) {
        self.count.fetch_or(CLOSED, Ordering::AcqRel);
        loop {
            let idle = self.idle.notified();
            if self.count.load(Ordering::Acquire) == CLOSED {
                return;
            }
            idle.await;
        }
    }
}
