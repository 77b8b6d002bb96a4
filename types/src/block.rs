//! Blocks: the unit of transfer.

use crate::PieceIndex;

/// The unit of transfer in bytes: what one `request` asks for (BEP 3). Only a piece's last block is shorter.
pub const BLOCK_LEN: u32 = 16 * 1024;

/// A range inside one piece that its torrent is known to have; made by [`Geometry`](crate::Geometry).
///
/// Those made by [`Geometry::nth_block`](crate::Geometry::nth_block) lie on the [`BLOCK_LEN`] grid. One made from a peer's request need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    piece: PieceIndex,
    offset: u32,
    len: u32,
}

impl BlockRef {
    /// Wraps a range that the caller has checked against the piece's length.
    pub(crate) const fn new_checked(piece: PieceIndex, offset: u32, len: u32) -> Self {
        Self { piece, offset, len }
    }

    /// The piece it lies in.
    #[must_use]
    pub const fn piece(self) -> PieceIndex {
        self.piece
    }

    /// Where it begins, in bytes from the beginning of the piece.
    #[must_use]
    pub const fn offset(self) -> u32 {
        self.offset
    }

    /// Its length in bytes, never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a block is never empty")]
    pub const fn len(self) -> u32 {
        self.len
    }

    /// Its number on the [`BLOCK_LEN`] grid of its piece.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.offset / BLOCK_LEN
    }
}
