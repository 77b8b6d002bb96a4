//! The handle of a running node, its result types and its streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tailwater_types::InfoHash;
use tokio::sync::{mpsc, oneshot, watch};

use super::MAX_BATCHES;
use super::pending::Waiter;
use super::task::Command;
use crate::{
    Announce, Ending, Entry, Family, Item, ItemKey, NodeId, NodeInfo, NodeStats, Report,
    SavedTable, Scrape,
};

/// A running node. Clones are handles of the same one; it ends with the last of them, or by [`close`](Self::close).
#[derive(Clone, Debug)]
pub struct Dht {
    commands: mpsc::Sender<Command>,
    /// Set to `true`, it makes the node's tasks end; each holds a receiver until it has ended.
    closing: Arc<watch::Sender<bool>>,
    local: [Option<SocketAddr>; 2],
}

/// The node has been closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node has been closed")]
pub struct DhtClosed;

/// Why something was not stored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DhtError {
    /// The node has been closed.
    #[error(transparent)]
    Closed(#[from] DhtClosed),
    /// No node has stored it.
    #[error("no node has stored it{}", .report.refusal.as_ref().map(|refusal| format!(": {}", refusal.text)).unwrap_or_default())]
    NotStored {
        /// What was asked and answered.
        report: Box<Report>,
    },
}

/// Peers that a node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
// Not `#[non_exhaustive]`: an answer has these two.
pub struct Found {
    /// The node.
    pub from: NodeInfo,
    /// The peers, none of which came before.
    pub peers: Vec<SocketAddr>,
}

/// The answer to a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pong {
    /// The node that answered.
    pub node: NodeInfo,
    /// How long it took.
    pub rtt: Duration,
}

/// Torrents that a node has peers of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sampled {
    /// The node.
    pub from: NodeInfo,
    /// Some of the torrents.
    pub info_hashes: Vec<InfoHash>,
    /// How many there are.
    pub stored: i64,
    /// When it is worth while to ask that node again.
    pub interval: Duration,
}

/// Results of a lookup as they come. Dropping it ends the lookup.
#[derive(Debug)]
pub struct Stream<T> {
    batches: mpsc::Receiver<T>,
    done: oneshot::Receiver<Report>,
}

/// Peers as they come: [`Dht::get_peers`], [`Dht::announce`].
pub type PeerStream = Stream<Found>;
/// Torrents as they come: [`Dht::sample`].
pub type SampleStream = Stream<Sampled>;

impl<T> Stream<T> {
    /// The next results; `None` when the lookup has ended, or the node.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<T> {
        self.batches.recv().await
    }

    /// Waits for the lookup to end and returns its report. Results that have not been read are dropped.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn finish(self) -> Result<Report, DhtClosed> {
        self.done.await.map_err(|_| DhtClosed)
    }
}

