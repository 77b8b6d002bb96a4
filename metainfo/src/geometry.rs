//! How a torrent's bytes fall into pieces and blocks.
//!
//! Numbers from the wire stay `u32` until [`Geometry::piece`] or [`Geometry::block`] has checked them; a
//! [`PieceIndex`] or [`BlockRef`] that exists is one that its torrent has.

use std::fmt;

/// The unit of transfer in bytes: what one `request` asks for (BEP 3). Only a piece's last block is shorter.
pub const BLOCK_LEN: u32 = 16 * 1024;

/// The longest piece that is accepted, in bytes. Every peer's partial pieces are bounded by it.
pub const MAX_PIECE_LENGTH: u32 = 512 * 1024 * 1024 - BLOCK_LEN;

/// The most pieces a torrent may have; bounds bitfields and per-piece tables.
pub const MAX_PIECES: u32 = 1 << 21;

/// The index of a piece that its torrent is known to have; made by [`Geometry::piece`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(u32);

impl PieceIndex {
    /// The piece of a bit that is set in a bitfield: those of no piece never are.
    pub(crate) const fn of_bit(index: u32) -> Self {
        Self(index)
    }

    /// The index as it goes over the wire.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The index as a position in a table of pieces.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PieceIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PieceIndex({})", self.0)
    }
}

/// A range inside one piece that its torrent is known to have; made by [`Geometry`].
///
/// Those made by [`Geometry::nth_block`] lie on the [`BLOCK_LEN`] grid. One made from a peer's request need not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockRef {
    piece: PieceIndex,
    offset: u32,
    len: u32,
}

impl BlockRef {
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

/// Why a number does not fit a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// The piece length is 0 or over [`MAX_PIECE_LENGTH`].
    #[error("piece length {0} is not between 1 and {MAX_PIECE_LENGTH} bytes")]
    PieceLength(u64),
    /// The torrent holds no bytes.
    #[error("the torrent is empty")]
    Empty,
    /// The torrent has more than [`MAX_PIECES`] pieces.
    #[error("{0} pieces are more than {MAX_PIECES}")]
    TooManyPieces(u64),
    /// There is no piece of this index.
    #[error("there is no piece {index}: the torrent has {count}")]
    NoSuchPiece {
        /// The index asked for.
        index: u32,
        /// How many pieces there are.
        count: u32,
    },
    /// The range is empty or reaches past the end of its piece.
    #[error("piece {piece} has no {len} bytes at offset {offset}")]
    NoSuchBlock {
        /// The piece asked for.
        piece: u32,
        /// The offset asked for, in bytes.
        offset: u32,
        /// The length asked for, in bytes.
        len: u32,
    },
}

/// The sizes that say where each piece and block of a torrent lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    total: u64,
    piece_length: u32,
    piece_count: u32,
}

impl Geometry {
    /// Divides `total` bytes into pieces of `piece_length` bytes; the last may be shorter.
    ///
    /// # Errors
    ///
    /// When `total` is 0, the piece length is out of range, or there are too many pieces.
    pub fn new(total: u64, piece_length: u32) -> Result<Self, GeometryError> {
        if piece_length == 0 || piece_length > MAX_PIECE_LENGTH {
            return Err(GeometryError::PieceLength(u64::from(piece_length)));
        }
        if total == 0 {
            return Err(GeometryError::Empty);
        }
        let count = total.div_ceil(u64::from(piece_length));
        let piece_count = u32::try_from(count)
            .ok()
            .filter(|&count| count <= MAX_PIECES)
            .ok_or(GeometryError::TooManyPieces(count))?;
        Ok(Self {
            total,
            piece_length,
            piece_count,
        })
    }

    /// The bytes of the whole torrent, pad files included.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The length in bytes of every piece but the last.
    #[must_use]
    pub const fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// How many pieces there are, at least 1.
    #[must_use]
    pub const fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// Checks an index that came from outside.
    ///
    /// # Errors
    ///
    /// When the torrent has no such piece.
    pub const fn piece(&self, index: u32) -> Result<PieceIndex, GeometryError> {
        if index < self.piece_count {
            Ok(PieceIndex(index))
        } else {
            Err(GeometryError::NoSuchPiece {
                index,
                count: self.piece_count,
            })
        }
    }

    /// Every piece, in order.
    pub fn pieces(
        &self,
    ) -> impl DoubleEndedIterator<Item = PieceIndex> + ExactSizeIterator + use<> {
        (0..self.piece_count).map(PieceIndex)
    }

    /// The piece that holds the byte at `offset` of the torrent, if there is such a byte.
    #[must_use]
    pub fn piece_at(&self, offset: u64) -> Option<PieceIndex> {
        if offset >= self.total {
            return None;
        }
        u32::try_from(offset / u64::from(self.piece_length))
            .ok()
            .map(PieceIndex)
    }

