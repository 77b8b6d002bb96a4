//! The configuration of a storage, and its defaults.

use std::time::Duration;

/// How many torrents a storage holds at once unless told otherwise. Each costs 4 bytes from the beginning.
pub const DEFAULT_MAX_TORRENTS: u32 = 4_096;

/// How many bytes of unused memory are kept for the next piece unless told otherwise.
///
/// As much as one long piece, so that a steady download maps no new memory.
pub const DEFAULT_FREE_LIST_BYTES: u64 = 16 * 1024 * 1024;

/// After how long without a request a piece counts as idle, unless told otherwise.
pub const DEFAULT_IDLE_AFTER: Duration = Duration::from_secs(2 * 60 * 60);

/// The eviction policy: what a reservation may do when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// Nothing: it fails. For downloads, whose pieces must all stay.
    #[default]
    Never,
    /// LRU: it evicts verified pieces of any torrent, but none that is leased, in a reader's window or pinned. Idle
    /// pieces go first, the ones that most peers have before the rarer ones; then the others, least recently requested
    /// first. For streaming.
    LeastRecentlyRequested,
}

/// The limits and the policy of a [`MemoryStorage`](crate::MemoryStorage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    budget_bytes: u64,
    eviction: Eviction,
    free_list_bytes: u64,
    max_torrents: u32,
    idle_after: Duration,
}

impl Config {
    /// A storage whose blocks never take more than `budget_bytes` of memory together, rounded down to whole blocks.
    ///
    /// The budget counts reserved pieces from the moment of their reservation, verified pieces, what only a lease keeps
    /// alive, and unused memory that is kept; each block as 16 KiB whatever its length, see
    /// [`piece_memory`](crate::piece_memory). It does not count the tables: about 500 bytes for a piece and 100 for a
    /// block, less than one percent for pieces of many blocks.
    #[must_use]
    pub const fn new(budget_bytes: u64) -> Self {
        Self {
            budget_bytes,
            eviction: Eviction::Never,
            free_list_bytes: DEFAULT_FREE_LIST_BYTES,
            max_torrents: DEFAULT_MAX_TORRENTS,
            idle_after: DEFAULT_IDLE_AFTER,
        }
    }

    /// The eviction policy; [`Eviction::Never`] unless told otherwise.
    #[must_use]
    pub const fn with_eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// How many bytes of unused memory are kept, inside the budget; reservations use it before they map more.
    /// [`DEFAULT_FREE_LIST_BYTES`] unless told otherwise. With 0, a slab is freed as soon as none of its blocks is in
    /// use.
    #[must_use]
    pub const fn with_free_list_bytes(mut self, bytes: u64) -> Self {
        self.free_list_bytes = bytes;
        self
    }

    /// How many torrents there may be at once; [`DEFAULT_MAX_TORRENTS`] unless told otherwise.
    #[must_use]
    pub const fn with_max_torrents(mut self, torrents: u32) -> Self {
        self.max_torrents = torrents;
        self
    }

    /// After how long without a request a piece counts as idle. Idle pieces are evicted before all others, the ones
    /// that most peers have first. [`DEFAULT_IDLE_AFTER`] unless told otherwise. It needs
    /// [`set_time`](crate::MemoryStorage::set_time).
    #[must_use]
    pub const fn with_idle_after(mut self, idle_after: Duration) -> Self {
        self.idle_after = idle_after;
        self
    }

    /// The budget in bytes.
    #[must_use]
    pub const fn budget_bytes(&self) -> u64 {
        self.budget_bytes
    }

    /// The eviction policy.
    #[must_use]
    pub const fn eviction(&self) -> Eviction {
        self.eviction
    }

    /// The most unused memory that is kept, in bytes, not counting free blocks of slabs that are partly used.
    #[must_use]
    pub const fn free_list_bytes(&self) -> u64 {
        self.free_list_bytes
    }

    /// The most torrents at once.
    #[must_use]
    pub const fn max_torrents(&self) -> u32 {
        self.max_torrents
    }

    /// After how long without a request a piece counts as idle.
    #[must_use]
    pub const fn idle_after(&self) -> Duration {
        self.idle_after
    }
}
