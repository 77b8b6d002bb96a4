//! A storage without bytes, shards, ranks, marks or slabs: lists that are searched from the beginning to the end.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use tailwater_metainfo::Geometry;
use tailwater_storage_mem::{Error, LookbehindStats, Window};

use crate::ops::TORRENTS;

/// In seconds. Times that are remembered are a second apart.
pub(crate) const IDLE_AFTER: u64 = 128;

#[derive(Debug)]
pub(crate) enum State {
    /// Which blocks are there, and whether with the right bytes.
    Partial(BTreeMap<u32, bool>),
    /// When it was last requested.
    Verified(u64),
}

#[derive(Debug)]
pub(crate) struct Piece {
    /// Which filling of all it is: leases are of one.
    pub(crate) filling: u64,
    pub(crate) state: State,
    pub(crate) availability: u32,
}

#[derive(Debug)]
struct Reader {
    window: Window,
    floor: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Torrent {
    pub(crate) slot: usize,
    readers: BTreeMap<u64, Reader>,
    pins: Vec<Range<u64>>,
    lookbehind_pieces: u32,
}

pub(crate) struct Model {
    /// In blocks.
    pub(crate) limit: u64,
    pub(crate) evicts: bool,
    pub(crate) geometries: [Geometry; TORRENTS],
    pub(crate) torrents: [Option<Torrent>; TORRENTS],
    pub(crate) free_slots: Vec<usize>,
    pub(crate) pieces: BTreeMap<(usize, u32), Piece>,
    /// The filling and the number of the block of each lease.
    pub(crate) leases: Vec<(u64, u32)>,
    pub(crate) clock: u64,
    pub(crate) fillings: u64,
    pub(crate) evictions: u64,
    now: u64,
    /// When the time was set, and the clock then.
    times: Vec<(u64, u64)>,
}

impl Torrent {
    pub(crate) fn new(slot: usize) -> Self {
        Self {
            slot,
            ..Self::default()
        }
    }
}

impl Model {
    pub(crate) fn new(limit: u64, evicts: bool, geometries: [Geometry; TORRENTS]) -> Self {
        Self {
            limit,
            evicts,
            geometries,
            torrents: Default::default(),
            free_slots: (0..TORRENTS).rev().collect(),
            pieces: BTreeMap::new(),
            leases: Vec::new(),
            clock: 0,
            fillings: 0,
            evictions: 0,
            now: 0,
            times: Vec::new(),
        }
    }

    pub(crate) fn blocks(&self, (torrent, piece): (usize, u32)) -> u64 {
        let geometry = &self.geometries[torrent];
        geometry.block_count(geometry.piece(piece).unwrap()).into()
    }

    fn is_leased(&self, filling: u64) -> bool {
        self.leases.iter().any(|&(other, _)| other == filling)
    }

    /// How many blocks are leased: all, and those whose piece is gone.
    pub(crate) fn leased(&self) -> (u64, u64) {
        let mut blocks = self.leases.clone();
        blocks.sort_unstable();
        blocks.dedup();
        let is_gone = |filling| !self.pieces.values().any(|piece| piece.filling == filling);
        let detached = blocks.iter().filter(|(filling, _)| is_gone(*filling));
        (blocks.len() as u64, detached.count() as u64)
    }

    pub(crate) fn used(&self) -> u64 {
        let held: u64 = self.pieces.keys().map(|&place| self.blocks(place)).sum();
        held + self.leased().1
    }

    /// The pieces that are evicted when `needed` blocks are needed, in this order; `None` when that is not enough.
    pub(crate) fn victims(&self, needed: u64) -> Option<Vec<(usize, u32)>> {
        let is_past = |time: u64| self.now - time >= IDLE_AFTER;
        let mut candidates: Vec<_> = self
            .pieces
            .iter()
            .filter(|(place, piece)| {
                !self.is_leased(piece.filling) && !self.is_protected(place.0, place.1)
            })
            .filter_map(|(&place, piece)| {
                let State::Verified(requested) = piece.state else {
                    return None;
                };
                let is_idle = self
                    .times
                    .iter()
                    .any(|&(time, clock)| requested < clock && is_past(time));
                let most_first = Reverse(if is_idle { piece.availability } else { 0 });
                let slot = self.torrents[place.0].as_ref().unwrap().slot;
                Some(((!is_idle, most_first, requested, slot, place.1), place))
            })
            .collect();
        candidates.sort_unstable();
        let mut candidates = candidates.into_iter();
        let mut free = self.limit - self.used();
        let mut victims = Vec::new();
        while free < needed {
            let (_, place) = candidates.next().filter(|_| self.evicts)?;
            free += self.blocks(place);
            victims.push(place);
        }
        Some(victims)
    }

    pub(crate) fn set_time(&mut self, later: u64) {
        self.clock += 1;
        self.now += later;
        self.times.push((self.now, self.clock));
    }

    pub(crate) const fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn readers(&self) -> usize {
        let torrents = self.torrents.iter().flatten();
        torrents.map(|torrent| torrent.readers.len()).sum()
    }

    fn torrent(&mut self, torrent: usize) -> &mut Torrent {
        self.torrents[torrent].as_mut().unwrap()
    }

    fn check(&self, torrent: usize, bytes: &Range<u64>) -> Result<(), Error> {
        let total = self.geometries[torrent].total();
        if bytes.start <= bytes.end && bytes.end <= total {
            return Ok(());
        }
        let (start, end) = (bytes.start, bytes.end);
        Err(Error::NoSuchRange { start, end, total })
    }

