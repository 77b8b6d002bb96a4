//! Protected ranges: readers' windows, the lookbehind behind their cursors, and pinned ranges.

use std::collections::BTreeMap;
use std::ops::Range;

use tailwater_metainfo::Geometry;

use crate::error::Error;

/// How many readers one torrent may have at once. Moving a window checks all of them for each piece that changes.
pub const MAX_READERS: usize = 4_096;

/// Identifies a reader among those of its torrent. The caller chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(u64);

impl ReaderId {
    /// The reader of this number.
    #[must_use]
    pub const fn new(id: u64) -> Self {
        Self(id)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// A reader's window: the bytes of the torrent that it wants kept. Every piece that the window touches is protected: no
/// reservation evicts it.
///
/// It reaches from `behind` bytes before the cursor to `ahead` bytes after it, and no further than `bounds`. The byte at
/// the cursor always belongs to it. A cursor outside `bounds` counts as one at the nearer end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The byte that is read next.
    pub cursor: u64,
    /// How many bytes from the cursor on are wanted soon.
    pub ahead: u64,
    /// How many bytes before the cursor are kept, so that a rewind costs nothing.
    pub behind: u64,
    /// The bytes of the file that is read.
    pub bounds: Range<u64>,
}

/// The lookbehind of a reader: what is kept behind its cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LookbehindStats {
    /// How many pieces the lookbehind reaches over. No reservation evicts any of them.
    pub protected: u32,
    /// How many of those are verified and can be read.
    pub available: u32,
    /// How far a rewind finds everything in memory, in bytes before the cursor. It may be further than what is
    /// protected.
    pub bytes: u64,
}

/// Indexes of pieces.
pub(crate) type Pieces = Range<u32>;

/// Everything that protects pieces of one torrent: windows and pins.
#[derive(Debug)]
pub(crate) struct Protection {
    geometry: Geometry,
    readers: BTreeMap<ReaderId, Reader>,
    /// In order, disjoint, none empty.
    pins: Vec<Pieces>,
    lookbehind_pieces: u32,
}

#[derive(Debug)]
pub(crate) struct Reader {
    window: Window,
    /// The lookbehind was cleared up to here.
    floor: u64,
    pieces: Pieces,
}

/// The pieces that one call may have protected or not: few ranges, which may overlap.
pub(crate) type Changed = Vec<Pieces>;

impl Protection {
    pub(crate) const fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            readers: BTreeMap::new(),
            pins: Vec::new(),
            lookbehind_pieces: 0,
        }
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    pub(crate) fn covers(&self, piece: u32) -> bool {
        let after = self.pins.partition_point(|pin| pin.end <= piece);
        self.pins.get(after).is_some_and(|pin| pin.start <= piece)
            || self
                .readers
                .values()
                .any(|reader| reader.pieces.contains(&piece))
    }

    /// Sets a reader's window, or moves it.
    pub(crate) fn set_window(&mut self, id: ReaderId, window: &Window) -> Result<Changed, Error> {
        self.check(&window.bounds)?;
        let old = self.readers.get(&id);
        if old.is_none() && self.readers.len() >= MAX_READERS {
            return Err(Error::TooManyReaders { max: MAX_READERS });
        }
        // A seek to before the cleared part protects the lookbehind again.
        let floor = old.map_or(0, |reader| reader.floor);
        let mut reader = Reader {
            floor: if window.cursor < floor { 0 } else { floor },
            window: window.clone(),
            pieces: 0..0,
        };
        reader.pieces = reader.covered(&self.geometry, self.lookbehind_pieces);
        let after = reader.pieces.clone();
        let before = self
            .readers
            .insert(id, reader)
            .map_or(0..0, |old| old.pieces);
        Ok(difference(&before, &after))
    }

    pub(crate) fn remove_window(&mut self, id: ReaderId) -> Result<Changed, Error> {
        let gone = self.readers.remove(&id);
        gone.map(|reader| vec![reader.pieces])
            .ok_or(Error::NoSuchReader { reader: id.get() })
    }

    pub(crate) fn set_pins(&mut self, pins: &[Range<u64>]) -> Result<Changed, Error> {
        for pin in pins {
            self.check(pin)?;
        }
        let mut sorted: Vec<Pieces> = pins
            .iter()
            .map(|pin| touched(&self.geometry, pin))
            .filter(|pieces| !pieces.is_empty())
            .collect();
        sorted.sort_unstable_by_key(|pieces| pieces.start);
        let mut merged: Vec<Pieces> = Vec::with_capacity(sorted.len());
        for pieces in sorted {
            match merged.last_mut() {
                Some(last) if pieces.start <= last.end => last.end = last.end.max(pieces.end),
                _ => merged.push(pieces),
            }
        }
        let mut changed = merged.clone();
        changed.append(&mut std::mem::replace(&mut self.pins, merged));
        Ok(changed)
    }

    pub(crate) fn set_lookbehind_pieces(&mut self, pieces: u32) -> Changed {
        self.lookbehind_pieces = pieces;
        let mut changed = Changed::new();
        for reader in self.readers.values_mut() {
            changed.extend(reader.update(&self.geometry, pieces));
        }
        changed
    }

    pub(crate) fn clear_lookbehind(&mut self, id: ReaderId) -> Result<Changed, Error> {
        let error = Error::NoSuchReader { reader: id.get() };
        let reader = self.readers.get_mut(&id).ok_or(error)?;
        reader.floor = reader.cursor();
        Ok(reader.update(&self.geometry, self.lookbehind_pieces))
    }

    /// The bytes of the file before the reader's cursor, and those of them that the lookbehind reaches over.
    pub(crate) fn behind(&self, id: ReaderId) -> Result<(Range<u64>, Range<u64>), Error> {
        let error = Error::NoSuchReader { reader: id.get() };
        let reader = self.readers.get(&id).ok_or(error)?;
        let cursor = reader.cursor();
        let from = reader.lookbehind_start(&self.geometry, self.lookbehind_pieces);
        Ok((reader.window.bounds.start..cursor, from..cursor))
    }

    fn check(&self, bytes: &Range<u64>) -> Result<(), Error> {
        let total = self.geometry.end();
        if bytes.start > bytes.end || bytes.end > total {
            let (start, end) = (bytes.start, bytes.end);
            return Err(Error::NoSuchRange { start, end, total });
        }
        Ok(())
    }
}

