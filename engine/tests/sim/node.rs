//! One host of a swarm: a torrent's machine, its connections' machines and its storage.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tailwater_engine::peer::{self, Command, Connection, Consequence, Direction, Fact};
use tailwater_engine::torrent::{
    ConnectionKind, Engine, Halt, NewPeer, Notice, Output, PeerKey, Verdict,
};
use tailwater_metainfo::merkle::PieceLayers;
use tailwater_metainfo::{BlockRef, PeerId, PieceHashes, PieceIndex, PieceMatch};
use tailwater_netsim::{ConnId, HostId};
use tailwater_storage_mem::Error;
use tailwater_wire::{Decoder, Handshake, Limits, Message, Reserved, piece_header};

use super::payload::Payload;
use super::player::{Board, Player};
use super::store::{SpaceWait, Store, Taken};

/// How a node treats the requests of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Every block that it sends is corrupt.
    Liar,
    /// It takes requests and never answers.
    Silent,
    /// It refuses every request.
    Refuser,
    /// The hashes that it sends are false.
    FalseHashes,
    /// The proofs that it sends lack a hash.
    ShortHashes,
    /// It takes requests for hashes and never answers.
    SilentOnHashes,
    /// It refuses requests for hashes.
    NoHashes,
    /// The hashes of blocks that it sends are false.
    FalseLeaves,
    /// It takes requests for the hashes of blocks and never answers.
    SilentOnLeaves,
    /// It refuses requests for the hashes of blocks.
    NoLeaves,
}

impl Manner {
    /// What it sends in place of messages.
    fn send(self, messages: Bytes) -> Bytes {
        match self {
            Self::FalseHashes
            | Self::ShortHashes
            | Self::SilentOnHashes
            | Self::NoHashes
            | Self::FalseLeaves
            | Self::SilentOnLeaves
            | Self::NoLeaves => misanswered(self, messages),
            _ => messages,
        }
    }

    /// What it does to an answer with hashes, of pieces or of blocks.
    const fn on_hashes(self, are_leaves: bool) -> Self {
        match (self, are_leaves) {
            (Self::FalseLeaves, true) => Self::FalseHashes,
            (Self::SilentOnLeaves, true) => Self::SilentOnHashes,
            (Self::NoLeaves, true) => Self::NoHashes,
            (
                manner @ (Self::FalseHashes
                | Self::ShortHashes
                | Self::SilentOnHashes
                | Self::NoHashes),
                _,
            ) => manner,
            _ => Self::Honest,
        }
    }
}

pub(super) struct Wire {
    /// `None` until the handshake is done.
    pub(super) peer: Option<(PeerKey, Connection)>,
    pub(super) direction: Direction,
    pub(super) addr: SocketAddr,
    pub(super) received: BytesMut,
    pub(super) sending: BytesMut,
}

impl Wire {
    pub(super) fn new(direction: Direction, addr: SocketAddr) -> Self {
        Self {
            peer: None,
            direction,
            addr,
            received: BytesMut::new(),
            sending: BytesMut::new(),
        }
    }
}

pub(crate) struct Node {
    pub(super) host: HostId,
    pub(super) id: PeerId,
    /// Peers do not name each other: a test says which nodes know of each other.
    pub(super) private: bool,
    pub(super) manner: Manner,
    /// How long a verdict takes to reach the torrent, after the piece can be read.
    pub(super) verdict_delay: Duration,
    pub(super) payload: Rc<Payload>,
    pub(super) engine: Engine<Store>,
    /// What is known of the hashes of pieces, if they are exchanged.
    pub(crate) layers: Option<PieceLayers>,
    pub(super) store: Store,
    /// What its pieces have to be, as far as it knows.
    pub(super) hashes: PieceHashes,
    /// The pieces that were compared again when their second hash came.
    pub(crate) rechecked: Vec<PieceIndex>,
    pub(super) space_wait: SpaceWait,
    pub(super) wires: BTreeMap<ConnId, Wire>,
    pub(super) players: Vec<Player>,
    pub(super) board: Board,
    pub(super) verdicts: VecDeque<(Instant, PieceIndex, Verdict)>,
    pub(crate) notes: Vec<Notice>,
    /// How many of the notices the players have seen.
    pub(super) heard: usize,
    /// How often some reader was told that there is no room.
    pub(crate) starved: u64,
    /// What the torrent told its connections about blocks and pieces.
    pub(crate) commands: Vec<(Instant, Command)>,
    pub(super) keeps_commands: bool,
    /// Connections that others made.
    pub(crate) accepted: u64,
    /// Requests of peers for what is not held.
    pub(crate) refused: u64,
}

