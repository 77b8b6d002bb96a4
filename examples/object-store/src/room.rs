//! The write buffer: pieces that are being downloaded, in a bounded number of bytes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tailwater_storage::{BlockRef, PieceIndex};
use tokio::sync::Notify;

/// The pieces of all torrents of a factory that are in memory and not in the bucket yet.
pub(crate) struct Room {
    most: u64,
    taken: Mutex<u64>,
    freed: Notify,
}

impl Room {
    pub(crate) fn new(most: u64) -> Self {
        Self {
            most,
            taken: Mutex::new(0),
            freed: Notify::new(),
        }
    }

    /// Reserves room; one piece always fits.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let mut taken = self.taken();
        let fits = self.fits(*taken, bytes);
        if fits {
            *taken += bytes;
        }
        fits
    }

    pub(crate) fn give_back(&self, bytes: u64) {
        *self.taken() -= bytes;
        self.freed.notify_waiters();
    }

    pub(crate) async fn wait(&self, bytes: u64) {
        loop {
            let freed = self.freed.notified();
            if self.fits(*self.taken(), bytes) {
                return;
            }
            freed.await;
        }
    }

    pub(crate) fn figures(&self) -> (u64, u64) {
        (self.most, *self.taken())
    }

    fn fits(&self, taken: u64, bytes: u64) -> bool {
        taken == 0 || taken + bytes <= self.most
    }

    fn taken(&self) -> MutexGuard<'_, u64> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece that is being downloaded.
pub(crate) struct Partial {
    pub(crate) attempt: u64,
    data: PieceData,
}

enum PieceData {
    Empty,
    Filling(Vec<u8>),
    /// It is being hashed or put; if that fails, it is still here.
    Whole(Bytes),
}

impl Partial {
    pub(crate) const fn new(attempt: u64) -> Self {
        Self {
            attempt,
            data: PieceData::Empty,
        }
    }

    /// Copies a block to its place.
    pub(crate) fn fill(&mut self, piece_len: usize, block: BlockRef, bytes: &[u8]) {
        if !matches!(self.data, PieceData::Filling(_)) {
            self.data = PieceData::Filling(vec![0; piece_len]);
        }
        if let PieceData::Filling(data) = &mut self.data {
            let start = usize::try_from(block.offset()).unwrap_or(usize::MAX);
            if let Some(place) = data.get_mut(start..start.saturating_add(bytes.len())) {
                place.copy_from_slice(bytes);
            }
        }
    }

    /// The piece, which is not written to any more.
    pub(crate) fn freeze(&mut self) -> Bytes {
        let whole = match std::mem::replace(&mut self.data, PieceData::Empty) {
            PieceData::Filling(data) => Bytes::from(data),
            PieceData::Whole(whole) => whole,
            PieceData::Empty => Bytes::new(),
        };
        self.data = PieceData::Whole(whole.clone());
        whole
    }
}

/// The pieces of one torrent that are being downloaded.
pub(crate) type Partials = HashMap<PieceIndex, Partial>;

/// Counts work under way, so that its end can be waited for.
#[derive(Default)]
pub(crate) struct UnderWay {
    count: AtomicUsize,
    idle: Notify,
}

/// Work is under way until this is dropped.
pub(crate) struct Working(Arc<UnderWay>);

impl UnderWay {
    pub(crate) fn begin(self: &Arc<Self>) -> Working {
        self.count.fetch_add(1, Ordering::AcqRel);
        Working(Arc::clone(self))
    }

    /// Waits until nothing is under way.
    pub(crate) async fn ended(&self) {
        loop {
            let idle = self.idle.notified();
            if self.count.load(Ordering::Acquire) == 0 {
                return;
            }
            idle.await;
        }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}
