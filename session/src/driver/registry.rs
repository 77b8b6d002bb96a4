//! The registry: finds a torrent of the session by its info-hash.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{Info, InfoHash, PeerId};
use tailwater_wire::mse;
use tokio::sync::{mpsc, watch};

use super::handle::RunningTorrent;
use super::message::TorrentMessage;

/// Who may be told that we have a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anyone may be told that we have it.
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
    messages: mpsc::Sender<TorrentMessage>,
    reach: Reach,
    /// Whether it takes incoming connections, and is announced on the local network.
    is_open: bool,
    /// The place of an added torrent in the order of adding, and its handle.
    added: Option<(u64, RunningTorrent)>,
}

/// The torrents, and their info-hashes by the form in which an encrypted handshake names them: finding one costs the same
/// however many there are.
#[derive(Debug, Default)]
struct Torrents {
    by_hash: HashMap<InfoHash, Entry>,
    obfuscated: HashMap<[u8; 20], InfoHash>,
}

impl Torrents {
    fn insert(&mut self, info_hash: InfoHash, entry: Entry) {
        self.obfuscated
            .insert(mse::obfuscated(&info_hash), info_hash);
        self.by_hash.insert(info_hash, entry);
    }

    fn remove(&mut self, info_hash: InfoHash) -> Option<Entry> {
        self.obfuscated.remove(&mse::obfuscated(&info_hash));
        self.by_hash.remove(&info_hash)
    }
}

/// The torrents of a session by info-hash. It is locked once for each incoming connection, never on the way of a block.
#[derive(Debug)]
pub(crate) struct Registry {
    peer_id: PeerId,
    torrents: Mutex<Torrents>,
    /// Counts what comes and goes.
    changes: watch::Sender<u64>,
    /// Counts torrents that were added.
    additions: AtomicU64,
}

impl Registry {
    pub(crate) fn new(peer_id: PeerId) -> Self {
        Self {
            peer_id,
            torrents: Mutex::default(),
            changes: watch::Sender::default(),
            additions: AtomicU64::default(),
        }
    }

    pub(crate) const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Adds a torrent; says whether the name was free. The torrent takes incoming connections from now on.
    pub(crate) fn insert(
        &self,
        info_hash: InfoHash,
        reach: Reach,
        messages: mpsc::Sender<TorrentMessage>,
    ) -> bool {
        let entry = Entry {
            messages,
            reach,
            is_open: true,
            added: None,
        };
        self.insert_entry(info_hash, entry)
    }

    /// Takes the name for a torrent that is not ready yet: callers are refused until [`Registration::open`]. `None` when
    /// the name is taken.
    pub(crate) fn register(
        self: &Arc<Self>,
        info_hash: InfoHash,
        reach: Reach,
        messages: mpsc::Sender<TorrentMessage>,
    ) -> Option<Registration> {
        let entry = Entry {
            messages,
            reach,
            is_open: false,
            added: None,
        };
        let registry = Arc::clone(self);
        self.insert_entry(info_hash, entry).then(|| Registration {
            registry,
            info_hash,
        })
    }

    fn insert_entry(&self, info_hash: InfoHash, entry: Entry) -> bool {
        let mut torrents = self.lock();
        let free = !torrents.by_hash.contains_key(&info_hash);
        if free {
            torrents.insert(info_hash, entry);
        }
        drop(torrents);
        self.changes.send_modify(|changes| *changes += 1);
        free
    }

    pub(crate) fn remove(&self, info_hash: InfoHash) {
        let entry = self.lock().remove(info_hash);
        // A handle's drop is more than a count: not under the lock.
        drop(entry);
        self.changes.send_modify(|changes| *changes += 1);
    }

    pub(crate) fn accepts(&self, info_hash: InfoHash) -> bool {
        let torrents = self.lock();
        torrents
            .by_hash
            .get(&info_hash)
            .is_some_and(|entry| entry.is_open)
    }

    /// The info-hash of the torrent that an encrypted handshake names by this obfuscated hash.
    pub(crate) fn reveal(&self, obfuscated: &[u8; 20]) -> Option<InfoHash> {
        self.lock().obfuscated.get(obfuscated).copied()
    }

    /// The queue of a torrent that takes incoming connections.
    pub(crate) fn find(&self, info_hash: InfoHash) -> Option<mpsc::Sender<TorrentMessage>> {
        let torrents = self.lock();
        let entry = torrents
            .by_hash
            .get(&info_hash)
            .filter(|entry| entry.is_open);
        entry.map(|entry| entry.messages.clone())
    }

    /// The torrents that are not private.
    pub(crate) fn public_torrents(&self) -> Vec<InfoHash> {
        let torrents = self.lock();
        let public = torrents
            .by_hash
            .iter()
            .filter(|(_, entry)| entry.is_public());
        public.map(|(&info_hash, _)| info_hash).collect()
    }

