//! Bitfields: the set of pieces that a peer has.

use std::ops::Range;

use crate::{Geometry, PieceIndex};

/// One bit for each piece of a torrent, in the byte order of the `bitfield` message (BEP 3).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

/// A `bitfield` whose length or spare bits do not fit the torrent (BEP 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BitfieldError {
    /// It has the wrong number of bytes.
    Length {
        /// Bytes that the torrent's pieces need.
        expected: usize,
        /// Bytes that came.
        found: usize,
    },
    /// A bit past the last piece is set.
    SpareBits,
}

impl std::fmt::Display for BitfieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(f, "a bitfield of {found} bytes where {expected} are due")
            }
            Self::SpareBits => f.write_str("a bitfield with spare bits set"),
        }
    }
}

impl std::error::Error for BitfieldError {}

impl Bitfield {
    /// No piece at all.
    #[must_use]
    pub fn none(geometry: &Geometry) -> Self {
        let len = geometry.piece_count();
        Self {
            bytes: vec![0; byte_count(len)],
            len,
            ones: 0,
        }
    }

    /// Every piece.
    #[must_use]
    pub fn all(geometry: &Geometry) -> Self {
        let len = geometry.piece_count();
        let mut bytes = vec![0xff; byte_count(len)];
        if let Some(last) = bytes.last_mut() {
            *last &= !spare_mask(len);
        }
        Self {
            bytes,
            len,
            ones: len,
        }
    }

    /// Checks the payload of a `bitfield` message.
    ///
    /// # Errors
    ///
    /// When its length does not fit or a spare bit is set; BEP 3 lets a client drop the connection for both.
    pub fn from_bytes(geometry: &Geometry, bytes: &[u8]) -> Result<Self, BitfieldError> {
        let len = geometry.piece_count();
        let expected = byte_count(len);
        if bytes.len() != expected {
            return Err(BitfieldError::Length {
                expected,
                found: bytes.len(),
            });
        }
        if bytes.last().is_some_and(|last| last & spare_mask(len) != 0) {
            return Err(BitfieldError::SpareBits);
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            len,
            ones: bytes.iter().map(|byte| byte.count_ones()).sum(),
        })
    }

    /// The payload of a `bitfield` message.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the bit of `piece` is set; false for a piece of a larger torrent.
    #[must_use]
    pub fn has(&self, piece: PieceIndex) -> bool {
        self.bytes
            .get(piece.as_usize() / 8)
            .is_some_and(|byte| byte & mask(piece) != 0)
    }

    /// Sets a bit; returns whether it was clear before.
    pub fn set(&mut self, piece: PieceIndex) -> bool {
        let fresh = piece.get() < self.len && !self.has(piece);
        if fresh {
            self.bytes[piece.as_usize() / 8] |= mask(piece);
            self.ones += 1;
        }
        fresh
    }

    /// Clears a bit; returns whether it was set before.
    pub fn clear(&mut self, piece: PieceIndex) -> bool {
        let held = self.has(piece);
        if held {
            self.bytes[piece.as_usize() / 8] &= !mask(piece);
            self.ones -= 1;
        }
        held
    }

    /// How many bits are set.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.ones
    }

    /// How many pieces the torrent has.
    #[must_use]
    pub const fn piece_count(&self) -> u32 {
        self.len
    }

    /// Whether every bit is set.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.ones == self.len
    }

    /// The pieces whose bits are set, in order. Takes a step for each eight pieces and each bit.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        ones(0, self.bytes.iter().copied())
    }

    /// The pieces in this range of numbers whose bits are set, in order. Takes a step for each eight pieces of the range.
    pub fn iter_in(&self, range: Range<u32>) -> impl Iterator<Item = PieceIndex> + '_ {
        let end = byte_count(range.end.min(self.len));
        let start = (range.start as usize / 8).min(end);
        let bytes = self.bytes[start..end].iter().copied();
        ones(range.start / 8 * 8, bytes).filter(move |piece| range.contains(&piece.get()))
    }

    /// The pieces whose bits differ from those of another bitfield of the same torrent, in order.
    pub fn differences<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = PieceIndex> + 'a {
        let pairs = self.bytes.iter().zip(&other.bytes);
        ones(0, pairs.map(|(one, other)| one ^ other))
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.ones == 0
    }
}

impl std::fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitfield({} of {})", self.ones, self.len)
    }
}

/// The pieces of the bits that are set, the first of which is that of piece `start`.
fn ones(start: u32, bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = PieceIndex> {
    let numbered = (start..).step_by(8).zip(bytes);
    numbered
        .filter(|(_, byte)| *byte != 0)
        .flat_map(|(first, byte)| {
            let set = (0..8).filter(move |bit| byte & (0x80 >> bit) != 0);
            set.map(move |bit| PieceIndex::new_checked(first + bit))
        })
}

const fn byte_count(pieces: u32) -> usize {
    pieces.div_ceil(8) as usize
}

const fn mask(piece: PieceIndex) -> u8 {
    0x80 >> (piece.get() % 8)
}

/// The spare bits of the last byte, which belong to no piece.
const fn spare_mask(pieces: u32) -> u8 {
    match pieces % 8 {
        0 => 0,
        used => 0xff >> used,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn geometry(pieces: u32) -> Geometry {
        Geometry::new(u64::from(pieces), 1).unwrap()
    }

    #[test]
    fn spare_bits_and_wrong_lengths_are_refused() {
        let nine = geometry(9);
        assert_eq!(
            Bitfield::from_bytes(&nine, &[0]),
            Err(BitfieldError::Length {
                expected: 2,
                found: 1
            })
        );
        assert_eq!(
            Bitfield::from_bytes(&nine, &[0, 0x40]),
            Err(BitfieldError::SpareBits)
        );
        assert_eq!(
            Bitfield::from_bytes(&nine, &[0xff, 0x80]),
            Ok(Bitfield::all(&nine))
        );
    }

    #[test]
    fn the_first_piece_is_the_high_bit() {
        let two = geometry(2);
        let mut bits = Bitfield::none(&two);
        bits.set(two.piece(0).unwrap());
        assert_eq!(bits.as_bytes(), [0x80]);
    }

    proptest! {
        #[test]
        fn behaves_as_a_set(
            pieces in 1u32..40,
            steps in proptest::collection::vec((0u32..40, any::<bool>()), 0..80),
            range in (0u32..60, 0u32..60),
        ) {
            let geometry = geometry(pieces);
            let mut bits = Bitfield::none(&geometry);
            let mut model = BTreeSet::new();
            for (index, add) in steps {
                let Ok(piece) = geometry.piece(index) else { continue };
                if add {
                    prop_assert_eq!(bits.set(piece), model.insert(piece));
                } else {
                    prop_assert_eq!(bits.clear(piece), model.remove(&piece));
                }
            }
            prop_assert_eq!(bits.count() as usize, model.len());
            prop_assert!(geometry.pieces().all(|piece| bits.has(piece) == model.contains(&piece)));
            let (start, end) = range;
            let inside = model.iter().filter(|piece| (start..end).contains(&piece.get()));
            prop_assert!(bits.iter_in(start..end).eq(inside.copied()));
            prop_assert!(bits.iter().eq(model.iter().copied()));
            prop_assert_eq!(Bitfield::from_bytes(&geometry, bits.as_bytes()), Ok(bits));
        }
    }
}
