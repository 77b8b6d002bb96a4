//! Whole swarms of the session's own state machines on a simulated network: no runtime, no socket, no sleep.

#![allow(dead_code, reason = "each test uses a part of it")]

mod node;
mod payload;
mod player;
mod store;
mod stranger;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use tailwater_engine::peer::Direction;
use tailwater_engine::torrent::{Config, Engine, Halt, Output, PeerSource, PeerStats, Stats};
use tailwater_metainfo::{Bitfield, Metainfo, PeerId, PieceIndex};
use tailwater_netsim::{Event, Link, Network};
use tailwater_storage_mem as mem;

pub(crate) use node::{Manner, Node};
pub(crate) use payload::Payload;
pub(crate) use player::{Play, Player};
#[allow(unused_imports, reason = "each test uses a part of it")]
pub(crate) use store::{Counts, Faults, House, Ledger, Store, Taken};

#[allow(unused_imports, reason = "each test uses a part of it")]
pub(crate) use stranger::{Stranger, StrangerId};

use node::Wire;
use store::SpaceWait;

/// The timer of a node's machines; players' follow.
const MACHINES: u64 = 0;
/// Room that is promised this often at one moment, and is not there, is a loop.
const MAX_PROMISES: u32 = 1_000;

/// A node that fetches what its players read, out of a storage that evicts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer {
    /// In bytes.
    pub(crate) budget: u64,
    /// How long a verdict takes to reach the torrent, after the piece can be read.
    pub(crate) verdict_delay: Duration,
}

/// A player of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlayerId {
    node: usize,
    number: usize,
}

/// Hosts, each with a torrent, that know of each other what they are told.
pub(crate) struct Swarm {
    start: Instant,
    net: Network,
    payload: Rc<Payload>,
    pub(crate) nodes: Vec<Node>,
    /// By the number of the host.
    strangers: BTreeMap<usize, Stranger>,
    seed: u64,
    private: bool,
    max_peers: usize,
}

impl Swarm {
    /// A swarm whose nodes share one payload, unless they are told otherwise.
    pub(crate) fn new(seed: u64, payload: Payload) -> Self {
        let start = Instant::now();
        Self {
            start,
            net: Network::new(seed, start),
            payload: Rc::new(payload),
            nodes: Vec::new(),
            strangers: BTreeMap::new(),
            seed,
            private: true,
            max_peers: 200,
        }
    }

    /// The nodes that are added from now on tell each other of others.
    pub(crate) fn make_public(&mut self) {
        self.private = false;
    }

    /// The nodes that are added from now on have at most this many peers.
    pub(crate) fn limit_peers(&mut self, max_peers: usize) {
        self.max_peers = max_peers;
    }

    /// From now on the node cannot be connected to; it can connect to others.
    pub(crate) fn put_behind_nat(&mut self, node: usize) {
        self.net.set_accepting(self.nodes[node].host, false);
    }

    /// A node that has everything.
    pub(crate) fn seed(&mut self, link: Link, manner: Manner) -> usize {
        let payload = Rc::clone(&self.payload);
        self.seed_of(&payload, link, manner)
    }

    /// A node that has everything of another payload.
    pub(crate) fn seed_of(&mut self, payload: &Rc<Payload>, link: Link, manner: Manner) -> usize {
        let have = Bitfield::all(&payload.geometry);
        let house = House::new(mem::Config::new(ample(payload)));
        let node = self.add(payload, link, &house, have, false);
        self.nodes[node].manner = manner;
        node
    }

    /// A node super-seeds (BEP 16) from now on, or no longer.
    pub(crate) fn set_super_seeding(&mut self, node: usize, super_seeding: bool) {
        let now = self.net.now();
        self.nodes[node]
            .engine
            .set_super_seeding(now, super_seeding);
        self.settle(node);
    }

    /// A node ends all its connections and makes and takes no others.
    pub(crate) fn leave(&mut self, node: usize) {
        let now = self.net.now();
        self.net.set_accepting(self.nodes[node].host, false);
        self.nodes[node].engine.halt(Halt::Paused);
        let conns: Vec<_> = self.nodes[node].wires.keys().copied().collect();
        for conn in conns {
            self.nodes[node].drop_wire(now, conn);
            self.net.close(conn);
        }
        self.settle(node);
    }

    /// A node that has nothing.
    pub(crate) fn leech(&mut self, link: Link) -> usize {
        let payload = Rc::clone(&self.payload);
        let have = Bitfield::none(&payload.geometry);
        let house = House::new(mem::Config::new(ample(&payload)));
        self.add(&payload, link, &house, have, false)
    }

