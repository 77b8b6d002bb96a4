//! How soon a player gets the data at its new position after a seek, and how much of the link it gets.

use std::time::Duration;

use crate::scene::{
    BLOCK, Duo, FAR, FAST, MIB, MINUTE, NO_DELAY, SECOND, at_rate, firsts, is_done, median,
    nowhere_near, of_budget, wire_time,
};
use crate::sim::{Payload, Play};

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
