//! The layout of a torrent's bytes in pieces and blocks.
//!
//! Numbers from the wire stay `u32` until [`Geometry::piece`] or [`Geometry::block`] has checked them; a
//! [`PieceIndex`] or [`BlockRef`] that exists is one that its torrent has.

use crate::limits::{MAX_PIECE_LENGTH, MAX_PIECES};
use crate::{BLOCK_LEN, Bitfield, BlockRef, PieceIndex};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

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

/// The layout of a torrent: the position and length of each piece and block.
///
/// Positions are byte offsets into the torrent: its files one after the other, in the order of the metainfo. Every
/// piece begins at a multiple of the piece length. In a v1 or hybrid torrent ([`Geometry::new`]) the pieces are
/// contiguous and only the last may be shorter. In a v2-only torrent ([`Geometry::aligned`]) each file begins with a
/// piece of its own (BEP 52): the last piece of each file may be shorter, and the positions between its end and the
/// next piece hold no byte.
///
/// A clone costs no more than a reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of all pieces.
    total: u64,
    /// Where the last piece ends.
    end: u64,
    piece_length: u32,
    piece_count: u32,
    /// The pieces before the last that are shorter than the others, in order. `None` where there are none: the common
    /// case stays arithmetic.
    short: Option<Arc<[ShortPiece]>>,
}

/// A piece that ends before the next one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShortPiece {
    piece: u32,
    len: u32,
    /// How many positions without a byte follow this piece and all short ones before it.
    gaps: u64,
}

impl Geometry {
    /// Divides `total` bytes into pieces of `piece_length` bytes; the last may be shorter (BEP 3).
    ///
    /// # Errors
    ///
    /// When `total` is 0, the piece length is out of range, or there are too many pieces.
    pub fn new(total: u64, piece_length: u32) -> Result<Self, GeometryError> {
        check_piece_length(piece_length)?;
        if total == 0 {
            return Err(GeometryError::Empty);
        }
        Ok(Self {
            total,
            end: total,
            piece_length,
            piece_count: check_count(total.div_ceil(u64::from(piece_length)))?,
            short: None,
        })
    }

    /// Divides files of these lengths into pieces that no two files share (BEP 52). An empty file has no piece.
    ///
    /// # Errors
    ///
    /// When all files are empty, the piece length is out of range, or there are too many pieces.
    pub fn aligned(
        file_lengths: impl IntoIterator<Item = u64>,
        piece_length: u32,
    ) -> Result<Self, GeometryError> {
        check_piece_length(piece_length)?;
        let length = u64::from(piece_length);
        // The limit on pieces, checked for each file, also bounds the table of short ones and all sums below.
        let (mut count, mut total, mut end, mut gaps) = (0, 0, 0, 0);
        let mut short = Vec::new();
        for file in file_lengths.into_iter().filter(|file| *file > 0) {
            count = check_count(file.div_ceil(length).saturating_add(u64::from(count)))?;
            total += file;
            end = u64::from(count - 1) * length + (file - 1) % length + 1;
            let gap = u64::from(count) * length - end;
            gaps += gap;
            if let Ok(gap) = u32::try_from(gap)
                && gap > 0
            {
                short.push(ShortPiece {
                    piece: count - 1,
                    len: piece_length - gap,
                    gaps,
                });
            }
        }
        if count == 0 {
            return Err(GeometryError::Empty);
        }
        // That of the last piece follows from `end`, as for contiguous pieces.
        short.pop_if(|short| short.piece == count - 1);
        Ok(Self {
            total,
            end,
            piece_length,
            piece_count: count,
            short: (!short.is_empty()).then(|| short.into()),
        })
    }

    /// The bytes of all pieces, pad files included.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// The position behind the torrent's last byte. More than [`total`](Self::total) where pieces end early.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// The length in bytes of every piece that does not end early, and from where one piece begins to where the next
    /// does.
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

    /// The piece that holds the byte at position `offset`, if there is such a byte.
    #[must_use]
    pub fn piece_at(&self, offset: u64) -> Option<PieceIndex> {
        let piece = self.piece_before(offset)?;
        // Contiguous pieces hold every byte before the end.
        (self.short.is_none() || offset < self.piece_range(piece).end).then_some(piece)
    }

    /// The piece that holds the byte at `offset` or, if there is none, the last one before it.
    fn piece_before(&self, offset: u64) -> Option<PieceIndex> {
        if offset >= self.end {
            return None;
        }
        // There are fewer pieces than a `u32` counts.
        Some(PieceIndex::new_checked(self.number_at(offset)))
    }

    /// The pieces that hold any byte of `start..end`, clipped to the torrent.
    pub fn pieces_in(
        &self,
        start: u64,
        end: u64,
    ) -> impl DoubleEndedIterator<Item = PieceIndex> + ExactSizeIterator + use<> {
        let end = end.min(self.end);
        let range = match (self.piece_before(start), end.checked_sub(1)) {
            (Some(first), Some(last)) if start < end => {
                let last = self.piece_before(last).map_or(first.get(), PieceIndex::get);
                // One that ends before `start` holds none of the bytes.
                let skipped = u32::from(start >= self.piece_range(first).end);
                first.get() + skipped..last + 1
            }
            _ => 0..0,
        };
        range.map(PieceIndex::new_checked)
    }

