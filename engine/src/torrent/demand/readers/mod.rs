//! The readers of a torrent: each one's position, pace and window over the pieces.

mod refetch;
mod sizing;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use tailwater_metainfo::{BLOCK_LEN, Bitfield, BlockRef, Geometry, PieceIndex};
use tailwater_storage::{ByteWindow, ReaderKey};

use crate::torrent::rate::Rate;

pub(crate) use refetch::Refetches;
pub use sizing::Lookbehind;
use sizing::{Size, Sizing};

/// How long a byte counts in a reader's pace: longer than players' bursts, shorter than a film's scenes.
const PACE_MEMORY: Duration = Duration::from_secs(10);
/// A wait of this length or longer is a stall. Shorter ones are hidden by what sockets and players hold: a player that
/// fills a large buffer as fast as it can waits for every piece, and plays without a break.
const STALL_AFTER: Duration = Duration::from_secs(1);
/// The pace that is assumed of a reader that has not shown one, in bytes a second, to tell deadlines apart.
const ASSUMED_PACE: u64 = 1024 * 1024;
/// A reader that pauses is taken to go on at least at this pace, in bytes a second.
const SLOWEST_PACE: u64 = 64 * 1024;
/// A reader may pin at most this part of its share at each end of its file.
const PIN_SHARE: u64 = 16;
/// The most bytes pinned at each end of a file, where players look for indexes.
const MAX_PIN: u64 = 8 * 1024 * 1024;

/// The file and the position of a reader, and how it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderConfig {
    /// The file's index in the torrent.
    pub file: usize,
    /// The file's bytes in the torrent; not empty.
    pub bounds: Range<u64>,
    /// Its first position, in bytes of the torrent.
    pub cursor: u64,
    /// How much stays behind the cursor.
    pub lookbehind: Lookbehind,
    /// How long the file plays, where that is known.
    pub duration: Option<Duration>,
}

/// What a reader did since its last update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReaderUpdate {
    /// Its position, in bytes of the torrent.
    pub cursor: u64,
    /// Bytes it has taken.
    pub consumed: u64,
    /// It jumped.
    pub seeked: bool,
    /// It waits for the piece of its cursor.
    pub waiting: bool,
}

#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) config: ReaderConfig,
    pub(crate) cursor: u64,
    pace: Rate,
    /// Since when it waits for the piece of its cursor.
    pub(crate) waiting: Option<Instant>,
    /// Nothing was delivered since it was opened or jumped: waiting is no stall then.
    fresh: bool,
    stalls: u64,
    /// The pieces in its window, as numbers: they are protected from eviction.
    pub(crate) window: Range<u32>,
    /// The first piece of the window that is not behind the cursor.
    pub(crate) current: u32,
    /// The most pieces ahead that its pace has ever asked for: a pause must not shrink the window.
    ahead: u64,
    /// The blocks at its cursor are judged one by one: it waits for a block, and not for a piece.
    by_block: bool,
}

impl Reader {
    fn handle_update(&mut self, now: Instant, update: ReaderUpdate) {
        self.cursor = update.cursor;
        let is_new = update.seeked || update.consumed > 0;
        if is_new || !update.waiting {
            self.stalls += u64::from(self.is_stalled(now));
        }
        if update.consumed > 0 {
            self.pace.add(now, update.consumed);
            self.fresh = false;
        }
        if update.seeked {
            self.fresh = true;
        }
        self.waiting = match update.waiting {
            true => Some(self.waiting.filter(|_| !is_new).unwrap_or(now)),
            false => None,
        };
    }

    /// Whether it waits in the middle of reading, and for long enough to be a stall.
    fn is_stalled(&self, now: Instant) -> bool {
        let since = self.waiting.filter(|_| !self.fresh);
        since.is_some_and(|since| now.saturating_duration_since(since) >= STALL_AFTER)
    }

    /// How often it has stalled, the stall of this moment included.
    pub(crate) fn stalls(&self, now: Instant) -> u64 {
        self.stalls + u64::from(self.is_stalled(now))
    }

    /// Bytes a second that the reader takes.
    pub(crate) fn pace(&self, now: Instant) -> u64 {
        self.pace.bytes_per_second(now)
    }

