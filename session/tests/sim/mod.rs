//! Whole swarms of the session's own state machines on a simulated network: no runtime, no socket, no sleep.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use sha1::{Digest, Sha1};
use tailwater_metainfo::{Bitfield, Geometry, InfoHash, PeerId, PieceHash, PieceIndex};
use tailwater_netsim::{ConnId, Event, HostId, Link, Network};
use tailwater_session::peer::{self, Connection, Direction};
use tailwater_session::torrent::{
    Config, Engine, Full, NewPeer, Note, Output, PeerKey, Source, Space, Stats, Verdict,
};
use tailwater_storage_mem::{self as mem, MemoryStorage, TorrentHandle, Written};
use tailwater_wire::{Handshake, Reserved, piece_header};

const INFO_HASH: InfoHash = InfoHash::new([7; 20]);

/// The torrent that a swarm exchanges.
pub(crate) struct Payload {
    pub(crate) geometry: Geometry,
    bytes: Vec<u8>,
    hashes: Arc<[PieceHash]>,
}

impl Payload {
    /// Random bytes.
    pub(crate) fn new(seed: u64, total: usize, piece_length: u32) -> Self {
        let geometry = Geometry::new(total as u64, piece_length).unwrap();
        let mut bytes = vec![0; total];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        let hash = |piece: &[u8]| PieceHash::new(Sha1::digest(piece).into());
        Self {
            geometry,
            hashes: bytes.chunks(piece_length as usize).map(hash).collect(),
            bytes,
        }
    }
}

/// What a node does with what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Every block that it sends is corrupt.
    Liar,
    /// It takes requests and never answers.
    Silent,
}

#[derive(Clone)]
struct Store {
    storage: MemoryStorage,
    handle: TorrentHandle,
}

impl Space for Store {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let reservation = self.storage.reserve(self.handle, piece).map_err(|_| Full)?;
        Ok(reservation
            .evicted
            .into_iter()
            .map(|evicted| evicted.piece)
            .collect())
    }

    fn release(&mut self, piece: PieceIndex) {
        let _ = self.storage.release(self.handle, piece);
    }
}

struct Wire {
    /// `None` until the handshake is done.
    peer: Option<(PeerKey, Connection)>,
    direction: Direction,
    addr: SocketAddr,
    received: BytesMut,
    sending: BytesMut,
}

pub(crate) struct Node {
    host: HostId,
    id: PeerId,
    manner: Manner,
    engine: Engine<Store>,
    store: Store,
    wires: BTreeMap<ConnId, Wire>,
    pub(crate) notes: Vec<Note>,
}

/// A swarm that shares one payload.
pub(crate) struct Swarm {
    start: Instant,
    net: Network,
    payload: Payload,
    pub(crate) nodes: Vec<Node>,
    seed: u64,
}

impl Swarm {
    pub(crate) fn new(seed: u64, payload: Payload) -> Self {
        let start = Instant::now();
        Self {
            start,
            net: Network::new(seed, start),
            payload,
            nodes: Vec::new(),
            seed,
        }
    }

    /// A node that has everything.
    pub(crate) fn seed(&mut self, link: Link, manner: Manner) -> usize {
        let have = Bitfield::all(&self.payload.geometry);
        self.add(link, manner, have, None)
    }

    /// A node that has nothing.
    pub(crate) fn leech(&mut self, link: Link) -> usize {
        let have = Bitfield::none(&self.payload.geometry);
        self.add(link, Manner::Honest, have, None)
    }

    fn add(&mut self, link: Link, manner: Manner, have: Bitfield, budget: Option<u64>) -> usize {
        let number = self.nodes.len();
        let octet = u8::try_from(number + 1).unwrap();
        let addr = SocketAddr::from(([10, 0, 0, octet], 6881));
        let geometry = self.payload.geometry;
        let budget = budget.unwrap_or(2 * geometry.total() + (1 << 20));
        let storage = MemoryStorage::new(mem::Config::new(budget));
        let handle = storage
            .add_torrent(geometry, Arc::clone(&self.payload.hashes))
            .unwrap();
        for piece in geometry.pieces().filter(|&piece| have.has(piece)) {
            assert!(storage.reserve(handle, piece).unwrap().evicted.is_empty());
            for block in geometry.blocks(piece) {
                let start = geometry.piece_start(piece) as usize + block.offset() as usize;
                let data = &self.payload.bytes[start..start + block.len() as usize];
                storage.write_block(handle, block, data).unwrap();
            }
            assert_eq!(storage.verify(handle, piece), Ok(mem::Verdict::Valid));
        }
        let id = PeerId::new([octet; 20]);
        let store = Store { storage, handle };
        let config = Config {
            seed: self.seed.wrapping_mul(1_000).wrapping_add(u64::from(octet)),
            ..Config::new(INFO_HASH, id)
        };
        self.nodes.push(Node {
            host: self.net.add_host(addr, link),
            id,
            manner,
            engine: Engine::new(config, geometry, have, store.clone()),
            store,
            wires: BTreeMap::new(),
            notes: Vec::new(),
        });
        number
    }

