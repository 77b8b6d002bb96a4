//! Incoming connections: from the listener to the handshake, and on to the torrent that the handshake names.
//!
//! A connection without a permit is closed at once (`driver::permits`). The number of handshakes under way is limited in
//! `handshakes.rs`: when there are too many, the oldest ends.

mod handshakes;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tailwater_wire::Reserved;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handshakes::Handshakes;
use crate::driver::handshake::{self, Call, Desk, ExchangeBudget, HandshakeSettings};
use crate::driver::message::TorrentMessage;
use crate::driver::permits::ConnectionPermits;
use crate::driver::registry::Registry;
use crate::ip_filter::SharedFilter;
use crate::torrent::Host;
use crate::transport::{Listener, Stream};

/// A connection that its torrent does not take within this time is closed. Meanwhile it holds a permit, but no slot for
/// a handshake.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(5);

/// What incoming connections are received with, whichever listener they come from. Clones share it.
#[derive(Clone)]
pub(crate) struct Reception {
    registry: Arc<Registry>,
    permits: ConnectionPermits,
    reserved: Reserved,
    settings: HandshakeSettings,
    filter: SharedFilter,
    budget: Arc<ExchangeBudget>,
    handshakes: Arc<Mutex<Handshakes<CancellationToken>>>,
}

impl Reception {
    pub(crate) fn new(
        registry: Arc<Registry>,
        permits: ConnectionPermits,
        reserved: Reserved,
        settings: HandshakeSettings,
        filter: SharedFilter,
    ) -> Self {
        Self {
            registry,
            permits,
            reserved,
            settings,
            filter,
            budget: Arc::default(),
            handshakes: Arc::default(),
        }
    }

    /// Accepts connections until the session closes. It waits for nothing else: one without a permit is closed, and one that
    /// stays silent makes room for the next.
    pub(crate) async fn listen(self, mut listener: Listener, closing: CancellationToken) {
        let tasks = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = closing.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, addr)) => self.receive(stream, addr, &tasks, &closing),
                Err(error) => {
                    // Out of file descriptors, most likely: the next call must not find us spinning.
                    tracing::warn!("accepting a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        tasks.close();
        tasks.wait().await;
    }

    /// Has a task shake hands with a caller, unless it is turned away at once.
    fn receive(
        &self,
        stream: Stream,
        addr: SocketAddr,
        tasks: &TaskTracker,
        closing: &CancellationToken,
    ) {
        if self.filter.contains(addr.ip()) {
            tracing::debug!(%addr, "hanging up on a caller: its address is filtered");
            return;
        }
        let Some(permit) = self.permits.try_acquire_incoming(addr.ip()) else {
            tracing::debug!(%addr, "hanging up on a caller: no permit for a connection");
            return;
        };
        let call = Call {
            stream,
            addr,
            permit,
        };
        let ending = closing.child_token();
        let turn = Turn::begin(&self.handshakes, addr, ending.clone());
        let reception = self.clone();
        tasks.spawn(async move {
            let desk = Desk {
                registry: &reception.registry,
                reserved: reception.reserved,
                settings: &reception.settings,
                budget: &reception.budget,
            };
            tokio::select! {
                () = ending.cancelled() => tracing::debug!(%addr, "ending a handshake"),
                () = welcome(call, &desk, turn) => {}
            }
        });
    }
}

/// A caller's entry in the table of handshakes; removed when it is dropped.
struct Turn {
    handshakes: Arc<Mutex<Handshakes<CancellationToken>>>,
    number: u64,
}

impl Turn {
    /// Enters the table, and ends the handshakes that make room for it.
    fn begin(
        handshakes: &Arc<Mutex<Handshakes<CancellationToken>>>,
        addr: SocketAddr,
        ending: CancellationToken,
    ) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let mut table = lock(handshakes);
        let (number, displaced) = table.begin(now, Host::of(addr.ip()), ending);
        drop(table);
        for ending in displaced {
            ending.cancel();
        }
        Self {
            handshakes: Arc::clone(handshakes),
            number,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        lock(&self.handshakes).end(self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under the lock can panic halfway through a change.
    mutex.lock()
}

/// Shakes hands and passes the peer on to its torrent.
async fn welcome(call: Call, desk: &Desk<'_>, turn: Turn) {
    let addr = call.addr;
    let answered = handshake::answer(call, desk).await;
    // What follows is the torrent's affair: one that is busy does not hold up callers of others.
    drop(turn);
    match answered {
        Ok((info_hash, peer)) => {
            if let Some(messages) = desk.registry.find(info_hash) {
                let handed_over = timeout(
                    HAND_OVER_WITHIN,
                    messages.send(TorrentMessage::Handshaken(Box::new(peer))),
                );
                // A torrent that has gone meanwhile drops the connection.
                if handed_over.await.is_err() {
                    tracing::debug!(%addr, "hanging up on a caller: its torrent is busy");
                }
            }
        }
        Err(error) => tracing::debug!(%addr, "incoming connection: {error}"),
    }
}
