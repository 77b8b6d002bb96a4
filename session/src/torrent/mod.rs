//! One torrent as a state machine without I/O.
//!
//! [`Engine`] decides what is asked of whom, who is unchoked, whom to connect to and what each piece's state is. It
//! sees facts, never bytes: blocks travel from the peer's connection to the storage without it. Whoever drives it
//! hands in facts with the time and carries out what [`Engine::poll_output`] says.

mod blame;
mod candidates;
mod choker;
mod peers;
mod picker;
mod pieces;
mod rate;
mod requests;
mod stats;
#[cfg(test)]
mod tests;
mod window;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceIndex};

use tailwater_wire::allowed_fast_set;

use crate::peer::{Command, Direction, Fact};

pub use blame::BlockDigest;
pub use candidates::Source;
pub use peers::PeerKey;
pub use picker::Priority;
pub use pieces::PieceState;
pub use stats::{PeerStats, Stats};

use blame::Blame;
use candidates::Candidates;
use choker::{Choker, Contender};
use peers::{Peer, Peers, RATE_MEMORY};
use picker::Picker;
use pieces::{Arrival, Pieces};
use rate::Rate;
use window::Window;

/// How often late requests are looked for.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);

/// How long a peer that rejects requests without choking us is left alone.
const REST_AFTER_REJECT: Duration = Duration::from_secs(1);
/// How many pieces a beginner may fetch while choked (BEP 6).
const ALLOWED_FAST: usize = 10;
/// The most pieces that we remember of those a peer allows us; honest ones send 10.
const MAX_ALLOWED_FAST: usize = 64;

/// What a torrent's machine is made with; nothing in it changes later.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The torrent's name on the wire.
    pub info_hash: InfoHash,
    /// Our own name, to recognise ourselves and to settle who keeps which of two connections.
    pub peer_id: PeerId,
    /// The most connected peers. Default 200.
    pub max_peers: usize,
    /// The most connections under way at once. Default 32.
    pub max_connecting: usize,
    /// The most addresses remembered. Default 3000.
    pub max_candidates: usize,
    /// The most requests outstanding at one peer, of 16 KiB each. Default 2000.
    pub max_requests: usize,
    /// Peers that are uploaded to at once. Default 8.
    pub upload_slots: usize,
    /// Pieces in order rather than rarest first.
    pub sequential: bool,
    /// Seeds every random choice.
    pub seed: u64,
}

impl Config {
    /// The defaults, for a torrent and a name.
    #[must_use]
    pub const fn new(info_hash: InfoHash, peer_id: PeerId) -> Self {
        Self {
            info_hash,
            peer_id,
            max_peers: 200,
            max_connecting: 32,
            max_candidates: 3_000,
            max_requests: 2_000,
            upload_slots: 8,
            sequential: false,
            seed: 0,
        }
    }
}

/// Room for pieces; asked before the first block of a piece is requested.
pub trait Space {
    /// Makes room for a whole piece and names the pieces of this torrent that had to go for it.
    ///
    /// # Errors
    ///
    /// [`Full`] when nothing may go; then nothing of the piece is requested.
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full>;

    /// Gives back the room of a piece that is not going to be completed.
    fn release(&mut self, piece: PieceIndex);
}

/// There is no room for another piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A peer whose handshake is done.
#[derive(Clone, Copy, Debug)]
pub struct NewPeer {
    /// The other end of the connection.
    pub addr: SocketAddr,
    /// What it calls itself.
    pub id: PeerId,
    /// Who opened the connection.
    pub direction: Direction,
    /// Both sides speak the fast extension (BEP 6).
    pub fast: bool,
}

/// Why a peer is not taken in, or is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is ourselves.
    Ourselves,
    /// We are connected to it already.
    Duplicate,
    /// Its address is banned.
    Banned,
    /// The torrent has its share of peers.
    TooManyPeers,
    /// Neither side has anything that the other lacks.
    NothingToShare,
}

