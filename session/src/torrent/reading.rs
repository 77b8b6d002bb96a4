//! Readers in the torrent: their windows, what is asked for them first, and the live picture of it.

use std::ops::Range;
use std::time::{Duration, Instant};

use tailwater_metainfo::{BLOCK_LEN, BlockRef, PieceIndex};

use super::readers::{ByteWindow, ReaderConfig, ReaderKey, ReaderUpdate};
use super::{Engine, Output, PeerKey, PieceState, Space};

/// How often peers are compared anew while a reader waits.
const RESCUE_EVERY: Duration = Duration::from_millis(50);
/// How many peers are asked for one block that a reader waits for.
const URGENT_COPIES: u8 = 2;
/// Two peers' estimated times that differ by less are the same.
const CLOSE_ENOUGH: Duration = Duration::from_millis(50);

/// A torrent's buffer at one moment, for a picture of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BufferMap {
    /// The most bytes that the pieces of all torrents of the session may take; `None` on a disk.
    pub budget: Option<u64>,
    /// The bytes of the budget that are taken.
    pub used: u64,
    /// Every piece, in order.
    pub pieces: Vec<PieceView>,
    /// Every reader.
    pub readers: Vec<ReaderView>,
    /// Pieces given up to make room, since the session began.
    pub evictions: u64,
}

/// A piece in a [`BufferMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PieceView {
    /// How far it has come.
    pub state: PieceState,
    /// A window or a pin keeps it from being evicted.
    pub is_protected: bool,
    /// Some window covers it and it is not held.
    pub is_wanted: bool,
    /// A peer has been asked for a block of it.
    pub in_flight: bool,
}

/// A reader in a [`BufferMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderView {
    /// The file's index in the torrent.
    pub file: usize,
    /// Where it is, in bytes of the file.
    pub cursor: u64,
    /// Bytes held after the cursor without a gap.
    pub ahead: u64,
    /// Bytes held before the cursor without a gap.
    pub behind: u64,
    /// Bytes a second that it takes.
    pub rate: u64,
    /// How often it had to wait, other than after it was opened or jumped.
    pub stalls: u64,
    /// Whether it waits now.
    pub is_waiting: bool,
}

impl<S: Space> Engine<S> {
    /// Somebody begins to read.
    pub fn handle_reader_opened(&mut self, now: Instant, key: ReaderKey, config: ReaderConfig) {
        if config.bounds.is_empty() {
            return;
        }
        // It counts from now on among those who share the budget.
        let window = ByteWindow {
            cursor: config.cursor,
            span: config.cursor..config.cursor,
            bounds: config.bounds.clone(),
        };
        self.space.set_window(key, Some(&window));
        self.readers.open(key, config);
        self.refit_windows(now);
        self.update_pipelines();
        self.withdraw_unread();
        self.fill_all(now);
    }

    /// A reader went on, jumped, or began to wait.
    pub fn handle_reader(&mut self, now: Instant, key: ReaderKey, update: ReaderUpdate) {
        if !self.readers.handle_update(now, key, update) {
            return;
        }
        let changed = self.refit(now, key);
        if update.seeked {
            self.withdraw_unread();
        }
        if changed || update.waiting {
            self.fill_all(now);
            self.tell_starved();
        }
        self.rescue_at = self.readers.is_anyone_waiting().then(|| now + RESCUE_EVERY);
    }

    /// A reader is gone; what only it wanted is not fetched any more.
    pub fn handle_reader_closed(&mut self, now: Instant, key: ReaderKey) {
        let Some(window) = self.readers.close(key) else {
            return;
        };
        self.space.set_window(key, None);
        self.wanted_space = None;
        self.withdraw_left(window);
        self.refit_windows(now);
        self.update_pipelines();
        self.fill_all(now);
    }

    /// The bytes of room that a piece in some window waits for. Whoever drives the machine waits for them and calls
    /// [`Self::handle_space`].
    #[must_use]
    pub const fn wanted_space(&self) -> Option<u64> {
        self.wanted_space
    }

    /// The live picture. The storage's own figures are the caller's to fill in.
    #[must_use]
    pub fn buffer_map(&self, now: Instant) -> BufferMap {
        let view = |piece: PieceIndex| {
            let held = self.pieces.have().has(piece);
            PieceView {
                state: self.pieces.state(piece),
                is_protected: self.readers.is_protected(piece),
                is_wanted: !held && self.readers.covers(piece),
                in_flight: self.pieces.is_in_flight(piece),
            }
        };
        BufferMap {
            pieces: self.geometry.pieces().map(view).collect(),
            readers: self.reader_views(now),
            ..BufferMap::default()
        }
    }

    fn reader_views(&self, now: Instant) -> Vec<ReaderView> {
        let views = self.readers.iter().map(|(_, reader)| {
            let bounds = &reader.config.bounds;
            let (cursor, held) = (reader.cursor, self.held_around(reader.cursor, bounds));
            ReaderView {
                file: reader.config.file,
                cursor: cursor - bounds.start,
                ahead: held.end - cursor,
                behind: cursor - held.start,
                rate: reader.pace(now),
                stalls: reader.stalls,
                is_waiting: reader.waiting.is_some(),
            }
        });
        views.collect()
    }