impl Node {
    /// Why its torrent asks for nothing.
    pub(crate) fn halted(&self) -> Option<Halt> {
        self.engine.halted()
    }

    pub(super) fn shake_hands(&mut self, conn: ConnId) {
        let handshake = Handshake {
            reserved: Reserved::FAST | Reserved::EXTENSION_PROTOCOL,
            info_hash: self.payload.info_hash,
            peer_id: self.id,
        };
        if let Some(wire) = self.wires.get_mut(&conn) {
            handshake.encode(&mut wire.sending);
        }
    }

    /// Says whether the connection is to end.
    pub(super) fn receive(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) -> bool {
        let Some(wire) = self.wires.get_mut(&conn) else {
            return true;
        };
        wire.received.extend_from_slice(bytes);
        if wire.peer.is_none() {
            let Some(theirs) = Handshake::decode(&mut wire.received).unwrap() else {
                return false;
            };
            let new = NewPeer {
                addr: wire.addr,
                id: theirs.peer_id,
                direction: wire.direction,
                fast: true,
                kind: ConnectionKind::default(),
            };
            let config = peer::Config {
                geometry: self.payload.geometry.clone(),
                fast: true,
                extensions: true,
                listen_port: Some(6881),
                addr: Some(wire.addr.ip()),
                other_ip: None,
                upload_only: self.engine.is_upload_only(),
                metadata: bytes::Bytes::new(),
                private: self.private,
                dht_port: None,
                hashes: self.layers.clone(),
            };
            match self.engine.handle_connected(now, new) {
                Ok(key) => {
                    if self.layers.is_some() {
                        self.engine.handle_speaks_v2(now, key);
                    }
                    wire.peer = Some((key, Connection::new(now, config)));
                }
                Err(_) => {
                    self.wires.remove(&conn);
                    return true;
                }
            }
        }
        match &mut wire.peer {
            Some((key, connection)) => {
                let Err(violation) = connection.handle_bytes(now, &mut wire.received) else {
                    return false;
                };
                if violation.consequence() == Consequence::Ban {
                    let key = *key;
                    self.engine.handle_misbehaviour(now, key);
                }
                true
            }
            None => false,
        }
    }

    pub(super) fn drop_wire(&mut self, now: Instant, conn: ConnId) {
        if let Some(wire) = self.wires.remove(&conn) {
            match wire.peer {
                Some((key, _)) => {
                    self.store.ledger().handle_closed(key);
                    self.engine.handle_closed(now, key);
                }
                None if wire.direction == Direction::Outgoing => {
                    self.engine.handle_connect_failed(now, wire.addr);
                }
                None => {}
            }
        }
    }

    pub(super) fn conn_of(&self, key: PeerKey) -> Option<ConnId> {
        let of_key = |wire: &Wire| wire.peer.as_ref().is_some_and(|(other, _)| *other == key);
        self.wires
            .iter()
            .find(|(_, wire)| of_key(wire))
            .map(|(conn, _)| *conn)
    }

