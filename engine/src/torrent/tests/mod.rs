//! The decisions of a torrent's state machine, seen through its outputs.

mod borders;
mod candidates;
mod holepunch;
mod hosts;
mod neighbours;
mod prefetch;
mod readers;
mod slots;
mod stalled;
mod super_seeding;
mod verifying;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::{Duration, Instant};

use tailwater_metainfo::{Bitfield, BlockRef, Geometry, InfoHash, PeerId, PieceIndex};

use super::*;
use crate::peer::{Command, Direction, Fact};
use crate::testing::epoch;

const OUR_ID: PeerId = PeerId::new([50; 20]);

/// Space for a number of pieces. Pieces outside all windows are evicted, the lowest index first.
#[derive(Debug)]
struct Shelf {
    room: usize,
    evicts: bool,
    held: BTreeSet<PieceIndex>,
    /// Verified, so that they may be evicted.
    settled: BTreeSet<PieceIndex>,
    /// Leased, so that they may not.
    leased: BTreeSet<PieceIndex>,
    windows: BTreeMap<ReaderKey, Range<u64>>,
    pins: Vec<Range<u64>>,
    time: Option<Instant>,
    rarity: BTreeMap<PieceIndex, u32>,
    together: usize,
    /// Whether it says how much room is unused.
    tells_unused: bool,
    /// Pieces in no reader's window for which others were evicted.
    displacing: Vec<PieceIndex>,
}

impl Shelf {
    fn covers(range: &Range<u64>, piece: PieceIndex) -> bool {
        range.contains(&(u64::from(piece.get()) * 32_768))
    }

    fn victim(&self) -> Option<PieceIndex> {
        let is_free = |piece: &&PieceIndex| {
            let mut protected = self.windows.values().chain(&self.pins);
            !self.leased.contains(piece) && !protected.any(|range| Self::covers(range, **piece))
        };
        self.settled.iter().find(is_free).copied()
    }
}

impl Space for Shelf {
    fn reserve(&mut self, piece: PieceIndex) -> Result<Vec<PieceIndex>, Full> {
        let mut evicted = Vec::new();
        if self.held.len() >= self.room {
            let victim = self.victim().filter(|_| self.evicts).ok_or(Full)?;
            self.held.remove(&victim);
            self.settled.remove(&victim);
            evicted.push(victim);
            if !self
                .windows
                .values()
                .any(|window| Self::covers(window, piece))
            {
                self.displacing.push(piece);
            }
        }
        self.held.insert(piece);
        Ok(evicted)
    }

    fn release(&mut self, piece: PieceIndex) {
        self.held.remove(&piece);
    }

    fn verify_together(&self) -> usize {
        self.together
    }

    fn share(&self) -> Option<u64> {
        let readers = self.windows.len().max(1) as u64;
        self.evicts.then_some(self.room as u64 * 32_768 / readers)
    }

    fn unused(&self) -> Option<u64> {
        let unused = self.room.saturating_sub(self.held.len()) as u64 * 32_768;
        self.tells_unused.then_some(unused)
    }

    fn set_window(&mut self, reader: ReaderKey, window: Option<&ByteWindow>) {
        match window {
            Some(window) => self.windows.insert(reader, window.span.clone()),
            None => self.windows.remove(&reader),
        };
    }

    fn set_pins(&mut self, pins: &[Range<u64>]) {
        self.pins = pins.to_vec();
    }

    fn set_time(&mut self, now: Instant) {
        self.time = Some(now);
    }

    fn set_availability(&mut self, piece: PieceIndex, peers: u32) {
        self.rarity.insert(piece, peers);
    }
}

/// An engine whose outputs are kept as they come.
struct Bench {
    now: Instant,
    geometry: Geometry,
    engine: Engine<Shelf>,
    commands: Vec<(PeerKey, Command)>,
    dialled: Vec<SocketAddr>,
    dismissed: Vec<(PeerKey, Refusal)>,
    verify: Vec<PieceIndex>,
    verify_calls: usize,
    notes: Vec<Notice>,
    starved: Vec<ReaderKey>,
    room_needed: u32,
}

