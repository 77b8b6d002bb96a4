//! Slow, silent, unable and lying peers beside others; and the viewer as a peer of others.

use std::time::{Duration, Instant};

use tailwater_engine::peer::Command;
use tailwater_engine::torrent::{Notice, PieceState};
use tailwater_metainfo::{BlockRef, PieceIndex};
use tailwater_netsim::Link;

use crate::scene::{
    Duo, FAR, FAST, MIB, MINUTE, NO_DELAY, SECOND, agree, at_rate, fast, firsts, is_done,
    nowhere_near, of_budget, wire_time,
};
use crate::sim::{self, Manner, Payload, Play, Swarm};

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
        // A peer comes that has it.
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
            .filter(|note| matches!(note, Notice::Banned(_)))
            .collect();
        assert_eq!(
            banned,
            [&Notice::Banned(
                std::net::IpAddr::from([10, 0, 0, 2]).into()
            )]
        );
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
