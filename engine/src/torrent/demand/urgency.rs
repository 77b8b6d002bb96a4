//! Urgent requests: which block of the readers' windows a peer is asked for, and which peer is asked a second time.

use std::time::{Duration, Instant};

use tailwater_metainfo::{BLOCK_LEN, BlockRef, PieceIndex};

use crate::torrent::demand::Demand;
use crate::torrent::demand::readers::Reader;
use crate::torrent::peers::{Peer, Supplier};
use crate::torrent::supply::Supply;
use crate::torrent::{Engine, Output, PeerKey, PieceState, ReaderKey, Space};

/// How many peers are asked for one block that a reader waits for.
const URGENT_COPIES: u8 = 2;
/// A peer that is much slower than others gets only deadlines that are this many times its estimated time away.
const SAFETY: u32 = 4;
/// The estimated time of a peer that has stopped.
const STOPPED: Duration = Duration::from_secs(3_600);
/// Two peers' estimated times that differ by less than this are equal.
const CLOSE_ENOUGH: Duration = Duration::from_millis(50);

/// The urgency of a piece, or of the part of it from a block on: when it is needed, since when a reader has been waiting for
/// it, and which it is: of several readers that wait, the first comes first.
type Rank = (Duration, Instant, PieceIndex, u32);

impl<S: Space> Engine<S> {
    /// The block that some reader needs first, of those that this peer can deliver in time.
    pub(crate) fn next_of_readers(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        if self.demand.readers.is_empty() {
            return None;
        }
        let late = self.peers.get(key)?.supply.late();
        let mut refused = None;
        loop {
            let rank = self.most_urgent(now, key, refused)?;
            let (.., piece, from) = rank;
            if (self.supply.pieces.is_open(piece) || self.start_for_reader(now, key, piece))
                && let Some(block) = self.supply.pieces.request_from(piece, from, &late)
            {
                return Some(block);
            }
            if self.demand.wanted_space.is_some() {
                return None;
            }
            refused = Some(rank);
        }
    }

    /// The piece with the nearest deadline after `refused` of which the peer has a block that no supplier was asked
    /// for, and for which it is quick enough: what it could not bring in time is left to quicker peers.
    fn most_urgent(&self, now: Instant, key: PeerKey, refused: Option<Rank>) -> Option<Rank> {
        let peer = self.peers.get(key)?;
        let own = peer.supply.estimate(peer.supply.pending.len() + 1, now);
        let quicker = self.quicker_than(own, now);
        let of_reader = |reader: &Reader| {
            let first = self.supply.geometry.piece(reader.current).ok()?;
            let in_blocks = self.rank_in_blocks(now, key, reader);
            let rank = |piece: PieceIndex| {
                let waiting = reader.waiting.filter(|_| piece.get() == reader.current);
                let deadline = reader.deadline(now, &self.supply.geometry, piece);
                (deadline, waiting.unwrap_or(now), piece, 0)
            };
            let fits = |rank: &Rank| {
                let (deadline, _, piece, _) = *rank;
                let is_left = || {
                    own * SAFETY > deadline && quicker.iter().any(|other| other.can_serve(piece))
                };
                peer.supply.bits.has(piece)
                    && peer.lets_us_request(piece)
                    && refused.is_none_or(|refused| *rank > refused)
                    && !is_left()
            };
            let is_split = reader.block_at_cursor(&self.supply.geometry).is_some();
            let is_whole = |piece: &PieceIndex| !is_split || *piece != first;
            let inside = |piece: &PieceIndex| piece.get() < reader.window.end;
            let open = self.supply.pieces.open_from(first, key);
            let open = open.take_while(inside).filter(is_whole);
            let ahead = reader.current..reader.window.end;
            let new = self.supply.picker.listed_in(ahead).filter(is_whole);
            let (open, new) = (open.map(rank).find(fits), new.map(rank).find(fits));
            let in_blocks = in_blocks.filter(fits);
            in_blocks.into_iter().chain(open).chain(new).min()
        };
        let candidates = self.demand.readers.iter();
        candidates.filter_map(|(_, reader)| of_reader(reader)).min()
    }

    /// The urgency of what is left of the piece that a reader gets block by block: from its cursor on, else what is before
    /// it.
    fn rank_in_blocks(&self, now: Instant, key: PeerKey, reader: &Reader) -> Option<Rank> {
        let (geometry, pieces) = (&self.supply.geometry, &self.supply.pieces);
        let from = reader.block_at_cursor(geometry)?;
        let piece = geometry.piece(reader.current).ok()?;
        let is_new = self.supply.picker.is_listed(piece);
        if !is_new && !pieces.is_open_for(piece, key) {
            return None;
        }
        let rank = match is_new || pieces.has_free_from(piece, from) {
            true => {
                let block = geometry.nth_block(piece, from)?;
                let deadline = reader.deadline_of(now, geometry, block);
                (deadline, reader.waiting.unwrap_or(now), piece, from)
            }
            false => (reader.deadline_of_rest(now, geometry), now, piece, 0),
        };
        Some(rank)
    }

