//! The leaves of pieces: which hashes of blocks are asked for, and of whom (BEP 52).
//!
//! A piece whose leaves are known is judged block by block, so that a reader gets its first bytes after 16 KiB instead of
//! after a piece. They are asked for where a reader is and has to wait, of the two quickest peers that have the piece.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tailwater_metainfo::merkle::{LEAVES_AT_ONCE, PieceLayers};
use tailwater_metainfo::{BlockRef, Geometry, PieceIndex};

use super::chunks::LATE_AFTER;
use crate::peer::{Command, HashQuery, MAX_LEAF_QUERIES};
use crate::torrent::demand::readers::Reader;
use crate::torrent::{Engine, Output, PeerKey, PieceState, Space};

/// How many peers are asked for the same leaves.
const COPIES: usize = 2;
/// How many further queries are made for what follows a reader.
const AHEAD: usize = 3;
/// A peer that refused leaves, or was late with them, is not asked for the same ones again within this time.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// The most refusals that are remembered of one peer.
const MAX_REFUSALS: usize = 64;

/// Who was asked for which leaves.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    /// What is known of the torrent's hashes; `None` for a torrent without trees.
    layers: Option<PieceLayers>,
    peers: BTreeMap<PeerKey, Askable>,
}

/// A peer that speaks v2.
#[derive(Debug, Default)]
struct Askable {
    /// What it was asked for, and when.
    asked: Vec<(HashQuery, Instant)>,
    /// What it refused or was late with, and until when that counts.
    refused: Vec<(HashQuery, Instant)>,
}

impl Askable {
    fn has_refused(&self, query: HashQuery) -> bool {
        self.refused.iter().any(|(refused, _)| *refused == query)
    }

    /// Whether it may still answer in time.
    fn is_asked(&self, query: HashQuery) -> bool {
        let is_it = |(asked, _): &(HashQuery, Instant)| *asked == query;
        self.asked.iter().any(is_it) && !self.has_refused(query)
    }

    fn may_be_asked(&self, query: HashQuery) -> bool {
        let is_it = |(asked, _): &(HashQuery, Instant)| *asked == query;
        self.asked.len() < MAX_LEAF_QUERIES
            && !self.has_refused(query)
            && !self.asked.iter().any(is_it)
    }

    fn refuse(&mut self, query: HashQuery, until: Instant) {
        if self.refused.len() >= MAX_REFUSALS {
            self.refused.remove(0);
        }
        self.refused.push((query, until));
    }
}

impl Leaves {
    pub(super) fn add_peer(&mut self, key: PeerKey) {
        self.peers.entry(key).or_default();
    }

    pub(super) fn remove_peer(&mut self, key: PeerKey) {
        self.peers.remove(&key);
    }

    /// A peer has answered.
    fn handle_answer(&mut self, key: PeerKey, query: HashQuery) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.asked.retain(|(asked, _)| *asked != query);
            peer.refused.retain(|(refused, _)| *refused != query);
        }
    }

    /// Says whether leaves were asked for.
    pub(super) fn handle_refused(&mut self, now: Instant, key: PeerKey, query: HashQuery) -> bool {
        let Some(peer) = self.peers.get_mut(&key) else {
            return false;
        };
        let before = peer.asked.len();
        peer.asked.retain(|(asked, _)| *asked != query);
        let was_asked = peer.asked.len() < before;
        if was_asked && !peer.has_refused(query) {
            peer.refuse(query, now + REFUSED_FOR);
        }
        was_asked
    }

    /// Others are asked for what is late. Its peer may answer still.
    pub(super) fn expire(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.refused.retain(|(_, until)| *until > now);
            let late = peer.asked.iter().filter(|(_, at)| *at + LATE_AFTER <= now);
            let late: Vec<_> = late.map(|(query, _)| *query).collect();
            for query in late {
                if !peer.has_refused(query) {
                    peer.refuse(query, now + REFUSED_FOR);
                }
            }
        }
    }

    /// The queries for leaves that a reader lacks: of the block at its cursor, which come alone so that nothing stands before
    /// the block itself, and afterwards of those that follow.
    fn wanted(
        &self,
        geometry: &Geometry,
        piece: PieceIndex,
        block: u32,
    ) -> Vec<(PieceIndex, HashQuery)> {
        let Some(layers) = &self.layers else {
            return Vec::new();
        };
        let query = |(piece, block): (PieceIndex, u32)| {
            let chunk = layers.missing_leaves(piece.get(), block)?;
            let (root, range) = (chunk.root, chunk.range);
            Some((piece, HashQuery { root, range }))
        };
        if let Some(first) = query((piece, block)) {
            return vec![first];
        }
        let following = |(piece, block): &(PieceIndex, u32)| {
            let behind = block + LEAVES_AT_ONCE;
            match behind < geometry.block_count(*piece) {
                true => Some((*piece, behind)),
                false => Some((geometry.piece(piece.get() + 1).ok()?, 0)),
            }
        };
        let first = (piece, block / LEAVES_AT_ONCE * LEAVES_AT_ONCE);
        let places = std::iter::successors(Some(first), following);
        places.take(1 + AHEAD).filter_map(query).collect()
    }

    /// Whether a block's leaf is known, or will be if who was asked for it answers.
    fn is_to_be_known(&self, piece: PieceIndex, block: u32) -> bool {
        let Some(layers) = &self.layers else {
            return false;
        };
        if layers.knows_leaf(piece.get(), block) {
            return true;
        }
        layers
            .missing_leaves(piece.get(), block)
            .is_some_and(|chunk| {
                let (root, range) = (chunk.root, chunk.range);
                let query = HashQuery { root, range };
                self.peers.values().any(|peer| peer.is_asked(query))
            })
    }
}

