//! Which torrents a session has, by their names on the wire.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tailwater_metainfo::{Info, InfoHash, PeerId};
use tokio::sync::{mpsc, watch};

use super::incident::Incident;

/// What of a torrent strangers may hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anybody may hear that we have it.
    Public,
    /// Its trackers alone (BEP 27).
    Private,
}

impl Reach {
    pub(crate) fn of(info: &Info) -> Self {
        match info.is_private() {
            true => Self::Private,
            false => Self::Public,
        }
    }
}

#[derive(Debug)]
struct Entry {
    incidents: mpsc::Sender<Incident>,
    reach: Reach,
}

/// Looked at once for each incoming connection, never on the way of a block.
#[derive(Debug)]
pub(crate) struct Registry {
    peer_id: PeerId,
    torrents: Mutex<HashMap<InfoHash, Entry>>,
    /// Counts what comes and goes.
    changes: watch::Sender<u64>,
}

impl Registry {
    pub(crate) fn new(peer_id: PeerId) -> Self {
        Self {
            peer_id,
            torrents: Mutex::default(),
            changes: watch::Sender::default(),
        }
    }

    pub(crate) const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Says whether the name was free.
    pub(crate) fn insert(
        &self,
        info_hash: InfoHash,
        reach: Reach,
        incidents: mpsc::Sender<Incident>,
    ) -> bool {
        let mut torrents = self.lock();
        let free = !torrents.contains_key(&info_hash);
        if free {
            torrents.insert(info_hash, Entry { incidents, reach });
        }
        drop(torrents);
        self.changes.send_modify(|changes| *changes += 1);
        free
    }

    pub(crate) fn remove(&self, info_hash: InfoHash) {
        self.lock().remove(&info_hash);
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn accepts(&self, info_hash: InfoHash) -> bool {
        self.lock().contains_key(&info_hash)
    }

    pub(crate) fn find(&self, info_hash: InfoHash) -> Option<mpsc::Sender<Incident>> {
        let torrents = self.lock();
        torrents
            .get(&info_hash)
            .map(|entry| entry.incidents.clone())
    }

    /// The torrents that anybody may hear of.
    pub(crate) fn public_torrents(&self) -> Vec<InfoHash> {
        let torrents = self.lock();
        let public = torrents.iter().filter(|(_, entry)| entry.is_public());
        public.map(|(&info_hash, _)| info_hash).collect()
    }

    /// The way to a torrent, unless it is private: nobody but its trackers may name peers of that (BEP 27).
    pub(crate) fn find_public(&self, info_hash: InfoHash) -> Option<mpsc::Sender<Incident>> {
        let torrents = self.lock();
        let entry = torrents.get(&info_hash).filter(|entry| entry.is_public());
        entry.map(|entry| entry.incidents.clone())
    }

    /// Changes whenever a torrent comes or goes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InfoHash, Entry>> {
        self.torrents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_public(&self) -> bool {
        self.reach == Reach::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_hear_of_public_torrents_alone() {
        let registry = Registry::new(PeerId::new([1; 20]));
        let (incidents, _queue) = mpsc::channel(1);
        let [public, private] = [1, 2].map(|byte| InfoHash::new([byte; 20]));
        let mut changes = registry.subscribe();
        assert!(registry.insert(public, Reach::Public, incidents.clone()));
        assert!(registry.insert(private, Reach::Private, incidents.clone()));
        assert!(!registry.insert(private, Reach::Public, incidents));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!(registry.public_torrents(), [public]);
        assert!(registry.find_public(public).is_some());
        assert!(registry.find_public(private).is_none());
        // It can be called all the same: its trackers have told where we are.
        assert!(registry.accepts(private) && registry.find(private).is_some());
        registry.remove(public);
        assert!(changes.has_changed().unwrap());
        assert!(registry.public_torrents().is_empty());
    }
}