    /// A node that fetches only what its players read.
    pub(crate) fn viewer(&mut self, link: Link, viewer: Viewer) -> usize {
        let payload = Rc::clone(&self.payload);
        let have = Bitfield::none(&payload.geometry);
        let config =
            mem::Config::new(viewer.budget).with_eviction(mem::Eviction::LeastRecentlyRequested);
        let node = self.add(&payload, link, &House::new(config), have, true);
        self.nodes[node].verdict_delay = viewer.verdict_delay;
        node
    }

    /// The same of another payload, out of the same memory as `neighbour`.
    pub(crate) fn viewer_beside(
        &mut self,
        neighbour: usize,
        payload: &Rc<Payload>,
        link: Link,
    ) -> usize {
        let have = Bitfield::none(&payload.geometry);
        let house = self.nodes[neighbour].store.house.clone();
        self.add(payload, link, &house, have, true)
    }

    fn add(
        &mut self,
        payload: &Rc<Payload>,
        link: Link,
        house: &House,
        have: Bitfield,
        on_demand: bool,
    ) -> usize {
        // A node's number is that of its host.
        assert!(self.strangers.is_empty(), "nodes come before strangers");
        let number = self.nodes.len();
        let octet = u8::try_from(number + 1).unwrap();
        let addr = SocketAddr::from(([10, 0, 0, octet], 6881));
        let id = PeerId::new([octet; 20]);
        let config = Config {
            seed: self.seed.wrapping_mul(1_000).wrapping_add(u64::from(octet)),
            on_demand,
            private: self.private,
            listen_port: Some(6881),
            max_peers: self.max_peers,
            ..Config::new(payload.info_hash, id)
        };
        let known = payload.known_to(have.is_all());
        // A seed has what its peers can verify, even where the torrent contradicts itself.
        let hashes = known.as_ref().filter(|_| !have.is_all());
        let hashes = hashes.map(Metainfo::piece_hashes);
        let hashes = hashes.unwrap_or_else(|| payload.hashes.clone());
        let is_v2_only = hashes.has_trees() && !hashes.has_v1();
        let layers = known.map(|metainfo| metainfo.piece_layers().clone());
        let store = Store::new(house.clone(), payload, hashes.clone(), &have);
        let mut engine = Engine::new(config, payload.geometry.clone(), have, store.clone());
        if let Some(layers) = &layers {
            engine.set_layers(layers.clone());
            engine.await_hashes(layers.missing(), is_v2_only);
        }
        self.nodes.push(Node {
            host: self.net.add_host(addr, link),
            id,
            private: self.private,
            manner: Manner::Honest,
            verdict_delay: Duration::ZERO,
            payload: Rc::clone(payload),
            engine,
            layers,
            store,
            hashes,
            rechecked: Vec::new(),
            space_wait: SpaceWait::default(),
            wires: BTreeMap::new(),
            players: Vec::new(),
            board: player::Board::default(),
            verdicts: std::collections::VecDeque::new(),
            notes: Vec::new(),
            heard: 0,
            starved: 0,
            commands: Vec::new(),
            keeps_commands: on_demand,
            refused: 0,
            accepted: 0,
        });
        number
    }

    pub(crate) fn set_manner(&mut self, node: usize, manner: Manner) {
        self.nodes[node].manner = manner;
    }

    /// A node gives up a piece that it holds.
    pub(crate) fn give_up(&mut self, node: usize, piece: PieceIndex) {
        let now = self.net.now();
        self.nodes[node].give_up(now, piece);
        self.settle(node);
    }

    pub(crate) fn now(&self) -> Instant {
        self.net.now()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.net.elapsed()
    }

    pub(crate) fn stats(&self, node: usize) -> Stats {
        self.nodes[node].engine.stats(self.net.now())
    }

    pub(crate) fn memory(&self, node: usize) -> mem::Stats {
        self.nodes[node].store.storage().stats()
    }

