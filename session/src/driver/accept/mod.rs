//! The listening port: one for all torrents, for both address families.

mod handshakes;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tailwater_wire::Reserved;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::handshakes::Handshakes;
use crate::driver::dial::{self, Call};
use crate::driver::message::TorrentMessage;
use crate::driver::permits::ConnectionPermits;
use crate::driver::registry::Registry;
use crate::torrent::Host;

/// A caller whose torrent does not take it within this time is hung up on. Meanwhile it holds a permit for a connection, but
/// no handshake.
const HAND_OVER_WITHIN: Duration = Duration::from_secs(5);
/// Callers that the kernel keeps waiting.
const BACKLOG: i32 = 128;
/// The first port tried when none is asked for, and how many after it (BEP 3 names 6881 to 6889).
const DEFAULT_PORT: u16 = 6881;
const PORTS_TRIED: u16 = 32;

/// Opens the listening socket. Without an address: the first free port from 6881, on all interfaces.
///
/// # Errors
///
/// When the address is taken or not ours.
pub(crate) fn bind(addr: Option<SocketAddr>) -> io::Result<TcpListener> {
    if let Some(addr) = addr {
        return bind_to(addr);
    }
    let mut last_error = None;
    for port in (DEFAULT_PORT..).take(usize::from(PORTS_TRIED)) {
        match bind_everywhere(port) {
            Ok(listener) => return Ok(listener),
            Err(error) => last_error = Some(error),
        }
    }
    // Every usual port is taken: any will do.
    bind_everywhere(0).map_err(|error| last_error.unwrap_or(error))
}

/// One socket for both families where the machine has IPv6, else IPv4 alone.
fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match bind_to(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))) {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            bind_to(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
        }
        outcome => outcome,
    }
}

fn bind_to(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // Only lets us follow ourselves: a port on which somebody listens stays taken.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes calls until the session closes. It waits for nothing but calls: a caller without a permit is hung up on,
/// and one that keeps silent makes room for the next.
pub(crate) async fn listen(
    listener: TcpListener,
    registry: Arc<Registry>,
    permits: ConnectionPermits,
    reserved: Reserved,
    closing: CancellationToken,
) {
    let handshakes = Arc::new(Mutex::new(Handshakes::default()));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => {
                let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
                let Some(permit) = permits.try_acquire_incoming(addr.ip()) else {
                    tracing::debug!(%addr, "hanging up on a caller: no permit for a connection");
                    continue;
                };
                let call = Call {
                    stream,
                    addr,
                    permit,
                };
                let ending = closing.child_token();
                let turn = Turn::begin(&handshakes, addr, ending.clone());
                let registry = Arc::clone(&registry);
                tasks.spawn(async move {
                    tokio::select! {
                        () = ending.cancelled() => tracing::debug!(%addr, "ending a handshake"),
                        () = welcome(call, &registry, reserved, turn) => {}
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: the next call must not find us spinning.
                tracing::warn!("accepting a connection: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// A caller's slot in the table of handshakes; freed when it is dropped.
struct Turn {
    handshakes: Arc<Mutex<Handshakes<CancellationToken>>>,
    number: u64,
}

impl Turn {
    /// Enters the table, and ends those that have to go for it.
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
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shakes hands and passes the peer on to its torrent.
async fn welcome(call: Call, registry: &Registry, reserved: Reserved, turn: Turn) {
    let addr = call.addr;
    let find = |info_hash| {
        let ours = dial::Ours {
            info_hash,
            peer_id: registry.peer_id(),
            reserved,
        };
        registry.accepts(info_hash).then_some(ours)
    };
    let answered = dial::answer(call, find).await;
    // What follows is the torrent's affair: one that is busy does not hold up callers of others.
    drop(turn);
    match answered {
        Ok((info_hash, peer)) => {
            if let Some(messages) = registry.find(info_hash) {
                let handed_over = timeout(
                    HAND_OVER_WITHIN,
                    messages.send(TorrentMessage::Handshaken(peer)),
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