/// The outcome of a piece's hash check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The piece is what the metainfo promises.
    Valid,
    /// It is not; one digest for each of its blocks.
    Invalid(Vec<BlockDigest>),
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Hand a command to a peer's connection.
    Command {
        /// Whose.
        peer: PeerKey,
        /// What.
        command: Command,
    },
    /// Open a connection; answer with [`Engine::handle_connected`] or [`Engine::handle_connect_failed`].
    Connect(SocketAddr),
    /// Close a connection; it is gone from the machine already.
    Disconnect {
        /// Whose.
        peer: PeerKey,
        /// Why.
        reason: Refusal,
    },
    /// Check a piece's hash; answer with [`Engine::handle_verdict`].
    Verify(PieceIndex),
    /// Take digests of a valid piece's blocks; answer with [`Engine::handle_digests`].
    Digest(PieceIndex),
    /// Something that users may want to know.
    Note(Note),
}

/// What happened, for users and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// A piece is held and verified.
    PieceVerified(PieceIndex),
    /// A piece did not match its hash and is fetched again.
    PieceFailed(PieceIndex),
    /// Room was needed and a piece was given up.
    PieceEvicted(PieceIndex),
    /// An address sent corrupt data and is banned.
    Banned(IpAddr),
    /// Every wanted piece is held.
    Completed,
}

/// One torrent's state machine. See the [module](self) for how it is driven.
#[derive(Debug)]
pub struct Engine<S> {
    config: Config,
    geometry: Geometry,
    space: S,
    pieces: Pieces,
    picker: Picker,
    peers: Peers,
    candidates: Candidates,
    choker: Choker,
    blame: Blame,
    rng: fastrand::Rng,
    outputs: VecDeque<Output>,
    /// Requests stop while this stands; see [`Engine::halt`].
    halted: Option<Halt>,
    /// Wanted pieces that are not held.
    wanted: u32,
    completed: bool,
    housekeeping: Option<Instant>,
    down: Rate,
    up: Rate,
    wasted: u64,
}

/// Why nothing is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halt {
    /// The user said so: nothing is requested and nobody is connected to.
    Paused,
    /// The storage failed: nothing is requested until it works again.
    Storage,
}

impl<S: Space> Engine<S> {
    /// A torrent that holds `have` already.
    #[must_use]
    pub fn new(config: Config, geometry: Geometry, have: Bitfield, space: S) -> Self {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        let mut picker = Picker::new(&geometry, config.sequential);
        for piece in geometry.pieces().filter(|&piece| !have.has(piece)) {
            picker.insert(piece, &mut rng);
        }
        let wanted = geometry.piece_count() - have.count();
        Self {
            pieces: Pieces::new(geometry, have),
            picker,
            space,
            peers: Peers::default(),
            candidates: Candidates::new(config.max_candidates),
            choker: Choker::new(config.upload_slots),
            blame: Blame::default(),
            rng,
            outputs: VecDeque::new(),
            halted: None,
            wanted,
            completed: wanted == 0,
            housekeeping: None,
            down: Rate::new(RATE_MEMORY),
            up: Rate::new(RATE_MEMORY),
            wasted: 0,
            config,
            geometry,
        }
    }

