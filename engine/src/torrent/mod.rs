//! One torrent as a state machine without I/O.
//!
//! [`Engine`] decides which block is requested from which supplier, which peers are unchoked and connected to, and what
//! the state of each piece is. It sees facts, never bytes: blocks travel from a connection to the storage without it.
//! Its driver hands in facts with the time and carries out the outputs of [`Engine::poll_output`].

mod buffer_map;
mod config;
mod connection_kind;
mod demand;
mod event;
mod flow;
mod halts;
mod hashes;
mod membership;
mod origin;
mod peers;
mod rate;
mod stats;
mod supply;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};

use crate::peer::{Command, Fact};

pub use buffer_map::{BufferMap, MemoryUse, PieceView, ReaderView};
pub use config::Config;
pub use connection_kind::{ConnectionKind, Encrypted, Transport};
pub use demand::readers::{Lookbehind, ReaderConfig, ReaderUpdate};
pub use event::{Halt, NewPeer, Notice, Output, Refusal};
pub use membership::candidates::Candidates;
pub use membership::host::Host;
pub use membership::source::PeerSource;
pub use membership::trackers::named_by_tracker;
pub use origin::{Origin, WebSeedId};
pub use peers::PeerKey;
pub use stats::{PeerStats, Stats, SupplierStats, TransferStats};
pub use supply::picker::Priority;
pub use supply::pieces::PieceState;
pub use tailwater_storage::{ByteWindow, Full, ReaderKey, Space, SupplierKey};
pub use tailwater_types::{BlockDigest, Verdict};

use demand::Demand;
use flow::Flow;
use halts::Halts;
use hashes::MissingHashes;
use membership::Membership;
use peers::{Peers, RATE_MEMORY};
use supply::Supply;
use supply::pieces::Arrival;
use upload::choker::Choker;
use upload::super_seeding::SuperSeeding;

/// The interval of housekeeping, such as looking for late requests.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);

/// The pause before a peer that rejects requests without choking us is asked again.
const REST_AFTER_REJECT: Duration = Duration::from_secs(1);
/// The state machine of one torrent. See the [module](self) for how it is driven.
#[derive(Debug)]
pub struct Engine<S> {
    config: Config,
    space: S,
    peers: Peers,
    membership: Membership,
    supply: Supply,
    demand: Demand,
    choker: Choker,
    super_seeding: SuperSeeding,
    hashes: MissingHashes,
    traffic: Traffic,
    halted: Halts,
    housekeeping: Option<Instant>,
    outputs: VecDeque<Output>,
}

/// Payload bytes of all suppliers and peers together.
#[derive(Debug)]
struct Traffic {
    down: Flow,
    up: Flow,
    wasted: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            down: Flow::new(RATE_MEMORY),
            up: Flow::new(RATE_MEMORY),
            wasted: 0,
        }
    }
}

