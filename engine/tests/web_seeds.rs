//! Suppliers that are no connections: web seeds, alone, beside peers, and lying.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tailwater_engine::peer::{Command, Direction, Fact};
use tailwater_engine::torrent::{
    BlockDigest, Config, ConnectionKind, Engine, Full, NewPeer, Notice, Origin, Output, PeerKey,
    Refusal, Space, Verdict, WebSeedId,
};
use tailwater_types::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceIndex};

/// Blocks that a supplier sends in one turn.
const AT_ONCE: usize = 3;
const TURN: Duration = Duration::from_millis(50);

/// What a block holds, as far as this test cares: the truth, or a lie.
type Content = bool;

/// Room for everything, with what is stored there.
#[derive(Clone, Debug, Default)]
struct Room(Rc<RefCell<BTreeMap<BlockRef, Content>>>);

impl Space for Room {
    fn reserve(&mut self, _: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        Ok(Vec::new())
    }

    fn release(&mut self, piece: PieceIndex) {
        self.0
            .borrow_mut()
            .retain(|block, _| block.piece() != piece);
    }
}

/// The far end of a supplier.
#[derive(Debug)]
struct Supplier {
    origin: Origin,
    lies: bool,
    asked: VecDeque<BlockRef>,
}

/// A torrent that downloads from whatever the test lets it.
struct Download {
    now: Instant,
    geometry: Geometry,
    engine: Engine<Room>,
    suppliers: BTreeMap<PeerKey, Supplier>,
    room: Room,
    /// Blocks sent, by supplier.
    sent: BTreeMap<Origin, usize>,
    banned: Vec<Origin>,
    /// What web seeds were told besides requests and cancels.
    chatter: Vec<Command>,
}

impl Download {
    fn new() -> Self {
        let geometry = Geometry::new(16 * 65_536 - 5_000, 65_536).unwrap();
        let config = Config::new(InfoHash::new([1; 20]), PeerId::new([9; 20]));
        let room = Room::default();
        Self {
            now: Instant::now(),
            engine: Engine::new(
                config,
                geometry.clone(),
                Bitfield::none(&geometry),
                room.clone(),
            ),
            geometry,
            suppliers: BTreeMap::new(),
            room,
            sent: BTreeMap::new(),
            banned: Vec::new(),
            chatter: Vec::new(),
        }
    }

    fn add(&mut self, key: PeerKey, origin: Origin, lies: bool) {
        let supplier = Supplier {
            origin,
            lies,
            asked: VecDeque::new(),
        };
        self.suppliers.insert(key, supplier);
        let all = Bitfield::all(&self.geometry);
        let facts = [Fact::Bitfield(all), Fact::Unchoked];
        self.engine.handle_facts(self.now, key, origin, facts);
        self.drain();
    }

    fn web_seed(&mut self, number: u32, lies: bool) -> PeerKey {
        let id = WebSeedId::new(number);
        let key = self.engine.handle_web_seed(self.now, id).unwrap();
        self.add(key, id.into(), lies);
        key
    }

    fn peer(&mut self, number: u8) -> PeerKey {
        let addr = SocketAddr::from(([192, 0, 2, number], 6881));
        let new = NewPeer {
            addr,
            id: PeerId::new([number; 20]),
            direction: Direction::Outgoing,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let key = self.engine.handle_connected(self.now, new).unwrap();
        self.add(key, addr.ip().into(), false);
        key
    }

    fn drain(&mut self) {
        self.engine.check_invariants();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Command { peer, command } => self.carry_out(peer, command),
                Output::Verify(pieces) => {
                    for piece in pieces {
                        self.verify(piece);
                    }
                }
                Output::Digest(piece) => {
                    let digests = self.digests(piece);
                    self.engine.handle_digests(self.now, piece, &digests);
                }
                Output::Disconnect { peer, .. } => {
                    self.suppliers.remove(&peer);
                }
                Output::Notice(Notice::Banned(origin)) => self.banned.push(origin),
                _ => {}
            }
        }
    }

    fn carry_out(&mut self, key: PeerKey, command: Command) {
        let Some(supplier) = self.suppliers.get_mut(&key) else {
            return;
        };
        match command {
            Command::Request(block) => supplier.asked.push_back(block),
            Command::Cancel(block) => supplier.asked.retain(|asked| *asked != block),
            command if matches!(supplier.origin, Origin::WebSeed(_)) => self.chatter.push(command),
            _ => {}
        }
    }

    fn blocks(&self, piece: PieceIndex) -> impl Iterator<Item = BlockRef> + use<> {
        self.geometry.blocks(piece)
    }

    fn stored(&self, piece: PieceIndex) -> Vec<Content> {
        let stored = self.room.0.borrow();
        self.blocks(piece).map(|block| stored[&block]).collect()
    }

    fn digests(&self, piece: PieceIndex) -> Vec<BlockDigest> {
        let stored = self.stored(piece).into_iter();
        stored
            .map(|truth| BlockDigest::new([u8::from(truth); 8]))
            .collect()
    }

    fn verify(&mut self, piece: PieceIndex) {
        let verdict = match self.stored(piece).iter().all(|truth| *truth) {
            true => Verdict::Valid,
            false => Verdict::Invalid {
                block_digests: self.digests(piece),
            },
        };
        self.engine.handle_verdict(self.now, piece, &verdict);
    }

    /// Every supplier sends a few of the blocks that it was asked for.
    fn turn(&mut self) {
        self.now += TURN;
        self.engine.handle_timeout(self.now);
        self.drain();
        let keys: Vec<_> = self.suppliers.keys().copied().collect();
        for key in keys {
            let Some(supplier) = self.suppliers.get_mut(&key) else {
                continue;
            };
            let count = supplier.asked.len().min(AT_ONCE);
            let blocks: Vec<_> = supplier.asked.drain(..count).collect();
            let (origin, truth) = (supplier.origin, !supplier.lies);
            *self.sent.entry(origin).or_default() += count;
            for block in &blocks {
                self.room.0.borrow_mut().entry(*block).or_insert(truth);
            }
            let facts = blocks.into_iter().map(Fact::Block);
            self.engine.handle_facts(self.now, key, origin, facts);
            self.drain();
        }
    }

    /// Runs until the torrent is complete.
    fn complete(&mut self) {
        for _ in 0..10_000 {
            if self.engine.is_complete() {
                return;
            }
            self.turn();
        }
        panic!("it does not end: {:?}", self.engine.stats(self.now));
    }
}

