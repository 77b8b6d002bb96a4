//! Why the daemon does not do what it is asked for.

use tailwater_session::{AddError, FetchError, SettingError, TorrentError, TrackersError};

use super::id::TorrentId;
use super::store::StoreError;

/// Why the daemon did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such torrent.
    #[error("there is no torrent {0}")]
    NotFound(TorrentId),
    /// The daemon has the torrent already.
    #[error("the daemon has torrent {0} already")]
    Duplicate(TorrentId),
    /// What the caller sent cannot be used; nothing was changed.
    #[error("{0}")]
    Invalid(String),
    /// The folder is outside the configured ones.
    #[error("{0}")]
    Folder(String),
    /// The torrent cannot do it at present, such as a magnet link whose metadata is not known yet.
    #[error("{0}")]
    Conflict(String),
    /// A URL could not be fetched, or is not allowed.
    #[error("cannot fetch {url}: {reason}")]
    Fetch {
        /// The URL.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The torrent failed.
    #[error("{}", crate::words::failure(.0))]
    Torrent(TorrentError),
    /// There are as many torrents as the daemon may have.
    #[error("the daemon has {0} torrents, and no more are allowed")]
    TooMany(usize),
    /// The daemon is ending.
    #[error("the daemon is ending")]
    Closed,
}

impl From<TorrentError> for ControlError {
    fn from(error: TorrentError) -> Self {
        match error {
            TorrentError::Closed => Self::Conflict("the torrent is not running".to_owned()),
            error => Self::Torrent(error),
        }
    }
}

impl From<SettingError> for ControlError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::Torrent(error) => error.into(),
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl From<TrackersError> for ControlError {
    fn from(error: TrackersError) -> Self {
        match error {
            TrackersError::Torrent(error) => error.into(),
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl From<AddError> for ControlError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Duplicate(hash) | AddError::Metadata(FetchError::Duplicate(hash)) => {
                Self::Duplicate(hash.into())
            }
            AddError::Closed => Self::Closed,
            AddError::PathInUse { .. } => Self::Conflict(error.to_string()),
            error => Self::Invalid(error.to_string()),
        }
    }
}