impl Dht {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        closing: watch::Sender<bool>,
        local: [Option<SocketAddr>; 2],
    ) -> Self {
        Self {
            commands,
            closing: Arc::new(closing),
            local,
        }
    }

    /// The local address of a family's datagrams.
    #[must_use]
    pub const fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        match family {
            Family::V4 => self.local[0],
            Family::V6 => self.local[1],
        }
    }

    /// Looks for peers of a torrent.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn get_peers(&self, info_hash: InfoHash) -> Result<PeerStream, DhtClosed> {
        self.stream(|batches, done| Command::GetPeers(info_hash, Waiter::Peers { batches, done }))
            .await
    }

    /// Looks for peers of a torrent, and announces one: the announce is done when the stream has ended. Repeat it every
    /// 15 minutes.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn announce(
        &self,
        info_hash: InfoHash,
        how: Announce,
    ) -> Result<PeerStream, DhtClosed> {
        self.stream(|batches, done| {
            Command::Announce(info_hash, how, Waiter::Peers { batches, done })
        })
        .await
    }

    /// Asks how large a swarm is (BEP 33).
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn scrape(&self, info_hash: InfoHash) -> Result<Scrape, DhtClosed> {
        let report = self.ask(|done| Command::Scrape(info_hash, Waiter::Done(done)));
        Ok(report.await?.scrape.unwrap_or_default())
    }

    /// Looks for peers of a torrent, and asks how large its swarm is (BEP 33): the estimate is in the report.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn scrape_peers(&self, info_hash: InfoHash) -> Result<PeerStream, DhtClosed> {
        self.stream(|batches, done| Command::Scrape(info_hash, Waiter::Peers { batches, done }))
            .await
    }

    /// The newest version of an item (BEP 44), if there is one.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn get(&self, key: ItemKey) -> Result<Option<Item>, DhtClosed> {
        Ok(self.get_with_report(key).await?.0)
    }

    /// The same, with a report: it tells an item that no node has from a network that did not answer.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn get_with_report(&self, key: ItemKey) -> Result<(Option<Item>, Report), DhtClosed> {
        let best = None;
        self.ask(|done| Command::Get(key, Waiter::Item { best, done }))
            .await
    }

    /// Has an item stored (BEP 44), in place of the one numbered `cas` if that is given. Repeat it every hour.
    ///
    /// # Errors
    ///
    /// When no node has stored it, or the node has been closed.
    pub async fn put(&self, item: Item, cas: Option<i64>) -> Result<Report, DhtError> {
        let report = self.ask(|done| Command::Put(Box::new(item), cas, Waiter::Done(done)));
        let report = report.await?;
        if report.stored == 0 {
            let report = Box::new(report);
            return Err(DhtError::NotStored { report });
        }
        Ok(report)
    }

    /// Asks the nodes on the way to `target` for torrents (BEP 51).
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn sample(&self, target: NodeId) -> Result<SampleStream, DhtClosed> {
        self.stream(|batches, done| Command::Sample(target, Waiter::Samples { batches, done }))
            .await
    }

    /// The nodes nearest to `target`.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn find_node(&self, target: NodeId) -> Result<Report, DhtClosed> {
        self.ask(|done| Command::FindNode(target, Waiter::Done(done)))
            .await
    }

    /// Asks whether a node is there; `None` if it does not answer.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn ping(&self, addr: SocketAddr) -> Result<Option<Pong>, DhtClosed> {
        let pong = None;
        self.ask(|done| Command::Ping(addr, Waiter::Ping { pong, done }))
            .await
    }

    /// Adds an address that may be a node's, from a `PORT` message or a torrent.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn add_node(&self, addr: SocketAddr) -> Result<(), DhtClosed> {
        self.give(Command::AddNode(addr)).await
    }

    /// Adds the addresses of a bootstrap node, for names that [`Dht::start`] is not to resolve. The node asks them whenever
    /// it knows no other.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn add_bootstrap(&self, addrs: Vec<SocketAddr>) -> Result<(), DhtClosed> {
        self.give(Command::AddBootstrap(addrs)).await
    }

    /// A summary of the node's state.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn stats(&self) -> Result<NodeStats, DhtClosed> {
        self.ask(Command::Stats).await
    }

    /// The nodes in its table of a family, from far to near.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn table(&self, family: Family) -> Result<Vec<Entry>, DhtClosed> {
        self.ask(|reply| Command::Table(family, reply)).await
    }

    /// The ids and nodes to give to [`Config::with_saved`](crate::Config::with_saved) the next time.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn saved(&self) -> Result<SavedTable, DhtClosed> {
        self.ask(Command::Saved).await
    }

    /// Looks for neighbours until there are some: true when the node knows others, false when `limit` has passed.
    ///
    /// # Errors
    ///
    /// When the node has been closed.
    pub async fn bootstrapped(&self, limit: Duration) -> Result<bool, DhtClosed> {
        let [v4, v6] = self.saved().await?.ids;
        let Some(own_id) = v4.or(v6) else {
            return Ok(false);
        };
        // A lookup waits for the first node, so that callers need not poll.
        match tokio::time::timeout(limit, self.find_node(own_id)).await {
            Ok(report) => Ok(report?.ending == Ending::Complete),
            Err(_) => Ok(false),
        }
    }

    /// Ends the node. Returns when all its tasks have ended and its sockets are closed. Calling it twice is harmless.
    pub async fn close(&self) {
        self.closing.send_replace(true);
        self.closing.closed().await;
    }

    async fn give(&self, command: Command) -> Result<(), DhtClosed> {
        self.commands.send(command).await.map_err(|_| DhtClosed)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, DhtClosed> {
        let (sender, receiver) = oneshot::channel();
        self.give(command(sender)).await?;
        receiver.await.map_err(|_| DhtClosed)
    }

    async fn stream<T>(
        &self,
        command: impl FnOnce(mpsc::Sender<T>, oneshot::Sender<Report>) -> Command,
    ) -> Result<Stream<T>, DhtClosed> {
        let (batches, receiver) = mpsc::channel(MAX_BATCHES);
        let (sender, done) = oneshot::channel();
        self.give(command(batches, sender)).await?;
        Ok(Stream {
            batches: receiver,
            done,
        })
    }
}