    fn play_rate(&self) -> Option<u64> {
        let seconds = self.config.duration?.as_secs().max(1);
        Some((self.config.bounds.end - self.config.bounds.start) / seconds)
    }

    /// The pieces of a window of this size. Room behind the cursor of which nothing is held is given to what lies
    /// ahead, so that a rewind gives up nothing that is on its way.
    fn fit(&mut self, geometry: &Geometry, size: Size, have: &Bitfield) -> Range<u32> {
        self.ahead = self.ahead.max(size.ahead);
        let bounds = piece_range(geometry, &self.config.bounds);
        let last = bounds.end.saturating_sub(1);
        self.current = piece_of(geometry, self.cursor).clamp(bounds.start, last);
        let furthest = self.current.saturating_sub(number(size.behind));
        let is_held = |piece: &u32| geometry.piece(*piece).is_ok_and(|piece| have.has(piece));
        let behind = (furthest.max(bounds.start)..self.current).rev();
        let start = behind.take_while(is_held).last().unwrap_or(self.current);
        let left = size.total.saturating_sub(u64::from(self.current - start));
        let ahead = self.ahead.min(left).max(1);
        start..self.current.saturating_add(number(ahead)).min(bounds.end)
    }

    /// When it will need a piece at or after its cursor, from now.
    pub(crate) fn deadline(
        &self,
        now: Instant,
        geometry: &Geometry,
        piece: PieceIndex,
    ) -> Duration {
        if self.waiting.is_some() && piece.get() == self.current {
            return Duration::ZERO;
        }
        self.deadline_at(now, geometry.piece_start(piece))
    }

    /// When it will need a block at or after its cursor, from now. In the piece of its cursor each block has its own
    /// time where blocks are judged one by one; those behind the cursor, which only make the piece whole, come after all
    /// that the window covers.
    pub(crate) fn deadline_of(
        &self,
        now: Instant,
        geometry: &Geometry,
        block: BlockRef,
    ) -> Duration {
        match self.block_at_cursor(geometry) {
            Some(at) if block.piece().get() == self.current => match block.number().cmp(&at) {
                Ordering::Less => self.deadline_of_rest(now, geometry),
                Ordering::Equal if self.waiting.is_some() => Duration::ZERO,
                _ => self.deadline_at(now, geometry.block_start(block)),
            },
            _ => self.deadline(now, geometry, block.piece()),
        }
    }

    /// When what lies behind its cursor in a piece is needed: after all else.
    pub(crate) fn deadline_of_rest(&self, now: Instant, geometry: &Geometry) -> Duration {
        self.deadline_at(now, geometry.start_of_number(self.window.end))
    }

    /// The block at its cursor in its piece, if the reader gets that block by block.
    pub(crate) fn block_at_cursor(&self, geometry: &Geometry) -> Option<u32> {
        let (_, block) = self.at(geometry).filter(|_| self.by_block)?;
        Some(block)
    }

    /// The piece and the block at its cursor.
    pub(crate) fn at(&self, geometry: &Geometry) -> Option<(PieceIndex, u32)> {
        let piece = geometry.piece_at(self.cursor)?;
        let offset = self.cursor - geometry.piece_start(piece);
        let block = u32::try_from(offset / u64::from(BLOCK_LEN)).ok()?;
        (piece.get() == self.current).then_some((piece, block))
    }

    fn deadline_at(&self, now: Instant, position: u64) -> Duration {
        let distance = position.saturating_sub(self.cursor);
        let measured = match self.pace.total() {
            0 => ASSUMED_PACE,
            _ => self.pace(now).max(SLOWEST_PACE),
        };
        let pace = self.play_rate().unwrap_or(0).max(measured);
        // Readers that wait come before those that will.
        Duration::from_millis(1 + distance.saturating_mul(1_000) / pace)
    }
}

/// A window that has moved.
#[derive(Debug)]
pub(crate) struct Moved {
    pub(crate) window: ByteWindow,
    /// Pieces that it no longer covers.
    pub(crate) left: Vec<u32>,
    pub(crate) has_grown: bool,
}

