//! The options with which a torrent is added and removed.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tailwater_metainfo::{FileIndex, Info, PieceIndex};
use tailwater_storage::StorageFactory;

use crate::status::Totals;
use crate::torrent::Priority;

/// Where a torrent's pieces are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageKind {
    /// Files below a folder, which is made if need be.
    Disk(PathBuf),
    /// The session's memory budget; nothing touches the disk.
    Memory,
}

/// What may be done with a torrent's files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskChoices {
    /// Look at every byte, whatever the resume data says.
    pub(crate) recheck: bool,
    /// Write nothing; fail if anything is missing.
    pub(crate) seed_only: bool,
    /// With `seed_only`: share what is right even if something is missing.
    pub(crate) seed_partial: bool,
    /// Replace files that hold nothing of the torrent.
    pub(crate) overwrite: bool,
    /// Begin files under the names of parts.
    pub(crate) part_names: bool,
    /// Have room kept for files before they are written.
    pub(crate) preallocate: bool,
}

impl DiskChoices {
    const fn new() -> Self {
        Self {
            recheck: false,
            seed_only: false,
            seed_partial: false,
            overwrite: false,
            part_names: false,
            preallocate: false,
        }
    }
}

/// How a torrent is added to a session.
///
/// ```
/// use tailwater_session::{AddOptions, StorageKind};
///
/// let options = AddOptions::new(StorageKind::Memory).files([0, 2]).sequential(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct AddOptions {
    pub(crate) storage: StorageKind,
    /// Used in place of the storage that `storage` names.
    pub(crate) factory: Option<Arc<dyn StorageFactory>>,
    pub(crate) files: Option<Vec<usize>>,
    pub(crate) sequential: bool,
    pub(crate) on_demand: bool,
    pub(crate) disk: DiskChoices,
    pub(crate) replaced: Vec<PathBuf>,
    pub(crate) reuse: Vec<PathBuf>,
    pub(crate) peers: Vec<SocketAddr>,
    pub(crate) banned: Vec<IpAddr>,
    pub(crate) announce: bool,
    pub(crate) max_peers: Option<usize>,
    pub(crate) upload_slots: Option<usize>,
    pub(crate) priorities: Vec<(FileIndex, Priority)>,
    pub(crate) paused: bool,
    pub(crate) trackers: Option<Vec<Vec<String>>>,
    pub(crate) totals: Totals,
    pub(crate) download_limit: Option<u64>,
    pub(crate) upload_limit: Option<u64>,
    pub(crate) web_seeds: Vec<String>,
    pub(crate) super_seeding: bool,
}

impl AddOptions {
    /// Downloads everything, into files below a folder, which is made if need be; otherwise as [`AddOptions::new`].
    #[must_use]
    pub fn to_folder(folder: impl Into<PathBuf>) -> Self {
        Self::new(StorageKind::Disk(folder.into()))
    }

    /// Downloads everything, into the session's memory budget; otherwise as [`AddOptions::new`].
    #[must_use]
    pub const fn to_memory() -> Self {
        Self::new(StorageKind::Memory)
    }

    /// Downloads everything, rarest first, from the peers that the trackers name.
    #[must_use]
    pub const fn new(storage: StorageKind) -> Self {
        Self {
            storage,
            factory: None,
            files: None,
            sequential: false,
            on_demand: false,
            disk: DiskChoices::new(),
            replaced: Vec::new(),
            reuse: Vec::new(),
            peers: Vec::new(),
            banned: Vec::new(),
            announce: true,
            max_peers: None,
            upload_slots: None,
            priorities: Vec::new(),
            paused: false,
            trackers: None,
            totals: Totals::NONE,
            download_limit: None,
            upload_limit: None,
            web_seeds: Vec::new(),
            super_seeding: false,
        }
    }

    /// Keeps the pieces in a storage of the caller's: anything that opens one for a torrent. Options for a folder, such
    /// as [`AddOptions::overwrite`], are for [`StorageKind::Disk`] alone.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tailwater_session::AddOptions;
    /// use tailwater_storage_mem::{Config, MemoryFactory, MemoryStorage};
    ///
    /// // A budget of its own, beside the session's.
    /// let memory = MemoryFactory::new(MemoryStorage::new(Config::new(64 << 20)));
    /// let options = AddOptions::with_storage(Arc::new(memory)).sequential(true);
    /// # let _ = options;
    /// ```
    #[must_use]
    pub fn with_storage(factory: Arc<dyn StorageFactory>) -> Self {
        Self::new(StorageKind::Memory).storage(factory)
    }

    /// As [`AddOptions::with_storage`], in place of what was chosen before.
    #[must_use]
    pub fn storage(mut self, factory: Arc<dyn StorageFactory>) -> Self {
        self.factory = Some(factory);
        self
    }