    pub(crate) fn set_window(
        &mut self,
        torrent: usize,
        reader: u64,
        window: &Window,
    ) -> Result<(), Error> {
        self.check(torrent, &window.bounds)?;
        self.clock += 1;
        let readers = &mut self.torrent(torrent).readers;
        let old = readers.get(&reader).map_or(0, |reader| reader.floor);
        let floor = if window.cursor < old { 0 } else { old };
        let window = window.clone();
        readers.insert(reader, Reader { window, floor });
        Ok(())
    }

    pub(crate) fn remove_window(&mut self, torrent: usize, reader: u64) -> Result<(), Error> {
        let gone = self.torrent(torrent).readers.remove(&reader);
        gone.ok_or(Error::NoSuchReader { reader })?;
        self.clock += 1;
        Ok(())
    }

    pub(crate) fn set_pins(&mut self, torrent: usize, pins: &[Range<u64>]) -> Result<(), Error> {
        pins.iter().try_for_each(|pin| self.check(torrent, pin))?;
        self.clock += 1;
        self.torrent(torrent).pins = pins.to_vec();
        Ok(())
    }

    pub(crate) fn set_lookbehind_pieces(&mut self, torrent: usize, pieces: u32) {
        self.clock += 1;
        self.torrent(torrent).lookbehind_pieces = pieces;
    }

    pub(crate) fn clear_lookbehind(&mut self, torrent: usize, reader: u64) -> Result<(), Error> {
        let readers = &mut self.torrent(torrent).readers;
        let reader = readers
            .get_mut(&reader)
            .ok_or(Error::NoSuchReader { reader })?;
        reader.floor = cursor(&reader.window);
        self.clock += 1;
        Ok(())
    }

    /// The bytes that a reader protects.
    fn window(&self, torrent: usize, reader: &Reader) -> Range<u64> {
        let Window {
            ahead,
            behind,
            ref bounds,
            ..
        } = reader.window;
        let cursor = cursor(&reader.window);
        let mut start = cursor.saturating_sub(behind);
        let pieces = self.torrents[torrent].as_ref().unwrap().lookbehind_pieces;
        if pieces > 0 {
            let length = u64::from(self.geometries[torrent].piece_length());
            let first = (cursor / length).saturating_sub(pieces.into());
            start = start.min(first * length);
        }
        start.max(bounds.start).max(reader.floor)..(cursor + ahead.max(1)).min(bounds.end)
    }

    /// Whether a piece has any of the bytes.
    fn touches(&self, torrent: usize, piece: u32, bytes: &Range<u64>) -> bool {
        let geometry = &self.geometries[torrent];
        let piece = geometry.piece(piece).unwrap();
        let start = geometry.piece_start(piece);
        let end = start + u64::from(geometry.piece_len(piece));
        start.max(bytes.start) < end.min(bytes.end)
    }

    pub(crate) fn is_protected(&self, torrent: usize, piece: u32) -> bool {
        let known = self.torrents[torrent].as_ref().unwrap();
        let windows = known.readers.values();
        windows
            .map(|reader| self.window(torrent, reader))
            .chain(known.pins.iter().cloned())
            .any(|bytes| self.touches(torrent, piece, &bytes))
    }

    pub(crate) fn is_verified(&self, torrent: usize, piece: u32) -> bool {
        let piece = self.pieces.get(&(torrent, piece));
        piece.is_some_and(|piece| matches!(piece.state, State::Verified(_)))
    }

    pub(crate) fn is_lookbehind_available(
        &self,
        torrent: usize,
        reader: u64,
        bytes: u64,
    ) -> Result<bool, Error> {
        let known = self.torrents[torrent].as_ref().unwrap();
        let reader = known
            .readers
            .get(&reader)
            .ok_or(Error::NoSuchReader { reader })?;
        let cursor = cursor(&reader.window);
        let from = cursor.saturating_sub(bytes).max(reader.window.bounds.start);
        let mut pieces = self.geometries[torrent].pieces_in(from, cursor);
        Ok(pieces.all(|piece| self.is_verified(torrent, piece.get())))
    }

    /// Protected and available pieces, and bytes.
    pub(crate) fn lookbehind(&self, torrent: usize, reader: u64) -> Result<(u32, u32, u64), Error> {
        let known = self.torrents[torrent].as_ref().unwrap();
        let found = known.readers.get(&reader);
        let found = found.ok_or(Error::NoSuchReader { reader })?;
        let cursor = cursor(&found.window);
        let lookbehind = self.window(torrent, found).start..cursor;
        let (mut protected, mut available) = (0, 0);
        for piece in 0..self.geometries[torrent].piece_count() {
            let is_protected = self.touches(torrent, piece, &lookbehind);
            protected += u32::from(is_protected);
            available += u32::from(is_protected && self.is_verified(torrent, piece));
        }
        // It ends where a piece or the file begins.
        let start = found.window.bounds.start;
        let pieces = self.geometries[torrent].pieces();
        let starts = pieces.map(|piece| self.geometries[torrent].piece_start(piece));
        let bytes = starts
            .map(|at| cursor.saturating_sub(at.max(start)))
            .filter(|&bytes| self.is_lookbehind_available(torrent, reader, bytes) == Ok(true))
            .max();
        Ok((protected, available, bytes.unwrap_or(0)))
    }
}

fn cursor(window: &Window) -> u64 {
    window.cursor.clamp(window.bounds.start, window.bounds.end)
}

/// What the storage says, in the model's terms.
pub(crate) fn lookbehind(stats: LookbehindStats) -> (u32, u32, u64) {
    (stats.protected, stats.available, stats.bytes)
}
