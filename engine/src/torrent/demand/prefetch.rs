//! Prefetching: what is fetched while no reader waits for anything and there is room that nothing else uses.
//!
//! A player opens a connection for each jump, and closes it when it has what it wants: between two of them the link would
//! be idle. So the surroundings of what is read are fetched, nearest first, and those of what was read last for a while
//! after its reader has gone; and the beginning and the end of a file that will be read. All of it comes last: a reader
//! that is opened or jumps takes these requests back.

use std::ops::Range;
use std::time::{Duration, Instant};

use tailwater_metainfo::{BlockRef, PieceIndex};

use crate::torrent::demand::readers::piece_range;
use crate::torrent::{Engine, PeerKey, PieceState, ReaderKey, Space};

/// How long the surroundings of a reader are fetched after it has gone, and its window is protected from eviction: a
/// player that jumps or pauses is back sooner.
const LINGER: Duration = Duration::from_secs(30);
/// Bytes at each end of a file, where players look for its index, that come before the surroundings; at least a piece.
const EDGE: u64 = 1024 * 1024;
/// The part of a reader's share of the budget that each end may take.
const EDGE_SHARE: u64 = 16;
/// Pieces that are begun at a time. A few fill any pipeline, and each holds room until it is complete.
const MAX_BEGUN: usize = 4;
/// Places of the order that are looked at for one request.
const MAX_SCAN: u32 = 256;

/// The place in the torrent that is prefetched.
#[derive(Debug, Default)]
pub(crate) struct Prefetch {
    target: Option<Target>,
}

#[derive(Debug)]
struct Target {
    /// The pieces of the file.
    file: Range<u32>,
    /// The piece that the others are near to.
    center: u32,
    /// How many pieces each end of the file has that come first.
    edge: u32,
    /// When it ends; `None` while it is read, or until it is.
    until: Option<Instant>,
    /// The window of a reader that has gone, which the storage still protects.
    kept: Option<(ReaderKey, Range<u32>)>,
    /// How many pieces of the order are settled: they are held or not wanted.
    settled: u32,
}

impl Target {
    /// The piece at a place of the order: the center, the two ends of the file, then what is around the center, two ahead
    /// for each one behind. `None` for a place outside the file.
    fn piece(&self, place: u32) -> Option<u32> {
        let edge = self.edge;
        let piece = match place {
            0 => Some(self.center),
            _ if place <= edge => self.file.end.checked_sub(place),
            _ if place <= 2 * edge => Some(self.file.start + (place - edge - 1)),
            _ => {
                let around = place - 2 * edge - 1;
                let distance = around / 3 + 1;
                match around % 3 {
                    0 => Some(self.center.saturating_add(2 * distance - 1)),
                    1 => Some(self.center.saturating_add(2 * distance)),
                    _ => self.center.checked_sub(distance),
                }
            }
        };
        piece.filter(|piece| self.file.contains(piece))
    }

    /// The number of places of the order.
    fn places(&self) -> u32 {
        let len = self.file.end - self.file.start;
        1 + 2 * self.edge + len.saturating_mul(3)
    }
}

impl Prefetch {
    /// Whether there is something to prefetch around.
    pub(crate) const fn is_aimed(&self) -> bool {
        self.target.is_some()
    }

    /// Prefetches around a piece of a file from now on; first this many pieces at each end.
    fn aim(&mut self, file: Range<u32>, center: u32, edge: u64) {
        let edge = u32::try_from(edge).unwrap_or(u32::MAX);
        self.target = Some(Target {
            edge: edge.min(file.end - file.start),
            file,
            center,
            until: None,
            kept: None,
            settled: 0,
        });
    }

    /// When [`Engine::expire_prefetch`] has something to do.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        match &self.target {
            Some(target) => target.until,
            None => None,
        }
    }

    /// A piece is not held any more.
    pub(crate) const fn handle_lost(&mut self) {
        if let Some(target) = &mut self.target {
            target.settled = 0;
        }
    }

    /// The window of a reader that has gone, which is not to be protected any more.
    const fn take_kept(&mut self) -> Option<(ReaderKey, Range<u32>)> {
        match &mut self.target {
            Some(target) => target.kept.take(),
            None => None,
        }
    }
}

impl<S: Space> Engine<S> {
    /// A file will be read: its beginning and its end are fetched, and then what follows the beginning, as far as there is
    /// room that nothing else uses, until a reader is opened. Only a torrent that is read on demand does so, with a
    /// storage that says how much room it has.
    pub fn prefetch(&mut self, now: Instant, file: &Range<u64>) {
        if file.is_empty() || !self.demand.readers.is_empty() || self.space.unused().is_none() {
            return;
        }
        let pieces = piece_range(&self.supply.geometry, file);
        let center = pieces.start;
        self.aim_prefetch(pieces, center);
        self.update_pipelines();
        self.fill_all(now);
    }

