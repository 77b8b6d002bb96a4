//! The budget is never passed, whatever readers do, and nothing is fetched twice without need.

use std::rc::Rc;
use std::time::Duration;

use crate::scene::{
    BLOCK, Duo, FAR, KIB, MIB, MINUTE, NO_DELAY, SECOND, agree, at_rate, fast, is_done, median,
    of_budget,
};
use crate::sim::{self, Manner, Payload, Play, PlayerId, Swarm, Viewer};

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
    // What a closed reader wanted still comes for half a minute.
    swarm.run_for(31 * SECOND);
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
