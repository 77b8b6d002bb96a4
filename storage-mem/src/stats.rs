//! What a storage says about itself.

/// How a piece stands.
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

/// The bytes of a storage, at one moment if nothing is going on, else approximately.
///
/// At rest, `used = verified + partial + detached + free_list`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The most that `used` can be, in bytes.
    pub budget: u64,
    /// The bytes taken from the budget.
    pub used: u64,
    /// The bytes of verified pieces.
    pub verified: u64,
    /// The bytes of reserved pieces, whole lengths.
    pub partial: u64,
    /// The bytes of blocks that are leased, those of `detached` included.
    pub leased: u64,
    /// The bytes that only leases (and operations under way) keep, because their pieces are gone.
    pub detached: u64,
    /// The bytes of unused buffers that are kept.
    pub free_list: u64,
    /// How many pieces are verified.
    pub verified_pieces: usize,
    /// How many pieces are reserved.
    pub partial_pieces: usize,
    /// How many pieces reservations have evicted since the beginning.
    pub evictions: u64,
}
