//! The node on sockets: one task, bounded channels.

mod bootstrap;
mod handle;
mod pending;
mod sockets;
mod table_file;
mod task;

use std::io;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use bootstrap::BOOTSTRAP_HOSTS;
pub use handle::{
    Dht, DhtClosed, DhtError, Found, PeerStream, Pong, SampleStream, Sampled, Stream,
};
pub use sockets::Sockets;
pub use table_file::load_table;

use crate::Config;

/// Commands that wait for the node's task. Whoever gives another waits.
pub const MAX_COMMANDS: usize = 64;
/// Batches of results that wait for their reader. A lookup brings fewer.
pub const MAX_BATCHES: usize = 512;

impl Dht {
    /// Starts a node on sockets that are bound. It runs until [`close`](Self::close), or until the last handle is dropped.
    ///
    /// `bootstrap` are `host:port` of nodes that know others, such as [`BOOTSTRAP_HOSTS`]. Names are resolved by the way, and
    /// again while the node is alone: one that takes long, or has no address yet, holds up nothing.
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
            tasks.spawn(bootstrap::resolve(host, commands, closing.clone()));
        }
        tasks.close();
        Ok(Self::new(commands, closing, tasks, local))
    }
}