    pub(super) fn obey(&mut self, now: Instant, output: Output) {
        match output {
            Output::Command { peer, command } => self.pass_on(now, peer, command),
            Output::Verify(pieces) => {
                for (piece, verdict) in self.store.verify(&pieces) {
                    // Each block that was taken has been told to the torrent before.
                    self.store.settle(piece);
                    match verdict {
                        Err(Error::HashesDisagree { .. }) => self.engine.give_up(now),
                        verdict => {
                            let at = now + self.verdict_delay;
                            self.verdicts.push_back((at, piece, verdict.unwrap()));
                        }
                    }
                }
                self.hear_verdicts(now);
            }
            Output::Judge(piece) => {
                let wrong = self.store.judge(piece);
                if !wrong.is_empty() {
                    self.engine.handle_wrong(now, &wrong);
                }
            }
            Output::Recheck(pieces) => {
                for piece in pieces {
                    self.rechecked.push(piece);
                    let found = self.store.compare(&self.hashes, piece);
                    if found == PieceMatch::Disagree {
                        self.engine.give_up(now);
                    }
                }
            }
            Output::Digest(piece) => {
                let digests = self.store.storage().block_digests(self.store.handle, piece);
                // A piece that is evicted already convicts no sender.
                if let Ok(digests) = digests {
                    self.engine.handle_digests(now, piece, &digests);
                }
            }
            Output::Starved(_) => self.starved += 1,
            // What is sent here is copied: nothing of the storage is held by a wire.
            Output::RoomNeeded => {}
            Output::Notice(note) => self.notes.push(note),
            other => panic!("{other:?} is not for here"),
        }
    }

    fn pass_on(&mut self, now: Instant, peer: PeerKey, command: Command) {
        let conn = self.conn_of(peer);
        let wire = conn.and_then(|conn| self.wires.get_mut(&conn));
        let Some((_, connection)) = wire.and_then(|wire| wire.peer.as_mut()) else {
            return;
        };
        match command {
            Command::Request(block) => {
                self.store.check_request(block);
                self.store.ledger().handle_request(peer, block);
            }
            Command::Cancel(block) => {
                self.store.ledger().handle_answer(peer, block);
            }
            _ => {}
        }
        if self.keeps_commands {
            self.commands.push((now, command.clone()));
        }
        connection.handle_command(command);
    }

    /// Tells the torrent what the storage has found out about pieces.
    pub(super) fn hear_verdicts(&mut self, now: Instant) {
        while self.verdicts.front().is_some_and(|(at, ..)| *at <= now)
            && let Some((_, piece, verdict)) = self.verdicts.pop_front()
        {
            self.engine.handle_verdict(now, piece, &verdict);
        }
    }

    /// Tells the torrent what its readers did.
    pub(super) fn hear_readers(&mut self, now: Instant) {
        self.board.is_urgent = false;
        for (key, news) in std::mem::take(&mut self.board.news) {
            if let Some(config) = news.opened {
                self.engine.handle_reader_opened(now, key, config);
            }
            if let Some(update) = news.update {
                self.engine.handle_reader(now, key, update);
            }
            if news.closed {
                self.engine.handle_reader_closed(now, key);
            }
        }
    }

    /// Wakes the players that wait for a piece or a block which has come.
    pub(super) fn wake_players(&mut self, now: Instant) {
        let right = self.store.take_right();
        for player in &mut self.players {
            let awaited = player.awaited_block(&self.payload.geometry);
            if awaited.is_some_and(|awaited| right.contains(&awaited)) {
                player.poll(now, &self.store, &self.payload, &mut self.board);
            }
        }
        let heard = std::mem::replace(&mut self.heard, self.notes.len());
        for note in &self.notes[heard..] {
            let Notice::PieceVerified(piece) = note else {
                continue;
            };
            for player in &mut self.players {
                if player.awaited(&self.payload.geometry) == Some(*piece) {
                    player.poll(now, &self.store, &self.payload, &mut self.board);
                }
            }
        }
    }

    pub(super) fn poll_player(&mut self, now: Instant, number: usize) {
        if let Some(player) = self.players.get_mut(number) {
            player.poll(now, &self.store, &self.payload, &mut self.board);
        }
    }

