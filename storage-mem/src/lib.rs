#![doc = include_str!("../README.md")]

mod budget;
mod closing;
mod config;
mod directory;
mod error;
mod handle;
mod lease;
mod loom;
#[cfg(all(test, loom))]
mod loom_tests;
mod order;
mod partial;
mod pool;
mod protecting;
mod reading;
mod room;
mod shard;
mod slab;
mod space;
mod stats;
mod storage;
#[cfg(not(loom))]
mod torrent;
mod window;

pub use budget::piece_memory;
pub use closing::Closed;
pub use config::{
    Config, DEFAULT_FREE_LIST_BYTES, DEFAULT_IDLE_AFTER, DEFAULT_MAX_TORRENTS, Eviction,
};
pub use error::Error;
pub use handle::TorrentHandle;
pub use lease::Lease;
pub use partial::{Judged, Written};
pub use room::{Evicted, Reservation, ReservationId};
pub use space::SpaceAvailable;
pub use stats::{PieceState, Stats};
pub use storage::MemoryStorage;
pub use tailwater_types::{BlockDigest, Verdict};
#[cfg(not(loom))]
pub use torrent::MemoryFactory;
pub use window::{LookbehindStats, MAX_READERS, ReaderId, Window};
