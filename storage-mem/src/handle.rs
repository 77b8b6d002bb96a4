//! Torrent handles: an index with a generation, so that a stale handle never refers to another torrent.

use std::fmt;

/// Identifies a torrent in the storage that it was added to.
///
/// An index with a generation. After [`MemoryStorage::remove_torrent`](crate::MemoryStorage::remove_torrent), every call
/// with this handle fails with [`Error::StaleHandle`](crate::Error::StaleHandle), even if the slot holds another torrent; so
/// does a call with a handle of another storage. `MemoryStorage::check` compares the generations.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TorrentHandle {
    /// The random mark of the storage.
    pub(crate) storage: u64,
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

// Without the mark of the storage: it differs from run to run.
impl fmt::Debug for TorrentHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TorrentHandle({}.{})", self.slot, self.generation)
    }
}