    /// The peers that would bring a block much sooner than in `own` time.
    fn quicker_than(&self, own: Duration, now: Instant) -> Vec<&Peer> {
        let peers = self.peers.iter().map(|(_, peer)| peer);
        let much_quicker = |peer: &&Peer| {
            own > peer.supply.estimate(peer.supply.pending.len() + 1, now) * 2 + CLOSE_ENOUGH
        };
        peers.filter(much_quicker).collect()
    }

    /// Reserves room for a piece and starts it.
    fn start_for_reader(&mut self, now: Instant, key: PeerKey, piece: PieceIndex) -> bool {
        let again = self.supply.pieces.state(piece) == PieceState::Evicted;
        if again && !self.demand.refetches.may(now, piece) {
            return false;
        }
        // Until room has come free, asking again would only search in vain.
        if self.demand.wanted_space.is_some() || !self.reserve(now, piece) {
            let wanted = u64::from(self.supply.geometry.piece_len(piece));
            if self.demand.wanted_space.replace(wanted).is_none() {
                self.outputs.push_back(Output::RoomNeeded);
            }
            self.tell_starved();
            return false;
        }
        if again {
            self.demand.refetches.count(now, piece);
        }
        self.supply.begin(piece, key);
        true
    }

    /// Tells readers that wait for a piece which has not been started that there is no room.
    pub(crate) fn tell_starved(&mut self) {
        let starved = self.demand.starved(&self.supply);
        self.outputs.extend(starved.map(Output::Starved));
    }

    /// Reserves room for a piece, if need be that of a piece which was begun and which no window covers any more.
    pub(crate) fn reserve(&mut self, now: Instant, piece: PieceIndex) -> bool {
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
                        .supply
                        .pieces
                        .partial()
                        .find(|piece| !self.demand.readers.covers(*piece));
                    let Some(parked) = parked.filter(|_| self.config.on_demand) else {
                        return false;
                    };
                    self.abandon_piece(parked);
                }
            }
        }
    }

    /// Asks a second peer for a block that the first will not bring before a reader needs it.
    pub(crate) fn next_of_rescue(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        if self.demand.readers.is_empty() || self.peers.len() < 2 {
            return None;
        }
        let asker = self.peers.get(key)?;
        let own = asker.supply.estimate(asker.supply.pending.len() + 1, now);
        let overdue = |left: Duration, block: BlockRef| {
            if left <= own * 2 + CLOSE_ENOUGH || !asker.can_serve(block.piece()) {
                return None;
            }
            let due = self.demand.readers.deadline(now, block)?;
            (left > due).then_some((due, block))
        };
        let others = self.peers.iter().filter(|(other, _)| *other != key);
        let all_overdue = others.flat_map(|(_, peer)| {
            // Late ones are free again and need no rescue.
            let pending = (1..).zip(&peer.supply.pending);
            let asked = pending.filter(|(_, pending)| !pending.late);
            asked.filter_map(|(place, pending)| {
                overdue(peer.supply.estimate(place, now), pending.block)
            })
        });
        let (_, block) = all_overdue
            .filter(|(_, block)| {
                self.supply.pieces.copies(*block) < URGENT_COPIES
                    && !asker.supply.has_pending(*block)
            })
            .min()?;
        self.supply.pieces.request_again(block);
        Some(block)
    }
}

impl Demand {
    /// The readers that wait for a piece that there is no room for.
    fn starved(&self, supply: &Supply) -> impl Iterator<Item = ReaderKey> {
        let readers = self.readers.iter();
        let starved = readers.filter(|(_, reader)| {
            let piece = supply.geometry.piece(reader.current);
            let state = piece.map(|piece| supply.pieces.state(piece));
            let is_missing = matches!(state, Ok(PieceState::Missing | PieceState::Evicted));
            self.wanted_space.is_some() && reader.waiting.is_some() && is_missing
        });
        starved.map(|(key, _)| key)
    }
}

impl Peer {
    /// Whether the peer would answer a request for the piece.
    fn can_serve(&self, piece: PieceIndex) -> bool {
        self.supply.bits.has(piece)
            && self.lets_us_request(piece)
            && self.supply.rests_until.is_none()
            && !self.supply.snubbed
    }
}

impl Supplier {
    /// How long the last of `blocks` queued blocks takes to come, at the peer's pace. A peer that has stopped, or had
    /// when it was asked last, is not counted on.
    pub(crate) fn estimate(&self, blocks: usize, now: Instant) -> Duration {
        if self.snubbed || self.has_stopped(now) {
            return STOPPED;
        }
        let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
        let bytes = blocks.saturating_mul(BLOCK_LEN);
        self.pipeline.time_for(bytes).max(self.silent_for(now))
    }
}