    pub(crate) fn stats(&self, node: usize) -> Stats {
        self.nodes[node].engine.stats(self.net.now())
    }

    pub(crate) fn is_complete(&self, node: usize) -> bool {
        self.nodes[node].engine.is_complete()
    }

    /// The fingerprint of all that happened on the network.
    pub(crate) fn digest(&self) -> u64 {
        self.net.digest()
    }

    /// Tells every leech of all others, as a tracker would, then runs until `done` or the limit of simulated time.
    /// Returns the simulated time that passed.
    pub(crate) fn run(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let addrs: Vec<_> = self
            .nodes
            .iter()
            .map(|node| self.net.addr(node.host))
            .collect();
        for number in 0..self.nodes.len() {
            let others: Vec<_> = addrs
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != number)
                .map(|(_, addr)| *addr)
                .collect();
            let now = self.net.now();
            self.nodes[number]
                .engine
                .handle_candidates(now, Source::Tracker, &others);
            self.pump(number);
        }
        let end = self.start + limit;
        while !done(self) {
            let Some((_, event)) = self.net.next_event_until(end) else {
                panic!(
                    "seed {}: not done after {limit:?}: {:?}",
                    self.seed,
                    (0..self.nodes.len())
                        .map(|node| self.stats(node))
                        .collect::<Vec<_>>()
                );
            };
            let number = event.host().as_usize();
            self.handle(number, event);
            self.pump(number);
            self.nodes[number].engine.check_invariants();
        }
        self.net.elapsed()
    }

    fn handle(&mut self, number: usize, event: Event) {
        let now = self.net.now();
        let node = &mut self.nodes[number];
        match event {
            Event::Connected { conn, .. } => node.shake_hands(conn),
            Event::Refused { conn, .. } => {
                if let Some(wire) = node.wires.remove(&conn) {
                    node.engine.handle_connect_failed(now, wire.addr);
                }
            }
            Event::Accepted { conn, from, .. } => {
                node.wires
                    .insert(conn, Wire::new(Direction::Incoming, from));
                node.shake_hands(conn);
            }
            Event::Data { conn, bytes, .. } => {
                let broken = node.receive(now, conn, &bytes, self.payload.geometry);
                if broken {
                    node.drop_wire(now, conn);
                    self.net.close(conn);
                }
            }
            Event::Closed { conn, .. } => node.drop_wire(now, conn),
            Event::Timer { .. } => {
                node.engine.handle_timeout(now);
                let due: Vec<_> = node.wires.keys().copied().collect();
                for conn in due {
                    let Some((_, connection)) =
                        node.wires.get_mut(&conn).and_then(|w| w.peer.as_mut())
                    else {
                        continue;
                    };
                    if connection.poll_timeout() <= now && connection.handle_timeout(now).is_err() {
                        node.drop_wire(now, conn);
                        self.net.close(conn);
                    }
                }
            }
            _ => {}
        }
    }

    /// Carries out everything that a node's machines want.
    fn pump(&mut self, number: usize) {
        let now = self.net.now();
        let geometry = self.payload.geometry;
        loop {
            let node = &mut self.nodes[number];
            let mut busy = node.exchange(now);
            while let Some(output) = node.engine.poll_output() {
                busy = true;
                match output {
                    Output::Connect(addr) => {
                        let conn = self.net.connect(node.host, addr);
                        node.wires
                            .insert(conn, Wire::new(Direction::Outgoing, addr));
                    }
                    Output::Disconnect { peer, .. } => {
                        if let Some(conn) = node.conn_of(peer) {
                            node.wires.remove(&conn);
                            self.net.close(conn);
                        }
                    }
                    output => node.obey(now, output, geometry),
                }
            }
            for (conn, wire) in &mut node.wires {
                if !wire.sending.is_empty() {
                    let accepted = self.net.send(*conn, &wire.sending);
                    let _ = wire.sending.split_to(accepted);
                }
            }
            if !busy {
                break;
            }
        }
        let node = &mut self.nodes[number];
        let wires = node.wires.values();
        let connections = wires.filter_map(|wire| wire.peer.as_ref());
        let timers = connections.map(|(_, connection)| connection.poll_timeout());
        let first = timers.chain(node.engine.poll_timeout(now)).min();
        if let Some(at) = first {
            self.net.set_timer(node.host, at.max(now), 0);
        }
    }
}