    /// Takes the next thing to do; call until it is `None`.
    #[must_use = "an output that is dropped is never done"]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] wants to be called, if nothing else happens.
    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        let connect = self
            .may_connect()
            .then(|| self.candidates.next_attempt())
            .flatten();
        let peers = (self.peers.len() > 0).then(|| {
            let housekeeping = *self.housekeeping.get_or_insert(now + HOUSEKEEPING_EVERY);
            housekeeping.min(self.choker.poll_timeout(now))
        });
        [connect, peers].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.housekeeping.is_some_and(|at| at <= now) {
            self.housekeeping = Some(now + HOUSEKEEPING_EVERY);
            self.expire_requests(now);
        }
        if self.choker.is_due(now) {
            self.rechoke(now);
        }
        self.connect_more(now);
    }

    /// Addresses that may be peers.
    pub fn handle_candidates(&mut self, now: Instant, source: Source, addrs: &[SocketAddr]) {
        for &addr in addrs {
            self.candidates.add(now, addr, source);
        }
        self.connect_more(now);
    }

    /// A connection that [`Output::Connect`] asked for could not be made.
    pub fn handle_connect_failed(&mut self, now: Instant, addr: SocketAddr) {
        self.candidates.handle_closed(now, addr, false);
        self.connect_more(now);
    }

    /// A peer's handshake is done, whoever connected.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] says that the connection is to be closed; the machine has forgotten it.
    pub fn handle_connected(&mut self, now: Instant, new: NewPeer) -> Result<PeerKey, Refusal> {
        let outgoing = new.direction == Direction::Outgoing;
        if let Err(refusal) = self.admit(now, &new) {
            if outgoing {
                match refusal {
                    Refusal::Ourselves | Refusal::Duplicate => self.candidates.forget(new.addr),
                    _ => self.candidates.handle_closed(now, new.addr, true),
                }
            }
            self.connect_more(now);
            return Err(refusal);
        }
        if outgoing {
            self.candidates.handle_connected(new.addr);
        }
        let key = self.peers.insert(Peer {
            addr: new.addr,
            dial_addr: outgoing.then_some(new.addr),
            id: new.id,
            direction: new.direction,
            fast: new.fast,
            upload_only: false,
            client: None,
            bits: Bitfield::none(&self.geometry),
            counted_as_seed: false,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            allowed_fast: Vec::new(),
            interesting: 0,
            pending: VecDeque::new(),
            window: Window::new(self.config.max_requests),
            current: None,
            snubbed: false,
            rests_until: None,
            last_delivery: now,
            down: Rate::new(RATE_MEMORY),
            up: Rate::new(RATE_MEMORY),
        });
        self.command(key, Command::Greet(self.pieces.have().clone()));
        Ok(key)
    }

    /// Decides about a newcomer. Of two connections to one peer, both sides keep the same one: that which the larger
    /// peer id opened.
    fn admit(&mut self, now: Instant, new: &NewPeer) -> Result<(), Refusal> {
        if new.id == self.config.peer_id {
            return Err(Refusal::Ourselves);
        }
        if self.candidates.is_banned(new.addr.ip()) {
            return Err(Refusal::Banned);
        }
        let known = self.peers.iter().find(|(_, peer)| peer.id == new.id);
        if let Some((old, peer)) = known {
            let opened_by_larger = |direction| match direction {
                Direction::Outgoing => self.config.peer_id > new.id,
                Direction::Incoming => self.config.peer_id < new.id,
            };
            let same_way = peer.direction == new.direction;
            if same_way || !opened_by_larger(new.direction) {
                return Err(Refusal::Duplicate);
            }
            self.disconnect(now, old, Refusal::Duplicate);
        } else if self.peers.len() >= self.config.max_peers {
            return Err(Refusal::TooManyPeers);
        }
        Ok(())
    }

    /// A connection ended, for whatever reason.
    pub fn handle_closed(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.remove(key) else {
            return;
        };
        let pending: Vec<_> = peer.pending.iter().copied().collect();
        self.give_back(&pending);
        self.pieces.unreserve(key);
        self.picker.remove_peer(
            &peer.bits,
            peer.counted_as_seed,
            &self.geometry,
            &mut self.rng,
        );
        if let Some(addr) = peer.dial_addr {
            let useful = peer.down.total() + peer.up.total() > 0;
            self.candidates.handle_closed(now, addr, useful);
        }
        if !peer.am_choking {
            self.unchoke_waiting();
        }
        self.fill_all(now);
        self.connect_more(now);
    }

    /// A peer broke the rules in a way that means bad will.
    pub fn handle_misbehaviour(&mut self, now: Instant, key: PeerKey) {
        if let Some(peer) = self.peers.get(key) {
            let ip = peer.addr.ip();
            self.ban(now, ip);
        }
    }

    /// What a peer's connection has seen since the last time, in order.
    pub fn handle_facts(
        &mut self,
        now: Instant,
        key: PeerKey,
        facts: impl IntoIterator<Item = Fact>,
    ) {
        for fact in facts {
            self.handle_fact(now, key, fact);
        }
        self.update_interest(now, key);
        self.fill(now, key);
    }

    fn handle_fact(&mut self, now: Instant, key: PeerKey, fact: Fact) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        match fact {
            Fact::Block(block) => self.handle_block(now, key, block),
            Fact::Uploaded(bytes) => {
                peer.up.add(now, bytes);
                self.up.add(now, bytes);
            }
            Fact::Redundant(bytes) => self.wasted += bytes,
            Fact::Bitfield(bits) => self.handle_bitfield(key, bits),
            Fact::Have(piece) => self.handle_have(key, piece),
            Fact::DontHave(piece) => self.handle_dont_have(now, key, piece),
            Fact::Choked => peer.peer_choking = true,
            Fact::Unchoked => peer.peer_choking = false,
            Fact::Returned(block) => self.handle_returned(now, key, block),
            Fact::Rejected(block) => {
                // A peer that rejects while it serves would reject the next request too.
                peer.rests_until = (!peer.peer_choking).then(|| now + REST_AFTER_REJECT);
                self.handle_returned(now, key, block);
            }
            Fact::AllowedFast(piece) => {
                if !peer.allowed_fast.contains(&piece) && peer.allowed_fast.len() < MAX_ALLOWED_FAST
                {
                    peer.allowed_fast.push(piece);
                }
            }
            Fact::Interested => {
                peer.peer_interested = true;
                self.unchoke_waiting();
            }
            Fact::NotInterested => {
                peer.peer_interested = false;
                if !peer.am_choking {
                    self.choke(key);
                    self.unchoke_waiting();
                }
            }
            Fact::Hello(hello) => {
                if let Some(limit) = hello.request_queue {
                    peer.window.set_limit(limit.min(self.config.max_requests));
                }
                peer.upload_only = hello.upload_only;
                peer.client = hello.client;
                if let (None, Some(port)) = (peer.dial_addr, hello.listen_port) {
                    let addr = SocketAddr::new(peer.addr.ip(), port);
                    peer.dial_addr = Some(addr);
                    self.candidates.add(now, addr, Source::Incoming);
                    self.candidates.handle_connected(addr);
                }
            }
        }
    }

    fn handle_returned(&mut self, now: Instant, key: PeerKey, block: BlockRef) {
        let pending = self
            .peers
            .get_mut(key)
            .and_then(|peer| peer.take_pending(block));
        if let Some(pending) = pending {
            self.give_back(&[pending]);
            self.fill_all(now);
        }
    }

    fn handle_block(&mut self, now: Instant, key: PeerKey, block: BlockRef) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let ip = peer.addr.ip();
        let len = u64::from(block.len());
        peer.last_delivery = now;
        peer.snubbed = false;
        peer.down.add(now, len);
        self.down.add(now, len);
        let pending = peer.take_pending(block);
        if let Some(pending) = pending {
            let waited = now.saturating_duration_since(pending.asked_at);
            peer.window.handle_block(now, block.len(), waited);
        }
        match self.pieces.store(block, ip) {
            Arrival::Redundant => self.wasted += len,
            Arrival::Stored { others, complete } => {
                let was_late = pending.is_none_or(|pending| pending.late);
                if others > 0 || was_late || self.peers.iter().any(|(_, peer)| peer.snubbed) {
                    self.cancel_elsewhere(now, block, key);
                }
                if complete {
                    self.outputs.push_back(Output::Verify(block.piece()));
                }
            }
        }
    }

    fn handle_bitfield(&mut self, key: PeerKey, bits: Bitfield) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let (old, seed) = (
            std::mem::replace(&mut peer.bits, bits),
            peer.counted_as_seed,
        );
        self.picker
            .remove_peer(&old, seed, &self.geometry, &mut self.rng);
        peer.counted_as_seed = self
            .picker
            .add_peer(&peer.bits, &self.geometry, &mut self.rng);
        self.count_interesting(key);
        self.allow_fast(key);
    }

    /// A peer with next to nothing may fetch a few pieces although it is choked, so that it has something to trade
    /// (BEP 6).
    fn allow_fast(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(key).filter(|peer| peer.fast) else {
            return;
        };
        if peer.bits.count() as usize >= ALLOWED_FAST {
            return;
        }
        let ip = peer.addr.ip();
        let count = self.geometry.piece_count();
        for index in allowed_fast_set(ip, &self.config.info_hash, count, ALLOWED_FAST) {
            match self.geometry.piece(index) {
                Ok(piece) if self.pieces.have().has(piece) => {
                    self.command(key, Command::AllowFast(piece));
                }
                _ => {}
            }
        }
    }

    fn handle_have(&mut self, key: PeerKey, piece: PieceIndex) {
        let lacking = self.is_lacking(piece);
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        if peer.bits.set(piece) {
            peer.interesting += u32::from(lacking);
            self.picker.gained(piece, &mut self.rng);
        }
    }

    /// The peer gave up a piece (BEP 54); what was asked of it will not come.
    fn handle_dont_have(&mut self, now: Instant, key: PeerKey, piece: PieceIndex) {
        let lacking = self.is_lacking(piece);
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        if !peer.bits.has(piece) {
            return;
        }
        if std::mem::take(&mut peer.counted_as_seed) {
            let all = Bitfield::all(&self.geometry);
            self.picker
                .remove_peer(&all, true, &self.geometry, &mut self.rng);
            for other in self.geometry.pieces() {
                self.picker.gained(other, &mut self.rng);
            }
        }
        peer.bits.clear(piece);
        peer.interesting -= u32::from(lacking);
        self.picker.lost(piece, &mut self.rng);
        let gone: Vec<_> = peer.pending_of(piece).collect();
        peer.pending
            .retain(|pending| pending.block.piece() != piece);
        self.give_back(&gone);
        for pending in gone {
            self.command(key, Command::Cancel(pending.block));
        }
        self.fill_all(now);
    }

    /// A piece's hash has been checked.
    pub fn handle_verdict(&mut self, now: Instant, piece: PieceIndex, verdict: &Verdict) {
        if self.pieces.state(piece) != PieceState::Verifying {
            return;
        }
        match verdict {
            Verdict::Valid => {
                self.pieces.verified(piece);
                if self.picker.is_wanted(piece) {
                    self.wanted -= 1;
                }
                self.outputs
                    .push_back(Output::Note(Note::PieceVerified(piece)));
                if self.blame.is_suspect(piece) {
                    self.outputs.push_back(Output::Digest(piece));
                }
                self.announce_have(now, piece);
                self.check_complete(now);
            }
            Verdict::Invalid(digests) => {
                let sources = self.pieces.failed(piece);
                self.wasted += u64::from(self.geometry.piece_len(piece));
                self.space.release(piece);
                self.picker.insert(piece, &mut self.rng);
                self.outputs
                    .push_back(Output::Note(Note::PieceFailed(piece)));
                if let Some(guilty) = self.blame.handle_failed(piece, &sources, digests) {
                    self.ban(now, guilty);
                }
                self.fill_all(now);
            }
        }
    }

    /// The block digests of a valid piece, which [`Output::Digest`] asked for.
    pub fn handle_digests(&mut self, now: Instant, piece: PieceIndex, digests: &[BlockDigest]) {
        for guilty in self.blame.handle_digests(piece, digests) {
            self.ban(now, guilty);
        }
    }

    /// The storage made room and a held piece is gone (DESIGN: have is not for ever).
    pub fn handle_evicted(&mut self, piece: PieceIndex) {
        if !self.pieces.evicted(piece) {
            return;
        }
        if self.picker.is_wanted(piece) {
            self.wanted += 1;
            self.completed = false;
        }
        self.picker.insert(piece, &mut self.rng);
        for (_, peer) in self.peers.iter_mut() {
            peer.interesting += u32::from(peer.bits.has(piece));
        }
        for key in self.peers.keys() {
            self.command(key, Command::DontHave(piece));
        }
        self.outputs
            .push_back(Output::Note(Note::PieceEvicted(piece)));
    }

    /// Room came free: pieces that could not be started may be now.
    pub fn handle_space(&mut self, now: Instant) {
        self.fill_all(now);
    }

    /// Blocks that were told of as stored are lost; they are fetched again.
    pub fn handle_lost(&mut self, blocks: &[BlockRef]) {
        for &block in blocks {
            self.pieces.lose(block);
        }
    }

    /// Nothing is requested from now on; what is on its way is taken back.
    pub fn halt(&mut self, why: Halt) {
        self.halted = Some(why);
        for piece in self.geometry.pieces() {
            if self.pieces.state(piece) == PieceState::Partial {
                self.withdraw_piece(piece);
            }
        }
    }

    /// Requests again.
    pub fn resume(&mut self, now: Instant) {
        let was = self.halted.take();
        if was == Some(Halt::Storage) {
            // The failed storage may never have answered for these.
            let verifying = |piece: &PieceIndex| self.pieces.state(*piece) == PieceState::Verifying;
            let again = self.geometry.pieces().filter(verifying).map(Output::Verify);
            self.outputs.extend(again);
        }
        self.fill_all(now);
        self.connect_more(now);
    }

    /// Why nothing is requested, if so.
    #[must_use]
    pub const fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// Pieces in order, or rarest first.
    pub fn set_sequential(&mut self, sequential: bool) {
        self.picker.set_sequential(sequential);
    }

    /// How much some pieces are wanted.
    pub fn set_priorities(
        &mut self,
        now: Instant,
        priorities: impl IntoIterator<Item = (PieceIndex, Priority)>,
    ) {
        for (piece, priority) in priorities {
            self.picker.set_priority(piece, priority, &mut self.rng);
            match self.pieces.state(piece) {
                PieceState::Missing | PieceState::Evicted => {
                    self.picker.insert(piece, &mut self.rng);
                }
                PieceState::Partial if priority == Priority::Skip => self.abandon_piece(piece),
                _ => {}
            }
        }
        let lacking = |piece: &PieceIndex| self.is_lacking(*piece);
        self.wanted =
            u32::try_from(self.geometry.pieces().filter(lacking).count()).unwrap_or(u32::MAX);
        for key in self.peers.keys() {
            self.count_interesting(key);
            self.update_interest(now, key);
        }
        self.completed &= self.wanted == 0;
        self.check_complete(now);
        self.fill_all(now);
    }

    /// Whether every wanted piece is held.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.completed
    }

    /// The pieces held.
    #[must_use]
    pub const fn have(&self) -> &Bitfield {
        self.pieces.have()
    }

    /// The state of a piece.
    #[must_use]
    pub fn piece_state(&self, piece: PieceIndex) -> PieceState {
        self.pieces.state(piece)
    }

    /// Whether a piece is wanted and not held.
    fn is_lacking(&self, piece: PieceIndex) -> bool {
        self.picker.is_wanted(piece) && !self.pieces.have().has(piece)
    }

    fn command(&mut self, peer: PeerKey, command: Command) {
        self.outputs.push_back(Output::Command { peer, command });
    }

    fn check_complete(&mut self, now: Instant) {
        if self.wanted > 0 || self.completed {
            return;
        }
        self.completed = true;
        self.outputs.push_back(Output::Note(Note::Completed));
        for key in self.peers.keys() {
            self.update_interest(now, key);
        }
    }

    /// Everybody learns that we have a piece; nobody's data of it interests us any more.
    fn announce_have(&mut self, now: Instant, piece: PieceIndex) {
        let wanted = self.picker.is_wanted(piece);
        for key in self.peers.keys() {
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let has = peer.bits.has(piece);
            if has && wanted {
                peer.interesting = peer.interesting.saturating_sub(1);
            }
            self.command(key, Command::Have(piece));
            if has {
                self.update_interest(now, key);
            }
        }
    }

    fn count_interesting(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(key) else {
            return;
        };
        let lacking = |piece: &PieceIndex| peer.bits.has(*piece) && self.is_lacking(*piece);
        let count = self.geometry.pieces().filter(lacking).count();
        if let Some(peer) = self.peers.get_mut(key) {
            peer.interesting = u32::try_from(count).unwrap_or(u32::MAX);
        }
    }

    /// Tells a peer whether we want anything of it, and lets it go when neither side ever will.
    fn update_interest(&mut self, now: Instant, key: PeerKey) {
        let seeding = self.wanted == 0;
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let interested = peer.interesting > 0;
        if interested != peer.am_interested {
            peer.am_interested = interested;
            let command = match interested {
                true => Command::Interested,
                false => Command::NotInterested,
            };
            self.command(key, command);
            return;
        }
        let useless_to_us = seeding && self.completed;
        let useless_to_it = peer.bits.is_all() || (peer.upload_only && !peer.peer_interested);
        if useless_to_us && useless_to_it {
            self.disconnect(now, key, Refusal::NothingToShare);
        }
    }

    fn ban(&mut self, now: Instant, ip: IpAddr) {
        if !self.candidates.ban(ip) {
            return;
        }
        self.outputs.push_back(Output::Note(Note::Banned(ip)));
        let theirs: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.addr.ip() == ip)
            .map(|(key, _)| key)
            .collect();
        for key in theirs {
            self.disconnect(now, key, Refusal::Banned);
        }
    }

    fn disconnect(&mut self, now: Instant, key: PeerKey, reason: Refusal) {
        self.outputs
            .push_back(Output::Disconnect { peer: key, reason });
        self.handle_closed(now, key);
    }

    fn may_connect(&self) -> bool {
        let underway = self.peers.len() + self.candidates.connecting();
        self.halted != Some(Halt::Paused)
            && underway < self.config.max_peers
            && self.candidates.connecting() < self.config.max_connecting
            // A seed waits to be called; whoever wants data calls.
            && (self.wanted > 0 || self.peers.len() == 0)
    }

    fn connect_more(&mut self, now: Instant) {
        while self.may_connect() {
            let Some(addr) = self.candidates.next(now) else {
                break;
            };
            self.outputs.push_back(Output::Connect(addr));
        }
    }

    /// Deals the upload slots out anew.
    fn rechoke(&mut self, now: Instant) {
        let seeding = self.wanted == 0;
        let contenders: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.peer_interested)
            .map(|(key, peer)| Contender {
                key,
                rate: match seeding {
                    true => peer.up.bytes_per_second(now),
                    false => peer.down.bytes_per_second(now),
                },
                unchoked: !peer.am_choking,
                snubbed: peer.snubbed,
            })
            .collect();
        let chosen = self.choker.choose(&contenders, seeding, &mut self.rng);
        for contender in contenders {
            let stays = chosen.contains(&contender.key);
            if contender.unchoked && !stays {
                self.choke(contender.key);
            } else if !contender.unchoked && stays {
                self.unchoke(contender.key);
            }
        }
    }

    /// A free slot is given away at once rather than in the next round.
    fn unchoke_waiting(&mut self) {
        let used = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.am_choking)
            .count();
        let waiting: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.am_choking && peer.peer_interested)
            .map(|(key, _)| key)
            .take(self.choker.slots().saturating_sub(used))
            .collect();
        for key in waiting {
            self.unchoke(key);
        }
    }

    fn choke(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.am_choking = true;
            self.command(key, Command::Choke);
        }
    }

    fn unchoke(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.am_choking = false;
            self.command(key, Command::Unchoke);
        }
    }

    /// What must hold after every step; panics otherwise. Tests and simulations call it.
    pub fn check_invariants(&self) {
        self.pieces.check_invariants();
        self.picker.check_invariants();
        let lacking = self
            .geometry
            .pieces()
            .filter(|&piece| self.is_lacking(piece));
        assert_eq!(self.wanted as usize, lacking.count(), "wanted pieces");
        for (_, peer) in self.peers.iter() {
            let interesting = self
                .geometry
                .pieces()
                .filter(|&piece| peer.bits.has(piece) && self.is_lacking(piece));
            assert_eq!(peer.interesting as usize, interesting.count());
        }
    }
}
