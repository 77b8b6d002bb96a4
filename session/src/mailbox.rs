//! Queues of batches between tasks: the sender never waits for a busy receiver.

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// Completions that may be queued for a torrent: a verdict and digests for each piece at most.
pub(crate) const COMPLETION_LIMIT: usize = 1 << 22;

/// A queue that is filled and emptied in batches.
///
/// It is used where the sender must not wait and what can pile up is bounded otherwise: a connection's commands by its
/// request window and the pieces, a storage's completions by the pieces. The limit given to [`Mailbox::new`] catches a
/// receiver that is stuck.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    state: Mutex<State<T>>,
    notify: Notify,
    limit: usize,
}

#[derive(Debug)]
struct State<T> {
    waiting: Vec<T>,
    closed: bool,
}

/// The queue has reached its limit: its receiver is stuck.
#[derive(Debug)]
pub(crate) struct Stuck;

impl<T> Mailbox<T> {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: Vec::new(),
                closed: false,
            }),
            notify: Notify::const_new(),
            limit,
        }
    }

    /// Moves a batch in and wakes the receiver.
    pub(crate) fn push(&self, batch: &mut Vec<T>) -> Result<(), Stuck> {
        let mut state = self.lock();
        if state.waiting.len() + batch.len() > self.limit {
            return Err(Stuck);
        }
        state.waiting.append(batch);
        drop(state);
        self.notify.notify_one();
        Ok(())
    }

    /// Nothing more will come; the receiver is to end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.notify.notify_one();
    }

    /// Moves everything out into an empty `batch`; says whether more may come.
    pub(crate) fn take(&self, batch: &mut Vec<T>) -> bool {
        let mut state = self.lock();
        std::mem::swap(&mut state.waiting, batch);
        !state.closed
    }

    /// Waits until there is something to take, or it was closed.
    pub(crate) async fn ready(&self) {
        self.notify.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing under the lock can panic halfway through a change.
        self.state.lock()
    }
}
