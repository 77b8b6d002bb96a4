//! A session: the torrents of one process, or of a part of it, and what they share.

mod builder;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tailwater_metainfo::{Info, Magnet, Metainfo, PeerId, PieceIndex};
use tailwater_storage_mem::{MemoryStorage, piece_memory};
use tailwater_tracker::Client;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::disk::{Completion, DiskTorrent, IoPool, MetadataStore, ResumeStore};
use crate::driver::announce::{Announcer, Tally};
use crate::driver::incident::INCIDENT_QUEUE;
use crate::driver::lifecycle::Life;
use crate::driver::mailbox::Mailbox;
use crate::driver::metadata::Ground;
use crate::driver::registry::Registry;
use crate::driver::torrent::{Shared, TorrentTask};
use crate::error::AddError;
use crate::events::Events;
use crate::handle::Torrent;
use crate::metadata::handle::MetadataFetch;
use crate::options::{AddOptions, StorageKind, priorities};
use crate::reader;
use crate::status::Status;
use crate::storage::{DiskStore, MemoryStore, Neighbours, Store, disk_options, piece_hashes};
use crate::torrent::{Config, Priority};

pub use builder::{Builder, DEFAULT_MEMORY_BUDGET};

/// Completions that may wait for a torrent: a verdict and digests for each piece at most.
const COMPLETION_LIMIT: usize = 1 << 22;

/// The torrents of one process, or of a part of it: two sessions know nothing of each other. Clones are handles to the
/// same one.
///
/// Close it with [`Session::close`] before it is dropped, or its torrents end without a word to their trackers.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Builder,
    listen_addr: Option<SocketAddr>,
    registry: Arc<Registry>,
    closing: CancellationToken,
    tasks: TaskTracker,
    io: IoPool,
    memory: MemoryStorage,
    neighbours: Arc<Neighbours>,
    resume: Option<ResumeStore>,
    metadata: Option<MetadataStore>,
    client: Client,
    shared: Shared,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

impl Session {
    /// Settings with their defaults.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// What we call ourselves.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.inner.registry.peer_id()
    }

    /// Where peers can connect to us.
    #[must_use]
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        self.inner.listen_addr
    }

    /// Everything that happens from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.inner.shared.events.subscribe()
    }

    /// What the memory storage holds.
    #[must_use]
    pub fn memory_stats(&self) -> tailwater_storage_mem::Stats {
        self.inner.memory.stats()
    }

    /// Adds a torrent, which starts at once. What is there already is checked first, in the background.
    ///
    /// # Errors
    ///
    /// When the session has it already, it does not fit the memory, or its storage cannot be opened.
    pub async fn add(&self, metainfo: &Metainfo, options: AddOptions) -> Result<Torrent, AddError> {
        let inner = &self.inner;
        if inner.closing.is_cancelled() {
            return Err(AddError::Closed);
        }
        let info = Arc::new(metainfo.info().clone());
        let info_hash = info.info_hashes().v1.ok_or(AddError::V2Only)?;
        let wanted = wanted_files(info.files().len(), options.files.as_deref())?;
        let (incidents_in, incidents) = mpsc::channel(INCIDENT_QUEUE);
        if !inner.registry.insert(info_hash, incidents_in.clone()) {
            return Err(AddError::Duplicate(info_hash));
        }
        let completions = Arc::new(Mailbox::new(COMPLETION_LIMIT));
        let priorities = priorities(&info, |file| match wanted[file] {
            true => Priority::Normal,
            false => Priority::Skip,
        });
        let opened = inner.open(&info, &wanted, &priorities, &options, &completions);
        let store = opened
            .await
            .inspect_err(|_| inner.registry.remove(info_hash))?;
        let reading = Arc::new(reader::Shared::new(info.geometry(), store.clone()));
        let (status_in, status) = watch::channel(Status::default());
        let closing = inner.closing.child_token();
        let seed = u64::from_be_bytes(random());
        let task = TorrentTask {
            config: inner.config(
                &info,
                &options,
                Config::new(info_hash, self.peer_id()),
                seed,
            ),
            geometry: info.geometry(),
            metadata: Bytes::copy_from_slice(info.raw()),
            store,
            completions,
            board: Arc::clone(&reading.board),
            incidents,
            incidents_in: incidents_in.clone(),
            status: status_in,
            shared: inner.shared.clone(),
            closing: closing.clone(),
        };
        let announcer = Announcer {
            client: inner.client.clone(),
            tiers: match options.announce {
                true => metainfo.trackers().to_vec(),
                false => Vec::new(),
            },
            all_tiers: false,
            info_hash,
            peer_id: self.peer_id(),
            port: inner.shared.listen_port.unwrap_or(0),
            seed,
            status: status.clone(),
            incidents: incidents_in.clone(),
            events: inner.shared.events.clone(),
            tally: watch::channel(Tally::default()).0,
            closing: closing.clone(),
        };
        let life = Life {
            task,
            announcer,
            priorities,
            resume: inner.resume.clone(),
            recheck: options.recheck,
            seed_only: options.seed_only,
            peers: options.peers,
            registry: Arc::clone(&inner.registry),
        };
        inner.tasks.spawn(life.live());
        Ok(Torrent {
            info_hash,
            info,
            status,
            incidents: incidents_in,
            closing,
            reading,
        })
    }

    /// Begins to fetch a magnet link's metadata from peers (BEP 9), so that the torrent can be added: from those that the
    /// link and its trackers name, those that connect, and [`MetadataFetch::add_peers`]. With a
    /// [`Builder::state_dir`], the metadata is saved, and found there the next time without asking anybody.
    ///
    /// It goes on until it succeeds or the handle is dropped. What can be wrong with the link is told by
    /// [`MetadataFetch::wait`].
    ///
    /// ```no_run
    /// # async fn example(session: tailwater_session::Session) -> Result<(), Box<dyn std::error::Error>> {
    /// use tailwater_session::{AddOptions, StorageKind};
    ///
    /// let magnet = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&x.pe=192.0.2.7:6881".parse()?;
    /// let mut fetch = session.fetch(&magnet);
    /// let metainfo = fetch.wait().await?;
    /// let options = AddOptions::new(StorageKind::Memory).peers(fetch.peers());
    /// let torrent = session.add(&metainfo, options).await?;
    /// # drop(torrent);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn fetch(&self, magnet: &Magnet) -> MetadataFetch {
        let inner = &self.inner;
        let ground = Ground {
            registry: &inner.registry,
            client: &inner.client,
            shared: &inner.shared,
            saved: inner.metadata.as_ref(),
            tasks: &inner.tasks,
            closing: inner.closing.child_token(),
            seed: u64::from_be_bytes(random()),
        };
        ground.begin(magnet)
    }

    /// Begins to close: connections end, trackers hear `stopped`, resume data is saved. May be called again.
    pub fn begin_close(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
    }

    /// Waits until everything has ended after [`Session::begin_close`]: every task is joined, every byte given back.
    pub async fn closed(&self) {
        self.inner.tasks.wait().await;
        self.inner.memory.close().await;
        self.inner.io.close().await;
    }

    /// Closes and waits until it is done. May be called again.
    pub async fn close(&self) {
        self.begin_close();
        self.closed().await;
    }
}

