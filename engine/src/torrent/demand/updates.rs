//! Updates of readers: their windows follow as they open, read on, seek and close.

use std::time::{Duration, Instant};

use tailwater_metainfo::PieceIndex;
use tailwater_storage::{ByteWindow, ReaderKey};

use crate::torrent::demand::readers::{ReaderConfig, ReaderUpdate};
use crate::torrent::{Engine, PieceState, Space};

/// How often suppliers are compared anew while a reader is open and something is on its way.
const RESCUE_EVERY: Duration = Duration::from_millis(50);

impl<S: Space> Engine<S> {
    /// A reader has been opened.
    pub fn handle_reader_opened(&mut self, now: Instant, key: ReaderKey, config: ReaderConfig) {
        if config.bounds.is_empty() {
            return;
        }
        // From now on it counts among the readers that share the budget.
        let window = ByteWindow {
            cursor: config.cursor,
            span: config.cursor..config.cursor,
            bounds: config.bounds.clone(),
        };
        self.space.set_window(key, Some(&window));
        self.demand.readers.open(key, config);
        self.prefetch_around(key);
        self.verify_waiting();
        self.refit_windows(now);
        self.update_pipelines();
        self.cancel_outside_windows();
        self.ask_for_leaves(now);
        self.fill_all(now);
    }

    /// A reader has read on, jumped, or begun to wait.
    pub fn handle_reader(&mut self, now: Instant, key: ReaderKey, update: ReaderUpdate) {
        if !self.demand.readers.handle_update(now, key, update) {
            return;
        }
        let changed = self.refit(now, key);
        self.prefetch_around(key);
        if update.seeked {
            self.cancel_outside_windows();
        }
        self.ask_for_leaves(now);
        // A seek cancels requests, and peers that have room now are asked for something else.
        if changed || update.waiting || update.seeked {
            self.fill_all(now);
            self.tell_starved();
        }
        self.plan_rescue(now);
    }

    /// The state of the readers, to open them again in another machine.
    #[must_use]
    pub fn readers(&self) -> Vec<(ReaderKey, ReaderConfig, ReaderUpdate)> {
        let readers = self.demand.readers.iter().map(|(key, reader)| {
            let config = ReaderConfig {
                cursor: reader.cursor,
                ..reader.config.clone()
            };
            let update = ReaderUpdate {
                cursor: reader.cursor,
                waiting: reader.waiting.is_some(),
                ..ReaderUpdate::default()
            };
            (key, config, update)
        });
        readers.collect()
    }

    /// A reader has been closed; what only it wanted is not fetched any more, unless it was the last: its window is then
    /// filled for a while, as it may come back.
    pub fn handle_reader_closed(&mut self, now: Instant, key: ReaderKey) {
        let Some(window) = self.demand.readers.close(now, key) else {
            return;
        };
        self.demand.wanted_space = None;
        if !self.keep_window(now, key, &window) {
            self.space.set_window(key, None);
            self.cancel_pieces_left(window);
        }
        self.refit_windows(now);
        self.update_pipelines();
        self.fill_all(now);
    }

    /// The bytes of room that a piece in some window waits for. The driver waits for them and calls
    /// [`Self::handle_space`].
    #[must_use]
    pub const fn wanted_space(&self) -> Option<u64> {
        self.demand.wanted_space
    }

    /// The regular work for readers.
    pub(crate) fn tend_readers(&mut self, now: Instant) {
        let may_again = self.demand.refetches.handle_timeout(now);
        self.space.set_time(now);
        if self.demand.readers.is_empty() {
            return;
        }
        if self.config.on_demand {
            for piece in self
                .supply
                .geometry
                .pieces()
                .filter(|piece| self.supply.pieces.have().has(*piece))
            {
                let peers = self.supply.picker.availability(piece);
                self.space.set_availability(piece, peers);
            }
        }
        // Paces change, and so does the number of readers in other torrents.
        if self.refit_windows(now) || may_again {
            self.fill_all(now);
        }
    }

    /// While a reader is open: asks another peer if it is faster by now than the one that was asked.
    pub(crate) fn rescue(&mut self, now: Instant) {
        self.plan_rescue(now);
        // What a stopped peer owes no longer counts as requested, so that others are asked for it.
        self.release_late(now, Duration::ZERO);
        self.fill_all(now);
    }

    fn plan_rescue(&mut self, now: Instant) {
        let is_reading = !self.demand.readers.is_empty();
        let is_asking = || {
            self.peers
                .iter()
                .any(|(_, peer)| !peer.supply.pending.is_empty())
        };
        let needed = is_reading && self.peers.len() > 1 && is_asking();
        self.demand.rescue_at = needed.then(|| now + RESCUE_EVERY);
    }

    fn refit_windows(&mut self, now: Instant) -> bool {
        if self.config.on_demand
            && let Some(pins) = self.demand.readers.repin(self.space.share())
        {
            self.space.set_pins(&pins);
        }
        let mut changed = false;
        for key in self.demand.readers.keys() {
            changed |= self.refit(now, key);
        }
        changed
    }

    /// Moves one reader's window to its new position; says whether it covers anything new.
    fn refit(&mut self, now: Instant, key: ReaderKey) -> bool {
        let Some(moved) =
            self.demand
                .readers
                .resize(now, key, self.space.share(), self.supply.pieces.have())
        else {
            return false;
        };
        self.space.set_window(key, Some(&moved.window));
        self.demand.wanted_space = None;
        self.cancel_pieces_left(moved.left);
        moved.has_grown
    }

    /// Cancels the requests for these pieces, unless some window covers them still. Their stored blocks stay until the
    /// room is needed.
    fn cancel_pieces_left(&mut self, pieces: impl IntoIterator<Item = u32>) {
        for number in pieces {
            let Ok(piece) = self.supply.geometry.piece(number) else {
                continue;
            };
            if self.supply.pieces.state(piece) == PieceState::Partial
                && !self.demand.readers.covers(piece)
            {
                self.cancel_or_abandon(piece);
            }
        }
    }

    /// Cancels requests outside all windows, which must not stand in the way of a reader that has just come to a new
    /// position. They are made again later.
    pub(crate) fn cancel_outside_windows(&mut self) {
        let in_flight = self
            .supply
            .pieces
            .partial()
            .filter(|piece| self.supply.pieces.is_in_flight(*piece));
        let unread: Vec<_> = in_flight
            .filter(|piece| !self.demand.readers.covers(*piece))
            .collect();
        for piece in unread {
            self.cancel_or_abandon(piece);
        }
    }

    /// Cancels the requests for a piece. Its blocks are kept while there is room; a piece without blocks gives its room
    /// back.
    fn cancel_or_abandon(&mut self, piece: PieceIndex) {
        if self.config.on_demand && self.supply.pieces.is_empty(piece) {
            self.abandon_piece(piece);
        } else {
            self.cancel_piece(piece);
        }
    }

    /// Shortens the pipelines that a reader may have to wait behind, now or when it comes.
    pub(crate) fn update_pipelines(&mut self) {
        let streaming = !self.demand.readers.is_empty() || self.demand.prefetch.is_aimed();
        for (_, peer) in self.peers.iter_mut() {
            peer.supply.pipeline.set_streaming(streaming);
        }
    }
}
