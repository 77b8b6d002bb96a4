//! Requests: which block is requested from which peer.

use std::time::Instant;

use tailwater_metainfo::{BlockRef, PieceIndex};

use crate::peer::Command;
use crate::torrent::peers::{Peer, Pending, Supplier};
use crate::torrent::supply::Supply;
use crate::torrent::{Engine, Output, PeerKey, Space};

/// How many peers are asked for one block in the end-game, when nothing else is left to request.
const END_GAME_COPIES: u8 = 3;
/// The most requests at a web seed while a peer serves us, so that web seeds do not take what peers of the swarm would
/// send: 256 KiB, enough to finish what a reader waits for.
const WEB_SEED_BESIDE_PEERS: usize = 16;

impl<S: Space> Engine<S> {
    /// Requests as many blocks from `key` as its pipeline has room for.
    pub(crate) fn fill(&mut self, now: Instant, key: PeerKey) {
        if self.halted.any() {
            return;
        }
        let limit = self.request_limit(key);
        let has_room = |peer: &Peer| peer.has_room() && peer.supply.pending.len() < limit;
        while self.peers.get(key).is_some_and(has_room) {
            let block = self.next_block(now, key);
            let Some(peer) = self.peers.get_mut(key) else {
                break;
            };
            let Some(block) = block else {
                peer.supply.pipeline.handle_idle();
                break;
            };
            peer.supply.pending.push_back(Pending {
                block,
                asked_at: now,
                late: false,
            });
            peer.supply.current = Some(block.piece());
            self.command(key, Command::Request(block));
        }
    }

    /// The most requests at a supplier beside its pipeline: few at a web seed while a peer serves us.
    fn request_limit(&self, key: PeerKey) -> usize {
        let is_web_seed = |peer: &Peer| peer.connected().is_none();
        let supplies = |supply: &Supplier| {
            let delivers = !supply.snubbed && supply.interesting > 0;
            supply.serves && delivers && supply.rests_until.is_none() && supply.down.total() > 0
        };
        let mut connected = self.peers.connected();
        match self.peers.get(key).is_some_and(is_web_seed)
            && connected.any(|(_, peer)| supplies(peer.supply))
        {
            true => WEB_SEED_BESIDE_PEERS,
            false => usize::MAX,
        }
    }

    /// Blocks became free, or pieces: every peer with room in its pipeline may have something to fetch.
    pub(crate) fn fill_all(&mut self, now: Instant) {
        for key in self.peers.keys() {
            self.fill(now, key);
        }
    }

    /// The block to request next of a supplier, in this order: what a reader needs, a block of the piece that the
    /// supplier works on, of another begun piece, of a new one (the picker's choice), and in the end-game one that others
    /// have been asked for. In a torrent that is read on demand what is near to readers comes after the first, and nothing
    /// else.
    fn next_block(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        let for_readers = self
            .next_of_rescue(now, key)
            .or_else(|| self.next_of_readers(now, key));
        if for_readers.is_some() {
            return for_readers;
        }
        if self.config.on_demand {
            return self.next_of_prefetch(now, key);
        }
        let peer = self.peers.get(key)?;
        let begun = self
            .supply
            .next_of_current(key, peer)
            .or_else(|| self.supply.next_of_open(key, peer));
        if begun.is_some() {
            return begun;
        }
        let new = self.next_of_new(now, key);
        new.or_else(|| self.supply.next_of_end_game(key, self.peers.get(key)?))
    }

    /// A block of a piece that was not begun. The piece's room is reserved before its first block is requested.
    fn next_of_new(&mut self, now: Instant, key: PeerKey) -> Option<BlockRef> {
        let peer = self.peers.get(key)?;
        let best = self
            .supply
            .picker
            .pick(&peer.supply.bits, |piece| peer.lets_us_request(piece))?;
        let piece = self.supply.following(peer, best).unwrap_or(best);
        if !self.reserve(now, piece) {
            if !self.config.on_demand {
                // Room may come free without any other event, so the driver has to wait for it (`wanted_space`).
                let needed = self.supply.geometry.piece_len(piece);
                self.demand.wanted_space.get_or_insert(needed.into());
            }
            return None;
        }
        self.supply.begin(piece, key);
        self.supply.pieces.request_next(piece, &[])
    }