    /// Downloads only these files, by their index in [`Info::files`].
    #[must_use]
    pub fn files(mut self, files: impl IntoIterator<Item = usize>) -> Self {
        self.files = Some(files.into_iter().collect());
        self
    }

    /// How much some files are wanted, by their index in [`Info::files`]; those not named are wanted as
    /// [`AddOptions::files`] says. Called again, it adds to what was said before.
    #[must_use]
    pub fn file_priorities(
        mut self,
        priorities: impl IntoIterator<Item = (FileIndex, Priority)>,
    ) -> Self {
        self.priorities.extend(priorities);
        self
    }

    /// Adds it paused, as by [`Torrent::pause`](crate::Torrent::pause): its files are checked, and nothing is fetched until
    /// it is resumed. Default: no.
    #[must_use]
    pub const fn paused(mut self, paused: bool) -> Self {
        self.paused = paused;
        self
    }

    /// Uses these trackers, by tier (BEP 12), instead of those that the torrent names.
    #[must_use]
    pub fn trackers(mut self, tiers: Vec<Vec<String>>) -> Self {
        self.trackers = Some(tiers);
        self
    }

    /// Sets what was transferred before the torrent was added; [`Status::totals`](crate::Status::totals) counts on from
    /// it. Default: nothing.
    #[must_use]
    pub const fn totals(mut self, totals: Totals) -> Self {
        self.totals = totals;
        self
    }

    /// Whether pieces are fetched in order rather than rarest first.
    #[must_use]
    pub const fn sequential(mut self, sequential: bool) -> Self {
        self.sequential = sequential;
        self
    }

    /// Whether only the pieces in the window of some [reader](crate::Torrent::reader) are fetched. In memory, pieces
    /// outside all windows are evicted to make room for those inside, so that a torrent of any size can be read from a
    /// small budget.
    #[must_use]
    pub const fn on_demand(mut self, on_demand: bool) -> Self {
        self.on_demand = on_demand;
        self
    }

    /// Whether the data that is there already is hashed even if the resume data vouches for it.
    #[must_use]
    pub const fn recheck(mut self, recheck: bool) -> Self {
        self.disk.recheck = recheck;
        self
    }

    /// Replaces a torrent that was downloaded into the same folder, such as the older version of a
    /// [publication](crate::Publication): files of that one may be overwritten, as by [`AddOptions::overwrite`], and no
    /// others.
    #[must_use]
    pub fn replaces(mut self, previous: &Info) -> Self {
        let files = previous.files().iter().filter(|file| !file.is_pad());
        self.replaced = files.map(|file| file.path().under(Path::new(""))).collect();
        self
    }

    /// Wanted files that are missing are looked for below these folders first, by length and by the root of their hash tree
    /// (BEP 52): one that is there is linked (reflink, else hard link) or copied, never downloaded. Default: none. A v1 torrent
    /// has no such roots, and a torrent in memory no files.
    ///
    /// A hard link is the same file under another name: a program that changes one changes both.
    #[must_use]
    pub fn reuse(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.reuse = folders.into_iter().collect();
        self
    }

    /// Only seeds, as [`AddOptions::seed_only`], whatever is right of a torrent that is incomplete: nothing is fetched,
    /// whatever priorities are set later. It fails with [`TorrentError::Incomplete`](crate::TorrentError::Incomplete) when
    /// not one piece is right. Resume data is neither used nor saved.
    #[must_use]
    pub const fn seed_partial(mut self, seed_partial: bool) -> Self {
        self.disk.seed_partial = seed_partial;
        self.disk.seed_only |= seed_partial;
        self
    }

