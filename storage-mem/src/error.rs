//! The errors of storage operations.

/// Why the storage refused an operation. A refused operation has changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The storage has been closed.
    #[error("the storage is closed")]
    Closed,
    /// The torrent has been removed, or the handle comes from another storage.
    #[error("the handle is stale: its torrent has been removed")]
    StaleHandle,
    /// There are as many torrents as [`Config::with_max_torrents`](crate::Config::with_max_torrents) allows.
    #[error("there are {max} torrents already")]
    TooManyTorrents {
        /// The most at once.
        max: u32,
    },
    /// A torrent was added with more or fewer hashes than it has pieces.
    #[error("{hashes} piece hashes for {pieces} pieces")]
    HashCount {
        /// How many hashes were given.
        hashes: usize,
        /// How many pieces the torrent has.
        pieces: u32,
    },
    /// A piece of a v2 torrent cannot be verified: the torrent was added without its piece layers (BEP 52).
    #[error("the hash of piece {piece} is not known")]
    HashUnknown {
        /// The piece.
        piece: u32,
    },
    /// A piece of a hybrid torrent matches one of its two hashes and not the other (BEP 52).
    #[error("piece {piece} is right by one of its two hashes and wrong by the other")]
    HashesDisagree {
        /// The piece.
        piece: u32,
    },
    /// The piece index comes from another torrent's geometry.
    #[error("there is no piece {piece}: the torrent has {count}")]
    NoSuchPiece {
        /// The index asked for.
        piece: u32,
        /// How many pieces there are.
        count: u32,
    },
    /// The block comes from another torrent's geometry.
    #[error("piece {piece} has no {len} bytes at offset {offset}")]
    NoSuchBlock {
        /// The piece asked for.
        piece: u32,
        /// The offset asked for, in bytes.
        offset: u32,
        /// The length asked for, in bytes.
        len: u32,
    },
    /// A write is not exactly one block of the grid.
    #[error("piece {piece}: {len} bytes at offset {offset} are not one block")]
    OffGrid {
        /// The piece written to.
        piece: u32,
        /// The offset written to, in bytes.
        offset: u32,
        /// The length of the write, in bytes.
        len: u32,
    },
    /// The bytes given for a block are not as many as its length.
    #[error("{got} bytes for a block of {expected}")]
    BlockLength {
        /// The block's length.
        expected: u32,
        /// How many bytes were given.
        got: usize,
    },
    /// One lease cannot span two blocks; see [`MemoryStorage::read_vectored`](crate::MemoryStorage::read_vectored).
    #[error("piece {piece}: {len} bytes at offset {offset} span several blocks")]
    SpansBlocks {
        /// The piece read from.
        piece: u32,
        /// The offset read from, in bytes.
        offset: u32,
        /// The length of the read, in bytes.
        len: u32,
    },
    /// The piece is neither reserved nor being verified.
    #[error("piece {piece} is not reserved")]
    NotReserved {
        /// The piece.
        piece: u32,
    },
    /// The piece is not there, or has not been verified.
    #[error("piece {piece} is not held verified")]
    NotVerified {
        /// The piece.
        piece: u32,
    },
    /// The piece cannot be verified yet.
    #[error("piece {piece} still lacks {missing} blocks")]
    Incomplete {
        /// The piece.
        piece: u32,
        /// How many blocks are missing or being written.
        missing: u32,
    },
    /// Another call is verifying the piece.
    #[error("piece {piece} is being verified")]
    Verifying {
        /// The piece.
        piece: u32,
    },
    /// A window's or a pin's range of bytes is not one of the torrent.
    #[error("the torrent has no bytes {start}..{end}: it has {total}")]
    NoSuchRange {
        /// The first byte asked for.
        start: u64,
        /// The byte after the last.
        end: u64,
        /// How many bytes the torrent has.
        total: u64,
    },
    /// The reader has no window.
    #[error("reader {reader} has no window")]
    NoSuchReader {
        /// The number of the reader.
        reader: u64,
    },
    /// There are as many readers of the torrent as there may be.
    #[error("there are {max} readers already")]
    TooManyReaders {
        /// The most at once, [`MAX_READERS`](crate::MAX_READERS).
        max: usize,
    },
    /// There is no room, and nothing that may be evicted would make enough.
    #[error("no room for {needed} bytes: {free} are free")]
    Full {
        /// What the reservation needs, in bytes of whole blocks.
        needed: u64,
        /// What the budget has left, in bytes.
        free: u64,
    },
}
