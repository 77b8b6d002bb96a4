//! The progress and the outcome of a fetch, which its task shares with its handle.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tailwater_metainfo::{InfoHash, Metainfo};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::DropGuard;

use crate::driver::message::TorrentMessage;
use crate::driver::registry::Registry;
use crate::error::FetchError;

/// The progress of a fetch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FetchProgress {
    /// Trackers that are asked for peers.
    pub trackers: usize,
    /// How many of them have been asked.
    pub trackers_asked: usize,
    /// How many answered.
    pub trackers_answered: usize,
    /// How many failed, the last time they were asked.
    pub trackers_failed: usize,
    /// Nodes that our DHT node knows; `None` without one.
    pub dht_nodes: Option<usize>,
    /// Addresses that the DHT has named, the same ones again included.
    pub dht_peers: usize,
    /// Addresses known.
    pub peers_known: usize,
    /// Connections being made.
    pub peers_connecting: usize,
    /// Peers connected.
    pub peers_connected: usize,
    /// How many of them say that they have the metadata.
    pub peers_with_metadata: usize,
    /// Blocks of 16 KiB that have come.
    pub blocks_have: usize,
    /// Blocks in all; 0 while unknown.
    pub blocks_total: usize,
    /// Bytes of the metadata, as a peer claims.
    pub size: Option<u32>,
}

/// The outcome of a fetch.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) metainfo: Metainfo,
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) banned: Vec<IpAddr>,
}

pub(crate) type Outcome = Option<Result<Fetched, FetchError>>;

/// A running fetch, for its handle. Dropping it ends the fetch.
#[derive(Debug)]
pub(crate) struct FetchHandle {
    pub(crate) info_hash: InfoHash,
    pub(crate) progress: watch::Receiver<FetchProgress>,
    pub(crate) outcome: watch::Receiver<Outcome>,
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) _ends_tasks: DropGuard,
}

impl Drop for FetchHandle {
    /// Its name is free at once for another fetch or the torrent: its task may be reading a file, and hears later that it has
    /// ended.
    fn drop(&mut self) {
        self.registry.remove_same(self.info_hash, &self.messages);
    }
}