impl Wire {
    fn new(direction: Direction, addr: SocketAddr) -> Self {
        Self {
            peer: None,
            direction,
            addr,
            received: BytesMut::new(),
            sending: BytesMut::new(),
        }
    }
}

impl Node {
    fn shake_hands(&mut self, conn: ConnId) {
        let handshake = Handshake {
            reserved: Reserved::FAST | Reserved::EXTENSION_PROTOCOL,
            info_hash: INFO_HASH,
            peer_id: self.id,
        };
        if let Some(wire) = self.wires.get_mut(&conn) {
            handshake.encode(&mut wire.sending);
        }
    }

    /// Says whether the connection is to end.
    fn receive(&mut self, now: Instant, conn: ConnId, bytes: &[u8], geometry: Geometry) -> bool {
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
            };
            let config = peer::Config {
                geometry,
                fast: true,
                extensions: true,
                listen_port: Some(6881),
            };
            match self.engine.handle_connected(now, new) {
                Ok(key) => wire.peer = Some((key, Connection::new(now, config))),
                Err(_) => {
                    self.wires.remove(&conn);
                    return true;
                }
            }
        }
        match &mut wire.peer {
            Some((_, connection)) => connection.handle_bytes(now, &mut wire.received).is_err(),
            None => false,
        }
    }

    fn drop_wire(&mut self, now: Instant, conn: ConnId) {
        if let Some(wire) = self.wires.remove(&conn) {
            match wire.peer {
                Some((key, _)) => self.engine.handle_closed(now, key),
                None if wire.direction == Direction::Outgoing => {
                    self.engine.handle_connect_failed(now, wire.addr);
                }
                None => {}
            }
        }
    }

    fn conn_of(&self, key: PeerKey) -> Option<ConnId> {
        let of_key = |wire: &Wire| wire.peer.as_ref().is_some_and(|(other, _)| *other == key);
        self.wires
            .iter()
            .find(|(_, wire)| of_key(wire))
            .map(|(conn, _)| *conn)
    }

    fn obey(&mut self, now: Instant, output: Output, geometry: Geometry) {
        match output {
            Output::Command { peer, command } => {
                let conn = self.conn_of(peer);
                let wire = conn.and_then(|conn| self.wires.get_mut(&conn));
                if let Some((_, connection)) = wire.and_then(|wire| wire.peer.as_mut()) {
                    connection.handle_command(command);
                }
            }
            Output::Verify(piece) => {
                let verdict = match self.store.storage.verify(self.store.handle, piece).unwrap() {
                    mem::Verdict::Valid => Verdict::Valid,
                    mem::Verdict::Invalid { block_digests } => {
                        Verdict::Invalid(numbers(&block_digests))
                    }
                };
                self.engine.handle_verdict(now, piece, &verdict);
            }
            Output::Digest(piece) => {
                let digests = self
                    .store
                    .storage
                    .block_digests(self.store.handle, piece)
                    .unwrap();
                self.engine.handle_digests(now, piece, &numbers(&digests));
            }
            Output::Note(note) => self.notes.push(note),
            other => panic!("{other:?} in {geometry:?} is not for here"),
        }
    }

    /// Moves blocks, facts and messages between the connections, the storage and the torrent.
    fn exchange(&mut self, now: Instant) -> bool {
        let mut busy = false;
        let mut told = Vec::new();
        for wire in self.wires.values_mut() {
            let Some((key, connection)) = &mut wire.peer else {
                continue;
            };
            for (block, data) in connection.take_blocks() {
                let written = self
                    .store
                    .storage
                    .write_block(self.store.handle, block, &data);
                if !matches!(written, Ok(Written::Stored { .. })) {
                    connection.handle_duplicate(block);
                }
            }
            while self.manner != Manner::Silent
                && wire.sending.len() < 64 * 1024
                && let Some(block) = connection.next_upload()
            {
                match self.store.storage.read(self.store.handle, block) {
                    Ok(lease) => {
                        let out = connection.take_out(now);
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
                    Err(_) => connection.handle_unavailable(block),
                }
            }
            wire.sending.extend_from_slice(&connection.take_out(now));
            let facts = connection.take_facts();
            if !facts.is_empty() {
                busy = true;
                told.push((*key, wire.addr.ip(), facts));
            }
        }
        for (key, from, facts) in told {
            self.engine.handle_facts(now, key, from, facts);
        }
        busy
    }
}

fn numbers(digests: &[mem::BlockDigest]) -> Vec<u64> {
    digests
        .iter()
        .map(|digest| u64::from_be_bytes(*digest.as_bytes()))
        .collect()
}