    /// Replaces files that are there already and hold nothing of the torrent. Default: no, the torrent fails with
    /// [`StorageError::Foreign`](crate::StorageError::Foreign) before a byte is written. Files of which a piece is right,
    /// files of zeros, and files of which the [state folder](crate::SessionBuilder::state_dir) knows that they are the torrent's,
    /// are not meant.
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.disk.overwrite = overwrite;
        self
    }

    /// Whether the file system is to keep room for the wanted files before they are written, so that a full disk is
    /// noticed at the start and files are in one place. Where it cannot, files are sparse as otherwise. Default: no.
    #[must_use]
    pub const fn preallocate(mut self, preallocate: bool) -> Self {
        self.disk.preallocate = preallocate;
        self
    }

    /// Whether files are called `NAME.part` until all their pieces are verified; each is renamed when it is complete. A
    /// file that is there already keeps its name, and one that was begun as a part is found again whatever is said here.
    /// Default: no.
    #[must_use]
    pub const fn part_names(mut self, part_names: bool) -> Self {
        self.disk.part_names = part_names;
        self
    }

    /// Whether the torrent is only seeded: nothing is ever written, and a torrent that turns out incomplete fails with
    /// [`TorrentError::Incomplete`](crate::TorrentError::Incomplete) before a tracker or a peer is told of it. Symbolic
    /// links below the folder are followed, as nothing is written; a download follows none.
    #[must_use]
    pub const fn seed_only(mut self, seed_only: bool) -> Self {
        self.disk.seed_only = seed_only;
        self
    }

    /// Adds addresses of peers to connect to.
    #[must_use]
    pub fn peers(mut self, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.peers.extend(peers);
        self
    }

    /// Adds web seeds (BEP 19) to those that the torrent names: URLs of the file, or of the folder that it lies in. The user
    /// named them, so they may lead to any address. Texts that are no `http` or `https` URL are ignored.
    #[must_use]
    pub fn web_seeds<T: Into<String>>(mut self, urls: impl IntoIterator<Item = T>) -> Self {
        self.web_seeds.extend(urls.into_iter().map(Into::into));
        self
    }

    /// Bans these addresses: no connection to or from them is made. They are those that sent false metadata
    /// ([`MetadataFetch::banned`](crate::MetadataFetch::banned)). Peers that send false blocks join them.
    #[must_use]
    pub fn banned(mut self, banned: impl IntoIterator<Item = IpAddr>) -> Self {
        self.banned.extend(banned);
        self
    }

    /// Whether the torrent's trackers are asked. Default: yes.
    #[must_use]
    pub const fn announce(mut self, announce: bool) -> Self {
        self.announce = announce;
        self
    }

    /// Whether the torrent super-seeds (BEP 16) while it has every piece: peers are told of pieces one by one, and of the
    /// next when another peer shows the last, so that the swarm has a whole copy after little more than one upload of the
    /// torrent. It rests while another seed is in the swarm, or all peers together have everything. For the only seed
    /// of a new torrent; with others it helps nothing. Default: no.
    #[must_use]
    pub const fn super_seeding(mut self, super_seeding: bool) -> Self {
        self.super_seeding = super_seeding;
        self
    }

    /// The most connected peers of this torrent. Default: the session's
    /// [`max_peers`](crate::SessionBuilder::max_peers).
    #[must_use]
    pub const fn max_peers(mut self, peers: usize) -> Self {
        self.max_peers = Some(peers);
        self
    }

    /// How many peers of this torrent are uploaded to at once (upload slots). Default: the session's
    /// [`upload_slots`](crate::SessionBuilder::upload_slots).
    #[must_use]
    pub const fn upload_slots(mut self, slots: usize) -> Self {
        self.upload_slots = Some(slots);
        self
    }

    /// The download rate limit of this torrent, in bytes a second, within the session's
    /// [`download_limit`](crate::SessionBuilder::download_limit); 0 is no limit, which is the default.
    #[must_use]
    pub const fn download_limit(mut self, bytes_per_second: u64) -> Self {
        self.download_limit = Some(bytes_per_second);
        self
    }

    /// The upload rate limit of this torrent, in bytes of blocks a second, within the session's
    /// [`upload_limit`](crate::SessionBuilder::upload_limit); other messages pass. 0 is no limit, which is the default.
    #[must_use]
    pub const fn upload_limit(mut self, bytes_per_second: u64) -> Self {
        self.upload_limit = Some(bytes_per_second);
        self
    }
}

/// The priorities of pieces that follow from those of files: a piece is wanted as much as the file in it that is wanted
/// most.
pub(crate) fn priorities(info: &Info, files: &[Priority]) -> Vec<(PieceIndex, Priority)> {
    let geometry = info.geometry();
    let mut priorities = vec![Priority::Skip; geometry.piece_count() as usize];
    for (index, file) in info
        .files()
        .iter()
        .enumerate()
        .filter(|(_, file)| !file.is_pad())
    {
        for piece in geometry.pieces_in(file.offset(), file.offset() + file.length()) {
            let priority = &mut priorities[piece.as_usize()];
            *priority = files.get(index).copied().unwrap_or_default().max(*priority);
        }
    }
    geometry.pieces().zip(priorities).collect()
}

/// How a torrent is removed; see [`Torrent::remove`](crate::Torrent::remove).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoveOptions {
    pub(crate) delete_files: bool,
}

impl RemoveOptions {
    /// Whether its files are deleted too: those that belong to it, and the folders that are empty then. A file that was
    /// there before and is not wanted stays, and so does one of which nothing says that it is the torrent's: no piece of it
    /// is right, and the torrent never began to write it. Default: no.
    #[must_use]
    pub const fn delete_files(mut self, delete: bool) -> Self {
        self.delete_files = delete;
        self
    }
}