impl Bench {
    fn new(have: impl FnOnce(&Geometry) -> Bitfield) -> Self {
        Self::with(Config::new(InfoHash::new([1; 20]), OUR_ID), 100, have)
    }

    fn with(config: Config, room: usize, have: impl FnOnce(&Geometry) -> Bitfield) -> Self {
        Self::sized(config, 8, room, have)
    }

    fn sized(
        config: Config,
        pieces: u64,
        room: usize,
        have: impl FnOnce(&Geometry) -> Bitfield,
    ) -> Self {
        let geometry = Geometry::new(pieces * 32_768, 32_768).unwrap();
        Self::of(config, geometry, room, have)
    }

    fn of(
        config: Config,
        geometry: Geometry,
        room: usize,
        have: impl FnOnce(&Geometry) -> Bitfield,
    ) -> Self {
        let shelf = Shelf {
            room,
            evicts: config.on_demand,
            held: BTreeSet::new(),
            settled: BTreeSet::new(),
            leased: BTreeSet::new(),
            windows: BTreeMap::new(),
            pins: Vec::new(),
            time: None,
            rarity: BTreeMap::new(),
            together: 1,
            tells_unused: false,
            displacing: Vec::new(),
        };
        Self {
            now: epoch(),
            engine: Engine::new(config, geometry.clone(), have(&geometry), shelf),
            geometry,
            commands: Vec::new(),
            dialled: Vec::new(),
            dismissed: Vec::new(),
            verify: Vec::new(),
            verify_calls: 0,
            notes: Vec::new(),
            starved: Vec::new(),
            room_needed: 0,
        }
    }

    fn drain(&mut self) {
        self.engine.check_invariants();
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Command { peer, command } => self.commands.push((peer, command)),
                Output::Connect(addr) => self.dialled.push(addr),
                Output::Disconnect { peer, reason } => self.dismissed.push((peer, reason)),
                Output::Verify(pieces) => {
                    self.verify.extend(pieces);
                    self.verify_calls += 1;
                }
                Output::Digest(_) | Output::Judge(_) | Output::Recheck(_) => {}
                Output::Starved(reader) => self.starved.push(reader),
                Output::RoomNeeded => self.room_needed += 1,
                Output::Notice(note) => self.notes.push(note),
            }
        }
    }

    fn connect(&mut self, number: u8, direction: Direction) -> Result<PeerKey, Refusal> {
        let new = NewPeer {
            addr: addr(number),
            id: PeerId::new([number; 20]),
            direction,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let outcome = self.engine.handle_connected(self.now, new);
        self.drain();
        outcome
    }

    /// A peer that has everything and serves us.
    fn seed(&mut self, number: u8) -> PeerKey {
        let key = self.connect(number, Direction::Outgoing).unwrap();
        let all = Bitfield::all(&self.geometry);
        self.tell(key, [Fact::Bitfield(all), Fact::Unchoked]);
        key
    }

    fn tell(&mut self, key: PeerKey, facts: impl IntoIterator<Item = Fact>) {
        let peer = self.engine.peers.get(key);
        let from = peer.map_or(addr(99).ip().into(), super::peers::Peer::origin);
        self.engine.handle_facts(self.now, key, from, facts);
        self.drain();
    }

    fn later(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(at) = self.engine.poll_timeout().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Takes the blocks asked of a peer since the last time, less those taken back.
    fn requests(&mut self, key: PeerKey) -> Vec<BlockRef> {
        let mut blocks = Vec::new();
        self.commands.retain(|(peer, command)| {
            match command {
                Command::Request(block) if *peer == key => blocks.push(*block),
                Command::Cancel(block) if *peer == key => blocks.retain(|other| other != block),
                _ => return true,
            }
            false
        });
        blocks
    }

    fn deliver(&mut self, key: PeerKey, blocks: &[BlockRef]) {
        self.tell(key, blocks.iter().map(|&block| Fact::Block(block)));
    }

    fn has_sent(&self, key: PeerKey, command: &Command) -> bool {
        self.commands
            .iter()
            .any(|(peer, sent)| *peer == key && sent == command)
    }
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 6881))
}

