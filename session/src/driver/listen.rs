//! The listening port: one for all torrents, for both address families.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};
use tailwater_wire::Reserved;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::connections::Places;
use super::dial::{self, Call};
use super::incident::Incident;
use super::registry::Registry;

/// Handshakes of callers that are under way at once; further callers wait in the kernel.
const MAX_HANDSHAKES: usize = 64;
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

/// Takes calls until the session closes. Whoever finds no place is hung up on.
pub(crate) async fn listen(
    listener: TcpListener,
    registry: Arc<Registry>,
    places: Places,
    reserved: Reserved,
    closing: CancellationToken,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    let tasks = tokio_util::task::TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = closing.cancelled() => break,
            accepted = accept(&listener, &handshakes) => accepted,
        };
        match accepted {
            Ok((stream, addr, permit)) => {
                let Some(place) = places.for_caller() else {
                    tracing::debug!(%addr, "hanging up on a caller: no place for a connection");
                    continue;
                };
                let call = Call {
                    stream,
                    addr,
                    place,
                };
                let (registry, closing) = (Arc::clone(&registry), closing.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = closing.cancelled() => {}
                        () = welcome(call, &registry, reserved) => {}
                    }
                    drop(permit);
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

async fn accept(
    listener: &TcpListener,
    handshakes: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(handshakes)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, addr) = listener.accept().await?;
    Ok((
        stream,
        SocketAddr::new(addr.ip().to_canonical(), addr.port()),
        permit,
    ))
}

/// Shakes hands and passes the peer on to its torrent.
async fn welcome(call: Call, registry: &Registry, reserved: Reserved) {
    let addr = call.addr;
    let find = |info_hash| {
        let ours = dial::Ours {
            info_hash,
            peer_id: registry.peer_id(),
            reserved,
        };
        registry.accepts(info_hash).then_some(ours)
    };
    match dial::answer(call, find).await {
        Ok((info_hash, peer)) => {
            if let Some(incidents) = registry.find(info_hash) {
                // A torrent that has gone meanwhile drops the connection.
                let _ = incidents.send(Incident::Handshaken(peer)).await;
            }
        }
        Err(error) => tracing::debug!(%addr, "incoming connection: {error}"),
    }
}
