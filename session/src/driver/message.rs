//! The messages to a torrent's task, from its connections, its handles and the sources of peers.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tailwater_metainfo::{Bitfield, PieceIndex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::handshake::Handshaken;
use super::upkeep::Upkeep;
use crate::error::TorrentError;
use crate::peer::{Fact, Violation};
use crate::torrent::{BufferMap, Origin, PeerKey, PeerSource, PeerStats, Priority};

/// Messages that may be queued for a torrent; then its connections wait (back-pressure).
pub(crate) const MESSAGE_QUEUE: usize = 256;
/// Batches of facts of one connection that the torrent has not handled, so that one connection cannot fill the queue.
pub(crate) const BATCHES_IN_FLIGHT: usize = 4;

/// A message to a torrent's task.
pub(crate) enum TorrentMessage {
    /// A connection has seen something.
    Facts(FactBatch),
    /// A connection ended.
    Ended(PeerKey, End),
    /// A peer has completed its handshake.
    /// In a box, as it is much larger than what comes often, and a torrent keeps room for many messages.
    Handshaken(Box<Handshaken>),
    /// An address could not be reached.
    DialFailed(SocketAddr),
    /// Addresses that may be peers.
    Candidates(PeerSource, Vec<SocketAddr>),
    /// Addresses that a tracker named: its URL, its own address if that is known, and what it named.
    TrackerPeers(Arc<str>, Option<IpAddr>, Vec<SocketAddr>),
    /// Our external address, by a source that can be trusted.
    ExternalIp(IpAddr),
    /// A handle asks for something.
    Request(Request),
}

/// The facts of a connection since its last batch: bounded in number by what it decodes in one turn.
pub(crate) struct FactBatch {
    pub(crate) key: PeerKey,
    /// The peer's address, or the web seed: blocks count as sent by it even when it has been disconnected.
    pub(crate) from: Origin,
    pub(crate) facts: Vec<Fact>,
    /// One of [`BATCHES_IN_FLIGHT`], given back when the torrent has handled the facts.
    pub(crate) _permit: OwnedSemaphorePermit,
}

/// A request of a handle.
pub(crate) enum Request {
    Peers(oneshot::Sender<Vec<PeerStats>>),
    Have(oneshot::Sender<Bitfield>),
    Buffer(oneshot::Sender<BufferMap>),
    Pause,
    Resume(oneshot::Sender<Result<(), TorrentError>>),
    /// How much files are wanted has changed in the settings.
    Files,
    Priorities(Vec<(PieceIndex, Priority)>),
    Sequential(bool),
    /// The bytes of a file that will be read.
    Prefetch(Range<u64>),
    SuperSeeding(bool),
    /// The filter of addresses has changed.
    Filter,
    /// Work on the files; the torrent does not run meanwhile.
    Upkeep(Upkeep),
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    #[error("the peer broke a rule: {0}")]
    Violation(#[from] Violation),
    #[error("the peer hung up")]
    HungUp,
    #[error("the peer has taken nothing of what we send for {} s", .0.as_secs())]
    Stalled(Duration),
    #[error("the peer takes less than it makes us send")]
    TooFarBehind,
    #[error("{}", tailwater_types::system::message(.0))]
    Io(#[from] io::Error),
    /// A web seed is not asked again.
    #[error("it is of no use: {0}")]
    Useless(String),
    #[error("we let it go")]
    LetGo,
}
