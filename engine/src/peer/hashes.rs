//! The hash messages of BEP 52: hashes of pieces, served from the layers that we know, and learned from the peer.

use std::time::{Duration, Instant};

use tailwater_metainfo::merkle::{HashRange, PieceLayers, Proved};
use tailwater_metainfo::{MerkleHash, PieceIndex};
use tailwater_types::pacing::{Rate, TokenBucket};
use tailwater_wire::{HashRequest, Hashes, Message};

use super::messages::Charge;
use super::{Connection, Fact, Violation};

/// The most queries for hashes of pieces that are outstanding at one peer. libtorrent keeps two.
pub const MAX_HASH_QUERIES: usize = 4;
/// The most queries for leaves, the hashes of blocks, beside those.
pub const MAX_LEAF_QUERIES: usize = 4;
/// The rate at which a peer is served, in answers: each has up to 512 hashes and their proof, so that this is a MiB a second,
/// and the largest torrent's layers go out in a minute. Further requests are rejected.
const SERVING: Rate = Rate::per_second(64, Duration::from_secs(8));

/// The rate at which blocks are hashed for a peer that asks for leaves: 16 MiB a second, a few milliseconds of a processor,
/// and four pieces of 16 MiB at once. Further requests are rejected, and so are all for pieces over 64 MiB.
const HASHING: Rate = Rate::per_second(1_024, Duration::from_secs(4));
/// The most requests for leaves of one peer that wait for the storage.
const MAX_WAITING: usize = 4;

/// Hashes of a file's tree that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the layout is fixed by BEP 52")]
pub struct HashQuery {
    /// The root of the file.
    pub root: MerkleHash,
    /// Which hashes of its tree.
    pub range: HashRange,
}

/// The state of a connection's hash messages.
#[derive(Debug)]
pub(super) struct HashExchange {
    /// The layers of the torrent's files, if both sides speak v2.
    layers: Option<PieceLayers>,
    /// What was asked for and has not been answered.
    outstanding: Vec<HashQuery>,
    served: TokenBucket,
    /// Requests for leaves, by the piece whose blocks have to be hashed for them.
    waiting: Vec<(PieceIndex, HashRequest)>,
    /// The piece that the storage is asked for just now.
    hashing: Option<PieceIndex>,
    hashed: TokenBucket,
}

impl HashExchange {
    pub(super) fn new(layers: Option<PieceLayers>) -> Self {
        Self {
            layers,
            outstanding: Vec::new(),
            served: TokenBucket::default(),
            waiting: Vec::new(),
            hashing: None,
            hashed: TokenBucket::default(),
        }
    }

    /// Removes a query; says whether it was outstanding.
    fn take(&mut self, query: HashQuery) -> bool {
        let position = self.outstanding.iter().position(|asked| *asked == query);
        position
            .map(|at| self.outstanding.swap_remove(at))
            .is_some()
    }
}

impl Connection {
    pub(super) fn request_hashes(&mut self, query: HashQuery) {
        let exchange = &mut self.hashes;
        let is_free = exchange.outstanding.len() < MAX_HASH_QUERIES + MAX_LEAF_QUERIES;
        if exchange.layers.is_some() && is_free && !exchange.outstanding.contains(&query) {
            exchange.outstanding.push(query);
            self.send(&Message::HashRequest(Box::new(query.into())));
        } else {
            self.facts.push(Fact::HashesRefused(query));
        }
    }

    /// Answers a request, or lets it wait for the storage. What we do not know, what makes no sense, what comes too fast and
    /// what is asked over a connection that is not one of v2 is rejected.
    pub(super) fn serve_hashes(&mut self, now: Instant, wanted: HashRequest) -> Charge {
        let query = HashQuery::from(wanted);
        let layers = self.hashes.layers.as_ref();
        let is_in_time = self.hashes.served.has(now, SERVING, 1);
        let layers = layers.filter(|_| is_in_time);
        let Some(hashes) = layers.and_then(|layers| layers.serve(query.root, query.range)) else {
            if !(is_in_time && self.await_leaves(now, wanted)) {
                self.send(&Message::HashReject(Box::new(wanted)));
            }
            return Charge::Message;
        };
        self.hashes.served.spend(now, SERVING, 1);
        self.send_hashes(wanted, &hashes);
        Charge::Message
    }