impl<S: Space> Engine<S> {
    /// A torrent that holds `have` already.
    #[must_use]
    pub fn new(config: Config, geometry: Geometry, have: Bitfield, space: S) -> Self {
        let super_seeding = SuperSeeding::new(config.super_seeding, have.is_all());
        let supply = Supply::new(&config, geometry.clone(), have);
        let upload_only = supply.completed && !super_seeding.is_active();
        Self {
            membership: Membership::new(&config, upload_only),
            demand: Demand::new(geometry),
            choker: Choker::new(config.upload_slots),
            super_seeding,
            supply,
            space,
            peers: Peers::default(),
            hashes: MissingHashes::default(),
            traffic: Traffic::default(),
            halted: Halts::default(),
            housekeeping: None,
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes the next output; call until it is `None`.
    #[must_use = "an output that is dropped is never done"]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called, if nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let connect = self.may_connect();
        let connect = connect.then(|| self.membership.candidates.next_attempt());
        let has_suppliers = self.peers.len() > 0;
        let rounds = [self.housekeeping, self.choker.poll_timeout()];
        let rounds = rounds.into_iter().flatten().filter(|_| has_suppliers);
        let verify = self.supply.verifying.poll_timeout();
        let prefetch = self.demand.prefetch.poll_timeout();
        [connect.flatten(), self.demand.rescue_at, verify, prefetch]
            .into_iter()
            .flatten()
            .chain(rounds)
            .min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.housekeeping.is_some_and(|at| at <= now) {
            self.housekeeping = Some(now + HOUSEKEEPING_EVERY);
            self.expire_requests(now);
            self.reclaim_slots(now);
            self.tend_readers(now);
            self.tend_peers(now);
            self.exchange_peers(now);
            self.tend_super_seeding(now);
            self.tend_hashes(now);
        }
        if self.demand.rescue_at.is_some_and(|at| at <= now) {
            self.rescue(now);
        }
        self.expire_prefetch(now);
        if self
            .supply
            .verifying
            .poll_timeout()
            .is_some_and(|at| at <= now)
        {
            self.verify_waiting();
        }
        if self.choker.is_due(now) {
            self.rechoke(now);
        }
        self.connect_more(now);
    }

    /// Handles what a peer's connection has seen since the last time, in order. `from` is its address: blocks count as
    /// stored by it even if the peer has been disconnected meanwhile, because the storage holds them already; so do hashes,
    /// which are known already.
    pub fn handle_facts(
        &mut self,
        now: Instant,
        key: PeerKey,
        from: impl Into<Origin>,
        facts: impl IntoIterator<Item = Fact>,
    ) {
        let (from, mut freed) = (from.into(), false);
        for fact in facts {
            freed |= match fact {
                Fact::Block(block) => {
                    self.handle_block(now, key, from, block);
                    false
                }
                Fact::Hashes(query, pieces) => {
                    self.handle_hashes(query, pieces);
                    true
                }
                Fact::Leaves(query, pieces) => {
                    self.handle_leaves(now, key, query, pieces.into_iter().flatten());
                    true
                }
                Fact::Wrong(block) => {
                    self.handle_wrong_block(now, key, from, block);
                    true
                }
                fact => self.handle_fact(now, key, fact),
            };
        }
        self.update_interest(now, key);
        self.reveal_pieces(now);
        self.ask_for_hashes(now, key);
        self.ask_for_leaves(now);
        match freed {
            // Once, however many of the facts freed blocks.
            true => self.fill_all(now),
            false => self.fill(now, key),
        }
    }

    /// Handles a fact that any supplier may report. Says whether blocks became free that others may be asked for.
    fn handle_fact(&mut self, now: Instant, key: PeerKey, fact: Fact) -> bool {
        let Some(peer) = self.peers.get_mut(key) else {
            return false;
        };
        match fact {
            // Taken by `handle_facts`, with or without a peer.
            Fact::Block(_) | Fact::Wrong(_) | Fact::Hashes(..) | Fact::Leaves(..) => {}
            Fact::Redundant(bytes) => self.traffic.wasted += bytes,
            Fact::Bitfield(bits) => {
                self.handle_bitfield(key, bits);
                self.handle_bitfield_seen(now, key);
            }
            Fact::Have(piece) => {
                self.handle_have(key, piece);
                self.handle_have_seen(now, key, piece);
            }
            Fact::DontHave(piece) => return self.handle_dont_have(key, piece),
            Fact::Choked => peer.supply.serves = false,
            Fact::Unchoked => peer.supply.serves = true,
            Fact::Returned(block) => return self.handle_returned(key, block),
            Fact::Rejected(block) => {
                if peer.supply.serves {
                    // A peer that rejects while we are unchoked would reject the next request too.
                    peer.supply.rests_until = Some(now + REST_AFTER_REJECT);
                } else if let Some(peer) = peer.connection_mut() {
                    // It lets us request this piece no more.
                    peer.allowed_fast.retain(|piece| *piece != block.piece());
                }
                return self.handle_returned(key, block);
            }
            fact => self.handle_contact(now, key, fact),
        }
        false
    }

    /// Handles a fact that only a connection reports, and no web seed.
    fn handle_contact(&mut self, now: Instant, key: PeerKey, fact: Fact) {
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        match fact {
            Fact::Pex(message) => self.handle_exchange(now, key, &message),
            Fact::Holepunch(message) => self.handle_holepunch(now, key, message),
            Fact::UploadOnly(upload_only) => peer.upload_only = upload_only,
            Fact::Hello(hello) => self.handle_hello(now, key, hello),
            Fact::Uploaded(bytes) => {
                peer.up.add(now, bytes);
                peer.handle_uploaded();
                self.traffic.up.add(now, bytes);
            }
            Fact::HashesRefused(query) => self.handle_hashes_refused(now, key, query),
            Fact::AllowedFast(piece) => peer.allow_us_fast(piece),
            Fact::Interested => {
                peer.peer_interested = true;
                self.handle_interested(now, key);
            }
            Fact::NotInterested => {
                peer.peer_interested = false;
                // A peer that is told of pieces one by one will want the next.
                if !peer.am_choking && !peer.is_led() {
                    self.choke(key);
                    self.unchoke_waiting(now);
                }
            }
            // What any supplier may report is taken before.
            _ => {}
        }
    }

    fn handle_returned(&mut self, key: PeerKey, block: BlockRef) -> bool {
        let peer = self.peers.get_mut(key);
        let pending = peer.and_then(|peer| peer.supply.take_pending(block));
        if let Some(pending) = pending {
            self.supply.free_blocks(&[pending]);
        }
        pending.is_some()
    }

    fn handle_block(&mut self, now: Instant, key: PeerKey, from: Origin, block: BlockRef) {
        let len = u64::from(block.len());
        self.traffic.down.add(now, len);
        if !self.space.is_stored(block, key.into()) {
            // It was for an earlier attempt at the piece. A request that stands is for this one, and will be answered.
            self.traffic.wasted += len;
            return;
        }
        let mut was_late = true;
        if let Some(peer) = self.peers.get_mut(key) {
            peer.supply.last_delivery = now;
            peer.supply.handle_delivery();
            peer.supply.has_late &= !peer.supply.pending.is_empty();
            peer.supply.down.add(now, len);
            if let Some(pending) = peer.supply.take_pending(block) {
                was_late = pending.late;
                let waited = now.saturating_duration_since(pending.asked_at);
                let was_full = peer.supply.pending.len() + 1 >= peer.supply.pipeline.size();
                peer.supply
                    .pipeline
                    .handle_block(now, block.len(), waited, was_full);
            }
        }
        match self.supply.pieces.store(block, key, from) {
            Arrival::Redundant => self.traffic.wasted += len,
            Arrival::Stored { others, complete } => {
                if self.supply.late.remove(&block) || others > 0 || was_late {
                    self.cancel_elsewhere(now, block, key);
                }
                if complete {
                    self.handle_full(now, block.piece());
                }
            }
        }
    }

    /// The storage has room again: pieces that could not be started may be started now.
    pub fn handle_space(&mut self, now: Instant) {
        self.demand.wanted_space = None;
        self.fill_all(now);
    }

    /// Stops all requests; those on their way are cancelled. There may be several reasons at once.
    pub fn halt(&mut self, why: Halt) {
        self.halted.add(why);
        for piece in self.supply.geometry.pieces() {
            if self.supply.pieces.state(piece) == PieceState::Partial {
                self.cancel_piece(piece);
            }
        }
    }

    /// The torrent contradicts itself, which nothing mends: lets all peers go, and admits none any more.
    pub fn give_up(&mut self, now: Instant) {
        self.halt(Halt::Contradiction);
        for key in self.peers.connected_keys() {
            self.disconnect(now, key, Refusal::Contradiction);
        }
    }

    /// Requests again, for whatever reasons it had stopped; not after [`give_up`](Self::give_up).
    pub fn resume(&mut self, now: Instant) {
        if self.halted.has(Halt::Contradiction) {
            return;
        }
        let was = std::mem::take(&mut self.halted);
        if was.has(Halt::Storage) {
            // The failed storage may never have answered for these.
            self.verify_again();
        }
        if was.has(Halt::Paused) && !self.supply.completed {
            self.membership.candidates.unpark(now);
        }
        self.fill_all(now);
        self.connect_more(now);
    }

    /// Why nothing is requested, if so; the user's pause comes before a failure of the storage.
    #[must_use]
    pub const fn halted(&self) -> Option<Halt> {
        self.halted.first()
    }

    /// Whether pieces are fetched in order, or rarest first.
    pub fn set_sequential(&mut self, sequential: bool) {
        self.supply.picker.set_sequential(sequential);
    }

    /// Changes how many peers are uploaded to at once, as [`Config::upload_slots`]. Slots are dealt out anew at once.
    pub fn set_upload_slots(&mut self, now: Instant, slots: usize) {
        self.config.upload_slots = slots;
        self.choker.set_slots(slots);
        self.rechoke(now);
    }

    /// Changes the most connected peers, as [`Config::max_peers`]. Peers above it are disconnected, the least useful
    /// first.
    pub fn set_max_peers(&mut self, now: Instant, peers: usize) {
        self.config.max_peers = peers;
        while self.peers.connections() > peers.max(1) {
            self.shed(now);
        }
        self.connect_more(now);
    }

    /// Changes the priorities of some pieces.
    pub fn set_priorities(
        &mut self,
        now: Instant,
        priorities: impl IntoIterator<Item = (PieceIndex, Priority)>,
    ) {
        for (piece, priority) in priorities {
            self.supply
                .picker
                .set_priority(piece, priority, &mut self.supply.rng);
            match self.supply.pieces.state(piece) {
                PieceState::Missing | PieceState::Evicted => {
                    self.supply.picker.insert(piece, &mut self.supply.rng);
                }
                PieceState::Partial if priority == Priority::Skip => self.abandon_piece(piece),
                _ => {}
            }
        }
        self.supply.count_wanted();
        for key in self.peers.keys() {
            self.count_interesting(key);
            self.update_interest(now, key);
        }
        self.supply.completed &= self.supply.wanted == 0;
        self.check_complete(now);
        self.tell_upload_only(now);
        self.fill_all(now);
    }

    /// Whether every wanted piece is held.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.supply.completed
    }

    /// The pieces held.
    #[must_use]
    pub const fn have(&self) -> &Bitfield {
        self.supply.pieces.have()
    }

    /// The state of a piece.
    #[must_use]
    pub fn piece_state(&self, piece: PieceIndex) -> PieceState {
        self.supply.pieces.state(piece)
    }

    fn command(&mut self, peer: PeerKey, command: Command) {
        self.outputs.push_back(Output::Command { peer, command });
    }

    /// Panics if an invariant does not hold. Tests and simulations call it after every step.
    pub fn check_invariants(&self) {
        self.supply.check_invariants();
        self.demand.readers.check_invariants();
        self.membership.candidates.check_invariants();
        self.check_hosts();
        for (_, peer) in self.peers.iter() {
            let interesting = self
                .supply
                .geometry
                .pieces()
                .filter(|&piece| peer.supply.bits.has(piece) && self.supply.is_lacking(piece));
            assert_eq!(peer.supply.interesting as usize, interesting.count());
        }
    }
}
