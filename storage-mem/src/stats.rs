//! Statistics: the state of a piece, the memory of a storage.

/// The state of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PieceState {
    /// Nothing is held of it.
    Absent,
    /// It is reserved.
    Partial {
        /// How many of its blocks are missing or being written; 0 when it waits for its verdict.
        missing: u32,
    },
    /// It can be read.
    Verified,
}

/// The memory of a storage, at one moment if nothing is going on, else approximately. Everything in bytes of whole blocks
/// of 16 KiB.
///
/// At rest, `used = verified + partial + detached + free_list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The most that `used` can be.
    pub budget: u64,
    /// What is taken from the budget: memory that there is, and memory that reservations have been promised.
    pub used: u64,
    /// What verified pieces take.
    pub verified: u64,
    /// What reserved pieces take, or will.
    pub partial: u64,
    /// What leased blocks take, those of `detached` included.
    pub leased: u64,
    /// What only leases (and operations under way) keep, because their pieces are gone.
    pub detached: u64,
    /// Unused memory: kept for the next piece, or in a slab of which other blocks are in use.
    pub free_list: u64,
    /// How many pieces are verified.
    pub verified_pieces: usize,
    /// How many pieces are reserved.
    pub partial_pieces: usize,
    /// How many pieces reservations have evicted since the beginning.
    pub evictions: u64,
}