#[test]
fn a_download_from_one_seed_asks_for_each_block_once_and_completes() {
    let mut bench = Bench::new(Bitfield::none);
    let seed = bench.seed(1);
    assert!(bench.has_sent(seed, &Command::Interested));
    let mut asked = BTreeSet::new();
    while !bench.engine.is_complete() {
        let requests = bench.requests(seed);
        assert!(!requests.is_empty());
        for block in &requests {
            assert!(asked.insert(*block), "{block:?} twice");
        }
        bench.now += Duration::from_millis(10);
        bench.deliver(seed, &requests);
        for piece in std::mem::take(&mut bench.verify) {
            bench
                .engine
                .handle_verdict(bench.now, piece, &Verdict::Valid);
        }
        bench.drain();
    }
    assert_eq!(asked.len(), 16);
    assert_eq!(bench.notes.last(), Some(&Notice::Completed));
    // Two seeds have nothing to say to each other.
    assert!(bench.has_sent(seed, &Command::NotInterested));
    bench.tell(seed, []);
    assert_eq!(bench.dismissed, [(seed, Refusal::NothingToShare)]);
}

#[test]
fn nothing_is_requested_without_space() {
    let config = Config::new(InfoHash::new([1; 20]), OUR_ID);
    let mut bench = Bench::with(config, 2, Bitfield::none);
    let seed = bench.seed(1);
    let pieces: BTreeSet<_> = bench.requests(seed).iter().map(|b| b.piece()).collect();
    assert_eq!(pieces.len(), 2);
    bench.engine.space.room = 3;
    bench.engine.handle_space(bench.now);
    bench.drain();
    assert_eq!(bench.requests(seed).len(), 2);
}

#[test]
fn an_evicted_piece_is_announced_and_fetched_again_only_if_wanted() {
    let mut bench = Bench::new(Bitfield::all);
    let leech = bench.connect(1, Direction::Incoming).unwrap();
    let piece = bench.geometry.piece(3).unwrap();
    let skipped = bench.geometry.piece(4).unwrap();
    bench
        .engine
        .set_priorities(bench.now, [(skipped, Priority::Skip)]);
    bench.engine.handle_evicted(bench.now, piece);
    bench.engine.handle_evicted(bench.now, skipped);
    bench.drain();
    assert!(bench.has_sent(leech, &Command::DontHave(piece)));
    assert!(bench.has_sent(leech, &Command::DontHave(skipped)));
    assert_eq!(bench.engine.piece_state(piece), PieceState::Evicted);
    assert!(!bench.engine.is_complete());
    let seed = bench.seed(2);
    let pieces: BTreeSet<_> = bench.requests(seed).iter().map(|b| b.piece()).collect();
    assert_eq!(pieces, BTreeSet::from([piece]));
}

#[test]
fn what_a_lost_peer_was_asked_for_is_asked_of_another() {
    let mut bench = Bench::new(Bitfield::none);
    let first = bench.seed(1);
    let asked: BTreeSet<_> = bench.requests(first).into_iter().collect();
    assert_eq!(asked.len(), 16);
    let second = bench.seed(2);
    bench.requests(second);
    bench.engine.handle_closed(bench.now, first);
    bench.drain();
    assert_eq!(
        bench.requests(second).len(),
        15,
        "one was asked for in the end-game"
    );
}

#[test]
fn a_late_block_is_asked_of_another_and_still_welcome() {
    let mut bench = Bench::new(Bitfield::none);
    let slow = bench.seed(1);
    let asked = bench.requests(slow);
    bench.later(15);
    let quick = bench.seed(2);
    bench.later(10);
    let again = bench.requests(quick);
    assert_eq!(again.len(), 16);
    // The slow one wakes up after all: the others need not send it any more.
    let overlap = *asked.iter().find(|block| again.contains(block)).unwrap();
    bench.deliver(slow, &[overlap]);
    assert!(bench.has_sent(quick, &Command::Cancel(overlap)));
    assert_eq!(bench.engine.stats(bench.now).wasted, 0);
}

