//! The parts of piece layers that are not known, and who is asked for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::time::{Duration, Instant};

use tailwater_metainfo::merkle::LayerChunk;

use crate::peer::{HashQuery, MAX_HASH_QUERIES};
use crate::torrent::PeerKey;

/// After this time without an answer another peer is asked too.
pub(super) const LATE_AFTER: Duration = Duration::from_secs(5);
/// A peer that refused hashes is not asked for the same ones again within this time.
const REFUSED_FOR: Duration = Duration::from_secs(30);
/// How many chunks are looked at for one that a peer may have.
const LOOKED_AT: usize = 256;

/// The chunks that are missing, by their order. That of the first pieces is the first.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    missing: BTreeMap<usize, Chunk>,
    by_query: HashMap<HashQuery, usize>,
    /// The chunks with the hashes of pieces, by the first piece of each range.
    by_piece: BTreeMap<u32, usize>,
    /// Those that nobody is asked for.
    free: BTreeSet<usize>,
    peers: BTreeMap<PeerKey, Askable>,
}

#[derive(Debug)]
struct Chunk {
    query: HashQuery,
    pieces: Vec<Range<u32>>,
}

/// A peer that serves hashes.
#[derive(Debug, Default)]
struct Askable {
    /// What it was asked for, and when.
    asked: Vec<(usize, Instant)>,
    /// What it refused, and until when that counts.
    refused: HashMap<usize, Instant>,
}

impl Chunks {
    pub(super) fn new(missing: Vec<LayerChunk>) -> Self {
        let mut chunks = Self::default();
        for (number, chunk) in missing.into_iter().enumerate() {
            let query = HashQuery {
                root: chunk.root,
                range: chunk.range,
            };
            let starts = chunk.pieces.iter().map(|pieces| (pieces.start, number));
            chunks.by_piece.extend(starts);
            chunks.by_query.insert(query, number);
            chunks.free.insert(number);
            let pieces = chunk.pieces;
            chunks.missing.insert(number, Chunk { query, pieces });
        }
        chunks
    }

    pub(super) fn is_empty(&self) -> bool {
        self.missing.is_empty()
    }

    /// The pieces whose hashes are missing.
    pub(super) fn pieces(&self) -> impl Iterator<Item = u32> + '_ {
        let chunks = self.missing.values();
        chunks.flat_map(|chunk| chunk.pieces.iter().cloned().flatten())
    }

    pub(super) fn add_peer(&mut self, key: PeerKey) {
        self.peers.entry(key).or_default();
    }

    /// A peer has gone: others are asked.
    pub(super) fn remove_peer(&mut self, key: PeerKey) {
        let gone = self.peers.remove(&key).unwrap_or_default();
        for (number, _) in gone.asked {
            self.release(number);
        }
    }

    pub(super) fn peers(&self) -> Vec<PeerKey> {
        self.peers.keys().copied().collect()
    }

    /// The next to ask a peer for by the pieces that it has: what has the hash of an `urgent` piece first. By BEP 52 a peer has
    /// the hashes of the pieces that it has, and may have no others.
    pub(super) fn next(
        &mut self,
        now: Instant,
        key: PeerKey,
        has: impl Fn(u32) -> bool,
        urgent: impl Iterator<Item = u32>,
    ) -> Option<HashQuery> {
        let peer = self.peers.get(&key)?;
        if peer.asked.len() >= MAX_HASH_QUERIES {
            return None;
        }
        let fits = |number: &usize| {
            let refused = peer.refused.get(number).is_some_and(|until| *until > now);
            let chunk = self.missing.get(number).filter(|_| !refused);
            chunk.is_some_and(|chunk| chunk.pieces.iter().cloned().flatten().any(&has))
        };
        let urgent = urgent.filter_map(|piece| self.chunk_of(piece));
        let urgent = urgent.filter(|number| self.free.contains(number));
        let others = self.free.iter().copied().take(LOOKED_AT);
        let number = urgent.chain(others).find(fits)?;
        let query = self.missing.get(&number)?.query;
        self.free.remove(&number);
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.asked.push((number, now));
        }
        Some(query)
    }

    /// Hashes are known now. They are asked for no more. Says whether they were missing.
    pub(super) fn handle_known(&mut self, query: HashQuery) -> bool {
        let Some(number) = self.by_query.remove(&query) else {
            return false;
        };
        self.free.remove(&number);
        if let Some(chunk) = self.missing.remove(&number) {
            for pieces in chunk.pieces {
                self.by_piece.remove(&pieces.start);
            }
        }
        for peer in self.peers.values_mut() {
            peer.asked.retain(|(asked, _)| *asked != number);
            peer.refused.remove(&number);
        }
        true
    }

    /// A peer will not send what it was asked for.
    pub(super) fn handle_refused(&mut self, now: Instant, key: PeerKey, query: HashQuery) {
        let Some(&number) = self.by_query.get(&query) else {
            return;
        };
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.asked.retain(|(asked, _)| *asked != number);
            peer.refused.insert(number, now + REFUSED_FOR);
        }
        self.release(number);
    }

    /// What has not been answered for long is asked of others too. Its peer keeps the place among its queries that it has
    /// taken, as it may answer still.
    pub(super) fn expire(&mut self, now: Instant) {
        let mut late = Vec::new();
        for peer in self.peers.values_mut() {
            peer.refused.retain(|_, until| *until > now);
            for (number, asked_at) in &peer.asked {
                if *asked_at + LATE_AFTER <= now {
                    late.push(*number);
                    peer.refused.insert(*number, now + REFUSED_FOR);
                }
            }
        }
        late.into_iter().for_each(|number| self.release(number));
    }

    /// The chunk may be asked for again, unless somebody is asked for it who is not late.
    fn release(&mut self, number: usize) {
        let is_asked = |peer: &Askable| {
            let mut asked = peer.asked.iter();
            asked.any(|(it, _)| *it == number) && !peer.refused.contains_key(&number)
        };
        if self.missing.contains_key(&number) && !self.peers.values().any(is_asked) {
            self.free.insert(number);
        }
    }

    /// The chunk with the hash of a piece.
    fn chunk_of(&self, piece: u32) -> Option<usize> {
        let (_, number) = self.by_piece.range(..=piece).next_back()?;
        let chunk = self.missing.get(number)?;
        let mut ranges = chunk.pieces.iter();
        ranges
            .any(|range| range.contains(&piece))
            .then_some(*number)
    }
}
