//! An LRU cache of pieces that were read or put recently.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tailwater_storage::{PieceIndex, StorageError};
use tokio::sync::OnceCell;

/// A piece that is read once, however many callers request it at the same time.
pub(crate) type Load = Arc<OnceCell<Result<Option<Bytes>, StorageError>>>;

/// The pieces that were used last, within a number of bytes.
pub(crate) struct Cache {
    /// The one used last comes last.
    pieces: VecDeque<(PieceIndex, Load)>,
    most: usize,
}

impl Cache {
    /// A cache of `pieces` pieces, at least two: one that is read, and the one after it.
    pub(crate) fn new(pieces: usize) -> Self {
        Self {
            pieces: VecDeque::new(),
            most: pieces.max(2),
        }
    }

    /// The piece, to be loaded unless it is loaded already; and whether it is new here.
    pub(crate) fn get(&mut self, piece: PieceIndex) -> (Load, bool) {
        let found = self.pieces.iter().position(|(index, _)| *index == piece);
        let known = found.and_then(|at| self.pieces.remove(at));
        let (load, is_new) = match known {
            Some((_, load)) => (load, false),
            None => (Load::default(), true),
        };
        while self.pieces.len() >= self.most {
            self.pieces.pop_front();
        }
        self.pieces.push_back((piece, Arc::clone(&load)));
        (load, is_new)
    }

    /// A piece that was just put.
    pub(crate) fn insert(&mut self, piece: PieceIndex, bytes: Bytes) {
        self.remove(piece);
        let (load, _) = self.get(piece);
        // It is new: nothing has been loaded into it.
        let _ = load.set(Ok(Some(bytes)));
    }

    pub(crate) fn remove(&mut self, piece: PieceIndex) {
        self.pieces.retain(|(index, _)| *index != piece);
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
    }
}
