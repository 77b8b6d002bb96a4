//! Errors of the public API: a small enum for each operation.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tailwater_metainfo::{Bitfield, InfoHash, MagnetError, MetainfoError};
use tailwater_types::interface::Interface;
use tailwater_types::system::message;

use tailwater_storage::StorageError;

/// Why a session could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The listening port could not be opened.
    #[error("cannot listen on {}: {}", addr.map_or_else(|| "any port from 6881".to_owned(), |addr| addr.to_string()), message(source))]
    Listen {
        /// The address asked for; `None` for the default.
        addr: Option<SocketAddr>,
        /// The cause.
        source: io::Error,
    },
    /// The port of the DHT node could not be opened.
    #[error("cannot receive DHT datagrams on {}: {}", addr.map_or_else(|| "any port".to_owned(), |addr| addr.to_string()), message(source))]
    Dht {
        /// The address asked for; `None` for the default.
        addr: Option<SocketAddr>,
        /// The cause.
        source: io::Error,
    },
    /// Both a proxy and a network interface were asked for: connections to the proxy are not bound to one yet.
    #[error("a proxy and a network interface cannot be used together")]
    ProxyAndInterface,
    /// The address to dial from is not one of the network interface that all sockets are bound to.
    #[error("{dial_from} is not an address of {interface}")]
    Interface {
        /// The address to dial from.
        dial_from: IpAddr,
        /// The interface.
        interface: Interface,
    },
    /// The I/O threads could not be started.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a torrent was not added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddError {
    /// The session already has this torrent.
    #[error("torrent {0} is in this session already")]
    Duplicate(InfoHash),
    /// Another torrent of the session has a file at the same path, which one of the two may write to. Nothing was written.
    #[error("{} belongs to {by}, which is being downloaded or shared already", path.display())]
    PathInUse {
        /// The file.
        path: PathBuf,
        /// The name of the torrent that has it, in quotes, and its info-hash: torrents of the same name have the same paths.
        by: String,
    },
    /// The wanted part of the torrent does not fit the memory.
    #[error("{needed} bytes do not fit the memory budget of {budget} bytes")]
    TooLargeForMemory {
        /// Bytes of the wanted pieces.
        needed: u64,
        /// Bytes of the budget.
        budget: u64,
    },
    /// A torrent that is read on demand has single pieces that do not fit the memory.
    #[error("its pieces of {piece} bytes do not fit the memory budget of {budget} bytes")]
    PieceTooLargeForMemory {
        /// Bytes of a piece.
        piece: u64,
        /// Bytes of the budget.
        budget: u64,
    },
    /// The choice of files names one that does not exist.
    #[error("there is no file {index}: the torrent has {count}")]
    NoSuchFile {
        /// The index asked for.
        index: usize,
        /// How many files there are.
        count: usize,
    },
    /// The storage refused the torrent.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A .torrent file could not be read or fetched.
    #[error("cannot read {origin}: {reason}")]
    Unreadable {
        /// Where it is: a path or a URL.
        origin: String,
        /// Why not.
        reason: String,
    },
    /// What was read is no torrent.
    #[error("{origin} is not a torrent: {source}")]
    NoTorrent {
        /// Where it was read: a path or a URL.
        origin: String,
        /// Why not.
        source: MetainfoError,
    },
    /// The text is not a magnet link.
    #[error(transparent)]
    Magnet(#[from] MagnetError),
    /// The metadata of the magnet link cannot be fetched.
    #[error(transparent)]
    Metadata(#[from] FetchError),
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
}

/// Why the metadata of a magnet link is not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The link has no info-hash.
    #[error("the magnet link has no info-hash")]
    NoHash,
    /// The session has the torrent, or fetches its metadata, already.
    #[error("torrent {0} is in this session already")]
    Duplicate(InfoHash),
    /// The metadata has the right hash, and no torrent can be made of it.
    #[error("the metadata is not usable: {0}")]
    Malformed(#[from] MetainfoError),
    /// The link names two torrents: the metadata has the right v1 hash and not the right v2 hash.
    #[error("the two info-hashes of the magnet link belong to different torrents")]
    TwoTorrents,
    /// The metadata has the v2 hash of the link (`urn:btmh`), and is that of a v1 torrent.
    #[error(
        "the magnet link has the hash of a v2 torrent, and the metadata is that of a v1 torrent"
    )]
    NotV2,
    /// The fetch is over, or the session closed.
    #[error("the session is closed")]
    Closed,
}

/// Why a torrent has stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TorrentError {
    /// The disk failed; nothing that was verified is lost.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The torrent was added to be seeded only, and some of its data is missing or wrong.
    #[error("{} of {} pieces are missing or wrong", have.piece_count() - have.count(), have.piece_count())]
    Incomplete {
        /// The pieces that are there.
        have: Bitfield,
    },
    /// It has been removed, or its session closed.
    #[error("the torrent is closed")]
    Closed,
}

/// Why a setting was not changed. Then all is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The value is 0, which would mean "none at all", or which others take for "no limit".
    #[error("{setting} cannot be 0")]
    Zero {
        /// The setting's name.
        setting: &'static str,
    },
    /// The torrent has no such file.
    #[error("there is no file {index}: the torrent has {count}")]
    NoSuchFile {
        /// The index asked for.
        index: usize,
        /// How many files there are.
        count: usize,
    },
    /// It has been removed, or could not start.
    #[error(transparent)]
    Torrent(#[from] TorrentError),
}

/// Why a torrent's trackers were not changed. Then all is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackersError {
    /// The URL cannot be that of a tracker.
    #[error("{url} is not the URL of a tracker: {reason}")]
    Unusable {
        /// The URL.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The torrent already has this tracker.
    #[error("the torrent has the tracker {url} already")]
    Duplicate {
        /// The URL.
        url: String,
    },
    /// The torrent would have more trackers than are allowed.
    #[error("a torrent has at most {limit} trackers")]
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// It has been removed, or its session closed.
    #[error(transparent)]
    Torrent(#[from] TorrentError),
}
