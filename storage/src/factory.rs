//! The factory, which opens a torrent's storage.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tailwater_metainfo::{Geometry, Info, InfoHash, Metainfo, PieceHashes};

use crate::completion::CompletionSink;
use crate::error::StorageError;
use crate::reply::Reply;
use crate::space::Space;
use crate::storage::Storage;

/// Opens the storages of torrents: a folder, a budget of memory, a bucket of an object store.
pub trait StorageFactory: fmt::Debug + Send + Sync {
    /// Opens the storage of a torrent. It is quick, and finds conflicts with other torrents; looking for what is there
    /// already is left to [`Storage::start`].
    fn open(&self, request: OpenRequest) -> Reply<Result<Opened, OpenError>>;
}

/// The request to open a torrent's storage.
#[derive(Clone)]
#[non_exhaustive]
pub struct OpenRequest {
    /// The torrent.
    pub metainfo: Arc<Metainfo>,
    /// The torrent's name on the wire.
    pub info_hash: InfoHash,
    /// What each piece has to hash to. A piece whose hash is not known is never valid.
    pub hashes: PieceHashes,
    /// Which files are wanted, by index. Default: all.
    pub wanted: Vec<bool>,
    /// What the torrent does with its data. Default: [`Access::Download`].
    pub access: Access,
    /// Takes the storage's completions.
    pub completions: CompletionSink,
    /// Runs blocking work.
    pub blocking: Blocking,
}

impl OpenRequest {
    /// A request for a torrent that is downloaded as a whole.
    #[must_use]
    pub fn new(
        metainfo: Arc<Metainfo>,
        info_hash: InfoHash,
        hashes: PieceHashes,
        completions: CompletionSink,
        blocking: Blocking,
    ) -> Self {
        Self {
            wanted: vec![true; metainfo.info().files().len()],
            metainfo,
            info_hash,
            hashes,
            access: Access::Download,
            completions,
            blocking,
        }
    }

    /// The torrent's name and files.
    #[must_use]
    pub fn info(&self) -> &Info {
        self.metainfo.info()
    }

    /// How the torrent is cut into pieces.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        self.info().geometry()
    }
}

impl fmt::Debug for OpenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenRequest")
            .field("info_hash", &self.info_hash)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// What a torrent does with its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything that is wanted is fetched, and stays.
    Download,
    /// Only what readers ask for is fetched; what none of them covers may be evicted.
    OnDemand,
    /// Nothing is ever written.
    Seed,
}

/// Runs blocking work, such as hashing, off the async tasks. A storage with threads of its own does not need it.
pub type Blocking = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

/// A torrent's storage, opened.
pub struct Opened {
    /// The pieces.
    pub storage: Arc<dyn Storage>,
    /// The room for them.
    pub space: Box<dyn Space + Send>,
}

impl Opened {
    /// The two sides of one storage. They mostly are clones of the same handle.
    pub fn new(storage: impl Storage + 'static, space: impl Space + Send + 'static) -> Self {
        Self {
            storage: Arc::new(storage),
            space: Box::new(space),
        }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// Why a torrent's storage is not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another torrent has a file at the same path, which one of the two may write to.
    #[error("{} belongs to {by}, which is being downloaded or shared already", path.display())]
    PathInUse {
        /// The file.
        path: PathBuf,
        /// The name of the torrent that has it, in quotes, and its info-hash: torrents of the same name have the same
        /// paths.
        by: String,
    },
    /// The wanted part of the torrent does not fit the budget.
    #[error("{needed} bytes do not fit the memory budget of {budget} bytes")]
    TooLarge {
        /// Bytes of the wanted pieces.
        needed: u64,
        /// Bytes of the budget.
        budget: u64,
    },
    /// A torrent that is read on demand has single pieces that do not fit the budget.
    #[error("its pieces of {piece} bytes do not fit the memory budget of {budget} bytes")]
    PieceTooLarge {
        /// Bytes of a piece.
        piece: u64,
        /// Bytes of the budget.
        budget: u64,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
