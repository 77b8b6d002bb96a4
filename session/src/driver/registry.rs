//! The registry: finds a torrent of the session by its info-hash, or by either of the two of a hybrid (BEP 52).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{Info, InfoHash, InfoHashes, PeerId};
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
    hashes: InfoHashes,
    messages: mpsc::Sender<TorrentMessage>,
    reach: Reach,
    /// Whether it takes incoming connections, and is announced on the local network.
    is_open: bool,
    /// The place of an added torrent in the order of adding, and its handle.
    added: Option<(u64, RunningTorrent)>,
}

/// The torrents by their first name on the wire, and all names by the form in which an encrypted handshake has them:
/// finding a torrent costs the same however many there are.
#[derive(Debug, Default)]
struct Torrents {
    by_hash: HashMap<InfoHash, Entry>,
    /// The second names of hybrid torrents, each with the first.
    second_names: HashMap<InfoHash, InfoHash>,
    obfuscated: HashMap<[u8; 20], InfoHash>,
}

impl Torrents {
    /// Adds a torrent, unless one of its names is taken.
    fn insert(&mut self, entry: Entry) -> bool {
        let mut names = entry.hashes.names();
        let Some(first) = names.next() else {
            return false;
        };
        if entry.hashes.names().any(|name| self.get(name).is_some()) {
            return false;
        }
        for name in entry.hashes.names() {
            self.obfuscated.insert(mse::obfuscated(&name), name);
        }
        for second in names {
            self.second_names.insert(second, first);
        }
        self.by_hash.insert(first, entry);
        true
    }

    fn remove(&mut self, first: InfoHash) -> Option<Entry> {
        let entry = self.by_hash.remove(&first)?;
        for name in entry.hashes.names() {
            self.obfuscated.remove(&mse::obfuscated(&name));
            self.second_names.remove(&name);
        }
        Some(entry)
    }

    /// The torrent with this name.
    fn get(&self, name: InfoHash) -> Option<&Entry> {
        let first = self.second_names.get(&name).unwrap_or(&name);
        self.by_hash.get(first)
    }