    /// The pieces that hold any byte of `start..end`, clipped to the torrent.
    pub fn pieces_in(
        &self,
        start: u64,
        end: u64,
    ) -> impl DoubleEndedIterator<Item = PieceIndex> + ExactSizeIterator + use<> {
        let end = end.min(self.total);
        let range = match (self.piece_at(start), end.checked_sub(1)) {
            (Some(first), Some(last)) if start < end => {
                let last = self.piece_at(last).map_or(first.0, PieceIndex::get);
                first.0..last + 1
            }
            _ => 0..0,
        };
        range.map(PieceIndex)
    }

    /// Where a piece begins, in bytes from the beginning of the torrent.
    #[must_use]
    pub fn piece_start(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_length)
    }

    /// The length of a piece in bytes, never 0.
    #[must_use]
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        let left = self.total.saturating_sub(self.piece_start(piece));
        u32::try_from(left).map_or(self.piece_length, |left| left.min(self.piece_length))
    }

    /// How many blocks a piece has.
    #[must_use]
    pub fn block_count(&self, piece: PieceIndex) -> u32 {
        self.piece_len(piece).div_ceil(BLOCK_LEN)
    }

    /// Checks a range that came from outside; it need not lie on the block grid.
    ///
    /// # Errors
    ///
    /// When there is no such piece, or the range is empty or reaches past its end.
    pub fn block(&self, piece: u32, offset: u32, len: u32) -> Result<BlockRef, GeometryError> {
        let index = self.piece(piece)?;
        let end = offset.checked_add(len);
        if len == 0 || end.is_none_or(|end| end > self.piece_len(index)) {
            return Err(GeometryError::NoSuchBlock { piece, offset, len });
        }
        Ok(BlockRef {
            piece: index,
            offset,
            len,
        })
    }

    /// Block `number` of a piece, on the [`BLOCK_LEN`] grid, if there is one.
    #[must_use]
    pub fn nth_block(&self, piece: PieceIndex, number: u32) -> Option<BlockRef> {
        let offset = number.checked_mul(BLOCK_LEN)?;
        let left = self.piece_len(piece).checked_sub(offset)?;
        (left > 0).then(|| BlockRef {
            piece,
            offset,
            len: left.min(BLOCK_LEN),
        })
    }

    /// The blocks of a piece, in order.
    pub fn blocks(&self, piece: PieceIndex) -> impl Iterator<Item = BlockRef> + use<> {
        let geometry = *self;
        (0..self.block_count(piece)).filter_map(move |number| geometry.nth_block(piece, number))
    }

    /// Whether a range is exactly one block of the grid, as a download's requests are.
    #[must_use]
    pub fn is_on_grid(&self, block: BlockRef) -> bool {
        block.offset.is_multiple_of(BLOCK_LEN)
            && self.nth_block(block.piece, block.number()) == Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_out_of_range_are_refused() {
        assert_eq!(Geometry::new(1, 0), Err(GeometryError::PieceLength(0)));
        assert_eq!(Geometry::new(0, 1), Err(GeometryError::Empty));
        assert_eq!(
            Geometry::new(u64::MAX, 1),
            Err(GeometryError::TooManyPieces(u64::MAX))
        );
        assert!(Geometry::new(u64::from(MAX_PIECES), 1).is_ok());
    }

    #[test]
    fn requests_out_of_range_are_refused() {
        let geometry = Geometry::new(100_000, 40_000).unwrap();
        assert!(geometry.block(2, 19_999, 1).is_ok());
        for (piece, offset, len) in [(3, 0, 1), (2, 20_000, 1), (0, 0, 0), (0, u32::MAX, 2)] {
            assert!(geometry.block(piece, offset, len).is_err());
        }
    }

    proptest! {
        #[test]
        fn blocks_tile_the_torrent(total in 1u64..5_000_000, piece_length in 1u32..300_000) {
            prop_assume!(total / u64::from(piece_length) < 4_000);
            let geometry = Geometry::new(total, piece_length).unwrap();
            let mut at = 0;
            for piece in geometry.pieces() {
                prop_assert_eq!(geometry.piece_start(piece), at);
                prop_assert_eq!(geometry.piece_at(at), Some(piece));
                let mut offset = 0;
                for block in geometry.blocks(piece) {
                    prop_assert_eq!(block.offset(), offset);
                    prop_assert!(geometry.is_on_grid(block));
                    prop_assert_eq!(geometry.block(piece.get(), offset, block.len()), Ok(block));
                    offset += block.len();
                }
                prop_assert_eq!(offset, geometry.piece_len(piece));
                at += u64::from(offset);
            }
            prop_assert_eq!(at, total);
            prop_assert_eq!(geometry.piece_at(total), None);
        }

        #[test]
        fn pieces_in_a_range_are_those_that_overlap_it(start in 0u64..2_000, len in 0u64..2_000) {
            let geometry = Geometry::new(1_234, 100).unwrap();
            let end = start + len;
            let expected: Vec<_> = geometry
                .pieces()
                .filter(|&piece| {
                    let from = geometry.piece_start(piece);
                    let to = from + u64::from(geometry.piece_len(piece));
                    len > 0 && from < end && start < to
                })
                .collect();
            prop_assert_eq!(geometry.pieces_in(start, end).collect::<Vec<_>>(), expected);
        }
    }
}
