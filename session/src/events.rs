//! The events of a session, and the subscriptions to them.

use std::path::PathBuf;
use std::time::Duration;

use tailwater_metainfo::InfoHash;
use tokio::sync::broadcast;

use crate::error::TorrentError;
use crate::torrent::Origin;

/// Events that are kept for a slow subscriber; it is told how many more it missed.
const CAPACITY: usize = 1_024;

/// An event of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(tag = "event", rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Event {
    /// A torrent was added to the session. The data that it holds already has not been looked at yet.
    Added {
        /// Which torrent.
        info_hash: InfoHash,
        /// Its name.
        name: String,
    },
    /// A magnet link's metadata has been fetched, or was found saved.
    MetadataFetched {
        /// Which torrent.
        info_hash: InfoHash,
        /// The torrent's name.
        name: String,
    },
    /// A torrent was added and has found out what it holds already.
    Started {
        /// Which torrent.
        info_hash: InfoHash,
        /// Pieces found, verified.
        #[cfg_attr(feature = "serde", serde(rename = "pieces_have"))]
        have: u32,
        /// Pieces in all.
        #[cfg_attr(feature = "serde", serde(rename = "pieces_total"))]
        total: u32,
    },
    /// A piece is held and verified.
    PieceVerified {
        /// Which torrent.
        info_hash: InfoHash,
        /// Which piece.
        piece: u32,
    },
    /// A piece did not match its hash and is fetched again.
    PieceFailed {
        /// Which torrent.
        info_hash: InfoHash,
        /// Which piece.
        piece: u32,
    },
    /// A piece was evicted to make room for others; it is fetched again when it is wanted.
    PieceEvicted {
        /// Which torrent.
        info_hash: InfoHash,
        /// Which piece.
        piece: u32,
    },
    /// An address or a web seed sent corrupt data or abused the protocol; it is not used again.
    Banned {
        /// Which torrent.
        info_hash: InfoHash,
        /// Which one.
        #[cfg_attr(
            feature = "serde",
            serde(rename = "ip", serialize_with = "crate::text::display")
        )]
        origin: Origin,
    },
    /// Everything wanted is held.
    Completed {
        /// Which torrent.
        info_hash: InfoHash,
    },
    /// The user paused a torrent.
    Paused {
        /// Which torrent.
        info_hash: InfoHash,
    },
    /// A torrent goes on after a pause or a failure.
    Resumed {
        /// Which torrent.
        info_hash: InfoHash,
    },
    /// A torrent's files have been hashed anew; see [`Torrent::recheck`](crate::Torrent::recheck).
    Rechecked {
        /// Which torrent.
        info_hash: InfoHash,
        /// Pieces found, verified.
        #[cfg_attr(feature = "serde", serde(rename = "pieces_have"))]
        have: u32,
        /// Pieces in all.
        #[cfg_attr(feature = "serde", serde(rename = "pieces_total"))]
        total: u32,
    },
    /// A torrent's files are in another folder now; see [`Torrent::move_storage`](crate::Torrent::move_storage).
    Moved {
        /// Which torrent.
        info_hash: InfoHash,
        /// The folder.
        folder: PathBuf,
    },
    /// A torrent stopped: its storage failed, or it could not start. It cannot go on until it is resumed.
    Failed {
        /// Which torrent.
        info_hash: InfoHash,
        /// Why.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::text::display"))]
        error: TorrentError,
    },
    /// A tracker answered.
    TrackerAnswered {
        /// Which torrent.
        info_hash: InfoHash,
        /// Its URL.
        tracker: String,
        /// How many peers it named.
        peers: usize,
        /// Peers that have everything, if it says how many.
        seeders: Option<u32>,
        /// Peers that lack something, if it says how many.
        leechers: Option<u32>,
        /// When it wants to be asked again.
        #[cfg_attr(
            feature = "serde",
            serde(
                rename = "interval_seconds",
                serialize_with = "crate::text::whole_seconds"
            )
        )]
        interval: Duration,
        /// When a tracker of the torrent is asked next; `None` if none will be.
        #[cfg_attr(
            feature = "serde",
            serde(
                rename = "next_announce_seconds",
                serialize_with = "crate::text::seconds"
            )
        )]
        next_announce: Option<Duration>,
        /// What it wants the user to know.
        warning: Option<String>,
    },
    /// A tracker could not be asked, or refused.
    TrackerFailed {
        /// Which torrent.
        info_hash: InfoHash,
        /// Its URL.
        tracker: String,
        /// Why.
        error: String,
        /// When a tracker of the torrent is asked next; `None` if none will be.
        #[cfg_attr(
            feature = "serde",
            serde(
                rename = "next_announce_seconds",
                serialize_with = "crate::text::seconds"
            )
        )]
        next_announce: Option<Duration>,
    },
    /// A torrent has been removed. [`Event::Closed`] follows.
    Removed {
        /// Which torrent.
        info_hash: InfoHash,
        /// Its files were deleted.
        deleted_files: bool,
    },
    /// A torrent has been removed, or its session closed.
    Closed {
        /// Which torrent.
        info_hash: InfoHash,
    },
    /// The network interface that all sockets are bound to has gone, or is there again; see
    /// [`SessionBuilder::interface`](crate::SessionBuilder::interface).
    InterfaceChanged {
        /// Which one, in words: "interface wg0".
        interface: String,
        /// Whether it is there.
        is_up: bool,
    },
    /// The subscriber was too slow.
    Missed {
        /// How many events it will never see.
        events: u64,
    },
}

impl Event {
    /// The torrent that the event is about; `None` for [`Event::Missed`] and [`Event::InterfaceChanged`].
    #[must_use]
    pub const fn info_hash(&self) -> Option<InfoHash> {
        match self {
            Self::Added { info_hash, .. }
            | Self::MetadataFetched { info_hash, .. }
            | Self::Started { info_hash, .. }
            | Self::PieceVerified { info_hash, .. }
            | Self::PieceFailed { info_hash, .. }
            | Self::PieceEvicted { info_hash, .. }
            | Self::Banned { info_hash, .. }
            | Self::Completed { info_hash }
            | Self::Paused { info_hash }
            | Self::Resumed { info_hash }
            | Self::Rechecked { info_hash, .. }
            | Self::Moved { info_hash, .. }
            | Self::Failed { info_hash, .. }
            | Self::TrackerAnswered { info_hash, .. }
            | Self::TrackerFailed { info_hash, .. }
            | Self::Removed { info_hash, .. }
            | Self::Closed { info_hash } => Some(*info_hash),
            Self::InterfaceChanged { .. } | Self::Missed { .. } => None,
        }
    }
}

/// The sender of a session's events.
#[derive(Clone, Debug)]
pub(crate) struct EventSender(broadcast::Sender<Event>);

impl EventSender {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Without subscribers the event is dropped.
    pub(crate) fn send(&self, event: Event) {
        let _ = self.0.send(event);
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events(self.0.subscribe())
    }
}

/// A subscription; it gets every event from its beginning on.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// Waits for the next event; `None` when the session is gone. A subscriber that is too slow gets [`Event::Missed`] in place
    /// of the oldest ones.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(events)) => Some(Event::Missed { events }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
