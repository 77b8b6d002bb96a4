#![doc = include_str!("../README.md")]
// A session without one of these does not use all that its parts can do.
#![cfg_attr(
    not(all(
        feature = "dht",
        feature = "disk",
        feature = "memory",
        feature = "port-mapping",
        feature = "trackers"
    )),
    allow(dead_code)
)]

#[cfg(feature = "disk")]
mod check;
mod discovery;
mod driver;
mod encryption;
mod error;
mod events;
mod handle;
mod ip_filter;
pub mod limits;
mod mailbox;
pub mod metadata;
mod options;
mod proxy;
mod rate_group;
mod reader;
mod record;
mod session;
mod settings;
mod source;
mod state;
mod status;
mod storage;
#[cfg(test)]
mod testing;
#[cfg(feature = "serde")]
mod text;
mod transport;
mod transports;
mod words;

#[cfg(any(test, feature = "memory-network"))]
pub mod memory_network {
    //! Sessions without sockets: a network in memory, for tests (feature `memory-network`).

    pub use crate::transport::memory::{
        MemoryConfig, MemoryHost, MemoryListener, MemoryNetwork, MemoryStream,
    };
}

pub use bytes::Bytes;
#[cfg(feature = "disk")]
pub use check::check;
#[cfg(feature = "dht")]
pub use discovery::DhtOptions;
pub use driver::announce::status::{TrackerState, TrackerStatus};
#[cfg(feature = "dht")]
pub use driver::discovery::follow::{Follow, Publication};
pub use driver::metadata::progress::FetchProgress;
pub use driver::web_seed::status::{WebSeedState, WebSeedStats};
pub use encryption::{Encryption, UnknownEncryption};
pub use error::{AddError, FetchError, SettingError, StartError, TorrentError, TrackersError};
pub use events::{Event, Events};
pub use handle::{FileStatus, MetadataFetch, Recheck, Torrent};
pub use ip_filter::{IpFilter, IpFilterError};
pub use options::{AddOptions, RemoveOptions, StorageKind};
pub use proxy::{InvalidProxy, Proxy};
pub use rate_group::RateGroup;
pub use reader::Reader;
pub use reader::options::{ReadError, ReaderOptions, WhenFull};
pub use record::{StorageRecord, TorrentRecord, torrent_file};
pub use session::{Session, SessionBuilder, SessionStats};
pub use source::Source;
pub use status::{Phase, Status, Totals};
#[cfg(feature = "dht")]
pub use tailwater_dht as dht;
pub use tailwater_engine::{peer, torrent};
/// The authorities of [`SessionBuilder::root_certificates`].
pub use tailwater_http::{InvalidCertificate, RootCertificates};
pub use tailwater_metainfo as metainfo;
pub use tailwater_storage::{FileChange, LookbehindFigures, Operation, StorageError};
#[cfg(feature = "disk")]
pub use tailwater_storage_disk::{IoConfig, locate_files};
pub use tailwater_types::interface::{FoundInterface, Interface};
pub use torrent::{
    BufferMap, Lookbehind, MemoryUse, Origin, PeerStats, PieceState, PieceView, Priority,
    ReaderKey, ReaderView, Stats, TransferStats, WebSeedId,
};
pub use transports::{Transports, UnknownTransports};