    /// The held bytes on both sides of a cursor.
    fn held_around(&self, cursor: u64, bounds: &Range<u64>) -> Range<u64> {
        let cursor = cursor.clamp(bounds.start, bounds.end);
        let held = |piece: &PieceIndex| self.pieces.have().has(*piece);
        let ahead = self
            .geometry
            .pieces_in(cursor, bounds.end)
            .take_while(held)
            .last();
        let behind = self
            .geometry
            .pieces_in(bounds.start, cursor)
            .rev()
            .take_while(held)
            .last();
        let end = ahead.map_or(cursor, |piece| {
            let end = self.geometry.piece_start(piece) + u64::from(self.geometry.piece_len(piece));
            end.min(bounds.end)
        });
        let start = behind.map_or(cursor, |piece| {
            self.geometry.piece_start(piece).max(bounds.start)
        });
        start..end
    }

    /// What readers need done now and then.
    pub(super) fn tend_readers(&mut self, now: Instant) {
        let may_again = self.refetches.handle_timeout(now);
        if self.readers.is_empty() {
            return;
        }
        if self.config.on_demand {
            for piece in self
                .geometry
                .pieces()
                .filter(|piece| self.pieces.have().has(*piece))
            {
                let peers = self.picker.availability(piece);
                self.space.set_availability(piece, peers);
            }
        }
        // Paces change, and so does the number of readers in other torrents.
        if self.refit_windows(now) || may_again {
            self.fill_all(now);
        }
    }

    /// While a reader waits: somebody may be faster by now than those who were asked.
    pub(super) fn rescue(&mut self, now: Instant) {
        self.rescue_at = self.readers.is_anyone_waiting().then(|| now + RESCUE_EVERY);
        self.fill_all(now);
    }

    fn refit_windows(&mut self, now: Instant) -> bool {
        if self.config.on_demand
            && let Some(pins) = self.readers.repin(self.space.share())
        {
            self.space.set_pins(&pins);
        }
        let mut changed = false;
        for key in self.readers.keys() {
            changed |= self.refit(now, key);
        }
        changed
    }

    /// Moves one reader's window to where it belongs now; says whether it covers anything new.
    fn refit(&mut self, now: Instant, key: ReaderKey) -> bool {
        let Some(moved) = self.readers.resize(now, key, self.space.share()) else {
            return false;
        };
        self.space.set_window(key, Some(&moved.window));
        self.wanted_space = None;
        self.withdraw_left(moved.left);
        moved.has_grown
    }

    /// Takes back what was asked for these pieces, unless some window covers them still. What is stored of them stays
    /// until its room is needed.
    fn withdraw_left(&mut self, pieces: impl IntoIterator<Item = u32>) {
        for number in pieces {
            let Ok(piece) = self.geometry.piece(number) else {
                continue;
            };
            if self.pieces.state(piece) == PieceState::Partial && !self.readers.covers(piece) {
                self.withdraw_piece(piece);
            }
        }
    }

    /// What nobody reads must not stand in the way of a reader that has just come to a new place. It is asked for again
    /// later.
    fn withdraw_unread(&mut self) {
        let in_flight = self
            .pieces
            .partial()
            .filter(|piece| self.pieces.is_in_flight(*piece));
        let unread: Vec<_> = in_flight
            .filter(|piece| !self.readers.covers(*piece))
            .collect();
        for piece in unread {
            self.withdraw_piece(piece);
        }
    }

    /// Requests that a reader may have to wait behind are kept few.
    fn update_pipelines(&mut self) {
        let streaming = !self.readers.is_empty();
        for (_, peer) in self.peers.iter_mut() {
            peer.window.set_streaming(streaming);
        }
    }

    /// The block that some reader needs first of those that this peer can deliver in time.
    pub(super) fn next_of_readers(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        if self.readers.is_empty() {
            return None;
        }
        let own = self.estimate(key, now)?;
        let best = self.best_estimate(now);
        let mut after = None;
        loop {
            let (deadline, piece) = self.most_urgent(now, key, after)?;
            // Somebody else will be done with it sooner; what comes later is soon enough for this peer.
            if own > deadline + CLOSE_ENOUGH && own > best * 2 + CLOSE_ENOUGH {
                after = Some((deadline, piece));
                continue;
            }
            if self.pieces.is_open(piece) || self.start_for_reader(now, key, piece) {
                return self.pieces.request_next(piece);
            }
            after = Some((deadline, piece));
            if self.wanted_space.is_some() {
                return None;
            }
        }
    }

