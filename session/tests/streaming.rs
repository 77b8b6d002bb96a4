//! Streaming on a simulated network: whole swarms with players, the real memory storage and small budgets.
//!
//! After every event the machines' invariants are checked, the budget is compared with what is used, and every byte
//! that a player reads with the payload; every request must have reserved room.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::rc::Rc;
use std::time::{Duration, Instant};

use sim::{Manner, Payload, Play, PlayerId, Swarm, Viewer};
use tailwater_metainfo::{BlockRef, PieceIndex};
use tailwater_netsim::Link;
use tailwater_session::peer::Command;
use tailwater_session::torrent::{Note, PieceState};

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;
const BLOCK: u64 = 16 * KIB;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// 100 Mbit/s, in bytes a second.
const FAST: u64 = 12_500_000;
const NO_DELAY: Duration = Duration::ZERO;
const FAR: Duration = Duration::from_millis(50);

/// 100 Mbit/s each way; two such hosts are `round_trip` apart, and one connection can fill the line.
fn fast(round_trip: Duration) -> Link {
    Link::new(round_trip / 4)
        .with_rate(FAST)
        .with_send_buffer(4 << 20)
}

fn of_budget(budget: u64) -> Viewer {
    Viewer {
        budget,
        verdict_delay: Duration::ZERO,
    }
}

fn at_rate(rate: u64) -> Play {
    Play {
        rate: Some(rate),
        ..Play::default()
    }
}

/// The wire time of so many bytes at 100 Mbit/s.
fn wire_time(bytes: u64) -> Duration {
    Duration::from_nanos(bytes * 1_000_000_000 / FAST)
}

/// A seed and a viewer over 100 Mbit/s, acquainted for a while.
struct Duo {
    swarm: Swarm,
    seed: usize,
    viewer: usize,
}

impl Duo {
    fn new(seed: u64, payload: Payload, round_trip: Duration, viewer: Viewer) -> Self {
        let mut swarm = Swarm::new(seed, payload);
        let seed = swarm.seed(fast(round_trip), Manner::Honest);
        let viewer = swarm.viewer(fast(round_trip), viewer);
        swarm.introduce(viewer, &[seed]);
        swarm.run_for(SECOND);
        Self {
            swarm,
            seed,
            viewer,
        }
    }
}