    /// The position where a piece begins.
    #[must_use]
    pub fn piece_start(&self, piece: PieceIndex) -> u64 {
        self.start_of_number(piece.get())
    }

    /// The positions of a piece's bytes.
    #[must_use]
    pub fn piece_range(&self, piece: PieceIndex) -> Range<u64> {
        let start = self.piece_start(piece);
        start..start + u64::from(self.piece_len(piece))
    }

    /// The number of the last piece that begins at a position or before it. It counts on past the last piece, and the
    /// piece need not hold a byte there: a position in a window of pieces, not a checked piece.
    #[must_use]
    pub fn number_at(&self, offset: u64) -> u32 {
        u32::try_from(offset / u64::from(self.piece_length)).unwrap_or(u32::MAX)
    }

    /// The position where piece `number` begins, or would begin if there were that many: the inverse of
    /// [`number_at`](Self::number_at).
    #[must_use]
    pub fn start_of_number(&self, number: u32) -> u64 {
        u64::from(number) * u64::from(self.piece_length)
    }

    /// The positions from the beginning of the first of these pieces to the end of the last, clipped to the torrent.
    #[must_use]
    pub fn range_of(&self, numbers: &Range<u32>) -> Range<u64> {
        let start = self.start_of_number(numbers.start).min(self.end);
        let last = numbers.end.min(self.piece_count).checked_sub(1);
        let last = last.filter(|last| *last >= numbers.start);
        let end = last.map(|last| self.piece_range(PieceIndex::new_checked(last)).end);
        start..end.unwrap_or(start)
    }

    /// The length of a piece in bytes, never 0.
    #[must_use]
    pub fn piece_len(&self, piece: PieceIndex) -> u32 {
        if let Some(short) = &self.short
            && let Ok(at) = short.binary_search_by_key(&piece.get(), |short| short.piece)
        {
            return short[at].len;
        }
        let left = self.end.saturating_sub(self.piece_start(piece));
        u32::try_from(left).map_or(self.piece_length, |left| left.min(self.piece_length))
    }

    /// The bytes of the first `count` pieces; of all pieces, if there are fewer.
    #[must_use]
    pub fn len_of_first(&self, count: u32) -> u64 {
        if count >= self.piece_count {
            return self.total;
        }
        u64::from(count) * u64::from(self.piece_length) - self.gaps_before(count)
    }

    /// The bytes of the pieces whose bits are set. Takes a step for each piece that ends early.
    #[must_use]
    pub fn len_of(&self, pieces: &Bitfield) -> u64 {
        let missing = |piece: u32| match self.piece(piece) {
            Ok(piece) if pieces.has(piece) => u64::from(self.piece_length - self.piece_len(piece)),
            _ => 0,
        };
        let short = self.short.iter().flat_map(|short| short.iter());
        let short: u64 = short.map(|short| missing(short.piece)).sum();
        let full = u64::from(pieces.count()) * u64::from(self.piece_length);
        full - short - missing(self.piece_count - 1)
    }

    /// The positions without a byte before piece `count`.
    fn gaps_before(&self, count: u32) -> u64 {
        let Some(short) = &self.short else { return 0 };
        let before = short.partition_point(|short| short.piece < count);
        before.checked_sub(1).map_or(0, |last| short[last].gaps)
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
        nth_block(piece, self.piece_len(piece), number)
    }

    /// The position where a block begins.
    #[must_use]
    pub fn block_start(&self, block: BlockRef) -> u64 {
        self.piece_start(block.piece()) + u64::from(block.offset())
    }

    /// The blocks of a piece, in order.
    pub fn blocks(&self, piece: PieceIndex) -> impl Iterator<Item = BlockRef> + use<> {
        let len = self.piece_len(piece);
        (0..len.div_ceil(BLOCK_LEN)).filter_map(move |number| nth_block(piece, len, number))
    }

    /// Whether a range is exactly one block of the grid, as a download's requests are.
    #[must_use]
    pub fn is_on_grid(&self, block: BlockRef) -> bool {
        block.offset().is_multiple_of(BLOCK_LEN)
            && self.nth_block(block.piece(), block.number()) == Some(block)
    }
}

/// Block `number` of a piece of `piece_len` bytes.
fn nth_block(piece: PieceIndex, piece_len: u32, number: u32) -> Option<BlockRef> {
    let offset = number.checked_mul(BLOCK_LEN)?;
    let left = piece_len.checked_sub(offset)?;
    (left > 0).then(|| BlockRef::new_checked(piece, offset, left.min(BLOCK_LEN)))
}

const fn check_piece_length(piece_length: u32) -> Result<(), GeometryError> {
    match piece_length {
        1..=MAX_PIECE_LENGTH => Ok(()),
        _ => Err(GeometryError::PieceLength(piece_length as u64)),
    }
}

fn check_count(count: u64) -> Result<u32, GeometryError> {
    u32::try_from(count)
        .ok()
        .filter(|&count| count <= MAX_PIECES)
        .ok_or(GeometryError::TooManyPieces(count))
}

#[cfg(test)]
mod tests;
