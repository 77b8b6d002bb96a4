//! Super-seeding (BEP 16) in whole swarms: what the seed uploads until the swarm has a whole copy without it.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::time::Duration;

use sim::{Manner, Payload, Swarm};
use tailwater_metainfo::PieceIndex;
use tailwater_netsim::Link;

const HOUR: Duration = Duration::from_secs(3_600);
/// The host that the tests' seeds are.
const SEED: usize = 0;

/// 25 ms to the core, 100 kB/s up, four times as much down.
fn home() -> Link {
    rate(100_000)
}

fn rate(up: u64) -> Link {
    let link = Link::new(Duration::from_millis(25)).with_up(up);
    link.with_down(4 * up)
}

/// A torrent of 100 pieces of 16 KiB.
fn payload(seed: u64) -> Payload {
    Payload::new(seed, 100 * 16_384, 16_384)
}

fn swarm(seed: u64, super_seeding: bool, leeches: impl IntoIterator<Item = Link>) -> Swarm {
    let mut swarm = Swarm::new(seed, payload(seed));
    swarm.seed(home(), Manner::Honest);
    swarm.set_super_seeding(SEED, super_seeding);
    for link in leeches {
        swarm.leech(link);
    }
    swarm
}

/// Whether these leeches together have every piece.
fn have_all_between_them(swarm: &Swarm, leeches: &[usize]) -> bool {
    let geometry = &swarm.payload(SEED).geometry;
    let has = |piece: PieceIndex| {
        leeches
            .iter()
            .any(|&node| swarm.engine(node).have().has(piece))
    };
    geometry.pieces().all(has)
}

fn are_complete(swarm: &Swarm, leeches: &[usize]) -> bool {
    leeches.iter().all(|&node| swarm.is_complete(node))
}

/// How often the seed has uploaded the torrent.
fn copies(swarm: &Swarm) -> f64 {
    swarm.stats(SEED).uploaded as f64 / swarm.payload(SEED).geometry.total() as f64
}

/// Copies uploaded, and the time that passed, when the swarm had a whole copy, and when each leech had one.
struct Outcome {
    whole: (f64, Duration),
    complete: (f64, Duration),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((whole, whole_after), (all, all_after)) = (self.whole, self.complete);
        let [whole_after, all_after] = [whole_after, all_after].map(|time| time.as_secs_f64());
        write!(
            f,
            "{whole:.2} copies in {whole_after:.0} s to a whole one, {all:.2} in {all_after:.0} s to all"
        )
    }
}

fn run(mut swarm: Swarm) -> Outcome {
    let leeches: Vec<_> = (1..swarm.nodes.len()).collect();
    let whole_after = swarm.run(HOUR, |swarm| have_all_between_them(swarm, &leeches));
    let whole = (copies(&swarm), whole_after);
    swarm.run_until(HOUR, |swarm| are_complete(swarm, &leeches));
    Outcome {
        whole,
        complete: (copies(&swarm), swarm.elapsed()),
    }
}

/// Both ways of seeding, side by side.
fn compare(name: &str, seeds: std::ops::Range<u64>, links: &dyn Fn() -> Vec<Link>) {
    for seed in seeds {
        let led = run(swarm(seed, true, links()));
        let plain = run(swarm(seed, false, links()));
        println!("{name}, seed {seed}: super {led}, plain {plain}");
        assert!(led.whole.0 <= 1.1, "{name}, seed {seed}: {led}");
        assert!(plain.whole.0 > led.whole.0, "{name}, seed {seed}: {plain}");
    }
}

#[test]
fn eight_equal_peers_get_a_whole_copy_for_little_more_than_one_upload() {
    compare("8 equal", 0..1, &|| vec![home(); 8]);
}

#[test]
#[ignore = "minutes in a debug build; run it by name"]
fn twenty_unequal_peers_get_a_whole_copy_for_little_more_than_one_upload() {
    let unequal = || (0..20).map(|n| rate(10_000 + 10_000 * (n % 10))).collect();
    compare("20 unequal", 0..3, &unequal);
}

#[test]
#[ignore = "minutes in a debug build; run it by name"]
fn fifty_peers_get_a_whole_copy_for_little_more_than_one_upload() {
    let mixed = || (0..50).map(|n| rate([30_000, 100_000][n % 2])).collect();
    compare("50 mixed", 0..2, &mixed);
}

