//! Readers of v2 torrents whose peers serve the hashes of blocks (BEP 52): they get their first bytes after a block, whatever
//! the length of a piece; some peers lie, refuse or say nothing.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::net::IpAddr;
use std::time::Duration;

use sim::{Manner, Payload, Play, PlayerId, Swarm, Viewer};
use tailwater_engine::peer::Command;
use tailwater_engine::torrent::{Notice, Origin, PieceState};
use tailwater_metainfo::PieceIndex;
use tailwater_netsim::Link;

const MINUTE: Duration = Duration::from_secs(60);
const PIECES: usize = 12;
const PIECE: u32 = 1 << 20;
/// In bytes a second: a piece takes ten seconds, a block 160 ms.
const RATE: u64 = 100_000;
/// In the middle of a piece, and of a block.
const START: u64 = 5 * PIECE as u64 + 600_000;

fn payload(seed: u64) -> Payload {
    Payload::v2(seed, PIECES * PIECE as usize - 5, PIECE)
}

fn slow() -> Link {
    Link::new(Duration::from_millis(10)).with_up(RATE)
}

/// A node that fetches what its player reads.
fn viewer(swarm: &mut Swarm) -> usize {
    let viewer = Viewer {
        budget: 16_000_000,
        verdict_delay: Duration::ZERO,
    };
    swarm.viewer(Link::new(Duration::from_millis(10)), viewer)
}

/// A player that begins in the middle of a piece.
fn open(swarm: &mut Swarm, node: usize) -> PlayerId {
    let play = Play {
        rate: Some(RATE / 2),
        from: START,
        ..Play::default()
    };
    swarm.open(node, play)
}

/// How long the player waits for its first byte.
fn first_byte(swarm: &mut Swarm, player: PlayerId) -> Duration {
    swarm.run_until(5 * MINUTE, |swarm| swarm.player(player).position > START);
    swarm.player(player).diary.firsts[0]
}

fn banned(swarm: &Swarm, node: usize) -> Vec<IpAddr> {
    let notes = swarm.nodes[node].notes.iter();
    let banned = notes.filter_map(|note| match note {
        Notice::Banned(Origin::Ip(ip)) => Some(*ip),
        _ => None,
    });
    banned.collect()
}

/// The pieces that failed, but for the last. That is fetched because players look at the end of a file: no reader is there, no
/// leaf is asked for, and its wrong blocks are found with the piece.
fn failed_pieces(swarm: &Swarm, node: usize, with_last: bool) -> usize {
    let notes = swarm.nodes[node].notes.iter();
    let counts = |piece: PieceIndex| with_last || piece.as_usize() + 1 < PIECES;
    let failed = notes.filter(|note| matches!(note, Notice::PieceFailed(piece) if counts(*piece)));
    failed.count()
}

/// The layers of which a node has asked for hashes, in order.
fn layers_asked(swarm: &Swarm, node: usize) -> Vec<u32> {
    let commands = swarm.nodes[node].commands.iter();
    let queries = commands.filter_map(|(_, command)| match command {
        Command::RequestHashes(query) => Some(query.range.base),
        _ => None,
    });
    queries.collect()
}

fn ip(node: usize) -> IpAddr {
    IpAddr::from([10, 0, 0, node as u8 + 1])
}

/// A swarm of one viewer and seeds of these manners.
fn swarm(seed: u64, manners: &[Manner]) -> (Swarm, usize, PlayerId) {
    let mut swarm = Swarm::new(seed, payload(seed));
    let seeds: Vec<_> = manners.iter().map(|it| swarm.seed(slow(), *it)).collect();
    let node = viewer(&mut swarm);
    let player = open(&mut swarm, node);
    swarm.introduce(node, &seeds);
    (swarm, node, player)
}

#[test]
fn a_reader_gets_its_first_bytes_after_a_block() {
    let (mut swarm, node, player) = swarm(1, &[Manner::Honest]);
    // From cold: the hashes of pieces come first, then those of blocks, with the blocks.
    let first = first_byte(&mut swarm, player);
    assert!(first < Duration::from_millis(1_500), "{first:?}");
    assert_eq!(layers_asked(&swarm, node)[..2], [6, 0]);
    // The picture shows what it can read of the piece that is not whole.
    swarm.run_for(Duration::from_secs(4));
    let map = swarm.engine(node).buffer_map(swarm.now());
    let reader = map.readers[0];
    assert_eq!(map.pieces[5].state, PieceState::Partial);
    assert!((100_000..400_000).contains(&reader.ahead), "{reader:?}");
    assert!(reader.cursor > START, "{reader:?}");
    let read = reader.cursor - START;
    assert!((read..read + 20_000).contains(&reader.behind), "{reader:?}");
    // It plays on without a stall at half the rate of the link, although no piece is whole for ten seconds.
    swarm.run_for(Duration::from_secs(30));
    assert_eq!(swarm.player(player).diary.stalls, [] as [Duration; 0]);
    assert!(swarm.player(player).diary.bytes > 25 * RATE / 2);
    // A jump into nothing costs a block, and what is on its way already.
    let before = swarm.player(player).diary.firsts.len();
    swarm.jump(player, 2 * u64::from(PIECE) + 900_000);
    swarm.run_until(MINUTE, |swarm| {
        swarm.player(player).diary.firsts.len() > before
    });
    let jump = swarm.player(player).diary.firsts[before];
    assert!(jump < Duration::from_secs(2), "{jump:?}");
}