#[test]
fn in_the_end_game_the_last_block_is_asked_of_two_and_cancelled_once_it_is_there() {
    let mut bench = Bench::new(Bitfield::none);
    let first = bench.seed(1);
    let asked = bench.requests(first);
    let second = bench.seed(2);
    let copies = bench.requests(second);
    assert_eq!(copies.len(), 1);
    assert!(asked.contains(&copies[0]));
    bench.deliver(second, &copies);
    assert!(bench.has_sent(first, &Command::Cancel(copies[0])));
}

#[test]
fn a_peer_that_rejects_is_asked_again_only_after_a_rest() {
    let mut bench = Bench::new(Bitfield::none);
    let seed = bench.seed(1);
    let asked = bench.requests(seed);
    bench.tell(seed, asked.iter().map(|&block| Fact::Rejected(block)));
    assert_eq!(bench.requests(seed), []);
    bench.later(3);
    assert_eq!(bench.requests(seed).len(), 16);
}

#[test]
fn of_two_connections_to_one_peer_both_sides_keep_the_same() {
    // Peer 60 has a larger id than ours: its own connection counts.
    let mut bench = Bench::new(Bitfield::none);
    let ours = bench.connect(60, Direction::Outgoing).unwrap();
    let theirs = bench.connect(60, Direction::Incoming);
    assert!(theirs.is_ok());
    assert_eq!(bench.dismissed, [(ours, Refusal::Duplicate)]);
    // Peer 40 has a smaller one: ours counts.
    bench.connect(40, Direction::Outgoing).unwrap();
    assert_eq!(
        bench.connect(40, Direction::Incoming),
        Err(Refusal::Duplicate)
    );
    // The same way twice: the first counts.
    assert_eq!(
        bench.connect(40, Direction::Outgoing),
        Err(Refusal::Duplicate)
    );
}

#[test]
fn we_do_not_talk_to_ourselves_nor_to_the_banned() {
    let mut bench = Bench::new(Bitfield::none);
    assert_eq!(
        bench.connect(50, Direction::Outgoing),
        Err(Refusal::Ourselves)
    );
    let peer = bench.connect(3, Direction::Incoming).unwrap();
    bench.engine.handle_misbehaviour(bench.now, peer);
    bench.drain();
    assert_eq!(bench.dismissed, [(peer, Refusal::Banned)]);
    assert_eq!(bench.connect(3, Direction::Incoming), Err(Refusal::Banned));
}

