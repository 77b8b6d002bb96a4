//! How a torrent is doing, for whoever holds a handle.

use crate::error::TorrentError;
use crate::torrent::Stats;

/// What a torrent is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It has just been added; nothing is known yet.
    #[default]
    Starting,
    /// It is looking at what is there already.
    Checking {
        /// Pieces looked at.
        done: u32,
        /// Pieces in all.
        total: u32,
    },
    /// It lacks something that is wanted.
    Downloading,
    /// Everything wanted is held; what is held is uploaded.
    Complete,
    /// The user paused it.
    Paused,
    /// It cannot go on; [`Torrent::resume`](crate::Torrent::resume) tries again.
    Failed(TorrentError),
    /// It has been removed, or its session closed.
    Closed,
}

/// A torrent at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// Its numbers.
    pub stats: Stats,
}
