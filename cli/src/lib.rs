#![doc = include_str!("../README.md")]

pub use tailwater_session::{
    AddError, AddOptions, BufferMap, Bytes, DhtOptions, Event, Events, FetchError, FetchProgress,
    FileChange, FileStatus, Follow, IoConfig, Lookbehind, LookbehindFigures, MemoryUse,
    MetadataFetch, Operation, Origin, PeerStats, Phase, PieceState, PieceView, Priority,
    Publication, ReadError, Reader, ReaderKey, ReaderOptions, ReaderView, Recheck, RemoveOptions,
    Session, SessionBuilder, SessionStats, SettingError, Source, StartError, Stats, Status,
    StorageError, StorageKind, StorageRecord, Torrent, TorrentError, TorrentRecord, Totals,
    TrackerState, TrackerStatus, TrackersError, TransferStats, WebSeedId, WhenFull, check,
    locate_files,
};
pub use tailwater_session::{dht, limits, metainfo};