impl Reader {
    /// The cursor inside the bounds, which are in order.
    fn cursor(&self) -> u64 {
        let bounds = &self.window.bounds;
        self.window.cursor.clamp(bounds.start, bounds.end)
    }

    fn lookbehind_start(&self, geometry: &Geometry, lookbehind_pieces: u32) -> u64 {
        let cursor = self.cursor();
        let by_bytes = cursor.saturating_sub(self.window.behind);
        let by_pieces = match lookbehind_pieces {
            0 => cursor,
            pieces => {
                let first = geometry.number_at(cursor).saturating_sub(pieces);
                geometry.start_of_number(first)
            }
        };
        let from = by_bytes.min(by_pieces);
        from.max(self.window.bounds.start).max(self.floor)
    }

    fn covered(&self, geometry: &Geometry, lookbehind_pieces: u32) -> Pieces {
        let cursor = self.cursor();
        let ahead = cursor.saturating_add(self.window.ahead.max(1));
        let start = self.lookbehind_start(geometry, lookbehind_pieces);
        touched(geometry, &(start..ahead.min(self.window.bounds.end)))
    }

    fn update(&mut self, geometry: &Geometry, lookbehind_pieces: u32) -> Changed {
        let after = self.covered(geometry, lookbehind_pieces);
        let before = std::mem::replace(&mut self.pieces, after);
        difference(&before, &self.pieces)
    }
}

/// The pieces that hold any of the bytes.
pub(crate) fn touched(geometry: &Geometry, bytes: &Range<u64>) -> Pieces {
    let mut pieces = geometry.pieces_in(bytes.start, bytes.end);
    let Some(first) = pieces.next() else {
        return 0..0;
    };
    let last = pieces.next_back().unwrap_or(first);
    first.get()..last.get() + 1
}

/// The symmetric difference of two ranges.
fn difference(one: &Pieces, other: &Pieces) -> Changed {
    let without = |one: &Pieces, other: &Pieces| {
        if other.is_empty() {
            return [one.clone(), 0..0];
        }
        [
            one.start..one.end.min(other.start),
            one.start.max(other.end)..one.end,
        ]
    };
    let [a, b] = without(one, other);
    let [c, d] = without(other, one);
    [a, b, c, d]
        .into_iter()
        .filter(|pieces| !pieces.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Pieces, difference};

    type Case = (Pieces, Pieces, &'static [(u32, u32)]);

    #[test]
    fn difference_is_what_changed() {
        let cases: [Case; 8] = [
            (0..0, 3..6, &[(3, 6)]),
            (3..6, 0..0, &[(3, 6)]),
            (3..6, 3..6, &[]),
            (3..6, 4..7, &[(3, 4), (6, 7)]),
            (3..6, 8..9, &[(3, 6), (8, 9)]),
            (3..9, 4..5, &[(3, 4), (5, 9)]),
            (4..5, 3..9, &[(3, 4), (5, 9)]),
            (5..9, 0..2, &[(5, 9), (0, 2)]),
        ];
        for (one, other, expected) in cases {
            let changed = difference(&one, &other);
            let changed: Vec<_> = changed
                .iter()
                .map(|range| (range.start, range.end))
                .collect();
            assert_eq!(changed, expected, "{one:?} {other:?}");
        }
    }
}
