//! The usual memory storage, for comparison: a map under one lock, which copies in and out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tailwater_metainfo::{BlockRef, PieceIndex};

use crate::rig::{PIECE, PIECES, Rig};

#[derive(Default)]
pub(crate) struct Naive(Mutex<HashMap<PieceIndex, Vec<u8>>>);

impl Naive {
    /// With the first half of the pieces.
    pub(crate) fn full(rig: &Rig) -> Self {
        let naive = Self::default();
        (0..PIECES / 2).for_each(|piece| naive.reserve(rig.piece(piece)));
        naive
    }

    fn with<T>(&self, operate: impl FnOnce(&mut HashMap<PieceIndex, Vec<u8>>) -> T) -> T {
        operate(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes room by removing any piece.
    pub(crate) fn reserve(&self, piece: PieceIndex) {
        self.with(|pieces| {
            if pieces.len() >= PIECES as usize / 2
                && let Some(&victim) = pieces.keys().find(|&&other| other != piece)
            {
                pieces.remove(&victim);
            }
            pieces.insert(piece, vec![0; PIECE as usize]);
        });
    }

    pub(crate) fn write(&self, block: BlockRef, data: &[u8]) {
        let start = block.offset() as usize;
        self.with(|pieces| {
            if let Some(bytes) = pieces.get_mut(&block.piece()) {
                bytes[start..start + data.len()].copy_from_slice(data);
            }
        });
    }

    pub(crate) fn read(&self, block: BlockRef) -> Option<Vec<u8>> {
        let start = block.offset() as usize;
        let range = start..start + block.len() as usize;
        self.with(|pieces| Some(pieces.get(&block.piece())?[range].to_vec()))
    }
}
