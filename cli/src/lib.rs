#![doc = include_str!("../README.md")]

pub use tailwater_session::torrent::{ConnectionKind, Encrypted, Transport};
pub use tailwater_session::{
    AddError, AddOptions, BufferMap, Bytes, Encryption, Event, Events, FetchError, FetchProgress,
    FileChange, FileStatus, InvalidProxy, IpFilter, IpFilterError, Lookbehind, LookbehindFigures,
    MemoryUse, MetadataFetch, Operation, Origin, PeerStats, Phase, PieceState, PieceView, Priority,
    Proxy, ReadError, Reader, ReaderKey, ReaderOptions, ReaderView, Recheck, RemoveOptions,
    Session, SessionBuilder, SessionStats, SettingError, Source, StartError, Stats, Status,
    StorageError, StorageKind, StorageRecord, Torrent, TorrentError, TorrentRecord, Totals,
    TrackerState, TrackerStatus, TrackersError, TransferStats, Transports, UnknownEncryption,
    UnknownTransports, WebSeedId, WhenFull,
};
#[cfg(feature = "dht")]
pub use tailwater_session::{DhtOptions, Follow, Publication, dht};
#[cfg(feature = "disk")]
pub use tailwater_session::{IoConfig, check, locate_files};
pub use tailwater_session::{limits, metainfo};