    /// The queue of a torrent, unless it is private: only its trackers may name peers of that (BEP 27).
    pub(crate) fn find_public(&self, info_hash: InfoHash) -> Option<mpsc::Sender<TorrentMessage>> {
        let torrents = self.lock();
        let entry = torrents
            .by_hash
            .get(&info_hash)
            .filter(|entry| entry.is_public());
        entry.map(|entry| entry.messages.clone())
    }

    /// The torrents that were added and have not ended, in the order of adding.
    pub(crate) fn added(&self) -> Vec<RunningTorrent> {
        let torrents = self.lock();
        let mut added: Vec<_> = torrents
            .by_hash
            .values()
            .filter_map(|it| it.added.clone())
            .collect();
        drop(torrents);
        added.sort_unstable_by_key(|(number, _)| *number);
        added.into_iter().map(|(_, torrent)| torrent).collect()
    }

    /// A torrent that was added and has not ended.
    pub(crate) fn get(&self, info_hash: InfoHash) -> Option<RunningTorrent> {
        let torrents = self.lock();
        let (_, torrent) = torrents.by_hash.get(&info_hash)?.added.as_ref()?;
        Some(torrent.clone())
    }

    /// Changes whenever a torrent comes or goes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Torrents> {
        self.torrents.lock()
    }
}

impl Entry {
    fn is_public(&self) -> bool {
        self.is_open && self.reach == Reach::Public
    }
}

/// A torrent's entry in the registry. The name is free again when this is dropped, also when adding was given up half
/// way.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    info_hash: InfoHash,
}

impl Registration {
    /// The torrent has been added: its handle can be asked for.
    pub(crate) fn add(&self, torrent: RunningTorrent) {
        let number = self.registry.additions.fetch_add(1, Ordering::Relaxed);
        if let Some(entry) = self.registry.lock().by_hash.get_mut(&self.info_hash) {
            entry.added = Some((number, torrent));
        }
    }

    /// The torrent takes no incoming connections until [`Registration::open`]: it checks its files, or moves them.
    pub(crate) fn shut(&self) {
        if let Some(entry) = self.registry.lock().by_hash.get_mut(&self.info_hash) {
            entry.is_open = false;
        }
        self.registry.changes.send_modify(|changes| *changes += 1);
    }

    /// The torrent is ready: it takes incoming connections from now on.
    ///
    /// Until then they are refused at their handshake. While files are checked, which can take an hour, they would fill
    /// the torrent's queue, and then each would hold one of the few slots for handshakes.
    pub(crate) fn open(&self) {
        if let Some(entry) = self.registry.lock().by_hash.get_mut(&self.info_hash) {
            entry.is_open = true;
        }
        self.registry.changes.send_modify(|changes| *changes += 1);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.remove(self.info_hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_hear_of_public_torrents_alone() {
        let registry = Registry::new(PeerId::new([1; 20]));
        let (messages, _queue) = mpsc::channel(1);
        let [public, private] = [1, 2].map(|byte| InfoHash::new([byte; 20]));
        let mut changes = registry.subscribe();
        assert!(registry.insert(public, Reach::Public, messages.clone()));
        assert!(registry.insert(private, Reach::Private, messages.clone()));
        assert!(!registry.insert(private, Reach::Public, messages));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!(registry.public_torrents(), [public]);
        assert!(registry.find_public(public).is_some());
        assert!(registry.find_public(private).is_none());
        // It can be called all the same: its trackers have told where we are.
        assert!(registry.accepts(private) && registry.find(private).is_some());
        let obfuscated = mse::obfuscated(&public);
        assert_eq!(registry.reveal(&obfuscated), Some(public));
        assert_eq!(registry.reveal(&[7; 20]), None);
        registry.remove(public);
        assert_eq!(registry.reveal(&obfuscated), None);
        assert!(changes.has_changed().unwrap());
        assert!(registry.public_torrents().is_empty());
    }

    #[test]
    fn a_torrent_takes_callers_when_it_is_open_and_its_name_is_free_when_it_is_dropped() {
        let registry = Arc::new(Registry::new(PeerId::new([1; 20])));
        let (messages, _queue) = mpsc::channel(1);
        let hash = InfoHash::new([1; 20]);
        let register = || registry.register(hash, Reach::Public, messages.clone());
        let registration = register().unwrap();
        assert!(!registry.accepts(hash) && registry.find(hash).is_none());
        assert!(registry.find_public(hash).is_none() && registry.public_torrents().is_empty());
        assert!(register().is_none());
        let mut changes = registry.subscribe();
        registration.open();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert!(registry.accepts(hash) && registry.find(hash).is_some());
        assert_eq!(registry.public_torrents(), [hash]);
        drop(registration);
        assert!(changes.has_changed().unwrap() && !registry.accepts(hash));
        assert!(register().is_some());
    }
}
