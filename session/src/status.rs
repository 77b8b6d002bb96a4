//! The status of a torrent: its phase and its numbers, as a handle returns them.

use crate::error::TorrentError;
use crate::torrent::Stats;

/// The phase of a torrent: what it is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "state", content = "detail", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Phase {
    /// It has just been added; nothing is known yet.
    #[default]
    Starting,
    /// It is checking the data that is there already.
    Checking {
        /// Pieces looked at.
        done: u32,
        /// Pieces in all.
        total: u32,
    },
    /// It lacks something that is wanted, and downloads it.
    Downloading,
    /// Everything wanted is held; what is held is uploaded.
    Complete,
    /// The user paused it.
    Paused,
    /// Its files are on their way to another folder.
    Moving {
        /// Bytes moved.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// It cannot go on; [`Torrent::resume`](crate::Torrent::resume) tries again.
    Failed(
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::text::display"))] TorrentError,
    ),
    /// It has been removed, or its session closed.
    Closed,
}

/// The status of a torrent at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// Its numbers since it was added to the session.
    pub stats: Stats,
    /// Payload bytes over its whole life, those from before it was added included.
    pub totals: Totals,
}

/// Payload bytes of a torrent over its whole life, which outlasts sessions; see
/// [`AddOptions::totals`](crate::AddOptions::totals).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Totals {
    /// Payload bytes received.
    pub downloaded: u64,
    /// Payload bytes sent.
    pub uploaded: u64,
}

impl Totals {
    /// Nothing was transferred.
    pub const NONE: Self = Self {
        downloaded: 0,
        uploaded: 0,
    };

    pub(crate) const fn plus(self, stats: &Stats) -> Self {
        Self {
            downloaded: self.downloaded.saturating_add(stats.downloaded),
            uploaded: self.uploaded.saturating_add(stats.uploaded),
        }
    }
}
