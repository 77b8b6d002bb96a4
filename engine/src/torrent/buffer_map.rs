//! The buffer map: a snapshot of a torrent's pieces and readers, for display.

use std::ops::Range;
use std::time::Instant;

use tailwater_metainfo::PieceIndex;

use super::{Engine, PieceState, ReaderKey, Space};

/// A torrent's buffer at one moment, for display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BufferMap {
    /// What the pieces of all torrents of the session take.
    pub memory: MemoryUse,
    /// Every piece, in order.
    pub pieces: Vec<PieceView>,
    /// Every reader.
    pub readers: Vec<ReaderView>,
    /// Stalls of all readers since the torrent was added, those that have gone included: it never falls.
    pub stalls: u64,
}

/// What the pieces of all torrents of a session take, in a [`BufferMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct MemoryUse {
    /// The most bytes that they may take; `None` on a disk.
    pub budget: Option<u64>,
    /// The bytes of the budget that are taken.
    pub used: u64,
    /// Pieces evicted to make room for others, since the session began.
    pub evictions: u64,
}

/// A piece in a [`BufferMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct PieceView {
    /// Its state.
    pub state: PieceState,
    /// A window or a pin keeps it from being evicted.
    pub is_protected: bool,
    /// It is not held, and some reader will come to it within its window.
    pub is_wanted: bool,
    /// A peer has been asked for a block of it.
    pub in_flight: bool,
    /// How many connected peers have it.
    pub peers: u32,
}

/// A reader in a [`BufferMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ReaderView {
    /// The key that the reader was opened with.
    #[cfg_attr(feature = "serde", serde(rename = "reader", serialize_with = "number"))]
    pub key: ReaderKey,
    /// The file's index in the torrent.
    pub file: usize,
    /// Its position, in bytes of the file.
    pub cursor: u64,
    /// Bytes held after the cursor without a gap: of a piece that is not whole, the blocks whose hashes are known (BEP 52).
    pub ahead: u64,
    /// Bytes held before the cursor without a gap, counted alike.
    pub behind: u64,
    /// Its pace: bytes a second that it takes.
    pub rate: u64,
    /// How often it had to wait for a second or longer, other than after it was opened or jumped.
    pub stalls: u64,
    /// Whether it waits now.
    pub is_waiting: bool,
}

impl ReaderView {
    /// A reader at the start of the torrent's first file, which has taken nothing yet.
    #[must_use]
    pub const fn new(key: ReaderKey) -> Self {
        Self {
            key,
            file: 0,
            cursor: 0,
            ahead: 0,
            behind: 0,
            rate: 0,
            stalls: 0,
            is_waiting: false,
        }
    }
}

#[cfg(feature = "serde")]
fn number<S: serde::Serializer>(key: &ReaderKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(key.get())
}

impl<S: Space> Engine<S> {
    /// Takes the snapshot. The storage's own figures are the caller's to fill in.
    #[must_use]
    pub fn buffer_map(&self, now: Instant) -> BufferMap {
        let view = |piece: PieceIndex| {
            let held = self.supply.pieces.have().has(piece);
            PieceView {
                state: self.supply.pieces.state(piece),
                is_protected: self.demand.readers.is_protected(piece),
                is_wanted: !held && self.demand.readers.wants(piece),
                in_flight: self.supply.pieces.is_in_flight(piece),
                peers: self.supply.picker.availability(piece),
            }
        };
        BufferMap {
            pieces: self.supply.geometry.pieces().map(view).collect(),
            readers: self.reader_views(now),
            stalls: self.demand.readers.stalls(now),
            ..BufferMap::default()
        }
    }

    fn reader_views(&self, now: Instant) -> Vec<ReaderView> {
        let views = self.demand.readers.iter().map(|(key, reader)| {
            let bounds = &reader.config.bounds;
            let (cursor, held) = (reader.cursor, self.held_around(reader.cursor, bounds));
            ReaderView {
                key,
                file: reader.config.file,
                cursor: cursor - bounds.start,
                ahead: held.end - cursor,
                behind: cursor - held.start,
                rate: reader.pace(now),
                stalls: reader.stalls(now),
                is_waiting: reader.waiting.is_some(),
            }
        });
        views.collect()
    }

    /// The bytes on both sides of a cursor that can be read.
    fn held_around(&self, cursor: u64, bounds: &Range<u64>) -> Range<u64> {
        let cursor = cursor.clamp(bounds.start, bounds.end);
        let geometry = &self.supply.geometry;
        let (mut start, mut end) = (cursor, cursor);
        for piece in geometry.pieces_in(cursor, bounds.end) {
            end = self.readable_until(piece, end);
            if end < geometry.piece_range(piece).end {
                break;
            }
        }
        for piece in geometry.pieces_in(bounds.start, cursor).rev() {
            start = self.readable_since(piece, start);
            if start > geometry.piece_start(piece) {
                break;
            }
        }
        start.max(bounds.start)..end.min(bounds.end)
    }

    /// Up to where a piece can be read from `start` on, without a gap.
    fn readable_until(&self, piece: PieceIndex, start: u64) -> u64 {
        let geometry = &self.supply.geometry;
        let range = geometry.piece_range(piece);
        if self.supply.pieces.have().has(piece) {
            return range.end;
        }
        let end_of = |block| geometry.block_start(block) + u64::from(block.len());
        let blocks = geometry.blocks(piece);
        blocks
            .skip_while(|block| end_of(*block) <= start)
            .take_while(|block| self.is_block_readable(*block))
            .last()
            .map_or(start, end_of)
    }

    /// From where on a piece can be read up to `end`, without a gap.
    fn readable_since(&self, piece: PieceIndex, end: u64) -> u64 {
        let geometry = &self.supply.geometry;
        if self.supply.pieces.have().has(piece) {
            return geometry.piece_start(piece);
        }
        let start_of = |block| geometry.block_start(block);
        let mut since = None;
        for block in geometry.blocks(piece) {
            if start_of(block) >= end {
                break;
            }
            since = match self.is_block_readable(block) {
                true => since.or(Some(start_of(block))),
                false => None,
            };
        }
        since.unwrap_or(end)
    }
}
