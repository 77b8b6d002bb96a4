//! What a storage is made with.

use std::time::Duration;

/// How many torrents a storage holds at once unless told otherwise. Each costs 4 bytes from the beginning.
pub const DEFAULT_MAX_TORRENTS: u32 = 4_096;

/// How many bytes of unused block buffers are kept for the next piece unless told otherwise.
///
/// As much as one long piece, so that a download in its stride allocates nothing.
pub const DEFAULT_FREE_LIST_BYTES: u64 = 16 * 1024 * 1024;

/// How long a piece is not requested until it is idle, unless told otherwise.
pub const DEFAULT_IDLE_AFTER: Duration = Duration::from_secs(2 * 60 * 60);

/// What a reservation may do when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Eviction {
    /// Nothing: it fails. For downloads, whose pieces must all stay.
    #[default]
    Never,
    /// It gives up the verified pieces that were requested least recently, of whichever torrent, except those that are
    /// leased or protected. For streaming.
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
    /// A storage whose block buffers never take more than `budget_bytes` together.
    ///
    /// The budget counts reserved pieces from the moment of their reservation, verified pieces, bytes that only a
    /// lease keeps alive, and unused buffers that are kept. It does not count the tables: about 300 bytes for a piece
    /// and 60 for a block, so for pieces of whole blocks less than half a percent.
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

    /// What a reservation may do when there is no room; [`Eviction::Never`] unless told otherwise.
    #[must_use]
    pub const fn with_eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// How many bytes of unused buffers are kept, inside the budget; a reservation that needs their room gets it.
    /// [`DEFAULT_FREE_LIST_BYTES`] unless told otherwise. With 0, every block is allocated and freed.
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

    /// How long a piece is not requested until it is idle: idle pieces give way before all others, those first that
    /// most peers have. [`DEFAULT_IDLE_AFTER`] unless told otherwise. It needs
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

    /// What a reservation may do when there is no room.
    #[must_use]
    pub const fn eviction(&self) -> Eviction {
        self.eviction
    }

    /// The most unused buffers that are kept, in bytes.
    #[must_use]
    pub const fn free_list_bytes(&self) -> u64 {
        self.free_list_bytes
    }

    /// The most torrents at once.
    #[must_use]
    pub const fn max_torrents(&self) -> u32 {
        self.max_torrents
    }

    /// How long a piece is not requested until it is idle.
    #[must_use]
    pub const fn idle_after(&self) -> Duration {
        self.idle_after
    }
}