#[derive(Debug)]
pub(crate) struct Readers {
    geometry: Geometry,
    readers: BTreeMap<ReaderKey, Reader>,
    /// Pinned pieces: head and tail of the files that are read, and of the one read last.
    pins: Vec<Range<u32>>,
    /// Stalls of readers that have gone.
    ended_stalls: u64,
}

impl Readers {
    pub(crate) const fn new(geometry: Geometry) -> Self {
        Self {
            geometry,
            readers: BTreeMap::new(),
            pins: Vec::new(),
            ended_stalls: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.readers.is_empty()
    }

    pub(crate) fn keys(&self) -> Vec<ReaderKey> {
        self.readers.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ReaderKey, &Reader)> {
        self.readers.iter().map(|(key, reader)| (*key, reader))
    }

    /// The pieces of a reader's file, and the piece of its cursor.
    pub(crate) fn place(&self, key: ReaderKey) -> Option<(Range<u32>, u32)> {
        let reader = self.readers.get(&key)?;
        let file = piece_range(&self.geometry, &reader.config.bounds);
        Some((file, reader.current))
    }

    /// When a reader needs the block first, from now; `None` if no reader will come to its piece within its window.
    pub(crate) fn deadline(&self, now: Instant, block: BlockRef) -> Option<Duration> {
        let piece = block.piece().get();
        let wants = |reader: &&Reader| (reader.current..reader.window.end).contains(&piece);
        let readers = self.readers.values().filter(wants);
        readers
            .map(|reader| reader.deadline_of(now, &self.geometry, block))
            .min()
    }

    /// Says of each reader whether it gets the blocks of its piece one by one.
    pub(crate) fn set_by_block(&mut self, by_block: impl Fn(&Reader) -> bool) {
        for reader in self.readers.values_mut() {
            reader.by_block = by_block(reader);
        }
    }

    pub(crate) fn open(&mut self, key: ReaderKey, config: ReaderConfig) {
        let cursor = config.cursor;
        let current = self.piece_at(cursor);
        let reader = Reader {
            config,
            cursor,
            pace: Rate::new(PACE_MEMORY),
            waiting: None,
            fresh: true,
            stalls: 0,
            window: current..current,
            current,
            ahead: 0,
            by_block: false,
        };
        self.readers.insert(key, reader);
    }

    /// Returns the pieces that its window covered.
    pub(crate) fn close(&mut self, now: Instant, key: ReaderKey) -> Option<Range<u32>> {
        let reader = self.readers.remove(&key)?;
        self.ended_stalls += reader.stalls(now);
        Some(reader.window)
    }

    /// Stalls of all readers, those that have gone included.
    pub(crate) fn stalls(&self, now: Instant) -> u64 {
        let stalls = self.readers.values().map(|reader| reader.stalls(now));
        self.ended_stalls + stalls.sum::<u64>()
    }

    /// Handles an update; says whether there is such a reader, and whether its piece changed or its wait began or
    /// ended.
    pub(crate) fn handle_update(
        &mut self,
        now: Instant,
        key: ReaderKey,
        update: ReaderUpdate,
    ) -> bool {
        let current = self.piece_at(update.cursor);
        let Some(reader) = self.readers.get_mut(&key) else {
            return false;
        };
        let before = (reader.current, reader.waiting.is_some());
        reader.handle_update(now, update);
        before != (current, reader.waiting.is_some()) || update.seeked
    }

    /// Fits a reader's window to its position, its pace, what is held, and its share of the budget, in bytes.
    pub(crate) fn resize(
        &mut self,
        now: Instant,
        key: ReaderKey,
        share: Option<u64>,
        have: &Bitfield,
    ) -> Option<Moved> {
        let geometry = &self.geometry;
        // Budgets are in whole pieces, also where some end early: a window never takes more than its share.
        let piece_length = u64::from(geometry.piece_length());
        let pins = self.pins.iter().map(|pin| u64::from(pin.end - pin.start));
        let pinned = pins.sum::<u64>() * piece_length;
        let reader = self.readers.get_mut(&key)?;
        let sizing = Sizing {
            piece_length,
            share: share.map(|share| share.saturating_sub(pinned)),
            lookbehind: reader.config.lookbehind,
            pace: reader.pace(now),
            play_rate: reader.play_rate(),
        };
        let window = reader.fit(geometry, sizing.size(), have);
        let old = std::mem::replace(&mut reader.window, window.clone());
        if old == window {
            return None;
        }
        let file = reader.config.bounds.clone();
        let pieces = geometry.range_of(&window);
        let moved = ByteWindow {
            cursor: reader.cursor,
            span: pieces.start.max(file.start)..pieces.end.min(file.end),
            bounds: file,
        };
        let has_left = |piece: &u32| !self.covers_number(*piece);
        Some(Moved {
            window: moved,
            left: old.clone().filter(has_left).collect(),
            has_grown: window.clone().any(|piece| !old.contains(&piece)),
        })
    }

    /// Chooses the pinned pieces anew; returns their bytes, if they changed.
    pub(crate) fn repin(&mut self, share: Option<u64>) -> Option<Vec<Range<u64>>> {
        // A storage that evicts nothing needs no pins, and a reader that has stopped may come back.
        let share = share?;
        if self.readers.is_empty() {
            return None;
        }
        let piece_length = u64::from(self.geometry.piece_length());
        let size = (share / PIN_SHARE).min(MAX_PIN) / piece_length;
        let mut pins = Vec::new();
        for reader in self.readers.values().filter(|_| size > 0) {
            let file = piece_range(&self.geometry, &reader.config.bounds);
            let head = file.start..file.start.saturating_add(number(size)).min(file.end);
            let tail = file.end.saturating_sub(number(size)).max(head.end)..file.end;
            for pin in [head, tail] {
                if !pin.is_empty() && !pins.contains(&pin) {
                    pins.push(pin);
                }
            }
        }
        // Readers of many files must not pin away what their windows need.
        let pieces: u64 = pins
            .iter()
            .map(|pin: &Range<u32>| u64::from(pin.end - pin.start))
            .sum();
        if pieces * piece_length > share / 4 {
            pins.clear();
        }
        if pins == self.pins {
            return None;
        }
        let ranges = pins.iter().map(|pin| self.geometry.range_of(pin)).collect();
        self.pins = pins;
        Some(ranges)
    }

    /// Whether some reader's window covers the piece.
    pub(crate) fn covers(&self, piece: PieceIndex) -> bool {
        self.covers_number(piece.get())
    }

    /// Whether some reader will come to the piece within its window.
    pub(crate) fn wants(&self, piece: PieceIndex) -> bool {
        let wants = |reader: &Reader| (reader.current..reader.window.end).contains(&piece.get());
        self.readers.values().any(wants)
    }

    pub(crate) fn is_protected(&self, piece: PieceIndex) -> bool {
        self.covers(piece) || self.pins.iter().any(|pin| pin.contains(&piece.get()))
    }

    fn covers_number(&self, piece: u32) -> bool {
        self.readers
            .values()
            .any(|reader| reader.window.contains(&piece))
    }

    fn piece_at(&self, offset: u64) -> u32 {
        piece_of(&self.geometry, offset)
    }

    /// Panics if an invariant does not hold; tests and simulations call it after every step.
    pub(crate) fn check_invariants(&self) {
        for reader in self.readers.values() {
            let bounds = piece_range(&self.geometry, &reader.config.bounds);
            assert!(reader.window.start >= bounds.start && reader.window.end <= bounds.end);
            assert!(reader.window.is_empty() || reader.window.contains(&reader.current));
        }
    }
}

/// The piece of a byte; the last one for what is past the end.
fn piece_of(geometry: &Geometry, offset: u64) -> u32 {
    let last = geometry.piece_count().saturating_sub(1);
    geometry.number_at(offset).min(last)
}

/// The pieces that a range of bytes touches.
pub(crate) fn piece_range(geometry: &Geometry, bytes: &Range<u64>) -> Range<u32> {
    let start = piece_of(geometry, bytes.start);
    match bytes.is_empty() {
        true => start..start,
        false => start..piece_of(geometry, bytes.end - 1) + 1,
    }
}

/// A count of pieces; there are never more than a `u32` holds.
fn number(pieces: u64) -> u32 {
    u32::try_from(pieces).unwrap_or(u32::MAX)
}