    /// A reader is at this place.
    pub(crate) fn prefetch_around(&mut self, key: ReaderKey) {
        if self.space.unused().is_none() {
            return;
        }
        let place = self.demand.readers.place(key);
        if let Some((file, center)) = place {
            self.aim_prefetch(file, center);
        }
    }

    fn aim_prefetch(&mut self, file: Range<u32>, center: u32) {
        if !self.config.on_demand {
            return;
        }
        let gone = self.demand.prefetch.take_kept();
        if let Some((key, _)) = gone {
            self.space.set_window(key, None);
        }
        let share = self.space.share().unwrap_or(u64::MAX);
        let edge = EDGE.min(share / EDGE_SHARE);
        let piece_length = u64::from(self.supply.geometry.piece_length());
        // Rounded down, as pins are: what is fetched beyond them would be evicted before the reader comes to it.
        let pieces = (edge / piece_length.max(1)).max(1);
        self.demand.prefetch.aim(file, center, pieces);
    }

    /// The last reader has gone: says whether its window, which covered these pieces, is kept for now, so that what was on
    /// its way still comes.
    pub(crate) fn keep_window(
        &mut self,
        now: Instant,
        key: ReaderKey,
        window: &Range<u32>,
    ) -> bool {
        let is_last = self.demand.readers.is_empty();
        match &mut self.demand.prefetch.target {
            Some(target) if is_last && self.config.on_demand => {
                target.until = Some(now + LINGER);
                target.kept = Some((key, window.clone()));
                target.settled = 0;
                true
            }
            _ => false,
        }
    }

    /// Ends the prefetching around a reader that has been gone for long.
    pub(crate) fn expire_prefetch(&mut self, now: Instant) {
        let until = self.demand.prefetch.poll_timeout();
        if until.is_none_or(|until| until > now) {
            return;
        }
        if let Some((key, _)) = self.demand.prefetch.take_kept() {
            self.space.set_window(key, None);
        }
        self.demand.prefetch.target = None;
        self.cancel_outside_windows();
        self.update_pipelines();
    }

    /// A block that no reader waits for, of the piece that is nearest to what is read.
    pub(crate) fn next_of_prefetch(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        if self.demand.wanted_space.is_some() {
            return None;
        }
        let unused = self.space.unused()?;
        self.settle_prefetch();
        let piece = self.choose_prefetch(key, unused)?;
        if self.supply.pieces.state(piece) == PieceState::Missing {
            let evicted = self.space.reserve(piece).ok()?;
            for piece in evicted {
                self.handle_evicted(now, piece);
            }
            self.supply.begin(piece, key);
        }
        let late = self.peers.get(key)?.supply.late();
        self.supply.pieces.request_next(piece, &late)
    }

    /// Passes over the pieces at the beginning of the order that are held or not wanted.
    fn settle_prefetch(&mut self) {
        let Some(target) = &mut self.demand.prefetch.target else {
            return;
        };
        while target.settled < target.places() {
            let piece = target.piece(target.settled);
            let piece = piece.and_then(|piece| self.supply.geometry.piece(piece).ok());
            let is_lacking = |piece| {
                let is_held = self.supply.pieces.state(piece) == PieceState::Have;
                !is_held && self.supply.picker.is_wanted(piece)
            };
            if piece.is_some_and(is_lacking) {
                break;
            }
            target.settled += 1;
        }
    }

    /// The first piece of the order that the peer has a block of that no supplier was asked for. A new one has to fit into
    /// what is unused, unless it was in the window of the reader that has gone.
    fn choose_prefetch(&self, key: PeerKey, unused: u64) -> Option<PieceIndex> {
        let target = self.demand.prefetch.target.as_ref()?;
        let peer = self.peers.get(key)?;
        let places = target.settled..target.places().min(target.settled.saturating_add(MAX_SCAN));
        let pieces = places.filter_map(|place| target.piece(place));
        let mut pieces = pieces.filter_map(|piece| self.supply.geometry.piece(piece).ok());
        let may_begin = |piece: PieceIndex| {
            let kept = target.kept.as_ref();
            let has_room = u64::from(self.supply.geometry.piece_len(piece)) <= unused
                || kept.is_some_and(|(_, window)| window.contains(&piece.get()));
            self.supply.picker.is_listed(piece) && has_room && self.begun_to_prefetch() < MAX_BEGUN
        };
        pieces.find(|&piece| {
            if !peer.supply.bits.has(piece) || !peer.lets_us_request(piece) {
                return false;
            }
            match self.supply.pieces.state(piece) {
                PieceState::Missing => may_begin(piece),
                PieceState::Partial => {
                    let mut open = self.supply.pieces.open_from(piece, key);
                    open.next() == Some(piece)
                }
                _ => false,
            }
        })
    }

    /// How many pieces are on their way that no reader waits for.
    fn begun_to_prefetch(&self) -> usize {
        let on_the_way = |piece: &PieceIndex| {
            self.supply.pieces.is_in_flight(*piece) && !self.demand.readers.covers(*piece)
        };
        self.supply.pieces.partial().filter(on_the_way).count()
    }
}