impl<S: Space> Engine<S> {
    /// The torrent has hash trees, of which this is known: what a reader waits for is judged block by block from now on,
    /// where peers serve the hashes of blocks.
    pub fn set_layers(&mut self, layers: PieceLayers) {
        self.hashes.leaves.layers = Some(layers);
    }

    /// Whether a reader gets a block although its piece is not whole: it is stored, and its hash is known. One that proves wrong
    /// counts until the storage has said so.
    pub(crate) fn is_block_readable(&self, block: BlockRef) -> bool {
        let layers = self.hashes.leaves.layers.as_ref();
        self.supply.pieces.is_stored(block)
            && layers.is_some_and(|it| it.knows_leaf(block.piece().get(), block.number()))
    }

    /// Leaves have been proved: stored blocks of these pieces can be judged.
    pub(crate) fn handle_leaves(
        &mut self,
        now: Instant,
        key: PeerKey,
        query: HashQuery,
        pieces: impl IntoIterator<Item = u32>,
    ) {
        self.hashes.leaves.handle_answer(key, query);
        for piece in pieces {
            let Ok(piece) = self.supply.geometry.piece(piece) else {
                continue;
            };
            if self.supply.pieces.state(piece) == PieceState::Partial {
                self.outputs.push_back(Output::Judge(piece));
            }
        }
        self.ask_for_leaves(now);
    }

    /// Asks for the leaves that readers lack.
    pub(crate) fn ask_for_leaves(&mut self, now: Instant) {
        let has_peers = !self.hashes.leaves.peers.is_empty();
        if self.demand.readers.is_empty() || self.hashes.leaves.layers.is_none() {
            return;
        }
        if has_peers && !self.halted.any() {
            let mut readers: Vec<_> = self.demand.readers.iter().collect();
            // Who waits comes first, and who has waited longest before others.
            readers.sort_by_key(|(_, reader)| (reader.waiting.is_none(), reader.waiting));
            let lacking = readers
                .iter()
                .flat_map(|(_, reader)| self.lacking_leaves(reader));
            for (piece, query) in lacking.collect::<Vec<_>>() {
                self.ask_quickest(now, piece, query);
            }
        }
        let (leaves, geometry) = (&self.hashes.leaves, &self.supply.geometry);
        self.demand.readers.set_by_block(|reader| {
            let at = reader.at(geometry);
            at.is_some_and(|(piece, block)| leaves.is_to_be_known(piece, block))
        });
    }

    fn lacking_leaves(&self, reader: &Reader) -> Vec<(PieceIndex, HashQuery)> {
        let Some((piece, block)) = reader.at(&self.supply.geometry) else {
            return Vec::new();
        };
        let is_to_come = |piece: PieceIndex| {
            let state = self.supply.pieces.state(piece);
            !matches!(state, PieceState::Have | PieceState::Verifying)
        };
        if !is_to_come(piece) {
            return Vec::new();
        }
        let mut wanted = self
            .hashes
            .leaves
            .wanted(&self.supply.geometry, piece, block);
        wanted.retain(|(piece, _)| is_to_come(*piece) && piece.get() < reader.window.end);
        wanted
    }

    /// Asks the quickest peers that have a piece, unless enough are asked already.
    fn ask_quickest(&mut self, now: Instant, piece: PieceIndex, query: HashQuery) {
        let peers = &self.hashes.leaves.peers;
        let asked = peers.values().filter(|peer| peer.is_asked(query)).count();
        let mut askable: Vec<_> = peers
            .iter()
            .filter(|(_, peer)| peer.may_be_asked(query))
            .filter_map(|(key, _)| {
                let supply = &self.peers.get(*key)?.supply;
                let time = supply.estimate(supply.pending.len() + 1, now);
                supply.bits.has(piece).then_some((time, *key))
            })
            .collect();
        askable.sort_unstable();
        for (_, key) in askable.into_iter().take(COPIES.saturating_sub(asked)) {
            if let Some(peer) = self.hashes.leaves.peers.get_mut(&key) {
                peer.asked.push((query, now));
                self.command(key, Command::RequestHashes(query));
            }
        }
    }
}
