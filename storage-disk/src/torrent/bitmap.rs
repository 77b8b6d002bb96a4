//! A lock-free set of pieces, which many threads read and write.

use std::sync::atomic::{AtomicU8, Ordering};
use tailwater_metainfo::{Bitfield, Geometry, PieceIndex};

/// One bit a piece, in the byte order of [`Bitfield`].
///
/// Setting a bit releases and testing it acquires: a thread that sees a piece's bit also sees what was done to the
/// piece before.
#[derive(Debug)]
pub(crate) struct AtomicBitmap {
    bytes: Box<[AtomicU8]>,
}

impl AtomicBitmap {
    /// A map without any piece.
    pub(crate) fn new(geometry: &Geometry) -> Self {
        let zeros = Bitfield::none(geometry);
        Self {
            bytes: zeros
                .as_bytes()
                .iter()
                .copied()
                .map(AtomicU8::new)
                .collect(),
        }
    }

    /// Whether the bit of `piece` is set.
    pub(crate) fn has(&self, piece: PieceIndex) -> bool {
        self.byte(piece)
            .is_some_and(|byte| byte.load(Ordering::Acquire) & mask(piece) != 0)
    }

    /// Sets a bit; says whether it was clear before.
    pub(crate) fn set(&self, piece: PieceIndex) -> bool {
        self.byte(piece)
            .is_some_and(|byte| byte.fetch_or(mask(piece), Ordering::AcqRel) & mask(piece) == 0)
    }

    /// Clears a bit; says whether it was set before.
    pub(crate) fn clear(&self, piece: PieceIndex) -> bool {
        self.byte(piece)
            .is_some_and(|byte| byte.fetch_and(!mask(piece), Ordering::AcqRel) & mask(piece) != 0)
    }

    /// Replaces the whole set.
    pub(crate) fn replace(&self, bits: &Bitfield) {
        for (byte, value) in self.bytes.iter().zip(bits.as_bytes()) {
            byte.store(*value, Ordering::Release);
        }
    }

    /// A copy of the set as it is now.
    pub(crate) fn snapshot(&self, geometry: &Geometry) -> Bitfield {
        let bytes: Vec<u8> = self
            .bytes
            .iter()
            .map(|byte| byte.load(Ordering::Acquire))
            .collect();
        // Only bits of pieces that the geometry has are ever set, so this does not fail for our own geometry.
        Bitfield::from_bytes(geometry, &bytes).unwrap_or_else(|_| Bitfield::none(geometry))
    }

    fn byte(&self, piece: PieceIndex) -> Option<&AtomicU8> {
        self.bytes.get(piece.as_usize() / 8)
    }
}

const fn mask(piece: PieceIndex) -> u8 {
    0x80 >> (piece.get() % 8)
}