impl Inner {
    fn config(&self, info: &Info, options: &AddOptions, defaults: Config, seed: u64) -> Config {
        Config {
            max_peers: self.settings.max_peers,
            upload_slots: self.settings.upload_slots,
            sequential: options.sequential,
            on_demand: options.on_demand,
            private: info.is_private(),
            seed,
            ..defaults
        }
    }

    async fn open(
        &self,
        info: &Info,
        wanted: &[bool],
        priorities: &[(PieceIndex, Priority)],
        options: &AddOptions,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Store, AddError> {
        match &options.storage {
            StorageKind::Memory => self.open_memory(info, priorities, options, completions),
            StorageKind::Disk(root) => {
                let skipped = (0..wanted.len()).filter(|&file| !wanted[file]).collect();
                self.open_disk(info, root, skipped, completions).await
            }
        }
    }

    fn open_memory(
        &self,
        info: &Info,
        priorities: &[(PieceIndex, Priority)],
        options: &AddOptions,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Store, AddError> {
        let geometry = info.geometry();
        let budget = self.settings.memory_budget;
        let wanted = priorities
            .iter()
            .filter(|(_, priority)| *priority > Priority::Skip);
        let needed = wanted
            .map(|(piece, _)| piece_memory(geometry.piece_len(*piece)))
            .sum();
        let piece = piece_memory(geometry.piece_length());
        if options.on_demand && piece.min(needed) > budget {
            return Err(AddError::PieceTooLargeForMemory { piece, budget });
        }
        if needed > budget && !options.on_demand {
            return Err(AddError::TooLargeForMemory { needed, budget });
        }
        let handle = self.memory.add_torrent(geometry, piece_hashes(info)?)?;
        if !options.on_demand {
            // What is downloaded is to stay, whoever reads something else.
            let all = 0..geometry.total();
            self.memory.set_pins(handle, std::slice::from_ref(&all))?;
        }
        let store = MemoryStore::new(self.memory.clone(), handle, completions, &self.neighbours);
        Ok(Store::Memory(store))
    }

    async fn open_disk(
        &self,
        info: &Info,
        root: &Path,
        skipped: Vec<usize>,
        completions: &Arc<Mailbox<Completion>>,
    ) -> Result<Store, AddError> {
        let completions = Arc::clone(completions);
        let tell = move |completion| {
            if completions.push(&mut vec![completion]).is_err() {
                tracing::error!("a torrent does not take its storage's completions");
            }
        };
        let options = disk_options(info, root, skipped, Arc::new(tell))?;
        let disk = DiskTorrent::open(self.io.clone(), options).await?;
        Ok(Store::Disk(DiskStore::new(disk)))
    }
}

/// Which files are wanted, by index.
fn wanted_files(count: usize, chosen: Option<&[usize]>) -> Result<Vec<bool>, AddError> {
    let Some(chosen) = chosen else {
        return Ok(vec![true; count]);
    };
    let mut wanted = vec![false; count];
    for &index in chosen {
        *wanted
            .get_mut(index)
            .ok_or(AddError::NoSuchFile { index, count })? = true;
    }
    Ok(wanted)
}

/// Random bytes for names and seeds; nothing secret hangs on them.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fastrand::fill(&mut bytes);
    bytes
}