    /// The piece with the nearest deadline that comes after `after` in that order, has blocks that nobody was asked
    /// for, and that the peer has.
    fn most_urgent(
        &self,
        now: Instant,
        key: PeerKey,
        after: Option<(Duration, PieceIndex)>,
    ) -> Option<(Duration, PieceIndex)> {
        let peer = self.peers.get(key)?;
        let of_reader = |reader: &super::readers::Reader| {
            let first = self.geometry.piece(reader.current).ok()?;
            let fits = |piece: &PieceIndex| {
                let deadline = reader.deadline(now, &self.geometry, *piece);
                peer.bits.has(*piece)
                    && peer.lets_us_request(*piece)
                    && after.is_none_or(|after| (deadline, *piece) > after)
            };
            let inside = |piece: &PieceIndex| piece.get() < reader.window.end;
            let open = self
                .pieces
                .open_from(first, key)
                .take_while(inside)
                .find(fits);
            let new = self.picker.listed_from(first).take_while(inside).find(fits);
            let piece = [open, new].into_iter().flatten().min()?;
            Some((reader.deadline(now, &self.geometry, piece), piece))
        };
        self.readers
            .iter()
            .filter_map(|(_, reader)| of_reader(reader))
            .min()
    }

    /// Reserves a piece's room and begins it.
    fn start_for_reader(&mut self, now: Instant, key: PeerKey, piece: PieceIndex) -> bool {
        let again = self.pieces.state(piece) == PieceState::Evicted;
        if again && !self.refetches.may(now, piece) {
            return false;
        }
        // As long as no room has come free, asking again would only search in vain.
        if self.wanted_space.is_some() || !self.reserve(now, piece) {
            self.wanted_space = Some(u64::from(self.geometry.piece_len(piece)));
            self.tell_starved();
            return false;
        }
        if again {
            self.refetches.count(now, piece);
        }
        self.begin(piece, key);
        true
    }

    /// While there is no room, whoever waits for a piece that has not been begun is told.
    fn tell_starved(&mut self) {
        if self.wanted_space.is_none() {
            return;
        }
        let waiting = self
            .readers
            .iter()
            .filter(|(_, reader)| reader.waiting.is_some());
        let starved = waiting.filter(|(_, reader)| {
            let piece = self.geometry.piece(reader.current);
            let state = piece.map(|piece| self.pieces.state(piece));
            matches!(state, Ok(PieceState::Missing | PieceState::Evicted))
        });
        self.outputs
            .extend(starved.map(|(key, _)| Output::Starved(key)));
    }

    /// Room for a piece, if need be that of a piece which was begun and which no window covers any more.
    pub(super) fn reserve(&mut self, now: Instant, piece: PieceIndex) -> bool {
        loop {
            match self.space.reserve(piece) {
                Ok(evicted) => {
                    for piece in evicted {
                        self.handle_evicted(now, piece);
                    }
                    return true;
                }
                Err(_) => {
                    let parked = self
                        .pieces
                        .partial()
                        .find(|piece| !self.readers.covers(*piece));
                    let Some(parked) = parked.filter(|_| self.config.on_demand) else {
                        return false;
                    };
                    self.abandon_piece(parked);
                }
            }
        }
    }

    /// Asks a second peer for a block that a reader waits for, when the first will take much longer.
    pub(super) fn next_of_rescue(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        if !self.readers.is_anyone_waiting() {
            return None;
        }
        let own = self.estimate(key, now)?;
        let asker = self.peers.get(key)?;
        let is_waited_for = |block: BlockRef| {
            let piece = block.piece();
            asker.bits.has(piece)
                && asker.lets_us_request(piece)
                && self.readers.waiting_for(piece).next().is_some()
        };
        let others = self.peers.iter().filter(|(other, _)| *other != key);
        let late = others.flat_map(|(_, peer)| {
            let pending = (1..).zip(&peer.pending);
            let asked = pending.filter(|(_, pending)| is_waited_for(pending.block));
            asked.map(|(place, pending)| (peer.estimate(place, now), pending.block))
        });
        let (_, block) = late
            .filter(|(left, block)| {
                *left > own * 2 + CLOSE_ENOUGH
                    && self.pieces.copies(*block) < URGENT_COPIES
                    && !asker.has_pending(*block)
            })
            .max_by_key(|(left, _)| *left)?;
        self.pieces.request_again(block);
        Some(block)
    }

    /// How long a block would take from a peer that is asked now.
    fn estimate(&self, key: PeerKey, now: Instant) -> Option<Duration> {
        self.peers
            .get(key)
            .map(|peer| peer.estimate(peer.pending.len() + 1, now))
    }

    /// The same from the peer that would be quickest.
    fn best_estimate(&self, now: Instant) -> Duration {
        let usable = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.peer_choking && !peer.snubbed);
        usable
            .map(|(_, peer)| peer.estimate(peer.pending.len() + 1, now))
            .min()
            .unwrap_or(Duration::MAX / 4)
    }
}

impl super::peers::Peer {
    /// How long the last of `blocks` queued blocks takes to come, at the peer's pace.
    fn estimate(&self, blocks: usize, now: Instant) -> Duration {
        let first = self
            .pending
            .front()
            .map(|first| first.asked_at.max(self.last_delivery));
        let silent = first.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let bytes = u32::try_from(blocks)
            .unwrap_or(u32::MAX)
            .saturating_mul(BLOCK_LEN);
        self.window.time_for(bytes).max(silent)
    }
}
