#![doc = include_str!("../README.md")]

mod check;
mod discovery;
mod driver;
mod error;
mod events;
#[doc(hidden)]
pub mod fuzz;
mod handle;
pub mod metadata;
mod options;
mod reader;
mod session;
mod state;
mod status;
mod storage;
#[cfg(test)]
mod testing;
mod words;

pub use check::check;
pub use discovery::DhtOptions;
pub use driver::discovery::follow::{Follow, Publication};
pub use error::{AddError, FetchError, StartError, TorrentError};
pub use events::{Event, Events};
pub use handle::Torrent;
pub use metadata::handle::{FetchProgress, MetadataFetch};
pub use options::{AddOptions, StorageKind};
pub use reader::Reader;
pub use reader::options::{ReadError, ReaderOptions, WhenFull};
pub use session::{DEFAULT_MEMORY_BUDGET, Session, SessionBuilder};
pub use status::{Phase, Status};
pub use tailwater_engine::{peer, torrent};
pub use tailwater_storage::{FileChange, Operation, StorageError};
pub use tailwater_storage_disk::{IoConfig, locate_files};
pub use torrent::{
    BufferMap, Lookbehind, PeerStats, PieceState, PieceView, Priority, ReaderKey, ReaderView, Stats,
};
