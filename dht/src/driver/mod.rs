//! The tokio driver: runs a node on UDP sockets, in one task with bounded channels.

mod bootstrap;
mod datagrams;
mod handle;
mod pending;
mod sockets;
mod table_file;
mod task;

use std::io;

use tokio::sync::{mpsc, watch};

pub use bootstrap::BOOTSTRAP_HOSTS;
pub use datagrams::{DatagramBatch, Datagrams, MAX_BATCH_LEN};
pub use handle::{
    Dht, DhtClosed, DhtError, Found, PeerStream, Pong, SampleStream, Sampled, Stream,
};
pub use sockets::Sockets;
pub use table_file::load_table;

use crate::{Config, Family};

/// Capacity of the command channel; when it is full, the caller waits.
pub const MAX_COMMANDS: usize = 64;
/// Capacity of a result stream, in batches. A lookup brings fewer.
pub const MAX_BATCHES: usize = 512;

impl Dht {
    /// Starts a node. It runs until [`close`](Self::close), or until the last handle is dropped. `datagrams` are its network:
    /// [`Sockets`], one tokio `UdpSocket`, or a port that is shared with other protocols.
    ///
    /// `bootstrap` are `host:port` of bootstrap nodes, such as [`BOOTSTRAP_HOSTS`]. Names are resolved in the
    /// background, and again while the node knows no other: a name that takes long, or has no address yet, delays
    /// nothing.
    ///
    /// # Errors
    ///
    /// When there is no network of either family.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(
        datagrams: impl Datagrams,
        config: Config,
        bootstrap: impl IntoIterator<Item = String>,
    ) -> io::Result<Self> {
        let local = Family::ALL.map(|family| datagrams.local_addr(family));
        let [has_v4, has_v6] = local.map(|addr| addr.is_some());
        if !has_v4 && !has_v6 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no socket"));
        }
        let config = config.with_families(has_v4, has_v6);
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        let (closing, is_closing) = watch::channel(false);
        let task = task::Task::new(datagrams, config, inbox);
        tokio::spawn(until_closed(is_closing.clone(), task.run()));
        for host in bootstrap {
            // A weak sender, so that the node can end although a name server does not answer.
            let commands = commands.downgrade();
            let resolving = bootstrap::resolve(host, commands);
            tokio::spawn(until_closed(is_closing.clone(), resolving));
        }
        Ok(Self::new(commands, closing, local))
    }
}

/// Runs a task of the node's until it ends, or the node is closed, or its last handle is dropped. The receiver is dropped last:
/// it is what [`Dht::close`] waits for.
async fn until_closed(mut is_closing: watch::Receiver<bool>, task: impl Future<Output = ()>) {
    tokio::select! {
        // An error: the last handle is gone.
        _ = is_closing.wait_for(|is_closing| *is_closing) => {}
        () = task => {}
    }
}