fn seed(number: u32) -> Origin {
    Origin::WebSeed(WebSeedId::new(number))
}

#[test]
fn a_torrent_is_downloaded_from_a_web_seed_alone() {
    let mut download = Download::new();
    let key = download.web_seed(1, false);
    download.complete();
    let blocks: u32 = download
        .geometry
        .pieces()
        .map(|piece| download.geometry.block_count(piece))
        .sum();
    assert_eq!(download.sent, BTreeMap::from([(seed(1), blocks as usize)]));
    assert_eq!(
        download.chatter,
        [],
        "it is asked for blocks and told nothing"
    );
    // It is no peer, and takes no place of one.
    let stats = download.engine.stats(download.now);
    assert_eq!((stats.peers, stats.seeds), (0, 0));
    assert_eq!(stats.downloaded, stats.bytes_total);
    assert_eq!(download.engine.peer_stats(download.now), []);
    let suppliers = download.engine.supplier_stats(download.now);
    let counted: Vec<_> = suppliers.iter().map(|s| (s.origin, s.downloaded)).collect();
    assert_eq!(counted, [(seed(1), stats.bytes_total)]);
    download.engine.handle_closed(download.now, key);
    download.drain();
    assert_eq!(download.engine.supplier_stats(download.now), []);
}

#[test]
fn a_web_seed_and_peers_share_the_work() {
    let mut download = Download::new();
    download.web_seed(1, false);
    download.peer(1);
    download.peer(2);
    download.complete();
    let sent = &download.sent;
    assert_eq!(sent.len(), 3);
    assert!(sent.values().all(|sent| *sent >= 10), "{sent:?}");
    assert_eq!(download.chatter, []);
}

#[test]
fn a_web_seed_that_lies_is_banned_by_its_origin_and_its_blocks_are_fetched_elsewhere() {
    for others in 0..3 {
        let mut download = Download::new();
        let liar = download.web_seed(7, true);
        for number in 0..others {
            download.peer(number + 1);
        }
        for _ in 0..50 {
            download.turn();
        }
        download.web_seed(8, false);
        download.complete();
        assert_eq!(download.banned, [seed(7)], "beside {others} peers");
        assert!(!download.suppliers.contains_key(&liar));
        let again = download
            .engine
            .handle_web_seed(download.now, WebSeedId::new(7));
        assert_eq!(again, Err(Refusal::Banned));
        assert!(download.room.0.borrow().values().all(|truth| *truth));
    }
}

#[test]
fn what_a_web_seed_gives_back_is_fetched_elsewhere() {
    let mut download = Download::new();
    let seed = download.web_seed(1, false);
    let asked: BTreeSet<_> = download.suppliers[&seed].asked.iter().copied().collect();
    assert!(!asked.is_empty());
    // Its server is overloaded: it takes no requests for a while, and answers none.
    download.suppliers.get_mut(&seed).unwrap().asked.clear();
    let back = asked.iter().copied().map(Fact::Returned);
    let facts = std::iter::once(Fact::Choked).chain(back);
    let origin = Origin::WebSeed(WebSeedId::new(1));
    download
        .engine
        .handle_facts(download.now, seed, origin, facts);
    download.drain();
    assert!(download.suppliers[&seed].asked.is_empty());
    let peer = download.peer(1);
    let theirs: BTreeSet<_> = download.suppliers[&peer].asked.iter().copied().collect();
    assert!(theirs.intersection(&asked).count() > 0);
    download.complete();
    assert!(!download.sent.contains_key(&origin) || download.sent[&origin] == 0);
}

#[test]
fn a_full_torrent_and_web_seeds_do_not_displace_each_other() {
    let mut download = Download::new();
    download.engine.set_max_peers(download.now, 2);
    for number in 0..20 {
        download.web_seed(number, false);
    }
    download.peer(1);
    download.peer(2);
    assert_eq!(download.suppliers.len(), 22);
    let twice = download
        .engine
        .handle_web_seed(download.now, WebSeedId::new(3));
    assert_eq!(twice, Err(Refusal::Duplicate));
    download.complete();
    // Peers that have everything leave a torrent that does. Web seeds stay until their driver takes them away.
    assert_eq!(download.suppliers.len(), 20);
}

#[test]
fn a_web_seed_is_asked_for_little_while_a_peer_serves_us() {
    let most = |with_peer: bool| {
        let mut download = Download::new();
        if with_peer {
            download.peer(1);
            // It has to have shown that it serves.
            download.turn();
        }
        let key = download.web_seed(1, false);
        let mut most = 0;
        for _ in 0..10 {
            most = most.max(download.suppliers[&key].asked.len());
            download.turn();
        }
        most
    };
    assert!(most(false) > 20, "{}", most(false));
    assert!(most(true) <= 16, "{}", most(true));
}
