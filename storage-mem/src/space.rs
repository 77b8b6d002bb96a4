//! Back-pressure: tasks wait here until a reservation could have room.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::error::Error;
use crate::loom::{AtomicU64, Mutex, Ordering, fence, lock};
use crate::storage::MemoryStorage;

/// The wakers of tasks that wait for room, woken when there may be more of it.
#[derive(Debug)]
pub(crate) struct Waiters {
    /// How many wakers are in the list. Blocks are given back often, and that path only reads this count when it is 0.
    armed: AtomicU64,
    list: Mutex<List>,
}

#[derive(Debug)]
struct List {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            armed: AtomicU64::new(0),
            list: Mutex::new(List {
                next: 0,
                wakers: BTreeMap::new(),
            }),
        }
    }

    /// Wakes all waiters. Call it after each change that may make room, and not under a lock, as wakers are foreign
    /// code.
    pub(crate) fn wake(&self) {
        // Either we see the waiter here, or it sees our change when it looks for room after arming: the fences are in
        // one order, and each stands between a write and a read of the other's.
        fence(Ordering::SeqCst);
        if self.armed.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut list = lock(&self.list);
        self.armed.store(0, Ordering::Relaxed);
        let wakers = std::mem::take(&mut list.wakers);
        drop(list);
        wakers.into_values().for_each(Waker::wake);
    }

    /// Registers the waker for the next change, once. Call it before looking for room.
    fn arm(&self, key: &mut Option<u64>, waker: &Waker) {
        let mut list = lock(&self.list);
        let key = *key.get_or_insert_with(|| {
            list.next += 1;
            list.next
        });
        let replaced = list.wakers.insert(key, waker.clone());
        self.armed
            .store(list.wakers.len() as u64, Ordering::Relaxed);
        drop(list);
        drop(replaced);
        fence(Ordering::SeqCst);
    }

    fn disarm(&self, key: u64) {
        let mut list = lock(&self.list);
        let waker = list.wakers.remove(&key);
        self.armed
            .store(list.wakers.len() as u64, Ordering::Relaxed);
        drop(list);
        drop(waker);
    }
}

/// Resolves when a reservation could have the room: what is free, and what may be evicted, is enough.
///
/// Made by [`MemoryStorage::wait_for_space`]. It holds no room: of several waiters, the first to reserve gets the room,
/// and the others wait again. It needs no particular runtime, never polls, and may be dropped at any time.
///
/// # Errors
///
/// [`Error::Full`] at once if the whole budget is too small, [`Error::Closed`].
#[must_use = "it waits only when it is polled"]
pub struct SpaceAvailable {
    storage: MemoryStorage,
    bytes: u64,
    key: Option<u64>,
}

impl SpaceAvailable {
    pub(crate) const fn new(storage: MemoryStorage, bytes: u64) -> Self {
        Self {
            storage,
            bytes,
            key: None,
        }
    }

    fn disarm(&mut self) {
        if let Some(key) = self.key.take() {
            self.storage.waiters().disarm(key);
        }
    }
}

impl Future for SpaceAvailable {
    type Output = Result<(), Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.storage.waiters().arm(&mut this.key, context.waker());
        let result = match this.storage.has_space(this.bytes) {
            Ok(true) => Ok(()),
            Ok(false) => return Poll::Pending,
            Err(error) => Err(error),
        };
        this.disarm();
        Poll::Ready(result)
    }
}

impl Drop for SpaceAvailable {
    fn drop(&mut self) {
        self.disarm();
    }
}

impl fmt::Debug for SpaceAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpaceAvailable({} bytes)", self.bytes)
    }
}
