//! The hashes of pieces that a v2 torrent lacks, as it came without its piece layers (BEP 52): asked of several peers.
//!
//! ```text
//! missing chunks ──▶ asked of a peer that has their pieces ──▶ proved ──▶ their pieces may be begun
//!        ▲                       │ refused, late, or the peer has gone
//!        └───────────────────────┘
//! ```
//!
//! Whether hashes are right is seen by the connection that they come by, which bans a peer that lies
//! (`engine/src/peer/hashes.rs`). What is asked for first is what a reader waits for.

mod chunks;
mod leaves;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use tailwater_metainfo::PieceIndex;
use tailwater_metainfo::merkle::LayerChunk;

use crate::peer::{Command, HashQuery};
use crate::torrent::{Engine, Notice, Output, PeerKey, PieceState, Space};
use chunks::Chunks;
use leaves::Leaves;

/// The hashes that are missing.
#[derive(Debug, Default)]
pub(crate) struct MissingHashes {
    /// Pieces of a hybrid torrent that were begun before their hashes came: they may be verified without those.
    by_sha1: BTreeSet<PieceIndex>,
    chunks: Chunks,
    leaves: Leaves,
}

impl<S: Space> Engine<S> {
    /// The torrent lacks these hashes: peers that speak v2 are asked for them. With `needed`, pieces are not begun before
    /// their hashes are known; a hybrid torrent has others to check its pieces by.
    pub fn await_hashes(&mut self, missing: Vec<LayerChunk>, needed: bool) {
        self.hashes.chunks = Chunks::new(missing);
        if needed {
            for piece in self.hashes.chunks.pieces() {
                if let Ok(piece) = self.supply.geometry.piece(piece) {
                    self.supply.picker.withhold(piece);
                }
            }
        }
    }

    /// A connected peer speaks v2: it can be asked for hashes.
    pub fn handle_speaks_v2(&mut self, now: Instant, key: PeerKey) {
        self.hashes.chunks.add_peer(key);
        self.hashes.leaves.add_peer(key);
        self.ask_for_hashes(now, key);
    }

    /// Hashes have been proved: these pieces can be checked, and so begun. Those of a hybrid torrent that are held already
    /// were checked by their SHA-1 alone, and are checked again.
    pub(crate) fn handle_hashes(&mut self, query: HashQuery, pieces: Vec<Range<u32>>) {
        let is_news = self.hashes.chunks.handle_known(query);
        if is_news && self.hashes.chunks.is_empty() {
            self.outputs.push_back(Output::Notice(Notice::HashesKnown));
        }
        let mut held = Vec::new();
        for piece in pieces.into_iter().flatten() {
            let Ok(piece) = self.supply.geometry.piece(piece) else {
                continue;
            };
            let state = self.supply.pieces.state(piece);
            match state {
                PieceState::Have if is_news => held.push(piece),
                PieceState::Partial | PieceState::Verifying if is_news => {
                    self.hashes.by_sha1.insert(piece);
                }
                _ => {}
            }
            let is_to_come = matches!(state, PieceState::Missing | PieceState::Evicted);
            if self.supply.picker.release(piece) && is_to_come {
                self.supply.picker.insert(piece, &mut self.supply.rng);
            }
        }
        if !held.is_empty() {
            self.outputs.push_back(Output::Recheck(held));
        }
    }

    /// A piece has been verified. If that began before its second hash was known, it is checked again.
    pub(crate) fn recheck_if_early(&mut self, piece: PieceIndex) {
        if self.hashes.by_sha1.remove(&piece) {
            self.outputs.push_back(Output::Recheck(vec![piece]));
        }
    }

    pub(crate) fn handle_hashes_refused(&mut self, now: Instant, key: PeerKey, query: HashQuery) {
        if self.hashes.leaves.handle_refused(now, key, query) {
            self.ask_for_leaves(now);
            return;
        }
        self.hashes.chunks.handle_refused(now, key, query);
        self.ask_all_for_hashes(now);
    }

    /// A peer has gone.
    pub(crate) fn forget_hash_peer(&mut self, now: Instant, key: PeerKey) {
        self.hashes.chunks.remove_peer(key);
        self.hashes.leaves.remove_peer(key);
        self.ask_for_leaves(now);
        self.ask_all_for_hashes(now);
    }

    /// Time has passed: others are asked for what is late.
    pub(crate) fn tend_hashes(&mut self, now: Instant) {
        self.hashes.leaves.expire(now);
        self.ask_for_leaves(now);
        if !self.hashes.chunks.is_empty() {
            self.hashes.chunks.expire(now);
            self.ask_all_for_hashes(now);
        }
    }

    fn ask_all_for_hashes(&mut self, now: Instant) {
        if self.hashes.chunks.is_empty() {
            return;
        }
        for key in self.hashes.chunks.peers() {
            self.ask_for_hashes(now, key);
        }
    }

    /// Asks a peer for as many hashes as may be outstanding at it.
    pub(crate) fn ask_for_hashes(&mut self, now: Instant, key: PeerKey) {
        if self.hashes.chunks.is_empty() || self.halted.any() {
            return;
        }
        while let Some(peer) = self.peers.get(key)
            && !peer.supply.bits.is_none()
        {
            let readers = self.demand.readers.iter();
            let urgent = readers.map(|(_, reader)| reader.current);
            let (bits, geometry) = (&peer.supply.bits, &self.supply.geometry);
            let has = |piece| geometry.piece(piece).is_ok_and(|piece| bits.has(piece));
            let Some(query) = self.hashes.chunks.next(now, key, has, urgent) else {
                break;
            };
            self.command(key, Command::RequestHashes(query));
        }
    }
}
