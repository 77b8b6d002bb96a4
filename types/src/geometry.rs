//! How a torrent's bytes fall into pieces and blocks.
//!
//! Numbers from the wire stay `u32` until [`Geometry::piece`] or [`Geometry::block`] has checked them; a
//! [`PieceIndex`] or [`BlockRef`] that exists is one that its torrent has.

use crate::limits::{MAX_PIECE_LENGTH, MAX_PIECES};
use crate::{BLOCK_LEN, BlockRef, PieceIndex};
use std::fmt;

/// Why a number does not fit a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GeometryError {
    /// The piece length is 0 or over [`MAX_PIECE_LENGTH`].
    PieceLength(u64),
    /// The torrent holds no bytes.
    Empty,
    /// The torrent has more than [`MAX_PIECES`] pieces.
    TooManyPieces(u64),
    /// There is no piece of this index.
    NoSuchPiece {
        /// The index asked for.
        index: u32,
        /// How many pieces there are.
        count: u32,
    },
    /// The range is empty or reaches past the end of its piece.
    NoSuchBlock {
        /// The piece asked for.
        piece: u32,
        /// The offset asked for, in bytes.
        offset: u32,
        /// The length asked for, in bytes.
        len: u32,
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PieceLength(length) => write!(
                f,
                "piece length {length} is not between 1 and {MAX_PIECE_LENGTH} bytes"
            ),
            Self::Empty => f.write_str("the torrent is empty"),
            Self::TooManyPieces(count) => {
                write!(f, "{count} pieces are more than {MAX_PIECES}")
            }
            Self::NoSuchPiece { index, count } => {
                write!(f, "there is no piece {index}: the torrent has {count}")
            }
            Self::NoSuchBlock { piece, offset, len } => {
                write!(f, "piece {piece} has no {len} bytes at offset {offset}")
            }
        }
    }
}

impl std::error::Error for GeometryError {}

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
            Ok(PieceIndex::new_checked(index))
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
        (0..self.piece_count).map(PieceIndex::new_checked)
    }

    /// The piece that holds the byte at `offset` of the torrent, if there is such a byte.
    #[must_use]
    pub fn piece_at(&self, offset: u64) -> Option<PieceIndex> {
        if offset >= self.total {
            return None;
        }
        u32::try_from(offset / u64::from(self.piece_length))
            .ok()
            .map(PieceIndex::new_checked)
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
                let last = self.piece_at(last).map_or(first.get(), PieceIndex::get);
                first.get()..last + 1
            }
            _ => 0..0,
        };
        range.map(PieceIndex::new_checked)
    }

    /// Where a piece begins, in bytes from the beginning of the torrent.
    #[must_use]
    pub fn piece_start(&self, piece: PieceIndex) -> u64 {
        u64::from(piece.get()) * u64::from(self.piece_length)
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
        Ok(BlockRef::new_checked(index, offset, len))
    }

    /// Block `number` of a piece, on the [`BLOCK_LEN`] grid, if there is one.
    #[must_use]
    pub fn nth_block(&self, piece: PieceIndex, number: u32) -> Option<BlockRef> {
        let offset = number.checked_mul(BLOCK_LEN)?;
        let left = self.piece_len(piece).checked_sub(offset)?;
        (left > 0).then(|| BlockRef::new_checked(piece, offset, left.min(BLOCK_LEN)))
    }

    /// The blocks of a piece, in order.
    pub fn blocks(&self, piece: PieceIndex) -> impl Iterator<Item = BlockRef> + use<> {
        let geometry = *self;
        (0..self.block_count(piece)).filter_map(move |number| geometry.nth_block(piece, number))
    }

    /// Whether a range is exactly one block of the grid, as a download's requests are.
    #[must_use]
    pub fn is_on_grid(&self, block: BlockRef) -> bool {
        block.offset().is_multiple_of(BLOCK_LEN)
            && self.nth_block(block.piece(), block.number()) == Some(block)
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