    /// Moves blocks, facts and messages between the connections, the storage and the torrent.
    pub(super) fn exchange(&mut self, now: Instant) -> bool {
        let mut busy = false;
        let mut told = Vec::new();
        for wire in self.wires.values_mut() {
            let Some((key, connection)) = &mut wire.peer else {
                continue;
            };
            for (block, data) in connection.take_blocks() {
                match self.store.write((*key).into(), block, &data) {
                    Taken::Stored => {}
                    Taken::Unwanted => connection.handle_duplicate(block),
                    Taken::Wrong => connection.handle_wrong(block),
                }
            }
            while self.manner != Manner::Silent
                && wire.sending.len() < 64 * 1024
                && let Some(block) = connection.next_upload()
            {
                match self.store.storage().read(self.store.handle, block) {
                    Ok(lease) if self.manner != Manner::Refuser => {
                        let out = self.manner.send(connection.take_out(now));
                        wire.sending.extend_from_slice(&out);
                        let header = piece_header(block.piece().get(), block.offset(), block.len());
                        wire.sending.extend_from_slice(&header);
                        let first = wire.sending.len();
                        wire.sending.extend_from_slice(&lease);
                        if self.manner == Manner::Liar {
                            wire.sending[first] ^= 0xff;
                        }
                        connection.handle_sent(now, block);
                    }
                    _ => {
                        self.refused += 1;
                        connection.handle_unavailable(block);
                    }
                }
            }
            while let Some(piece) = connection.next_leaves() {
                let leaves = self.store.storage().leaves(self.store.handle, piece);
                connection.handle_leaves(leaves.ok().as_deref());
            }
            let out = self.manner.send(connection.take_out(now));
            wire.sending.extend_from_slice(&out);
            let facts = connection.take_facts();
            if connection.poll_backlog().is_some_and(|at| at <= now) {
                busy = true;
                // A violation ends the connection when the next bytes come.
                let _ = connection.handle_bytes(now, &mut wire.received);
            }
            if !facts.is_empty() {
                busy = true;
                told.push((*key, wire.addr.ip(), facts));
            }
        }
        for (key, from, facts) in told {
            for fact in &facts {
                if let Fact::Block(block)
                | Fact::Wrong(block)
                | Fact::Returned(block)
                | Fact::Rejected(block) = fact
                {
                    self.store.ledger().handle_answer(key, *block);
                }
            }
            self.engine.handle_facts(now, key, from, facts);
        }
        busy
    }

    /// Gives up a piece that it holds, as a node that streams itself does.
    pub(super) fn give_up(&mut self, now: Instant, piece: PieceIndex) {
        self.store
            .storage()
            .evict(self.store.handle, piece)
            .unwrap();
        self.store.handle_evicted(piece);
        self.engine.handle_evicted(now, piece);
    }

    /// When something is to happen here, players apart.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let wires = self.wires.values();
        let connections = wires.filter_map(|wire| wire.peer.as_ref());
        let timers = connections.map(|(_, connection)| {
            let backlog = connection.poll_backlog();
            backlog.into_iter().chain(connection.poll_timeout()).min()
        });
        let verdict = self.verdicts.front().map(|(at, ..)| *at);
        timers
            .flatten()
            .chain(self.engine.poll_timeout())
            .chain(verdict)
            .min()
    }

    /// Requests for blocks of these pieces since a time.
    pub(crate) fn requested_since(&self, since: Instant) -> impl Iterator<Item = BlockRef> {
        let commands = self.commands.iter().filter(move |(at, _)| *at >= since);
        commands.filter_map(|(_, command)| match command {
            Command::Request(block) => Some(*block),
            _ => None,
        })
    }
}

/// The messages of a node that treats requests for hashes badly.
fn misanswered(manner: Manner, out: Bytes) -> Bytes {
    let mut decoder = Decoder::new(Limits::default());
    let (mut out, mut sent) = (BytesMut::from(out), BytesMut::new());
    while let Some(message) = decoder.decode(&mut out).unwrap() {
        let Message::Hashes(mut answer) = message else {
            message.encode(&mut sent);
            continue;
        };
        match manner.on_hashes(answer.request.base_layer == 0) {
            Manner::FalseHashes => {
                let mut hashes = answer.hashes.to_vec();
                hashes[0] ^= 1;
                answer.hashes = hashes.into();
                Message::Hashes(answer).encode(&mut sent);
            }
            Manner::ShortHashes => {
                answer.hashes = answer.hashes.slice(32..);
                Message::Hashes(answer).encode(&mut sent);
            }
            Manner::NoHashes => {
                Message::HashReject(Box::new(answer.request)).encode(&mut sent);
            }
            Manner::Honest => Message::Hashes(answer).encode(&mut sent),
            _ => {}
        }
    }
    sent.freeze()
}
