//! What the daemon is started with.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tailwater_http::Proxy;
use tailwater_session::Session;

use super::store::make_private;

/// The file that says that a daemon uses the state folder.
const LOCK_NAME: &str = "daemon.lock";

/// To which addresses URLs of .torrent files may lead that a caller of an API names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlPolicy {
    /// Public ones: a caller cannot make the daemon ask services of its own network.
    #[default]
    Public,
    /// Any.
    Any,
}

/// What the daemon is started with; see [`Control::start`](super::Control::start).
#[derive(Clone)]
pub struct ControlConfig {
    pub(super) session: Session,
    pub(super) state_dir: PathBuf,
    pub(super) data_dir: PathBuf,
    pub(super) folders: Vec<PathBuf>,
    pub(super) reuse: Vec<PathBuf>,
    pub(super) urls: UrlPolicy,
    pub(super) proxy: Option<Proxy>,
    pub(super) peers: Vec<SocketAddr>,
}

impl ControlConfig {
    /// A daemon with this session, whose database is in `state_dir`, and whose torrents are downloaded to `data_dir`.
    #[must_use]
    pub fn new(
        session: Session,
        state_dir: impl Into<PathBuf>,
        data_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            session,
            state_dir: state_dir.into(),
            data_dir: data_dir.into(),
            folders: Vec::new(),
            reuse: Vec::new(),
            urls: UrlPolicy::default(),
            proxy: None,
            peers: Vec::new(),
        }
    }

    /// Further folders that callers may name for a torrent, and folders below them. Default: those below `data_dir`
    /// alone.
    #[must_use]
    pub fn folders(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.folders.extend(folders);
        self
    }

    /// Folders in which files of v2 and hybrid torrents are looked for, by hash, when a torrent begins for the first time:
    /// what is there is linked or copied, and not downloaded. Default: none.
    #[must_use]
    pub fn reuse(mut self, folders: impl IntoIterator<Item = PathBuf>) -> Self {
        self.reuse.extend(folders);
        self
    }

    /// To which addresses URLs may lead. Default: [`UrlPolicy::Public`].
    #[must_use]
    pub const fn urls(mut self, policy: UrlPolicy) -> Self {
        self.urls = policy;
        self
    }

    /// The proxy for URLs of .torrent files; the session has its own setting. Default: that of the environment.
    #[must_use]
    pub fn proxy(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = proxy;
        self
    }

    /// Peers that every torrent connects to. Default: none.
    #[must_use]
    pub fn peers(mut self, peers: impl IntoIterator<Item = SocketAddr>) -> Self {
        self.peers.extend(peers);
        self
    }
}

/// The right to use a state folder, which one process has at a time. It ends when this is dropped, or the process ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

impl StateLock {
    /// Takes the right; `None` if another process has it. The folder is made if need be.
    ///
    /// # Errors
    ///
    /// When the file cannot be opened.
    pub fn take(dir: &Path) -> io::Result<Option<Self>> {
        make_private(dir)?;
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true);
        let file = file.open(dir.join(LOCK_NAME))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