#[test]
fn connections_are_bounded() {
    let config = Config {
        max_peers: 5,
        max_connecting: 3,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::with(config, 100, Bitfield::none);
    let addrs: Vec<_> = (1..=20).map(addr).collect();
    bench
        .engine
        .handle_candidates(bench.now, PeerSource::Tracker, &addrs);
    bench.drain();
    assert_eq!(bench.dialled.len(), 3);
    for number in 1..=5 {
        bench.connect(number, Direction::Incoming).unwrap();
    }
    assert_eq!(
        bench.connect(6, Direction::Incoming),
        Err(Refusal::TooManyPeers)
    );
    let dialled = bench.dialled[0];
    bench.engine.handle_connect_failed(bench.now, dialled);
    bench.drain();
    assert_eq!(bench.dialled.len(), 3);
}

#[test]
fn interested_peers_are_unchoked_at_once_while_there_are_slots() {
    let config = Config {
        upload_slots: 2,
        ..Config::new(InfoHash::new([1; 20]), OUR_ID)
    };
    let mut bench = Bench::with(config, 100, Bitfield::all);
    let peers: Vec<_> = (1..=3)
        .map(|number| bench.connect(number, Direction::Incoming).unwrap())
        .collect();
    for &peer in &peers {
        bench.tell(peer, [Fact::Interested]);
    }
    let unchoked = |bench: &Bench| {
        let unchoked = |peer: &&PeerKey| bench.has_sent(**peer, &Command::Unchoke);
        peers.iter().filter(unchoked).count()
    };
    assert_eq!(unchoked(&bench), 2);
    // The third gets its turn when one loses interest.
    bench.tell(peers[0], [Fact::NotInterested]);
    assert_eq!(unchoked(&bench), 3);
}

#[test]
fn a_pause_takes_requests_back_and_a_resume_asks_again() {
    let mut bench = Bench::new(Bitfield::none);
    let seed = bench.seed(1);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked[..1]);
    bench.engine.halt(Halt::Paused);
    bench.drain();
    assert!(bench.has_sent(seed, &Command::Cancel(asked[5])));
    bench.commands.clear();
    bench.tell(seed, [Fact::Unchoked]);
    assert_eq!(bench.requests(seed), []);
    bench.engine.resume(bench.now);
    bench.drain();
    let again: BTreeSet<_> = bench.requests(seed).into_iter().collect();
    assert_eq!(again, asked[1..].iter().copied().collect());
}

#[test]
fn blocks_that_the_storage_lost_are_fetched_again_after_a_resume() {
    let mut bench = Bench::new(Bitfield::none);
    let seed = bench.seed(1);
    let asked = bench.requests(seed);
    bench.deliver(seed, &asked);
    assert_eq!(bench.verify.len(), 8);
    bench.engine.handle_lost(&asked[..3]);
    bench.engine.halt(Halt::Storage);
    bench.drain();
    bench.verify.clear();
    bench.engine.resume(bench.now);
    bench.drain();
    let again: BTreeSet<_> = bench.requests(seed).into_iter().collect();
    assert_eq!(again, asked[..3].iter().copied().collect());
    // It is not known whether the storage answered the rest: it is asked again.
    assert_eq!(bench.verify.len(), 6);
}

#[test]
fn skipped_pieces_are_not_fetched_and_not_missed() {
    let mut bench = Bench::new(Bitfield::none);
    let skip = bench.geometry.pieces().filter(|piece| piece.get() != 2);
    let priorities: Vec<_> = skip.map(|piece| (piece, Priority::Skip)).collect();
    bench.engine.set_priorities(bench.now, priorities);
    let seed = bench.seed(1);
    let asked = bench.requests(seed);
    let wanted = bench.geometry.piece(2).unwrap();
    assert_eq!(asked, bench.geometry.blocks(wanted).collect::<Vec<_>>());
    bench.deliver(seed, &asked);
    bench
        .engine
        .handle_verdict(bench.now, wanted, &Verdict::Valid);
    bench.drain();
    assert!(bench.engine.is_complete());
}

#[test]
fn a_choked_beginner_is_allowed_a_few_pieces() {
    let mut bench = Bench::new(Bitfield::all);
    let peer = bench.connect(1, Direction::Incoming).unwrap();
    let none = Bitfield::none(&bench.geometry);
    bench.tell(peer, [Fact::Bitfield(none)]);
    let allowed = |(_, command): &&(PeerKey, Command)| matches!(command, Command::AllowFast(_));
    assert_eq!(bench.commands.iter().filter(allowed).count(), 8);
}

#[test]
fn a_block_of_a_peer_that_was_let_go_meanwhile_counts_as_stored() {
    let mut bench = Bench::new(Bitfield::none);
    let gone = bench.seed(1);
    let asked = bench.requests(gone);
    bench.engine.handle_closed(bench.now, gone);
    // It is in the storage, which would turn a second copy away.
    bench.tell(gone, [Fact::Block(asked[0])]);
    let other = bench.seed(2);
    let rest = bench.requests(other);
    assert_eq!(rest.len(), 15);
    assert!(!rest.contains(&asked[0]));
}
