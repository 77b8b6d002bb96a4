//! The hash messages of BEP 52: hashes of pieces, served from the layers that we know, and learned from the peer.

use std::time::{Duration, Instant};

use tailwater_metainfo::MerkleHash;
use tailwater_metainfo::merkle::{HashRange, PieceLayers, Proved};
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
}

impl HashExchange {
    pub(super) fn new(layers: Option<PieceLayers>) -> Self {
        Self {
            layers,
            outstanding: Vec::new(),
            served: TokenBucket::default(),
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

    /// Answers a request. What we do not know, what makes no sense, what comes too fast and what is asked over a connection
    /// that is not one of v2 is rejected.
    pub(super) fn serve_hashes(&mut self, now: Instant, wanted: HashRequest) -> Charge {
        let query = HashQuery::from(wanted);
        let layers = self.hashes.layers.as_ref();
        let is_in_time = self.hashes.served.has(now, SERVING, 1);
        let layers = layers.filter(|_| is_in_time);
        let Some(hashes) = layers.and_then(|layers| layers.serve(query.root, query.range)) else {
            self.send(&Message::HashReject(Box::new(wanted)));
            return Charge::Message;
        };
        self.hashes.served.spend(now, SERVING, 1);
        let hashes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let answer = Hashes {
            request: wanted,
            hashes: hashes.into(),
        };
        self.send(&Message::Hashes(Box::new(answer)));
        Charge::Message
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
