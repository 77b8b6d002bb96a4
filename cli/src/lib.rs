#![doc = include_str!("../README.md")]

pub use tailwater_session::{
    AddError, AddOptions, BufferMap, Bytes, DhtOptions, Event, Events, FetchError, FetchProgress,
    FileStatus, Follow, Lookbehind, MetadataFetch, PeerStats, Phase, PieceState, PieceView,
    Priority, Publication, ReadError, Reader, ReaderKey, ReaderOptions, ReaderView, Recheck,
    RemoveOptions, Session, SessionBuilder, SessionStats, SettingError, Source, StartError, Stats,
    Status, StorageError, StorageKind, StorageRecord, Torrent, TorrentError, TorrentRecord, Totals,
    TrackerState, TrackerStatus, TrackersError, WhenFull, check,
};
pub use tailwater_session::{dht, limits, metainfo};
