//! The options of a reader.

use std::io;
use std::time::Duration;

use crate::error::TorrentError;
use crate::torrent::Lookbehind;

/// What a reader does when there is no room for the piece it waits for: everything is leased, or protected by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits until room comes free.
    #[default]
    Wait,
    /// It fails with [`ReadError::Full`].
    Fail,
}

/// The options of a reader; see [`Torrent::reader`](crate::Torrent::reader).
///
/// ```
/// use std::time::Duration;
/// use tailwater_session::{Lookbehind, ReaderOptions};
///
/// let options = ReaderOptions::default()
///     .lookbehind(Lookbehind::Seconds(Duration::from_secs(30)))
///     .duration(Duration::from_secs(5_400));
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReaderOptions {
    pub(crate) lookbehind: Lookbehind,
    pub(crate) duration: Option<Duration>,
    pub(crate) when_full: WhenFull,
}

impl ReaderOptions {
    /// How much stays behind the position, so that a rewind costs nothing. Default: [`Lookbehind::Share`].
    #[must_use]
    pub const fn lookbehind(mut self, lookbehind: Lookbehind) -> Self {
        self.lookbehind = lookbehind;
        self
    }

    /// How long the file plays; it turns seconds into bytes. Default: unknown, and the reader's own pace is taken.
    #[must_use]
    pub const fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// What to do when there is no room. Default: [`WhenFull::Wait`].
    #[must_use]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The torrent has no such file.
    #[error("there is no file {index}: the torrent has {count}")]
    NoSuchFile {
        /// The index asked for.
        index: usize,
        /// How many files there are.
        count: usize,
    },
    /// The file is padding (BEP 47) and has no content.
    #[error("file {index} is padding and has no content")]
    PadFile {
        /// The index asked for.
        index: usize,
    },
    /// There is no room for the piece: everything is leased, or protected by other readers. Reading again tries again.
    #[error("the memory budget has no room for the piece: all of it is leased or protected")]
    Full,
    /// The torrent failed, or was closed.
    #[error(transparent)]
    Torrent(#[from] TorrentError),
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        let kind = match &error {
            ReadError::NoSuchFile { .. } | ReadError::PadFile { .. } => io::ErrorKind::NotFound,
            ReadError::Full => io::ErrorKind::OutOfMemory,
            ReadError::Torrent(TorrentError::Closed) => io::ErrorKind::NotConnected,
            ReadError::Torrent(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