    pub(crate) fn ledger(&self, node: usize) -> MutexGuard<'_, Ledger> {
        self.nodes[node].store.ledger()
    }

    pub(crate) fn engine(&self, node: usize) -> &Engine<impl tailwater_engine::torrent::Space> {
        &self.nodes[node].engine
    }

    pub(crate) fn payload(&self, node: usize) -> &Payload {
        &self.nodes[node].payload
    }

    /// Whether a node's storage holds a verified piece.
    pub(crate) fn holds(&self, node: usize, piece: PieceIndex) -> bool {
        let store = &self.nodes[node].store;
        store.storage().piece_state(store.handle, piece) == Ok(mem::PieceState::Verified)
    }

    /// The connected peers as a node's torrent sees them.
    pub(crate) fn peers(&self, node: usize) -> Vec<PeerStats> {
        self.nodes[node].engine.peer_stats(self.net.now())
    }

    /// Remembers what a node's torrent tells its connections.
    pub(crate) fn keep_commands(&mut self, node: usize) {
        self.nodes[node].keeps_commands = true;
    }

    pub(crate) fn is_complete(&self, node: usize) -> bool {
        self.nodes[node].engine.is_complete()
    }

    /// The fingerprint of all that happened on the network.
    pub(crate) fn digest(&self) -> u64 {
        self.net.digest()
    }

    pub(crate) fn open(&mut self, node: usize, play: Play) -> PlayerId {
        let now = self.net.now();
        let number = self.nodes[node].players.len();
        let total = self.nodes[node].payload.geometry.total();
        let player = Player::new(now, number, self.seed, total, play);
        self.nodes[node].players.push(player);
        self.nodes[node].poll_player(now, number);
        self.settle(node);
        PlayerId { node, number }
    }

    pub(crate) fn player(&self, player: PlayerId) -> &Player {
        &self.nodes[player.node].players[player.number]
    }

    /// A player jumps, and reads on at once.
    pub(crate) fn jump(&mut self, player: PlayerId, position: u64) {
        self.change(player, |player, now, board| {
            player.jump(now, position, board);
        });
    }

    pub(crate) fn pause(&mut self, player: PlayerId) {
        self.change(player, |player, _, _| player.pause());
    }

    pub(crate) fn resume(&mut self, player: PlayerId) {
        self.change(player, |player, now, _| player.resume(now));
    }

    pub(crate) fn close(&mut self, player: PlayerId) {
        self.change(player, |player, _, board| player.close(board));
    }

    fn change(
        &mut self,
        player: PlayerId,
        change: impl FnOnce(&mut Player, Instant, &mut player::Board),
    ) {
        let now = self.net.now();
        let node = &mut self.nodes[player.node];
        change(&mut node.players[player.number], now, &mut node.board);
        node.poll_player(now, player.number);
        self.settle(player.node);
    }

    /// Removes a node's torrent and ends its connections.
    pub(crate) fn remove_torrent(&mut self, node: usize) {
        let store = self.nodes[node].store.clone();
        store.storage().remove_torrent(store.handle).unwrap();
        for conn in std::mem::take(&mut self.nodes[node].wires).into_keys() {
            self.net.close(conn);
        }
    }

    /// Closes the storage of a node.
    pub(crate) fn close_storage(&mut self, node: usize) {
        drop(self.nodes[node].store.storage().close());
    }

    /// Tells a node of others, as a tracker would.
    pub(crate) fn introduce(&mut self, node: usize, others: &[usize]) {
        let addrs: Vec<_> = others
            .iter()
            .map(|&other| self.net.addr(self.nodes[other].host))
            .collect();
        let now = self.net.now();
        let engine = &mut self.nodes[node].engine;
        engine.handle_candidates(now, PeerSource::Tracker, &addrs);
        self.settle(node);
    }

    /// Tells every node of all others.
    pub(crate) fn introduce_all(&mut self) {
        for number in 0..self.nodes.len() {
            let others: Vec<_> = (0..self.nodes.len()).filter(|o| *o != number).collect();
            self.introduce(number, &others);
        }
    }

    /// Tells every node of all others, then runs until `done` or the limit of simulated time.
    /// Returns the simulated time that passed.
    pub(crate) fn run(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        self.introduce_all();
        self.run_until(limit, done);
        self.net.elapsed()
    }

    /// Runs until `done` or, which is a failure, the limit of simulated time. Returns the simulated time that passed.
    pub(crate) fn run_until(&mut self, limit: Duration, done: impl Fn(&Self) -> bool) -> Duration {
        let began = self.net.now();
        while !done(self) {
            if !self.step(began + limit) {
                let stats = (0..self.nodes.len()).map(|node| self.stats(node));
                let stats: Vec<_> = stats.collect();
                panic!("seed {}: not done after {limit:?}: {stats:#?}", self.seed);
            }
        }
        self.net.now() - began
    }

    /// Runs for this much simulated time.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.net.now() + time;
        while self.step(end) {}
    }

    fn step(&mut self, limit: Instant) -> bool {
        let Some((now, event)) = self.net.next_event_until(limit) else {
            return false;
        };
        if self.is_strangers(&event) {
            return true;
        }
        let number = event.host().as_usize();
        match event {
            Event::Timer { token, .. } if token != MACHINES => {
                self.nodes[number].poll_player(now, token as usize - 1);
            }
            event => {
                self.handle(number, event);
                // The torrent's task is awake: it looks at what its readers did, urgent or not.
                self.nodes[number].hear_readers(now);
            }
        }
        self.settle(number);
        true
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
                node.accepted += 1;
                node.wires
                    .insert(conn, Wire::new(Direction::Incoming, from));
                node.shake_hands(conn);
            }
            Event::Data { conn, bytes, .. } if node.receive(now, conn, &bytes) => {
                node.drop_wire(now, conn);
                self.net.close(conn);
            }
            Event::Closed { conn, .. } => node.drop_wire(now, conn),
            Event::Timer { .. } => self.handle_timer(number),
            _ => {}
        }
    }

    fn handle_timer(&mut self, number: usize) {
        let now = self.net.now();
        let node = &mut self.nodes[number];
        node.hear_verdicts(now);
        node.engine.handle_timeout(now);
        let due: Vec<_> = node.wires.keys().copied().collect();
        for conn in due {
            let Some((_, connection)) = node.wires.get_mut(&conn).and_then(|w| w.peer.as_mut())
            else {
                continue;
            };
            if connection.poll_timeout().is_some_and(|at| at <= now)
                && connection.handle_timeout(now).is_err()
            {
                node.drop_wire(now, conn);
                self.net.close(conn);
            }
        }
    }

    /// Carries out all that follows from what has just happened to a node, then checks the invariants.
    fn settle(&mut self, number: usize) {
        let now = self.net.now();
        let mut promises = 0;
        let mut busy = vec![number];
        while let Some(number) = busy.pop() {
            self.pump(number);
            let node = &mut self.nodes[number];
            node.wake_players(now);
            if node.board.is_urgent {
                node.hear_readers(now);
                busy.push(number);
                continue;
            }
            busy.extend(self.tell_evicted(now));
            for (other, node) in self.nodes.iter_mut().enumerate() {
                let wanted = node.engine.wanted_space();
                let storage = node.store.house.storage.clone();
                if node.space_wait.is_over(&storage, wanted) {
                    promises += 1;
                    assert!(promises < MAX_PROMISES, "node {other}: room without end");
                    node.engine.handle_space(now);
                    busy.push(other);
                }
            }
        }
        self.set_timers(number);
        let node = &self.nodes[number];
        node.engine.check_invariants();
        let memory = node.store.storage().stats();
        assert!(memory.used <= memory.budget, "{memory:?}");
    }

    /// Tells torrents of their pieces that went for others; returns their nodes.
    fn tell_evicted(&mut self, now: Instant) -> Vec<usize> {
        let mut told = Vec::new();
        for number in 0..self.nodes.len() {
            let foreign = self.nodes[number].store.take_foreign();
            for (handle, piece) in foreign {
                let owner = self.nodes.iter().position(|n| n.store.handle == handle);
                let owner = owner.expect("the torrent has not been removed");
                self.nodes[owner].store.handle_evicted(piece);
                self.nodes[owner].engine.handle_evicted(now, piece);
                told.push(owner);
            }
        }
        told
    }

    /// Carries out the outputs of a node's machines.
    fn pump(&mut self, number: usize) {
        let now = self.net.now();
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
                        node.store.ledger().handle_closed(peer);
                        if let Some(conn) = node.conn_of(peer) {
                            node.wires.remove(&conn);
                            self.net.close(conn);
                        }
                    }
                    output => node.obey(now, output),
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
    }

    fn set_timers(&mut self, number: usize) {
        let now = self.net.now();
        let node = &mut self.nodes[number];
        if let Some(at) = node.poll_timeout() {
            self.net.set_timer(node.host, at.max(now), MACHINES);
        }
        for (player, token) in node.players.iter().zip(1..) {
            match player.poll_timeout() {
                Some(at) => self.net.set_timer(node.host, at.max(now), token),
                None => self.net.cancel_timer(node.host, token),
            }
        }
    }
}

/// A budget that holds everything.
fn ample(payload: &Payload) -> u64 {
    2 * payload.geometry.total() + (1 << 20)
}
