//! Room for pieces: how a torrent's state machine reserves and releases it.

use std::ops::Range;
use std::time::Instant;

use tailwater_metainfo::{BlockRef, PieceIndex};

use crate::key::{ReaderKey, SupplierKey};

/// Room for pieces, reserved by the one task that owns the torrent.
///
/// Only the first two methods matter to a storage that has room for everything; the others have defaults for it. All of
/// them answer at once.
pub trait Space {
    /// Makes room for a whole piece, before the first block of it is requested, and names the pieces of this torrent that
    /// were evicted for it. From now on the storage takes blocks of the piece, in a new attempt; see
    /// [`Claims`](crate::Claims).
    ///
    /// # Errors
    ///
    /// [`Full`] when nothing may be evicted; then nothing of the piece is requested.
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full>;

    /// Gives back the room of a piece that is not going to be completed.
    fn release(&mut self, piece: PieceIndex);

    /// Whether the bytes that are stored for a block are those of `supplier`. A connection reports a block some time
    /// after it was stored; the piece may have been released meanwhile and reserved again, and then the block counts
    /// for nothing.
    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        let _ = (block, supplier);
        true
    }

    /// How many pieces are best verified together.
    fn verify_together(&self) -> usize {
        1
    }

    /// How many bytes one reader's window may take; `None` where nothing is ever evicted.
    fn share(&self) -> Option<u64> {
        None
    }

    /// How many bytes could be reserved without evicting anything. `None` if that is not known: then nothing is fetched
    /// beyond the windows of readers.
    fn unused(&self) -> Option<u64> {
        None
    }

    /// A reader's window has moved; `None` when it is gone. The pieces in it are not to be evicted.
    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        let _ = (reader, window);
    }

    /// Pins bytes: they are not to be evicted, beside the windows. They replace those pinned before.
    fn set_pins(&mut self, pins: &[Range<u64>]) {
        let _ = pins;
    }

    /// Sets the time now and then, so that pieces that have not been read for a long time can be known.
    fn set_time(&mut self, now: Instant) {
        let _ = now;
    }

    /// How many connected peers have a piece that is held: rare ones are evicted last.
    fn set_availability(&mut self, piece: PieceIndex, peers: u32) {
        let _ = (piece, peers);
    }
}

impl<S: Space + ?Sized> Space for Box<S> {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        (**self).reserve(piece)
    }

    fn release(&mut self, piece: PieceIndex) {
        (**self).release(piece);
    }

    fn is_stored(&self, block: BlockRef, supplier: SupplierKey) -> bool {
        (**self).is_stored(block, supplier)
    }

    fn verify_together(&self) -> usize {
        (**self).verify_together()
    }

    fn share(&self) -> Option<u64> {
        (**self).share()
    }

    fn unused(&self) -> Option<u64> {
        (**self).unused()
    }

    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        (**self).set_window(reader, window);
    }

    fn set_pins(&mut self, pins: &[Range<u64>]) {
        (**self).set_pins(pins);
    }

    fn set_time(&mut self, now: Instant) {
        (**self).set_time(now);
    }

    fn set_availability(&mut self, piece: PieceIndex, peers: u32) {
        (**self).set_availability(piece, peers);
    }
}

/// There is no room for another piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another piece")]
pub struct Full;

/// A reader's window, in bytes of the torrent. It begins and ends with a piece or the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteWindow {
    /// The position of the reader.
    pub cursor: u64,
    /// What it covers.
    pub span: Range<u64>,
    /// The file's bytes in the torrent.
    pub bounds: Range<u64>,
}