    /// The torrent with this name, if it takes incoming connections.
    fn get_open(&self, name: InfoHash) -> Option<&Entry> {
        self.get(name).filter(|entry| entry.is_open)
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

    /// Adds a torrent; says whether its names were free. The torrent takes incoming connections from now on.
    pub(crate) fn insert(
        &self,
        hashes: InfoHashes,
        reach: Reach,
        messages: mpsc::Sender<TorrentMessage>,
    ) -> bool {
        let entry = Entry {
            hashes,
            messages,
            reach,
            is_open: true,
            added: None,
        };
        self.insert_entry(entry)
    }

    /// Takes the names for a torrent that is not ready yet: callers are refused until [`Registration::open`]. `None` when
    /// one of the names is taken.
    pub(crate) fn register(
        self: &Arc<Self>,
        hashes: InfoHashes,
        reach: Reach,
        messages: mpsc::Sender<TorrentMessage>,
    ) -> Option<Registration> {
        let info_hash = hashes.wire()?;
        let entry = Entry {
            hashes,
            messages,
            reach,
            is_open: false,
            added: None,
        };
        let registry = Arc::clone(self);
        self.insert_entry(entry).then(|| Registration {
            registry,
            info_hash,
        })
    }

    fn insert_entry(&self, entry: Entry) -> bool {
        let free = self.lock().insert(entry);
        self.changes.send_modify(|changes| *changes += 1);
        free
    }

    /// Removes a torrent, by its first name.
    pub(crate) fn remove(&self, info_hash: InfoHash) {
        let entry = self.lock().remove(info_hash);
        // A handle's drop is more than a count: not under the lock.
        drop(entry);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Removes a torrent, by its first name, if it is the one with this queue: another may have taken the name since.
    pub(crate) fn remove_same(&self, info_hash: InfoHash, messages: &mpsc::Sender<TorrentMessage>) {
        let mut torrents = self.lock();
        let entry = torrents.by_hash.get(&info_hash);
        if entry.is_none_or(|entry| !entry.messages.same_channel(messages)) {
            return;
        }
        let entry = torrents.remove(info_hash);
        drop(torrents);
        drop(entry);
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// All hashes of the torrent with this name, if it takes incoming connections.
    pub(crate) fn accepts(&self, name: InfoHash) -> Option<InfoHashes> {
        self.lock().get_open(name).map(|entry| entry.hashes)
    }

    /// The info-hash of the torrent that an encrypted handshake names by this obfuscated hash.
    pub(crate) fn reveal(&self, obfuscated: &[u8; 20]) -> Option<InfoHash> {
        self.lock().obfuscated.get(obfuscated).copied()
    }

    /// The queue of a torrent that takes incoming connections.
    pub(crate) fn find(&self, name: InfoHash) -> Option<mpsc::Sender<TorrentMessage>> {
        let torrents = self.lock();
        torrents.get_open(name).map(|entry| entry.messages.clone())
    }

    /// All names of the torrents that are not private.
    pub(crate) fn public_torrents(&self) -> Vec<InfoHash> {
        let torrents = self.lock();
        let entries = torrents.by_hash.values();
        let public = entries.filter(|entry| entry.is_public());
        public.flat_map(|entry| entry.hashes.names()).collect()
    }

    /// The queue of a torrent, unless it is private: only its trackers may name peers of that (BEP 27).
    pub(crate) fn find_public(&self, name: InfoHash) -> Option<mpsc::Sender<TorrentMessage>> {
        let torrents = self.lock();
        let entry = torrents.get(name).filter(|entry| entry.is_public());
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
    pub(crate) fn get(&self, name: InfoHash) -> Option<RunningTorrent> {
        let torrents = self.lock();
        let (_, torrent) = torrents.get(name)?.added.as_ref()?;
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

/// A torrent's entry in the registry. Its names are free again when this is dropped, also when adding was given up half
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
    use tailwater_metainfo::InfoHashV2;

    use super::*;

    #[test]
    fn strangers_hear_of_public_torrents_alone() {
        let registry = Registry::new(PeerId::new([1; 20]));
        let (messages, _queue) = mpsc::channel(1);
        let [public, private] = [1, 2].map(|byte| InfoHash::new([byte; 20]));
        let mut changes = registry.subscribe();
        assert!(registry.insert(public.into(), Reach::Public, messages.clone()));
        assert!(registry.insert(private.into(), Reach::Private, messages.clone()));
        assert!(!registry.insert(private.into(), Reach::Public, messages));
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert_eq!(registry.public_torrents(), [public]);
        assert!(registry.find_public(public).is_some());
        assert!(registry.find_public(private).is_none());
        // It can be called all the same: its trackers have told where we are.
        assert!(registry.accepts(private).is_some() && registry.find(private).is_some());
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
        let register = || registry.register(hash.into(), Reach::Public, messages.clone());
        let registration = register().unwrap();
        assert!(registry.accepts(hash).is_none() && registry.find(hash).is_none());
        assert!(registry.find_public(hash).is_none() && registry.public_torrents().is_empty());
        assert!(register().is_none());
        let mut changes = registry.subscribe();
        registration.open();
        assert!(changes.has_changed().unwrap());
        changes.mark_unchanged();
        assert!(registry.accepts(hash).is_some() && registry.find(hash).is_some());
        assert_eq!(registry.public_torrents(), [hash]);
        drop(registration);
        assert!(changes.has_changed().unwrap() && registry.accepts(hash).is_none());
        assert!(register().is_some());
    }
    #[test]
    fn a_hybrid_is_found_by_both_names_and_takes_both() {
        let registry = Arc::new(Registry::new(PeerId::new([1; 20])));
        let (messages, _queue) = mpsc::channel(1);
        let (v1, v2) = (InfoHash::new([1; 20]), InfoHashV2::new([2; 32]));
        let hybrid = InfoHashes {
            v1: Some(v1),
            v2: Some(v2),
        };
        let register =
            |hashes: InfoHashes| registry.register(hashes, Reach::Public, messages.clone());
        let registration = register(hybrid).unwrap();
        registration.open();
        for name in [v1, v2.truncated()] {
            assert_eq!(registry.accepts(name), Some(hybrid));
            assert_eq!(registry.reveal(&mse::obfuscated(&name)), Some(name));
            assert!(registry.find(name).is_some() && registry.find_public(name).is_some());
        }
        assert_eq!(registry.public_torrents(), [v1, v2.truncated()]);
        assert!(register(v1.into()).is_none() && register(v2.into()).is_none());
        drop(registration);
        let others = [register(v1.into()), register(v2.into())];
        assert!(others.iter().all(Option::is_some));
        assert_eq!(registry.reveal(&mse::obfuscated(&v1)), Some(v1));
        drop(others);
        assert_eq!(registry.reveal(&mse::obfuscated(&v2.truncated())), None);
    }
}
