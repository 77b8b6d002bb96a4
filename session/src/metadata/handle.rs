//! The handle of a fetch.

use std::net::{IpAddr, SocketAddr};

use tailwater_metainfo::{InfoHash, Metainfo};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::DropGuard;

use crate::driver::message::TorrentMessage;
use crate::error::FetchError;
use crate::torrent::PeerSource;

/// How a fetch is doing: what is being tried, and how far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct FetchProgress {
    /// Trackers that are asked for peers.
    pub trackers: usize,
    /// Of those, how many have been asked.
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
    /// Of those, how many say that they have the metadata.
    pub peers_with_metadata: usize,
    /// Blocks of 16 KiB that have come.
    pub blocks_have: usize,
    /// Blocks in all; 0 while unknown.
    pub blocks_total: usize,
    /// Bytes of the metadata, by a peer's word.
    pub size: Option<u32>,
}

/// What a fetch ended with.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) metainfo: Metainfo,
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) banned: Vec<IpAddr>,
}

pub(crate) type Outcome = Option<Result<Fetched, FetchError>>;

/// A fetch of a magnet link's metadata, which goes on until it succeeds, or this is dropped, or the session closes.
///
/// Dropping it ends its connections at once; its trackers hear of it in the background.
#[derive(Debug)]
pub struct MetadataFetch {
    pub(crate) info_hash: InfoHash,
    pub(crate) progress: watch::Receiver<FetchProgress>,
    pub(crate) outcome: watch::Receiver<Outcome>,
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) _ends_tasks: DropGuard,
}

impl MetadataFetch {
    /// The torrent's name on the wire.
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// Waits for the metadata, with the link's trackers and web seeds around it. The session has forgotten the fetch by
    /// then: the torrent can be added, with [`MetadataFetch::peers`]. May be called again.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// When there is nothing to wait for. Without any peer it waits.
    pub async fn wait(&mut self) -> Result<Metainfo, FetchError> {
        let settled = self.outcome.wait_for(Option::is_some).await;
        match settled.as_deref() {
            Ok(Some(Ok(fetched))) => Ok(fetched.metainfo.clone()),
            Ok(Some(Err(error))) => Err(error.clone()),
            Ok(None) | Err(_) => Err(FetchError::Closed),
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> FetchProgress {
        *self.progress.borrow()
    }

    /// Waits until the progress changes and returns the new one.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Errors
    ///
    /// [`FetchError::Closed`] when it will not change any more: the fetch is over.
    pub async fn changed(&mut self) -> Result<FetchProgress, FetchError> {
        let changed = self.progress.changed().await;
        changed.map_err(|_| FetchError::Closed)?;
        Ok(*self.progress.borrow_and_update())
    }

    /// Tries these addresses too.
    ///
    /// # Errors
    ///
    /// [`FetchError::Closed`] when the fetch is over.
    pub async fn add_peers(&self, addrs: Vec<SocketAddr>) -> Result<(), FetchError> {
        let candidates = TorrentMessage::Candidates(PeerSource::User, addrs);
        let sent = self.messages.send(candidates).await;
        sent.map_err(|_| FetchError::Closed)
    }

    /// Once it has succeeded: the addresses to begin the download with, for
    /// [`AddOptions::peers`](crate::AddOptions::peers). They are the peers that sent metadata, those that were connected,
    /// and those that the link names. If the torrent is private, only those of
    /// [`MetadataFetch::add_peers`] are among them: its trackers' peers do not mix (BEP 27), so it asks one of them anew.
    #[must_use]
    pub fn peers(&self) -> Vec<SocketAddr> {
        match &*self.outcome.borrow() {
            Some(Ok(fetched)) => fetched.peers.clone(),
            _ => Vec::new(),
        }
    }
    /// Once it has succeeded: the addresses whose metadata was false, all of it their own, for
    /// [`AddOptions::banned`](crate::AddOptions::banned). Addresses of this machine are never among them, as tests and proxies share
    /// those.
    #[must_use]
    pub fn banned(&self) -> Vec<IpAddr> {
        match &*self.outcome.borrow() {
            Some(Ok(fetched)) => fetched.banned.clone(),
            _ => Vec::new(),
        }
    }
}