/// Twenty peers, of which one leaves every two seconds and another comes, until the swarm has a whole copy.
fn churn(seed: u64, super_seeding: bool) -> (f64, usize, usize) {
    let mut swarm = swarm(seed, super_seeding, (0..200).map(|_| home()));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut here: Vec<usize> = (1..=20).collect();
    let meet = |swarm: &mut Swarm, node: usize, here: &[usize]| {
        swarm.introduce(node, &[SEED]);
        swarm.introduce(node, here);
    };
    for node in here.clone() {
        meet(&mut swarm, node, &here);
    }
    let (mut next, mut lost) = (21, 0);
    while !have_all_between_them(&swarm, &here) {
        assert!(next < 200, "seed {seed}: no whole copy");
        swarm.run_for(Duration::from_secs(2));
        let gone = here.swap_remove(rng.usize(..here.len()));
        let geometry = &swarm.payload(SEED).geometry;
        let has = |node: usize, piece: PieceIndex| swarm.engine(node).have().has(piece);
        let is_lost =
            |piece: &PieceIndex| has(gone, *piece) && !here.iter().any(|&node| has(node, *piece));
        lost += geometry.pieces().filter(is_lost).count();
        swarm.leave(gone);
        meet(&mut swarm, next, &here);
        here.push(next);
        next += 1;
    }
    (copies(&swarm), lost, next - 21)
}

#[test]
#[ignore = "minutes in a debug build; run it by name"]
fn pieces_that_leave_with_their_only_peer_are_given_again_and_no_others() {
    for seed in 0..1 {
        let ((led, lost, leavers), (plain, _, _)) = (churn(seed, true), churn(seed, false));
        println!(
            "churn, seed {seed}: super {led:.2} copies, {leavers} left with {lost} pieces, plain {plain:.2}"
        );
        // A piece is a hundredth of a copy. Of each leaver's pieces, two may have been on their way.
        let bound = 1.1 + (lost + 2 * leavers) as f64 / 100.0;
        assert!(
            led <= bound,
            "seed {seed}: {led} copies, {lost} pieces lost"
        );
    }
}

#[test]
fn a_second_seed_ends_super_seeding() {
    let mut swarm = Swarm::new(9, payload(9));
    swarm.seed(home(), Manner::Honest);
    let other = swarm.seed(home(), Manner::Honest);
    swarm.set_super_seeding(SEED, true);
    assert!(swarm.stats(SEED).super_seeding);
    let leech = swarm.leech(home());
    swarm.introduce(leech, &[SEED]);
    swarm.run_for(Duration::from_secs(2));
    let seeds = |swarm: &Swarm| swarm.stats(leech).seeds;
    assert!(swarm.stats(SEED).super_seeding && seeds(&swarm) == 0);
    swarm.introduce(other, &[SEED]);
    swarm.run_until(Duration::from_secs(10), |swarm| {
        !swarm.stats(SEED).super_seeding
    });
    // The leech is told of everything.
    swarm.run_until(Duration::from_secs(10), |swarm| seeds(swarm) == 1);
    swarm.run_until(HOUR, |swarm| swarm.is_complete(leech));
}

#[test]
fn a_single_peer_gets_everything() {
    for seed in 0..4 {
        let mut swarm = swarm(seed, true, [home()]);
        let time = swarm.run(HOUR, |swarm| swarm.is_complete(1));
        // 1.6 MB at 100 kB/s.
        assert!(time < Duration::from_secs(20), "seed {seed}: {time:?}");
        assert!(copies(&swarm) < 1.05);
    }
}

#[test]
fn peers_that_know_of_no_others_get_everything_in_the_end() {
    let mut swarm = swarm(3, true, [home(), home(), home()]);
    for leech in 1..=3 {
        swarm.introduce(leech, &[SEED]);
    }
    swarm.run_until(HOUR, |swarm| are_complete(swarm, &[1, 2, 3]));
}

#[test]
fn a_peer_that_takes_and_never_gives_gets_little() {
    let mut swarm = swarm(4, true, vec![home(); 9]);
    swarm.set_manner(9, Manner::Refuser);
    let honest: Vec<_> = (1..9).collect();
    for node in 1..=9 {
        swarm.introduce(node, &[SEED]);
    }
    // The greedy one is connected to the seed alone.
    for node in 1..9 {
        swarm.introduce(node, &honest);
    }
    swarm.run_until(HOUR, |swarm| have_all_between_them(swarm, &honest));
    let taken = swarm.stats(9).pieces_have;
    assert!(taken <= 2, "{taken} pieces");
}