#[test]
fn where_nobody_serves_hashes_of_blocks_a_reader_waits_for_the_piece() {
    let (mut swarm, node, player) = swarm(2, &[Manner::NoLeaves, Manner::NoLeaves]);
    let first = first_byte(&mut swarm, player);
    // Two of them bring a piece in five seconds.
    assert!(first > Duration::from_secs(4), "{first:?}");
    assert!(first < Duration::from_secs(9), "{first:?}");
    assert!(banned(&swarm, node).is_empty());
    // Each was asked once for what the reader needed.
    let leaves = layers_asked(&swarm, node);
    let leaves = leaves.iter().filter(|base| **base == 0).count();
    assert!((2..=6).contains(&leaves), "{leaves}");
    assert_eq!(swarm.stats(node).wasted, 0);
}

#[test]
fn who_sends_false_hashes_of_blocks_is_banned_and_another_is_asked() {
    for seed in 0..4 {
        let manners = [Manner::FalseLeaves, Manner::FalseLeaves, Manner::Honest];
        let (mut swarm, node, player) = swarm(seed, &manners);
        let first = first_byte(&mut swarm, player);
        assert!(first < Duration::from_secs(3), "seed {seed}: {first:?}");
        swarm.run_for(Duration::from_secs(10));
        let liars = [ip(0), ip(1)];
        let banned = banned(&swarm, node);
        assert!(banned.iter().all(|it| liars.contains(it)), "seed {seed}");
        assert!(!banned.is_empty(), "seed {seed}: two of three are asked");
    }
}

#[test]
fn who_says_nothing_about_blocks_is_given_up_after_seconds() {
    let large = 4 * PIECE;
    let mut swarm = Swarm::new(5, Payload::v2(5, 3 * large as usize, large));
    let slower = Link::new(Duration::from_millis(10)).with_up(RATE / 10);
    let silent = [0, 1].map(|_| swarm.seed(slower, Manner::SilentOnLeaves));
    let honest = swarm.seed(slower, Manner::Honest);
    let node = viewer(&mut swarm);
    let player = open(&mut swarm, node);
    swarm.introduce(node, &silent);
    swarm.run_for(Duration::from_secs(2));
    swarm.introduce(node, &[honest]);
    let first = first_byte(&mut swarm, player);
    // A piece would take two minutes from all three.
    assert!(first > Duration::from_secs(4), "{first:?}");
    assert!(first < Duration::from_secs(20), "{first:?}");
    assert!(banned(&swarm, node).is_empty());
}

#[test]
fn a_wrong_block_bans_its_sender_alone_and_no_piece_fails() {
    let mut at_ends = 0;
    for seed in 10..16 {
        let manners = [Manner::Honest, Manner::Liar, Manner::Honest];
        let (mut swarm, node, player) = swarm(seed, &manners);
        first_byte(&mut swarm, player);
        swarm.run_until(2 * MINUTE, |swarm| {
            swarm.player(player).position > START + 3 * u64::from(PIECE)
        });
        assert_eq!(banned(&swarm, node), [ip(1)], "seed {seed}");
        assert_eq!(failed_pieces(&swarm, node, false), 0, "seed {seed}");
        // What the liar sent before it was found out, and nothing of others.
        let at_the_end = failed_pieces(&swarm, node, true);
        at_ends += at_the_end;
        let last_pieces = at_the_end as u64 * u64::from(PIECE);
        let wasted = swarm.stats(node).wasted.saturating_sub(last_pieces);
        assert!(wasted <= 12 * 16_384, "seed {seed}: {wasted}");
        assert_eq!(swarm.ledger(node).counts().faults.twice, 0, "seed {seed}");
    }
    // With the other seeds, not even that one.
    assert!(at_ends <= 1, "{at_ends} last pieces failed");
}

#[test]
fn a_node_that_streams_serves_hashes_of_blocks_to_another() {
    let mut swarm = Swarm::new(7, payload(7));
    let seed = swarm.seed(Link::lan(), Manner::Honest);
    let first = swarm.leech(slow());
    let node = viewer(&mut swarm);
    swarm.introduce(first, &[seed]);
    swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(first));
    swarm.leave(seed);
    let player = open(&mut swarm, node);
    swarm.introduce(node, &[first]);
    let time = first_byte(&mut swarm, player);
    assert!(time < Duration::from_millis(1_500), "{time:?}");
}
