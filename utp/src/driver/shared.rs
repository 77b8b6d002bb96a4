//! A connection that tasks share: the one that receives, the program's, and that of its time-outs.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Sleep;

use super::datagrams::Datagrams;
use crate::Transmit;
use crate::config::Config;
use crate::connection::Connection;
use crate::endpoint::Table;

/// The time. The only place where the crate looks at a clock.
pub(super) fn now() -> Instant {
    // tokio's, so that a paused clock is seen.
    tokio::time::Instant::now().into_std()
}

/// What all connections of a socket have in common.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) config: Config,
    pub(super) datagrams: Arc<dyn Datagrams>,
    pub(super) table: Mutex<Table<Entry>>,
    pub(super) runtime: Handle,
    /// Connections whose datagrams the system did not take.
    blocked: Mutex<Vec<Arc<Shared>>>,
    has_blocked: Notify,
    /// The memory that buffers of all connections have grown by.
    lent: Mutex<usize>,
    /// A connection has ended, or has nothing more to say.
    pub(super) finished: Notify,
}

/// A connection in the table.
#[derive(Clone, Debug)]
pub(super) struct Entry(pub(super) Arc<Shared>);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Tasks to wake, once the lock is free.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Wakes([Option<Waker>; 3]);

impl Wakes {
    pub(super) fn wake(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) connection: Connection,
    /// Waits for bytes, or for the connection to be established.
    pub(super) reader: Option<Waker>,
    /// Waits for room.
    pub(super) writer: Option<Waker>,
    /// The task of time-outs.
    timer: Option<Waker>,
    /// When that task looks at the connection next.
    armed: Option<Instant>,
    /// Datagrams that the system did not take, and the length of one.
    stalled: Option<(Vec<u8>, usize)>,
    is_listed: bool,
    /// Its part of the memory that buffers may grow by.
    lent: usize,
    /// It counts as half open.
    pub(super) is_half_open: bool,
    pub(super) is_connected: bool,
    /// Packets have arrived that have not been answered.
    pub(super) is_touched: bool,
}

/// A connection, its lock and its tasks.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) core: Arc<Core>,
    pub(super) remote: SocketAddr,
    inner: Mutex<Inner>,
}

impl Core {
    pub(super) fn new(config: Config, datagrams: Arc<dyn Datagrams>) -> Self {
        Self {
            table: Mutex::new(Table::new(&config, now())),
            config,
            datagrams,
            runtime: Handle::current(),
            blocked: Mutex::new(Vec::new()),
            has_blocked: Notify::new(),
            lent: Mutex::new(0),
            finished: Notify::new(),
        }
    }

