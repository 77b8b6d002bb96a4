//! The node on sockets: one task, bounded channels.

mod handle;
mod pending;
mod task;

use std::io;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use handle::{Dht, DhtClosed, DhtError, Found, PeerStream, SampleStream, Sampled, Stream};

use crate::{Config, Family};

/// Commands that wait for the node's task. Whoever gives another waits.
pub const MAX_COMMANDS: usize = 64;
/// Batches of results that wait for their reader. A lookup brings fewer.
pub const MAX_BATCHES: usize = 512;

/// The sockets of a node, one for each network that it is in.
#[derive(Debug, Default)]
// Not `#[non_exhaustive]`: there are two families.
pub struct Sockets {
    /// For IPv4.
    pub v4: Option<UdpSocket>,
    /// For IPv6. It must not take IPv4 datagrams too.
    pub v6: Option<UdpSocket>,
}

impl From<UdpSocket> for Sockets {
    fn from(socket: UdpSocket) -> Self {
        match socket.local_addr() {
            Ok(addr) if Family::of(&addr) == Family::V6 => Self {
                v4: None,
                v6: Some(socket),
            },
            _ => Self {
                v4: Some(socket),
                v6: None,
            },
        }
    }
}

impl Dht {
    /// Starts a node on sockets that are bound. It runs until [`close`](Self::close), or until the last handle is dropped.
    ///
    /// `bootstrap` are `host:port` of nodes that know others. Names are resolved by the way: one that takes long, or has no
    /// address, holds up nothing.
    ///
    /// # Errors
    ///
    /// When there is no socket, or the address of one cannot be told.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(
        sockets: impl Into<Sockets>,
        config: Config,
        bootstrap: impl IntoIterator<Item = String>,
    ) -> io::Result<Self> {
        let sockets = sockets.into();
        if sockets.v4.is_none() && sockets.v6.is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no socket"));
        }
        let addr = |socket: &Option<UdpSocket>| socket.as_ref().map(UdpSocket::local_addr);
        let local = [
            addr(&sockets.v4).transpose()?,
            addr(&sockets.v6).transpose()?,
        ];
        let config = config.with_families(sockets.v4.is_some(), sockets.v6.is_some());
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let sockets = Arc::new(sockets);
        tasks.spawn(task::run(task::Task::new(
            sockets,
            config,
            inbox,
            closing.clone(),
        )));
        for host in bootstrap {
            // The weak sender lets the node end although a name server does not answer.
            let commands = commands.downgrade();
            tasks.spawn(task::resolve(host, commands, closing.clone()));
        }
        tasks.close();
        Ok(Self::new(commands, closing, tasks, local))
    }
}
