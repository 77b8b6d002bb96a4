//! What readers need first: which block of their windows a peer is asked for, and who is asked a second time.

use std::time::{Duration, Instant};

use tailwater_metainfo::{BLOCK_LEN, BlockRef, PieceIndex};

use super::peers::Peer;
use super::readers::Reader;
use super::{Engine, Output, PeerKey, PieceState, Space};

/// How many peers are asked for one block that a reader waits for.
const URGENT_COPIES: u8 = 2;
/// Two peers' estimated times that differ by less are the same.
const CLOSE_ENOUGH: Duration = Duration::from_millis(50);

impl<S: Space> Engine<S> {
    /// The block that some reader needs first of those that this peer can deliver in time.
    pub(super) fn next_of_readers(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        if self.readers.is_empty() {
            return None;
        }
        let earliest = self.earliest_deadline(now, key)?;
        let mut refused = None;
        loop {
            let (deadline, piece) = self.most_urgent(now, key, earliest, refused)?;
            if self.pieces.is_open(piece) || self.start_for_reader(now, key, piece) {
                return self.pieces.request_next(piece);
            }
            if self.wanted_space.is_some() {
                return None;
            }
            refused = Some((deadline, piece));
        }
    }

    /// The nearest deadline that a peer is to work for: what is needed sooner is left to those who are much quicker.
    fn earliest_deadline(&self, now: Instant, key: PeerKey) -> Option<Duration> {
        let own = self.estimate(key, now)?;
        let is_slow = own > self.best_estimate(now) * 2 + CLOSE_ENOUGH;
        Some(match is_slow {
            true => own.saturating_sub(CLOSE_ENOUGH),
            false => Duration::ZERO,
        })
    }

    /// The piece with the nearest deadline, from `earliest` on and after `refused`, that has blocks nobody was asked
    /// for and that the peer has.
    fn most_urgent(
        &self,
        now: Instant,
        key: PeerKey,
        earliest: Duration,
        refused: Option<(Duration, PieceIndex)>,
    ) -> Option<(Duration, PieceIndex)> {
        let peer = self.peers.get(key)?;
        let of_reader = |reader: &Reader| {
            let first = self.geometry.piece(reader.current).ok()?;
            let rank = |piece| (reader.deadline(now, &self.geometry, piece), piece);
            let fits = |piece: &PieceIndex| {
                peer.bits.has(*piece)
                    && peer.lets_us_request(*piece)
                    && rank(*piece).0 >= earliest
                    && refused.is_none_or(|refused| rank(*piece) > refused)
            };
            let inside = |piece: &PieceIndex| piece.get() < reader.window.end;
            let open = self
                .pieces
                .open_from(first, key)
                .take_while(inside)
                .find(fits);
            let new = self.picker.listed_from(first).take_while(inside).find(fits);
            open.into_iter().chain(new).min().map(rank)
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
    pub(super) fn tell_starved(&mut self) {
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

impl Peer {
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