    /// Another peer was first with this block: cancels the other requests for it.
    pub(crate) fn cancel_elsewhere(&mut self, now: Instant, block: BlockRef, except: PeerKey) {
        let others: Vec<_> = self
            .peers
            .iter()
            .filter(|(key, peer)| *key != except && peer.supply.has_pending(block))
            .map(|(key, _)| key)
            .collect();
        for key in others {
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            // Asked before the request is removed: a peer that has stopped must still count as stopped.
            let has_stopped = peer.supply.has_stopped(now);
            peer.supply.take_pending(block);
            if has_stopped {
                self.supply.stall(now, &mut peer.supply);
            }
            self.outputs.push_back(Output::Command {
                peer: key,
                command: Command::Cancel(block),
            });
            self.fill(now, key);
        }
    }

    /// Cancels every request for a piece; what is stored of it stays.
    pub(crate) fn cancel_piece(&mut self, piece: PieceIndex) {
        for key in self.peers.keys() {
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let gone: Vec<_> = peer.supply.pending_of(piece).collect();
            peer.supply
                .pending
                .retain(|pending| pending.block.piece() != piece);
            self.supply.free_blocks(&gone);
            for pending in gone {
                self.command(key, Command::Cancel(pending.block));
            }
        }
    }

    /// Abandons a partial piece and its room. It may be started again if it is still wanted.
    pub(crate) fn abandon_piece(&mut self, piece: PieceIndex) {
        self.cancel_piece(piece);
        self.supply.pieces.abandon(piece);
        self.space.release(piece);
        self.demand.wanted_space = None;
        self.supply.picker.insert(piece, &mut self.supply.rng);
    }
}

impl Supply {
    /// A block of the piece that a supplier is working through.
    fn next_of_current(&mut self, key: PeerKey, peer: &Peer) -> Option<BlockRef> {
        let piece = peer.supply.current?;
        let fits = peer.supply.bits.has(piece) && peer.lets_us_request(piece);
        if !fits || !self.pieces.is_open_for(piece, key) {
            return None;
        }
        self.pieces.request_next(piece, &peer.supply.late())
    }

    /// The piece behind the one that a web seed works on, if it is wanted as much as `best`: a server sends both in
    /// answer to one request, and has all pieces, so that it need not begin with the rarest.
    fn following(&self, peer: &Peer, best: PieceIndex) -> Option<PieceIndex> {
        let current = match peer.connected() {
            Some(_) => return None,
            None => peer.supply.current?,
        };
        let next = self.geometry.piece(current.get() + 1).ok()?;
        let fits =
            self.picker.is_listed(next) && peer.supply.bits.has(next) && peer.lets_us_request(next);
        let is_as_urgent = self.picker.priority(next) >= self.picker.priority(best);
        (fits && is_as_urgent).then_some(next)
    }

    /// A block of another piece that was begun: those are finished before new ones are started.
    fn next_of_open(&mut self, key: PeerKey, peer: &Peer) -> Option<BlockRef> {
        if !self.pieces.has_open() {
            return None;
        }
        let fits =
            |piece: &PieceIndex| peer.supply.bits.has(*piece) && peer.lets_us_request(*piece);
        let piece = self.pieces.open_for(key).find(fits)?;
        let late = peer.supply.late();
        self.pieces.request_next(piece, &late)
    }

    /// Starts a piece whose room is reserved; a suspect one is for this supplier alone.
    pub(crate) fn begin(&mut self, piece: PieceIndex, key: PeerKey) {
        self.picker.remove(piece);
        let alone = self.blame.is_suspect(piece).then_some(key);
        self.pieces.start(piece, alone);
    }

    /// End-game: everything has been requested, so a second supplier is asked for what the first may be slow with.
    fn next_of_end_game(&mut self, key: PeerKey, peer: &Peer) -> Option<BlockRef> {
        if self.picker.has_candidates() || self.pieces.has_open() {
            return None;
        }
        if !peer.supply.pending.is_empty() || peer.supply.snubbed {
            return None;
        }
        let (block, _) = self
            .pieces
            .outstanding_for(key)
            .filter(|(block, copies)| {
                *copies < END_GAME_COPIES
                    && peer.supply.bits.has(block.piece())
                    && peer.lets_us_request(block.piece())
                    && !peer.supply.has_pending(*block)
            })
            .min_by_key(|&(_, copies)| copies)?;
        self.pieces.request_again(block);
        Some(block)
    }

    /// A supplier will not deliver the blocks that were requested: closed, choked, rejected or late.
    pub(crate) fn free_blocks(&mut self, pending: &[Pending]) {
        // A late request has been freed already.
        for pending in pending.iter().filter(|pending| !pending.late) {
            self.pieces.unrequest(pending.block);
        }
    }

    /// A supplier has stopped: its blocks are free.
    pub(crate) fn stall(&mut self, now: Instant, supplier: &mut Supplier) {
        for pending in supplier.handle_stall(now) {
            self.late.insert(pending.block);
            self.pieces.unrequest(pending.block);
        }
    }
}