    /// Sends what was blocked, whenever the system takes datagrams again.
    pub(super) async fn unblock(self: Arc<Self>) {
        loop {
            self.has_blocked.notified().await;
            let Some(to) = self.blocked.lock().first().map(|shared| shared.remote) else {
                continue;
            };
            let ready = |context: &mut Context<'_>| self.datagrams.poll_send_ready(context, to);
            if std::future::poll_fn(ready).await.is_err() {
                // The runtime shuts down.
                return;
            }
            let blocked = std::mem::take(&mut *self.blocked.lock());
            for shared in blocked {
                let mut inner = shared.lock();
                inner.is_listed = false;
                let wakes = shared.flush(&mut inner);
                drop(inner);
                wakes.wake();
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        *self.core.lent.lock() -= self.inner.get_mut().lent;
    }
}

impl Shared {
    pub(super) fn new(core: Arc<Core>, connection: Connection) -> Arc<Self> {
        let is_half_open = connection.is_half_open();
        let inner = Inner {
            reader: None,
            writer: None,
            timer: None,
            armed: None,
            stalled: None,
            is_listed: false,
            lent: 0,
            is_half_open,
            is_connected: false,
            is_touched: false,
            connection,
        };
        Arc::new(Self {
            remote: inner.connection.remote(),
            core,
            inner: Mutex::new(inner),
        })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    /// Sends what is to be sent, and returns the tasks to wake because of what has changed.
    pub(super) fn flush(self: &Arc<Self>, inner: &mut Inner) -> Wakes {
        self.lend(inner);
        if self.send_stalled(inner) {
            self.send_all(inner);
        }
        let changes = inner.connection.take_changes();
        inner.is_connected |= changes.is_connected;
        let mut wakes = Wakes::default();
        if changes.is_readable || changes.is_connected || changes.is_closed {
            wakes.0[0] = inner.reader.take();
        }
        if changes.is_writable || changes.is_closed {
            wakes.0[1] = inner.writer.take();
        }
        if inner.connection.is_closing() && inner.connection.is_finished() {
            self.core.finished.notify_waiters();
        }
        let due = inner.connection.poll_timeout();
        let is_earlier = due.is_some_and(|due| inner.armed.is_none_or(|armed| due < armed));
        if is_earlier || changes.is_closed {
            wakes.0[2] = inner.timer.take();
        }
        wakes
    }

    /// Lets buffers grow, or takes back what an idle connection has given up.
    fn lend(&self, inner: &mut Inner) {
        if inner.connection.is_growing() || inner.connection.lent() != inner.lent {
            let mut lent = self.core.lent.lock();
            let left = self.core.config.buffer_memory.saturating_sub(*lent);
            inner.connection.grow(left);
            *lent = *lent - inner.lent + inner.connection.lent();
            inner.lent = inner.connection.lent();
        }
    }

    fn send_all(self: &Arc<Self>, inner: &mut Inner) {
        let datagrams = &self.core.datagrams;
        let max_segments = datagrams.max_segments();
        let now = now();
        while let Some(plan) = inner.connection.plan(now, max_segments) {
            let transmit = inner.connection.transmit(now, plan);
            let Err(error) = datagrams.try_send(&transmit) else {
                continue;
            };
            let len = transmit.segment_len;
            if error.kind() == io::ErrorKind::WouldBlock {
                inner.stalled = Some((transmit.contents.to_vec(), len));
                self.list(inner);
                return;
            }
            if transmit.dont_fragment {
                inner.connection.on_too_long(now, len);
            }
        }
    }

    /// Tries again what the system did not take. Returns whether more can be sent.
    fn send_stalled(self: &Arc<Self>, inner: &mut Inner) -> bool {
        let Some((contents, segment_len)) = inner.stalled.take() else {
            return true;
        };
        let transmit = Transmit {
            destination: self.remote,
            contents: &contents,
            segment_len,
            dont_fragment: false,
        };
        match self.core.datagrams.try_send(&transmit) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                inner.stalled = Some((contents, segment_len));
                self.list(inner);
                false
            }
            _ => true,
        }
    }

    fn list(self: &Arc<Self>, inner: &mut Inner) {
        if !inner.is_listed {
            inner.is_listed = true;
            self.core.blocked.lock().push(Arc::clone(self));
            self.core.has_blocked.notify_one();
        }
    }

    /// Does `change` to the connection, and what follows.
    pub(super) fn with<T>(self: &Arc<Self>, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let outcome = change(&mut inner);
        let wakes = self.flush(&mut inner);
        drop(inner);
        wakes.wake();
        outcome
    }

    /// The task of a connection: its time-outs, until it has ended.
    pub(super) async fn run(self: Arc<Self>) {
        let mut sleep = Box::pin(tokio::time::sleep_until(now().into()));
        std::future::poll_fn(|context| self.poll_run(context, sleep.as_mut())).await;
        let inner = self.lock();
        let id = inner.connection.receive_id();
        let is_half_open = inner.is_half_open;
        drop(inner);
        let mut table = self.core.table.lock();
        table.remove(self.remote, id, &Entry(Arc::clone(&self)));
        if is_half_open {
            table.on_proven();
        }
        drop(table);
        self.core.finished.notify_waiters();
    }

    fn poll_run(
        self: &Arc<Self>,
        context: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
    ) -> Poll<()> {
        let mut inner = self.lock();
        inner.timer = None;
        let wakes = loop {
            let now = now();
            let due = inner.connection.poll_timeout();
            let wakes = if due.is_some_and(|due| due <= now) {
                inner.connection.handle_timeout(now);
                self.flush(&mut inner)
            } else {
                Wakes::default()
            };
            if inner.connection.closed().is_some() && inner.stalled.is_none() {
                drop(inner);
                wakes.wake();
                return Poll::Ready(());
            }
            let due = inner.connection.poll_timeout();
            let Some(due) = due else {
                // Something will happen to the connection, or it will be closed.
                inner.armed = None;
                break wakes;
            };
            // A deadline that moves to later, as with every packet, does not move the timer.
            let armed = sleep.deadline().into_std();
            if armed > due || armed <= now {
                sleep.as_mut().reset(due.into());
            }
            inner.armed = Some(sleep.deadline().into_std());
            if sleep.as_mut().poll(context).is_pending() {
                break wakes;
            }
            drop(inner);
            wakes.wake();
            inner = self.lock();
        };
        inner.timer = Some(context.waker().clone());
        drop(inner);
        wakes.wake();
        Poll::Pending
    }
}
