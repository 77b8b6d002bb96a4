#![doc = include_str!("../README.md")]

mod budget;
mod closing;
mod config;
mod directory;
mod error;
mod handle;
mod hash;
mod lease;
mod loom;
#[cfg(all(test, loom))]
mod loom_tests;
mod partial;
mod room;
mod shard;
mod stats;
mod storage;

pub use closing::Closed;
pub use config::{Config, DEFAULT_FREE_LIST_BYTES, DEFAULT_MAX_TORRENTS, Eviction};
pub use error::Error;
pub use handle::TorrentHandle;
pub use hash::{BlockDigest, Verdict};
pub use lease::Lease;
pub use partial::Written;
pub use room::{Evicted, Reservation};
pub use stats::{PieceState, Stats};
pub use storage::MemoryStorage;