fn firsts(swarm: &Swarm, player: PlayerId) -> Vec<Duration> {
    swarm.player(player).diary.firsts.clone()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn is_done(swarm: &Swarm, player: PlayerId) -> bool {
    swarm.player(player).diary.ended.is_some()
}

// ---- budget -------------------------------------------------------------------------------------------------------

/// Three readers jump about for `time`.
fn random_seeks(seed: u64, time: Duration) -> sim::Counts {
    let total = 32 * MIB;
    let mut swarm = Swarm::new(seed, Payload::new(seed, total as usize, 128 << 10));
    let origin = swarm.seed(fast(Duration::from_millis(10)), Manner::Honest);
    let viewer = Viewer {
        budget: 3 * MIB + 300 * KIB,
        verdict_delay: Duration::from_millis(2),
    };
    let viewer = swarm.viewer(fast(Duration::from_millis(10)), viewer);
    swarm.introduce(viewer, &[origin]);
    let mut rng = fastrand::Rng::with_seed(seed);
    let players: Vec<_> = (0..3u64)
        .map(|number| {
            let play = Play {
                rate: Some(20_000 + 15_000 * number),
                keeps: Duration::from_millis(number)..Duration::from_millis(400 * number + 2),
                ..Play::default()
            };
            swarm.open(viewer, play)
        })
        .collect();
    let mut jumps = 0;
    while swarm.elapsed() < time {
        let player = players[rng.usize(..3)];
        swarm.run_for(Duration::from_millis(rng.u64(50..9_000)));
        match rng.u32(..10) {
            0 => swarm.pause(player),
            1 => swarm.resume(player),
            // A short way back, as people do.
            2 | 3 => {
                let position = swarm.player(player).position;
                swarm.jump(player, position.saturating_sub(rng.u64(..MIB)));
            }
            _ => swarm.jump(player, rng.u64(..total)),
        }
        jumps += 1;
    }
    assert!(jumps > 100, "{jumps}");
    let diaries: Vec<_> = players
        .iter()
        .map(|player| swarm.player(*player).diary.clone())
        .collect();
    let ledger = swarm.ledger(viewer).counts();
    assert_eq!(ledger.faults, sim::Faults::default(), "{ledger:?}");
    assert_eq!(ledger.copies, 0, "one peer is asked once");
    for diary in &diaries {
        // A piece of 128 KiB takes 10 ms.
        assert!(median(diary.firsts.clone()) < Duration::from_millis(30));
        assert!(
            diary.firsts.iter().all(|time| *time < SECOND / 10),
            "{diary:?}"
        );
        assert!(
            diary.stalls.iter().all(|time| *time < SECOND / 20),
            "{:?}",
            diary.stalls
        );
    }
    leaves_nothing(&mut swarm, viewer, &players);
    ledger
}

/// Ends everything, step by step.
fn leaves_nothing(swarm: &mut Swarm, viewer: usize, players: &[PlayerId]) {
    for player in players {
        swarm.close(*player);
    }
    let requests = swarm.ledger(viewer).counts().requests;
    assert_eq!(swarm.ledger(viewer).outstanding(), 0, "requests at the end");
    let map = swarm.engine(viewer).buffer_map(swarm.now());
    assert!(map.readers.is_empty());
    assert!(!map.pieces.iter().any(|piece| piece.in_flight));
    assert_eq!(swarm.engine(viewer).wanted_space(), None);
    swarm.run_for(10 * SECOND);
    assert_eq!(swarm.ledger(viewer).counts().requests, requests);
    let memory = swarm.memory(viewer);
    assert_eq!((memory.leased, memory.detached), (0, 0));
    let kept = memory.verified + memory.partial + memory.free_list;
    assert_eq!(memory.used, kept);
    swarm.remove_torrent(viewer);
    let memory = swarm.memory(viewer);
    assert_eq!(memory.used, memory.free_list);
    swarm.close_storage(viewer);
    assert_eq!(swarm.memory(viewer).used, 0);
}

#[test]
fn three_readers_jump_about_for_half_an_hour_within_the_budget() {
    let counts = random_seeks(1, 30 * MINUTE);
    assert!(counts.evicted > 1_000, "{counts:?}");
}

#[test]
fn nothing_is_evicted_while_room_is_kept_for_nothing() {
    let counts = random_seeks(6, 30 * MINUTE);
    assert_eq!(counts.evicted_for_nothing, 0, "{counts:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let short = || {
        let mut duo = Duo::new(5, Payload::new(5, 8 << 20, 64 << 10), FAR, of_budget(MIB));
        let player = duo.swarm.open(duo.viewer, at_rate(1_000_000));
        for place in [3, 1, 6, 0] {
            duo.swarm.run_for(SECOND);
            duo.swarm.jump(player, place * MIB);
        }
        duo.swarm.run_for(SECOND);
        (
            duo.swarm.digest(),
            duo.swarm.player(player).diary.firsts.clone(),
        )
    };
    assert_eq!(short(), short());
}

#[test]
fn a_greedy_client_that_keeps_leases_of_all_that_there_is_only_holds_itself_up() {
    let mut duo = Duo::new(
        2,
        Payload::new(2, 8 << 20, 128 << 10),
        NO_DELAY,
        of_budget(MIB),
    );
    let play = Play {
        keeps: Duration::from_millis(100)..Duration::from_millis(700),
        ..Play::default()
    };
    let player = duo.swarm.open(duo.viewer, play);
    let time = duo.swarm.run_until(MINUTE, |swarm| is_done(swarm, player));
    // About a mebibyte goes round in 0.7 s.
    assert!(time < 10 * SECOND, "{time:?}");
    assert!(duo.swarm.nodes[duo.viewer].starved > 0, "it never was full");
    assert_eq!(
        duo.swarm.ledger(duo.viewer).counts().stored,
        8 * MIB / BLOCK
    );
    leaves_nothing(&mut duo.swarm, duo.viewer, &[player]);
}

#[test]
fn two_torrents_of_one_storage_share_it() {
    let mut swarm = Swarm::new(3, Payload::new(3, 12 << 20, 128 << 10));
    let other = Rc::new(Payload::new(4, 12 << 20, 64 << 10));
    let link = fast(Duration::from_millis(10));
    let seeds = [
        swarm.seed(link, Manner::Honest),
        swarm.seed_of(&other, link, Manner::Honest),
    ];
    let first = swarm.viewer(link, of_budget(3 * MIB));
    let second = swarm.viewer_beside(first, &other, link);
    swarm.introduce(first, &seeds[..1]);
    swarm.introduce(second, &seeds[1..]);
    swarm.run_for(SECOND);
    // The first fills all of the memory before the second comes.
    let one = swarm.open(first, at_rate(600_000));
    swarm.run_for(5 * SECOND);
    let two = swarm.open(second, at_rate(600_000));
    swarm.run_until(MINUTE, |swarm| is_done(swarm, one) && is_done(swarm, two));
    for (node, player) in [(first, one), (second, two)] {
        let diary = &swarm.player(player).diary;
        assert!(diary.stalls.is_empty(), "{:?}", diary.stalls);
        assert_eq!(diary.bytes, 12 * MIB);
        let ledger = swarm.ledger(node).counts();
        assert_eq!(ledger.faults, sim::Faults::default());
        // What the first had fetched ahead with all of the memory may have to go for the second, and come again.
        let again = ledger.stored - 12 * MIB / BLOCK;
        assert!(again <= MIB / BLOCK, "{again} blocks twice");
        assert!(ledger.evicted > 60);
    }
    agree(&swarm, first);
    agree(&swarm, second);
    swarm.close(one);
    swarm.remove_torrent(first);
    swarm.close(two);
    swarm.remove_torrent(second);
    let memory = swarm.memory(first);
    assert_eq!(memory.used, memory.free_list);
}

/// The torrent and its storage hold the same pieces.
fn agree(swarm: &Swarm, node: usize) {
    let have = swarm.engine(node).have();
    for piece in swarm.payload(node).geometry.pieces() {
        assert_eq!(have.has(piece), swarm.holds(node, piece), "{piece}");
    }
}

// ---- speed --------------------------------------------------------------------------------------------------------

/// The beginning of a piece of which nothing is held.
fn nowhere_near(swarm: &Swarm, viewer: usize, rng: &mut fastrand::Rng) -> u64 {
    let geometry = swarm.payload(viewer).geometry;
    let engine = swarm.engine(viewer);
    loop {
        let piece = geometry.piece(rng.u32(..geometry.piece_count())).unwrap();
        let state = engine.piece_state(piece);
        if matches!(state, PieceState::Missing | PieceState::Evicted) {
            return geometry.piece_start(piece);
        }
    }
}

/// The times to the first byte of jumps into nothing, after playing at `rate` for a while each.
fn jumps(round_trip: Duration, rate: Option<u64>, pause: Duration) -> Vec<Duration> {
    let payload = Payload::new(6, 64 << 20, 1 << 20);
    let mut duo = Duo::new(6, payload, round_trip, of_budget(16 * MIB));
    let play = Play {
        rate,
        ..Play::default()
    };
    let player = duo.swarm.open(duo.viewer, play);
    let mut rng = fastrand::Rng::with_seed(6);
    for _ in 0..6 {
        duo.swarm.run_for(pause);
        let place = nowhere_near(&duo.swarm, duo.viewer, &mut rng);
        duo.swarm.jump(player, place);
    }
    duo.swarm.run_for(pause);
    let firsts = firsts(&duo.swarm, player);
    assert_eq!(firsts.len(), 7);
    firsts[1..].to_vec()
}

/// Jumps while what lies ahead has come, while it comes, and at full speed.
const PACES: [(Option<u64>, Duration); 3] = [
    (Some(1_000_000), Duration::from_secs(2)),
    (Some(FAST / 2), Duration::from_secs(1)),
    (None, Duration::from_millis(400)),
];

#[test]
fn a_jump_into_nothing_takes_one_piece_of_the_wire() {
    for (rate, pause) in PACES {
        let times = jumps(NO_DELAY, rate, pause);
        assert!(median(times) <= wire_time(MIB) * 3 / 2);
    }
}

#[test]
fn a_jump_into_nothing_with_a_round_trip_takes_a_piece_and_three_of_those() {
    for (rate, pause) in PACES {
        let times = jumps(FAR, rate, pause);
        assert!(median(times) <= wire_time(MIB) + 3 * FAR);
    }
}

#[test]
fn a_rewind_inside_the_lookbehind_costs_nothing() {
    let payload = Payload::new(7, 32 << 20, 256 << 10);
    let mut duo = Duo::new(7, payload, FAR, of_budget(16 * MIB));
    let player = duo.swarm.open(duo.viewer, at_rate(4_000_000));
    duo.swarm.run_for(5 * SECOND);
    let position = duo.swarm.player(player).position;
    assert!(position > 12 * MIB);
    for back in [MIB, 3 * MIB, 5 * MIB] {
        // Until what lies ahead has come.
        duo.swarm.pause(player);
        duo.swarm.run_for(2 * SECOND);
        let before = duo.swarm.stats(duo.viewer).downloaded;
        duo.swarm.jump(player, position - back);
        assert_eq!(
            firsts(&duo.swarm, player).last(),
            Some(&Duration::ZERO),
            "{back} back"
        );
        duo.swarm.pause(player);
        duo.swarm.run_for(2 * SECOND);
        let after = duo.swarm.stats(duo.viewer).downloaded;
        assert_eq!(after, before, "{back} back");
    }
}

#[test]
fn a_film_of_half_the_links_rate_never_stalls() {
    for round_trip in [NO_DELAY, FAR] {
        let payload = Payload::new(8, 48 << 20, 512 << 10);
        let mut duo = Duo::new(8, payload, round_trip, of_budget(12 * MIB));
        let player = duo.swarm.open(duo.viewer, at_rate(FAST / 2));
        duo.swarm.run_until(MINUTE, |swarm| is_done(swarm, player));
        let diary = &duo.swarm.player(player).diary;
        assert!(
            diary.stalls.is_empty(),
            "{round_trip:?}: {:?}",
            diary.stalls
        );
        assert_eq!(
            duo.swarm.ledger(duo.viewer).counts().stored,
            48 * MIB / BLOCK
        );
    }
}

#[test]
fn at_full_speed_the_link_is_used() {
    for round_trip in [NO_DELAY, FAR] {
        let payload = Payload::new(9, 48 << 20, 512 << 10);
        let mut duo = Duo::new(9, payload, round_trip, of_budget(12 * MIB));
        let player = duo.swarm.open(duo.viewer, Play::default());
        let time = duo.swarm.run_until(MINUTE, |swarm| is_done(swarm, player));
        let best = wire_time(48 * MIB);
        assert!(
            time * 9 / 10 <= best,
            "{round_trip:?}: {time:?} for {best:?}"
        );
    }
}

#[test]
fn a_jump_takes_back_what_was_asked_for_at_the_old_place() {
    for (round_trip, most) in [(NO_DELAY, 24), (FAR, 64)] {
        let payload = Payload::new(10, 64 << 20, 1 << 20);
        let mut duo = Duo::new(10, payload, round_trip, of_budget(16 * MIB));
        let player = duo.swarm.open(duo.viewer, Play::default());
        for place in [40, 8, 52, 24] {
            duo.swarm.run_for(Duration::from_millis(700));
            let before = duo.swarm.stats(duo.viewer).wasted;
            duo.swarm.jump(player, place * MIB);
            let jumped = duo.swarm.now();
            duo.swarm.run_for(Duration::from_millis(600));
            let blocks = (duo.swarm.stats(duo.viewer).wasted - before) / BLOCK;
            assert!(blocks <= most, "{round_trip:?}: {blocks} blocks");
            let astray = duo.swarm.nodes[duo.viewer]
                .requested_since(jumped)
                .filter(|block| u64::from(block.piece().get()) < place)
                .count();
            assert_eq!(astray, 0, "asked for behind {place}");
        }
    }
}

// ---- several peers ------------------------------------------------------------------------------------------------

/// What a player saw on its jumps.
struct Trip {
    firsts: Vec<Duration>,
    stalls: Vec<Duration>,
    /// How many requests each peer would get at the end.
    windows: Vec<usize>,
}

/// A player of `rate` bytes a second jumps about in a film that peers with these links have.
fn trip(seed: u64, links: &[Link], budget: u64, rate: u64) -> Trip {
    let mut swarm = Swarm::new(seed, Payload::new(seed, 64 << 20, 512 << 10));
    let seeds: Vec<_> = links
        .iter()
        .map(|link| swarm.seed(*link, Manner::Honest))
        .collect();
    let viewer = swarm.viewer(fast(Duration::from_millis(20)), of_budget(budget));
    swarm.introduce(viewer, &seeds);
    swarm.run_for(SECOND);
    let player = swarm.open(viewer, at_rate(rate));
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..6 {
        swarm.run_for(2 * SECOND);
        let place = nowhere_near(&swarm, viewer, &mut rng);
        swarm.jump(player, place);
    }
    swarm.run_for(2 * SECOND);
    let diary = &swarm.player(player).diary;
    assert_eq!(diary.firsts.len(), 7);
    let peers = swarm.peers(viewer);
    Trip {
        firsts: diary.firsts[1..].to_vec(),
        stalls: diary.stalls.clone(),
        windows: peers.iter().map(|peer| peer.window).collect(),
    }
}

/// 50 kB/s: 10 s for a piece.
fn crawling() -> Link {
    Link::new(Duration::from_millis(20)).with_rate(50_000)
}

/// Jumps with two quick peers, alone and beside a slow one.
fn beside_a_slow_peer(seed: u64) -> [Trip; 2] {
    let quick = fast(Duration::from_millis(20)).with_up(FAST / 2);
    let go = |links: &[Link]| trip(seed, links, 8 * MIB, 2_000_000);
    [go(&[quick, quick]), go(&[quick, crawling(), quick])]
}

#[test]
fn a_slow_peer_does_not_delay_a_jump() {
    for seed in 11..13 {
        let [alone, beside] = beside_a_slow_peer(seed).map(|trip| trip.firsts);
        let limit = *alone.iter().max().unwrap() * 3 / 2;
        assert!(
            beside.iter().all(|time| *time <= limit),
            "{beside:?} against {alone:?}"
        );
    }
}

#[test]
fn no_peer_is_asked_for_much_more_than_the_wire_holds() {
    for Trip { windows, .. } in beside_a_slow_peer(11) {
        // Its rate for 25 ms and a round trip are 18 blocks.
        assert!(windows.iter().all(|blocks| *blocks <= 128), "{windows:?}");
    }
}

#[test]
fn a_slow_peer_makes_nobody_stall() {
    let quick = fast(Duration::from_millis(20)).with_up(FAST / 2);
    let stalls = |links: &[Link]| trip(11, links, 16 * MIB, 3_000_000).stalls;
    assert_eq!(stalls(&[quick, quick]), []);
    let beside: Duration = stalls(&[quick, crawling(), quick]).iter().sum();
    // Less than a frame in all: players have buffers of their own.
    assert!(beside < Duration::from_millis(40), "{beside:?}");
}

/// One of two peers falls silent in the middle of the piece that a player has jumped to. Returns how long the player
/// waits for it from then on, and how long it waits after that.
fn falls_silent(silent: usize) -> (Duration, Vec<Duration>) {
    let mut swarm = Swarm::new(12, Payload::new(12, 64 << 20, 1 << 20));
    let link = fast(Duration::from_millis(20));
    let seeds = [
        swarm.seed(link, Manner::Honest),
        swarm.seed(link, Manner::Honest),
    ];
    let viewer = swarm.viewer(link, of_budget(16 * MIB));
    swarm.introduce(viewer, &seeds);
    swarm.run_for(SECOND);
    let player = swarm.open(viewer, at_rate(1_000_000));
    swarm.run_for(3 * SECOND);
    swarm.jump(player, 40 * MIB);
    let piece = swarm.payload(viewer).geometry.piece(40).unwrap();
    swarm.run_until(SECOND, |swarm| swarm.ledger(viewer).blocks_of(piece) >= 20);
    swarm.set_manner(seeds[silent], Manner::Silent);
    let time = swarm.run_until(MINUTE, |swarm| !swarm.player(player).is_waiting());
    swarm.run_for(10 * SECOND);
    (time, swarm.player(player).diary.stalls.clone())
}

#[test]
fn a_peer_that_falls_silent_in_the_urgent_piece_is_replaced_at_once() {
    for silent in 0..2 {
        let (time, _) = falls_silent(silent);
        assert!(time <= Duration::from_millis(500), "{time:?}");
    }
}

#[test]
fn what_a_silent_peer_owes_is_asked_for_again_before_it_is_needed() {
    let (_, stalls) = falls_silent(0);
    assert_eq!(stalls, []);
}

#[test]
fn a_peer_that_gives_up_the_awaited_piece_is_replaced() {
    for round_trip in [NO_DELAY, FAR] {
        let mut swarm = Swarm::new(13, Payload::new(13, 32 << 20, 512 << 10));
        let link = fast(round_trip);
        let seeds = [
            // So that the piece is not on its way as a whole.
            swarm.seed(link.with_send_buffer(64 << 10), Manner::Honest),
            swarm.seed(link, Manner::Honest),
        ];
        let viewer = swarm.viewer(link, of_budget(8 * MIB));
        swarm.introduce(viewer, &seeds[..1]);
        swarm.run_for(SECOND);
        let player = swarm.open(viewer, at_rate(1_000_000));
        swarm.run_for(2 * SECOND);
        let piece = swarm.payload(viewer).geometry.piece(40).unwrap();
        swarm.jump(player, 20 * MIB);
        swarm.run_until(SECOND, |swarm| swarm.ledger(viewer).blocks_of(piece) >= 5);
        swarm.give_up(seeds[0], piece);
        swarm.run_for(SECOND);
        assert!(swarm.player(player).is_waiting(), "nobody has it");
        assert_eq!(swarm.nodes[viewer].refused, 0);
        // Somebody comes who has.
        swarm.introduce(viewer, &seeds[1..]);
        let time = swarm.run_until(MINUTE, |swarm| !swarm.player(player).is_waiting());
        // Connecting, the handshake, interest and the request take a round trip each.
        assert!(
            time <= wire_time(MIB / 2) * 3 / 2 + 6 * round_trip,
            "{time:?}"
        );
        assert_eq!(swarm.ledger(viewer).counts().faults, sim::Faults::default());
    }
}

/// A player jumps, and a quick peer that was with it so far does not serve it any more: it gives the piece up, or
/// changes its manner. Returns how long the player waits for another peer, at most a minute.
fn jump_past(manner: Manner, gives_up: bool, other: Link) -> Duration {
    let mut swarm = Swarm::new(16, Payload::new(16, 32 << 20, 256 << 10));
    let link = fast(Duration::from_millis(20));
    let seeds = [
        swarm.seed(link, Manner::Honest),
        swarm.seed(other, Manner::Honest),
    ];
    let viewer = swarm.viewer(link, of_budget(8 * MIB));
    swarm.introduce(viewer, &seeds);
    swarm.run_for(SECOND);
    let player = swarm.open(viewer, at_rate(100_000));
    swarm.run_for(10 * SECOND);
    swarm.set_manner(seeds[0], manner);
    if gives_up {
        let piece = swarm.payload(viewer).geometry.piece(80).unwrap();
        swarm.give_up(seeds[0], piece);
        swarm.run_for(SECOND);
    }
    swarm.jump(player, 20 * MIB);
    swarm.run_for(MINUTE);
    let waited = swarm.player(player).diary.firsts.get(1).copied();
    waited.unwrap_or(MINUTE)
}

/// Ten times slower than the others: 2.7 s for a piece of 256 KiB.
fn slow() -> Link {
    Link::new(Duration::from_millis(20)).with_rate(100_000)
}

#[test]
fn what_only_a_slow_peer_has_is_asked_of_it() {
    let time = jump_past(Manner::Honest, true, slow());
    assert!(time < 4 * SECOND, "{time:?}");
}

#[test]
fn what_a_quick_peer_refuses_is_asked_of_a_slow_one() {
    let time = jump_past(Manner::Refuser, false, slow());
    assert!(time < 8 * SECOND, "{time:?}");
}

#[test]
fn what_a_quick_peer_refuses_is_asked_of_a_farther_one() {
    let time = jump_past(Manner::Refuser, false, fast(FAR));
    assert!(time < SECOND, "{time:?}");
}

#[test]
fn what_a_quick_peer_does_not_answer_is_asked_of_a_farther_one() {
    let time = jump_past(Manner::Silent, false, fast(FAR));
    assert!(time < SECOND, "{time:?}");
}

#[test]
fn what_a_quick_peer_does_not_answer_is_asked_of_a_slow_one() {
    let time = jump_past(Manner::Silent, false, slow());
    assert!(time < 8 * SECOND, "{time:?}");
}

#[test]
fn a_liar_in_the_window_delays_and_no_more() {
    for seed in 0..4 {
        let mut swarm = Swarm::new(seed, Payload::new(seed, 16 << 20, 256 << 10));
        let link = fast(Duration::from_millis(20));
        let seeds = [
            swarm.seed(link, Manner::Honest),
            swarm.seed(link, Manner::Liar),
            swarm.seed(link, Manner::Honest),
        ];
        let viewer = swarm.viewer(link, of_budget(4 * MIB));
        swarm.introduce(viewer, &seeds);
        swarm.run_for(SECOND);
        let player = swarm.open(viewer, at_rate(2_000_000));
        swarm.run_until(MINUTE, |swarm| is_done(swarm, player));
        let notes = &swarm.nodes[viewer].notes;
        let banned: Vec<_> = notes
            .iter()
            .filter(|note| matches!(note, Note::Banned(_)))
            .collect();
        assert_eq!(banned, [&Note::Banned([10, 0, 0, 2].into())]);
        let waited: Duration = swarm.player(player).diary.stalls.iter().sum();
        assert!(waited + firsts(&swarm, player)[0] < SECOND, "{waited:?}");
    }
}

#[test]
fn a_viewer_serves_what_it_holds_and_says_what_it_gave_up() {
    let mut swarm = Swarm::new(14, Payload::new(14, 24 << 20, 128 << 10));
    let link = fast(Duration::from_millis(20));
    let seed = swarm.seed(link, Manner::Honest);
    // What a viewer says must not stand behind seconds of data.
    let viewer = swarm.viewer(link.with_send_buffer(64 << 10), of_budget(4 * MIB));
    let leech = swarm.leech(Link::new(Duration::from_millis(5)).with_rate(2_000_000));
    swarm.introduce(viewer, &[seed]);
    swarm.introduce(leech, &[viewer]);
    swarm.keep_commands(leech);
    swarm.run_for(SECOND);
    let player = swarm.open(viewer, at_rate(3_000_000));
    swarm.run_until(MINUTE, |swarm| is_done(swarm, player));
    swarm.run_for(5 * SECOND);
    let uploaded = swarm.stats(viewer).uploaded;
    assert!(uploaded > 8 * MIB, "{uploaded}");
    assert!(swarm.stats(leech).bytes_have > 8 * MIB);
    assert_eq!(swarm.stats(leech).wasted, 0);
    let late = requests_after_dont_have(&swarm, viewer, leech);
    assert_eq!(late, []);
}

/// Requests of `leech` for pieces that `viewer` had said more than a moment ago that it gave up.
fn requests_after_dont_have(
    swarm: &Swarm,
    viewer: usize,
    leech: usize,
) -> Vec<(Instant, BlockRef)> {
    // What is queued on the way, and the way itself.
    let moment = Duration::from_millis(150);
    let said = |piece: PieceIndex, before: Instant| {
        let commands = &swarm.nodes[viewer].commands;
        let mut of_piece = commands.iter().filter(move |(at, command)| {
            let is_about =
                matches!(command, Command::Have(p) | Command::DontHave(p) if *p == piece);
            is_about && *at + moment < before
        });
        of_piece.next_back().map(|(_, command)| command.clone())
    };
    let requests = swarm.nodes[leech].commands.iter();
    let requests = requests.filter_map(|(at, command)| match command {
        Command::Request(block) => Some((*at, *block)),
        _ => None,
    });
    let is_late = |(at, block): &(Instant, BlockRef)| {
        said(block.piece(), *at) == Some(Command::DontHave(block.piece()))
    };
    requests.filter(is_late).collect()
}

#[test]
fn what_is_evicted_is_told_as_evicted() {
    let payload = Payload::new(15, 16 << 20, 128 << 10);
    let mut duo = Duo::new(15, payload, FAR, of_budget(2 * MIB));
    let player = duo.swarm.open(duo.viewer, Play::default());
    duo.swarm.run_until(MINUTE, |swarm| is_done(swarm, player));
    let engine = duo.swarm.engine(duo.viewer);
    let evicted = duo
        .swarm
        .payload(duo.viewer)
        .geometry
        .pieces()
        .filter(|piece| engine.piece_state(*piece) == PieceState::Evicted);
    assert!(evicted.count() >= 112);
    agree(&duo.swarm, duo.viewer);
    assert_eq!(duo.swarm.stats(duo.seed).uploaded, 16 * MIB);
}
