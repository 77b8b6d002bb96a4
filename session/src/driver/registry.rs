//! Which torrents a session has, by their names on the wire.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tailwater_metainfo::{InfoHash, PeerId};
use tokio::sync::mpsc;

use super::incident::Incident;

/// Looked at once for each incoming connection, never on the way of a block.
#[derive(Debug)]
pub(crate) struct Registry {
    peer_id: PeerId,
    torrents: Mutex<HashMap<InfoHash, mpsc::Sender<Incident>>>,
}

impl Registry {
    pub(crate) fn new(peer_id: PeerId) -> Self {
        Self {
            peer_id,
            torrents: Mutex::default(),
        }
    }

    pub(crate) const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Says whether the name was free.
    pub(crate) fn insert(&self, info_hash: InfoHash, incidents: mpsc::Sender<Incident>) -> bool {
        let mut torrents = self.lock();
        let free = !torrents.contains_key(&info_hash);
        if free {
            torrents.insert(info_hash, incidents);
        }
        free
    }

    pub(crate) fn remove(&self, info_hash: InfoHash) {
        self.lock().remove(&info_hash);
    }

    pub(crate) fn accepts(&self, info_hash: InfoHash) -> bool {
        self.lock().contains_key(&info_hash)
    }

    pub(crate) fn find(&self, info_hash: InfoHash) -> Option<mpsc::Sender<Incident>> {
        self.lock().get(&info_hash).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InfoHash, mpsc::Sender<Incident>>> {
        self.torrents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
