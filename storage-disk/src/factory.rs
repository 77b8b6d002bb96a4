//! The disk storage, which implements the traits of [`tailwater_storage`]: a folder that torrents are downloaded to or
//! seeded from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tailwater_storage::{
    Access, OpenError, OpenRequest, Opened, Reply, StorageError, StorageFactory,
};

use crate::claims::hold::Hold;
use crate::claims::locks::Locks;
use crate::claims::paths::{ClaimedPaths, Use};
use crate::operations::opening::{Choices, Opening, Relocation};
use crate::operations::place::Place;
use crate::operations::space::Rooms;
use crate::resume::ResumeStore;
use crate::storage::DiskStorage;
use crate::system::below::Links;
use crate::threads::pool::{IoConfig, IoPool};
use crate::torrent::{DiskOptions, DiskTorrent};

/// The state that the disk storages of one program share: I/O threads, which torrent uses which file, the room that
/// each still needs, and resume data. Clones are handles to the same.
#[derive(Clone)]
pub struct Disk {
    pool: IoPool,
    paths: Arc<ClaimedPaths>,
    locks: Arc<Locks>,
    rooms: Arc<Rooms>,
    resume: Option<ResumeStore>,
}

impl Disk {
    /// Starts the I/O threads.
    ///
    /// # Errors
    ///
    /// When the system refuses another thread.
    pub fn new(config: IoConfig) -> Result<Self, StorageError> {
        Ok(Self {
            pool: IoPool::new(config)?,
            paths: Arc::default(),
            locks: Arc::default(),
            rooms: Arc::default(),
            resume: None,
        })
    }

    /// Keeps resume data in this folder, so that files need not be checked at the next start. Default: none is kept.
    /// The folder is made when something is saved.
    #[must_use]
    pub fn resume_dir(mut self, folder: PathBuf) -> Self {
        self.resume = Some(ResumeStore::new(self.pool.clone(), folder));
        self
    }

    /// The I/O threads.
    #[must_use]
    pub const fn pool(&self) -> &IoPool {
        &self.pool
    }

    /// A folder that torrents are downloaded to or seeded from; it is made if need be.
    #[must_use]
    pub fn folder(&self, root: impl Into<PathBuf>) -> DiskFolder {
        DiskFolder {
            disk: self.clone(),
            root: root.into(),
            choices: Choices::default(),
            remembers: true,
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

/// Opens the storages of torrents whose files lie in one folder.
///
/// ```
/// use tailwater_storage_disk::{Disk, IoConfig};
///
/// let disk = Disk::new(IoConfig::default())?;
/// let films = disk.folder("/srv/films").part_names(true).preallocate(true);
/// # let _ = films;
/// # Ok::<(), tailwater_storage::StorageError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DiskFolder {
    disk: Disk,
    root: PathBuf,
    choices: Choices,
    remembers: bool,
}

impl DiskFolder {
    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the data that is there already is hashed even if the resume data vouches for it. Default: no.
    #[must_use]
    pub const fn recheck(mut self, recheck: bool) -> Self {
        self.choices.recheck = recheck;
        self
    }

    /// Whether files that are there already and hold nothing of the torrent are replaced. Default: no, the torrent
    /// fails with [`StorageError::Foreign`] before a byte is written.
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.choices.overwrite = overwrite;
        self
    }

    /// Whether files are called `NAME.part` until all their pieces are verified. Default: no.
    #[must_use]
    pub const fn part_names(mut self, part_names: bool) -> Self {
        self.choices.part_names = part_names;
        self
    }

    /// Whether the file system is to keep room for the wanted files before they are written. Default: no.
    #[must_use]
    pub const fn preallocate(mut self, preallocate: bool) -> Self {
        self.choices.preallocate = preallocate;
        self
    }

    /// Files at these paths, relative to the folder, may be overwritten. Default: none.
    #[must_use]
    pub fn replaces(mut self, paths: Vec<PathBuf>) -> Self {
        self.choices.replaced = paths;
        self
    }

    /// Wanted files that are missing are looked for below these folders, by length and by the root of their hash tree (BEP
    /// 52), and linked (reflink, else hard link) or copied instead of downloaded. Default: none. A v1 torrent has no such
    /// roots.
    #[must_use]
    pub fn reuse(mut self, folders: Vec<PathBuf>) -> Self {
        self.choices.reuse = folders;
        self
    }

    /// Whether resume data is used and saved, if the disk has a folder for it. Default: yes.
    #[must_use]
    pub const fn remembers(mut self, remembers: bool) -> Self {
        self.remembers = remembers;
        self
    }

    async fn open_torrent(self, request: OpenRequest) -> Result<Opened, OpenError> {
        let Disk {
            pool,
            paths,
            locks,
            rooms,
            resume,
        } = self.disk;
        let usage = match request.access {
            Access::Seed => Use::Read,
            Access::Download | Access::OnDemand => Use::Write,
        };
        let info = request.info();
        let part_names = self.choices.part_names;
        let place = Place::find_in(&pool, info, request.info_hash, &self.root, part_names).await?;
        let owner = format!("{:?} (info-hash {})", info.name(), request.info_hash);
        let claim = paths.claim(&owner, usage, place.paths());
        let claim = claim.map_err(|taken| OpenError::PathInUse {
            path: taken.path,
            by: taken.by,
        })?;
        let skipped = (0..request.wanted.len()).filter(|&file| !request.wanted[file]);
        let options = DiskOptions {
            key: place.key,
            layout: place.layout,
            hashes: request.hashes,
            skipped: skipped.collect(),
            // What is only read may lie elsewhere.
            links: match usage {
                Use::Write => Links::Refused,
                Use::Read => Links::Followed,
            },
            hold: Hold::new(usage, Some(claim), locks),
            on_completion: request.completions,
        };
        let torrent = DiskTorrent::open(pool, options).await?;
        let opening = Opening {
            access: request.access,
            choices: self.choices,
            resume: resume.filter(|_| self.remembers),
            rooms,
            relocation: Some(Relocation {
                info_hash: request.info_hash,
                metainfo: request.metainfo,
                paths,
            }),
            owns_files: AtomicBool::default(),
        };
        let storage = DiskStorage::new(torrent, opening);
        Ok(Opened::new(storage.clone(), storage))
    }
}

impl StorageFactory for DiskFolder {
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>> {
        Reply::later(self.clone().open_torrent(request))
    }
}