    /// Lets a request for leaves wait until the storage has hashed their piece; says whether it does.
    fn await_leaves(&mut self, now: Instant, wanted: HashRequest) -> bool {
        let query = HashQuery::from(wanted);
        let exchange = &mut self.hashes;
        let layers = exchange.layers.as_ref();
        let piece = layers.and_then(|layers| layers.leaves_of(query.root, query.range));
        let Some(piece) = piece.and_then(|piece| self.config.geometry.piece(piece).ok()) else {
            return false;
        };
        // Several requests for one piece are answered together.
        let is_new = exchange.waiting.iter().all(|(other, _)| *other != piece);
        let cost = match is_new {
            true => u64::from(self.config.geometry.block_count(piece)),
            false => 0,
        };
        let has_room = exchange.waiting.len() < MAX_WAITING;
        if !has_room || !exchange.hashed.take(now, HASHING, cost) {
            return false;
        }
        exchange.served.spend(now, SERVING, 1);
        exchange.waiting.push((piece, wanted));
        true
    }

    /// The piece whose blocks the storage is to hash for the peer, one at a time; answer with
    /// [`Self::handle_leaves`].
    pub fn next_leaves(&mut self) -> Option<PieceIndex> {
        let exchange = &mut self.hashes;
        if exchange.hashing.is_none() {
            exchange.hashing = exchange.waiting.first().map(|(piece, _)| *piece);
            return exchange.hashing;
        }
        None
    }

    /// The hashes of the blocks of the piece that [`Self::next_leaves`] named; `None` if the storage does not have it.
    pub fn handle_leaves(&mut self, leaves: Option<&[MerkleHash]>) {
        let exchange = &mut self.hashes;
        let Some(piece) = exchange.hashing.take() else {
            return;
        };
        if let Some((layers, leaves)) = exchange.layers.as_ref().zip(leaves) {
            // The rest of them is asked for soon. False ones are served to nobody, see below.
            let _ = layers.learn_leaves(piece.get(), leaves);
        }
        let of_piece = exchange
            .waiting
            .extract_if(.., |(other, _)| *other == piece);
        for (_, wanted) in of_piece.collect::<Vec<_>>() {
            let query = HashQuery::from(wanted);
            let layers = self.hashes.layers.as_ref().zip(leaves);
            let answer = layers
                .and_then(|(layers, leaves)| layers.serve_leaves(query.root, query.range, leaves));
            match answer {
                Some(hashes) => self.send_hashes(wanted, &hashes),
                None => self.send(&Message::HashReject(Box::new(wanted))),
            }
        }
    }

    fn send_hashes(&mut self, wanted: HashRequest, hashes: &[MerkleHash]) {
        let hashes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let answer = Hashes {
            request: wanted,
            hashes: hashes.into(),
        };
        self.send(&Message::Hashes(Box::new(answer)));
    }

    /// Takes hashes that were asked for, and checks their proof.
    pub(super) fn handle_hashes(&mut self, answer: &Hashes) -> Result<Charge, Violation> {
        let query = HashQuery::from(answer.request);
        if !self.hashes.take(query) {
            return Err(Violation::UnrequestedHashes);
        }
        let (found, expected) = (answer.iter().len(), query.range.answer_len());
        if u32::try_from(found) != Ok(expected) {
            return Err(Violation::HashCount { found, expected });
        }
        let layers = self.hashes.layers.as_ref();
        let layers = layers.ok_or(Violation::UnrequestedHashes)?;
        let hashes: Vec<_> = answer.iter().map(MerkleHash::new).collect();
        let proved = layers.accept(query.root, query.range, &hashes);
        self.facts
            .push(match proved.map_err(|_| Violation::FalseHashes)? {
                Proved::Pieces(pieces) => Fact::Hashes(query, pieces),
                Proved::Leaves(pieces) => Fact::Leaves(query, pieces),
            });
        Ok(Charge::Nothing)
    }

    pub(super) fn handle_hash_reject(&mut self, refused: HashRequest) -> Charge {
        let query = HashQuery::from(refused);
        if !self.hashes.take(query) {
            return Charge::Message;
        }
        self.facts.push(Fact::HashesRefused(query));
        Charge::Nothing
    }
}

impl From<HashRequest> for HashQuery {
    fn from(request: HashRequest) -> Self {
        Self {
            root: MerkleHash::new(request.pieces_root),
            range: HashRange {
                base: request.base_layer,
                index: request.index,
                length: request.length,
                proof_layers: request.proof_layers,
            },
        }
    }
}

impl From<HashQuery> for HashRequest {
    fn from(query: HashQuery) -> Self {
        Self {
            pieces_root: *query.root.as_bytes(),
            base_layer: query.range.base,
            index: query.range.index,
            length: query.range.length,
            proof_layers: query.range.proof_layers,
        }
    }
}
