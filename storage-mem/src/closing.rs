//! Closing a storage: waits until the last operation has finished.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::loom::{Arc, Mutex, lock};

/// Counts down what still runs after `close`.
#[derive(Debug)]
pub(crate) struct Countdown(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The closing call itself, until it has visited every shard, and the shards that have operations running.
    left: usize,
    next_waiter: u64,
    waiters: BTreeMap<u64, Waker>,
}

impl Countdown {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            left: 1,
            next_waiter: 0,
            waiters: BTreeMap::new(),
        }))
    }

    /// Adds one to wait for. Only before the closing call has counted itself down.
    pub(crate) fn add(&self) {
        lock(&self.0).left += 1;
    }

    /// Counts one down, and wakes the waiters at zero.
    pub(crate) fn done(&self) {
        let mut state = lock(&self.0);
        state.left -= 1;
        if state.left > 0 {
            return;
        }
        let waiters = std::mem::take(&mut state.waiters);
        drop(state);
        waiters.into_values().for_each(Waker::wake);
    }
}

/// Resolves when the storage has been closed and none of its operations is running any more.
///
/// It needs no particular runtime, and may be dropped at any time.
#[must_use = "the storage closes all the same, but may not be at rest yet"]
pub struct Closed {
    countdown: Arc<Countdown>,
    key: Option<u64>,
}

impl Closed {
    pub(crate) const fn new(countdown: Arc<Countdown>) -> Self {
        Self {
            countdown,
            key: None,
        }
    }
}

impl Future for Closed {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut state = lock(&this.countdown.0);
        if state.left == 0 {
            return Poll::Ready(());
        }
        let key = *this.key.get_or_insert_with(|| {
            state.next_waiter += 1;
            state.next_waiter
        });
        let replaced = state.waiters.insert(key, context.waker().clone());
        drop(state);
        // Dropping a waker runs foreign code: not under the lock.
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let waker = lock(&self.countdown.0).waiters.remove(&key);
            drop(waker);
        }
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
