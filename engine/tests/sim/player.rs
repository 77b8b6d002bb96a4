//! Players: they read as a `Reader` does, at the pace of a film or as fast as they can, and compare every byte.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tailwater_engine::torrent::{Lookbehind, ReaderConfig, ReaderKey, ReaderUpdate};
use tailwater_metainfo::{BLOCK_LEN, BlockRef, Geometry, PieceIndex};
use tailwater_storage_mem::Error;

use super::payload::Payload;
use super::store::Store;

/// How a player reads.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    /// Bytes a second; `None`: as fast as they come.
    pub(crate) rate: Option<u64>,
    /// For how long it keeps what it has read, at random.
    pub(crate) keeps: Range<Duration>,
    pub(crate) lookbehind: Lookbehind,
    pub(crate) duration: Option<Duration>,
    /// Where it begins, in bytes.
    pub(crate) from: u64,
}

impl Default for Play {
    fn default() -> Self {
        Self {
            rate: None,
            keeps: Duration::ZERO..Duration::ZERO,
            lookbehind: Lookbehind::Share,
            duration: None,
            from: 0,
        }
    }
}

/// What readers did since their torrent last looked, as the session's board keeps it.
#[derive(Default)]
pub(super) struct Board {
    pub(super) news: BTreeMap<ReaderKey, News>,
    /// The torrent looks at once.
    pub(super) is_urgent: bool,
}

#[derive(Default)]
pub(super) struct News {
    pub(super) opened: Option<ReaderConfig>,
    pub(super) update: Option<ReaderUpdate>,
    pub(super) closed: bool,
}

impl Board {
    fn update(&mut self, key: ReaderKey, update: ReaderUpdate, is_urgent: bool) {
        let news = self.news.entry(key).or_default();
        let told = news.update.get_or_insert_default();
        *told = ReaderUpdate {
            consumed: told.consumed + update.consumed,
            seeked: told.seeked || update.seeked,
            ..update
        };
        self.is_urgent |= is_urgent;
    }
}

/// The record of a player, in simulated time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Diary {
    /// From each jump, and from the beginning, to the first byte.
    pub(crate) firsts: Vec<Duration>,
    /// How long it waited in the middle of playing.
    pub(crate) stalls: Vec<Duration>,
    pub(crate) bytes: u64,
    /// When the last byte was read.
    pub(crate) ended: Option<Instant>,
}

pub(crate) struct Player {
    key: ReaderKey,
    play: Play,
    bounds: Range<u64>,
    rng: fastrand::Rng,
    pub(crate) position: u64,
    pub(crate) diary: Diary,
    leases: Vec<(Instant, Bytes)>,
    /// When it wants the next byte.
    due: Instant,
    /// Since when it has waited for a byte; `true`: the first after a jump.
    waits: Option<(Instant, bool)>,
    /// It jumped, or began, and has read nothing since.
    jumped: Option<Instant>,
    is_open: bool,
    is_waiting: bool,
    seeked: bool,
    is_paused: bool,
    is_closed: bool,
}

impl Player {
    pub(super) fn new(now: Instant, number: usize, seed: u64, total: u64, play: Play) -> Self {
        Self {
            key: ReaderKey::new(number as u64 + 1),
            bounds: 0..total,
            rng: fastrand::Rng::with_seed(seed ^ (number as u64) << 32),
            position: play.from,
            play,
            diary: Diary::default(),
            leases: Vec::new(),
            due: now,
            waits: None,
            jumped: Some(now),
            is_open: false,
            is_waiting: false,
            seeked: false,
            is_paused: false,
            is_closed: false,
        }
    }

    pub(super) fn jump(&mut self, now: Instant, position: u64, board: &mut Board) {
        if position == self.position {
            return;
        }
        self.position = position;
        self.is_waiting = false;
        self.waits = None;
        self.jumped = Some(now);
        self.due = now;
        self.is_paused = false;
        if self.is_open {
            self.seeked = true;
            self.tell(0, true, board);
        }
    }

    pub(super) fn pause(&mut self) {
        self.is_paused = true;
    }

    pub(super) fn resume(&mut self, now: Instant) {
        self.is_paused = false;
        self.due = self.due.max(now);
    }

    pub(super) fn close(&mut self, board: &mut Board) {
        if self.is_open && !self.is_closed {
            let news = board.news.entry(self.key).or_default();
            if news.opened.is_some() {
                board.news.remove(&self.key);
            } else {
                news.closed = true;
            }
            board.is_urgent = true;
        }
        self.is_closed = true;
        self.is_waiting = false;
        self.waits = None;
    }

