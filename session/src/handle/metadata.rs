//! The handle of a fetch of metadata.

use std::net::{IpAddr, SocketAddr};

use tailwater_metainfo::{InfoHash, Metainfo};

use crate::driver::message::TorrentMessage;
use crate::driver::metadata::progress::{FetchHandle, FetchProgress};
use crate::error::FetchError;
use crate::torrent::PeerSource;

/// A fetch of a magnet link's metadata, which goes on until it succeeds, or this is dropped, or the session closes.
///
/// Dropping it ends its connections at once; its trackers are told in the background.
#[derive(Debug)]
pub struct MetadataFetch(FetchHandle);

impl From<FetchHandle> for MetadataFetch {
    fn from(handle: FetchHandle) -> Self {
        Self(handle)
    }
}

impl MetadataFetch {
    /// The torrent's name on the wire.
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.0.info_hash
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
    /// When the metadata cannot be had. Without any peer it waits.
    pub async fn wait(&mut self) -> Result<Metainfo, FetchError> {
        let settled = self.0.outcome.wait_for(Option::is_some).await;
        match settled.as_deref() {
            Ok(Some(Ok(fetched))) => Ok(fetched.metainfo.clone()),
            Ok(Some(Err(error))) => Err(error.clone()),
            Ok(None) | Err(_) => Err(FetchError::Closed),
        }
    }

    /// The progress of the fetch.
    #[must_use]
    pub fn progress(&self) -> FetchProgress {
        *self.0.progress.borrow()
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
        let changed = self.0.progress.changed().await;
        changed.map_err(|_| FetchError::Closed)?;
        Ok(*self.0.progress.borrow_and_update())
    }

    /// Adds addresses of peers to try.
    ///
    /// # Errors
    ///
    /// [`FetchError::Closed`] when the fetch is over.
    pub async fn add_peers(&self, addrs: Vec<SocketAddr>) -> Result<(), FetchError> {
        let candidates = TorrentMessage::Candidates(PeerSource::User, addrs);
        let sent = self.0.messages.send(candidates).await;
        sent.map_err(|_| FetchError::Closed)
    }

    /// Once it has succeeded: the addresses to begin the download with, for
    /// [`AddOptions::peers`](crate::AddOptions::peers). They are the peers that sent metadata, those that were connected,
    /// and those that the link names. If the torrent is private, only those of
    /// [`MetadataFetch::add_peers`] are among them: its trackers' peers do not mix (BEP 27), so it asks one of them anew.
    #[must_use]
    pub fn peers(&self) -> Vec<SocketAddr> {
        match &*self.0.outcome.borrow() {
            Some(Ok(fetched)) => fetched.peers.clone(),
            _ => Vec::new(),
        }
    }
    /// Once it has succeeded: the addresses whose metadata was false, all of it their own, for
    /// [`AddOptions::banned`](crate::AddOptions::banned). Addresses of this machine are never among them, as tests and proxies share
    /// those.
    #[must_use]
    pub fn banned(&self) -> Vec<IpAddr> {
        match &*self.0.outcome.borrow() {
            Some(Ok(fetched)) => fetched.banned.clone(),
            _ => Vec::new(),
        }
    }
}