    /// The piece that it waits for.
    pub(super) fn awaited(&self, geometry: &Geometry) -> Option<PieceIndex> {
        let awaited = || geometry.piece_at(self.position);
        self.is_waiting.then(awaited).flatten()
    }

    /// The block of the grid that it waits for.
    pub(super) fn awaited_block(&self, geometry: &Geometry) -> Option<BlockRef> {
        let piece = self.awaited(geometry)?;
        let offset = (self.position - geometry.piece_start(piece)) as u32;
        geometry.nth_block(piece, offset / BLOCK_LEN)
    }

    /// Whether it waits now.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// How many leases it keeps.
    pub(crate) fn leases(&self) -> usize {
        self.leases.len()
    }

    /// When it is to be polled next, if nothing happens.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let reads = !(self.is_paused || self.is_closed || self.is_waiting || self.is_at_end());
        let next = reads.then_some(self.due);
        let release = self.leases.iter().map(|(until, _)| *until);
        release.chain(next).min()
    }

    /// Reads what is due and there, and lets leases go.
    pub(super) fn poll(
        &mut self,
        now: Instant,
        store: &Store,
        payload: &Payload,
        board: &mut Board,
    ) {
        self.leases.retain(|(until, _)| *until > now);
        while self.due <= now && !(self.is_paused || self.is_closed || self.is_at_end()) {
            self.open(board);
            let block = self.block(&payload.geometry);
            match store.storage().read_judged(store.handle, block) {
                Ok(lease) => {
                    let is_right = *lease == *payload.block(block);
                    assert!(is_right, "wrong bytes in {block:?}");
                    self.handle_bytes(now, lease.into_bytes(), &payload.geometry, board);
                }
                Err(Error::NotVerified { .. }) => {
                    let is_first = self.jumped.is_some();
                    self.waits.get_or_insert((now, is_first));
                    if !self.is_waiting {
                        self.is_waiting = true;
                        self.tell(0, true, board);
                    }
                    return;
                }
                Err(error) => panic!("{block:?}: {error}"),
            }
        }
    }

    fn handle_bytes(&mut self, now: Instant, bytes: Bytes, geometry: &Geometry, board: &mut Board) {
        if let Some(since) = self.jumped.take() {
            self.diary.firsts.push(now - since);
        }
        if let Some((since, is_first)) = self.waits.take() {
            self.due = now;
            if !is_first {
                self.diary.stalls.push(now - since);
            }
        }
        let len = bytes.len() as u64;
        self.diary.bytes += len;
        if let Some(rate) = self.play.rate {
            self.due += Duration::from_nanos(len * 1_000_000_000 / rate);
        }
        let Range { start, end } = self.play.keeps;
        if end > start {
            let spread = (end - start).as_micros() as u64;
            let keeps = start + Duration::from_micros(self.rng.u64(0..spread));
            self.leases.push((now + keeps, bytes));
        }
        // As `Reader::advance` does.
        let before = geometry.piece_at(self.position);
        self.position += len;
        let crossed = self.is_at_end() || before != geometry.piece_at(self.position);
        let is_urgent = crossed || self.is_waiting;
        self.is_waiting = false;
        self.tell(len, is_urgent, board);
        if self.is_at_end() {
            self.diary.ended = Some(now);
        }
    }

    fn is_at_end(&self) -> bool {
        self.position >= self.bounds.end
    }

    fn open(&mut self, board: &mut Board) {
        if !self.is_open {
            self.is_open = true;
            board.news.entry(self.key).or_default().opened = Some(ReaderConfig {
                file: 0,
                bounds: self.bounds.clone(),
                cursor: self.position,
                lookbehind: self.play.lookbehind,
                duration: self.play.duration,
            });
            board.is_urgent = true;
        }
    }

    fn block(&self, geometry: &Geometry) -> BlockRef {
        let piece = geometry.piece_at(self.position).unwrap();
        let begin = (self.position - geometry.piece_start(piece)) as u32;
        let to_block_end = BLOCK_LEN - begin % BLOCK_LEN;
        let len = to_block_end.min(geometry.piece_len(piece) - begin);
        geometry.block(piece.get(), begin, len).unwrap()
    }

    fn tell(&mut self, consumed: u64, is_urgent: bool, board: &mut Board) {
        let update = ReaderUpdate {
            cursor: self.position.min(self.bounds.end),
            consumed,
            seeked: std::mem::take(&mut self.seeked),
            waiting: self.is_waiting,
        };
        board.update(self.key, update, is_urgent);
    }
}
