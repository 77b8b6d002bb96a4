//! Swarms of v2 torrents whose members begin with a link: the hashes of pieces come from peers (BEP 52), some of whom lie,
//! refuse or say nothing.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::time::Duration;

use sim::{Manner, Payload, Play, Swarm, Viewer};
use tailwater_engine::peer::Command;
use tailwater_engine::torrent::{Halt, Notice, Origin};
use tailwater_metainfo::PieceIndex;
use tailwater_netsim::Link;

const MINUTE: Duration = Duration::from_secs(60);
/// Three parts of a layer: two of 512 hashes and a short one.
const PIECES: usize = 1_100;
const PIECE: u32 = 16_384;

fn payload(seed: u64) -> Payload {
    Payload::v2(seed, PIECES * PIECE as usize - 5, PIECE)
}

/// A hybrid torrent with two parts of a layer, of which these pieces contradict themselves.
fn hybrid(seed: u64, wrong: &[u32]) -> Payload {
    Payload::hybrid(seed, 600 * PIECE as usize - 5, PIECE, wrong)
}

/// The hashes of all pieces come sooner than a few of the pieces.
fn slow() -> Link {
    Link::lan().with_rate(2_000_000)
}

fn all_complete(swarm: &Swarm) -> bool {
    (0..swarm.nodes.len()).all(|node| swarm.is_complete(node))
}

fn missing(swarm: &Swarm, node: usize) -> usize {
    swarm.nodes[node].layers.as_ref().unwrap().missing().len()
}

/// How many requests for hashes a node has made, by the index of their first hash.
fn asked(swarm: &Swarm, node: usize) -> Vec<u32> {
    let commands = swarm.nodes[node].commands.iter();
    let queries = commands.filter_map(|(_, command)| match command {
        Command::RequestHashes(query) => Some(query.range.index),
        _ => None,
    });
    queries.collect()
}

fn held(swarm: &Swarm, node: usize) -> usize {
    let pieces = swarm.payload(node).geometry.pieces();
    pieces.filter(|piece| swarm.holds(node, *piece)).count()
}

fn halted(swarm: &Swarm, node: usize) -> Option<Halt> {
    swarm.nodes[node].halted()
}

fn banned(swarm: &Swarm, node: usize) -> Vec<std::net::IpAddr> {
    let notes = swarm.nodes[node].notes.iter();
    let banned = notes.filter_map(|note| match note {
        Notice::Banned(Origin::Ip(ip)) => Some(*ip),
        _ => None,
    });
    banned.collect()
}

#[test]
fn a_link_becomes_a_torrent_from_cold_and_its_hashes_are_passed_on() {
    let mut swarm = Swarm::new(1, payload(1));
    let seed = swarm.seed(Link::lan(), Manner::Honest);
    let (first, second) = (swarm.leech(Link::lan()), swarm.leech(Link::lan()));
    assert_eq!(missing(&swarm, first), 3);
    swarm.keep_commands(first);
    swarm.introduce(first, &[seed]);
    swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(first));
    // Each part is asked for once.
    let mut indexes = asked(&swarm, first);
    indexes.sort_unstable();
    assert_eq!(indexes, [0, 512, 1024]);
    // The second knows only the first.
    swarm.leave(seed);
    swarm.introduce(second, &[first]);
    swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(second));
    assert_eq!((missing(&swarm, first), missing(&swarm, second)), (0, 0));
}

#[test]
fn who_sends_false_hashes_is_banned_and_others_are_asked() {
    for seed in 0..4 {
        let mut swarm = Swarm::new(seed, payload(seed));
        swarm.seed(Link::lan(), Manner::FalseHashes);
        swarm.seed(Link::lan(), Manner::FalseHashes);
        let honest = swarm.seed(Link::lan(), Manner::Honest);
        let leech = swarm.leech(Link::lan());
        swarm.introduce(leech, &[0, 1]);
        swarm.run_until(MINUTE, |swarm| banned(swarm, leech).len() == 2);
        assert_eq!(missing(&swarm, leech), 3, "seed {seed}");
        swarm.introduce(leech, &[honest]);
        swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(leech));
        let liars = [[10, 0, 0, 1], [10, 0, 0, 2]].map(std::net::IpAddr::from);
        let mut found = banned(&swarm, leech);
        found.sort_unstable();
        assert_eq!(found, liars, "seed {seed}");
    }
}

#[test]
fn who_sends_proofs_of_the_wrong_length_is_let_go_and_others_are_asked() {
    let mut swarm = Swarm::new(8, payload(8));
    swarm.seed(Link::lan(), Manner::ShortHashes);
    let honest = swarm.seed(Link::lan(), Manner::Honest);
    let leech = swarm.leech(Link::lan());
    swarm.introduce(leech, &[0]);
    swarm.run_for(Duration::from_secs(2));
    assert_eq!(missing(&swarm, leech), 3);
    assert_eq!(swarm.peers(leech), []);
    swarm.introduce(leech, &[honest]);
    swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(leech));
    assert_eq!(banned(&swarm, leech), [] as [std::net::IpAddr; 0]);
}

#[test]
fn who_does_not_answer_delays_others_by_seconds() {
    let mut swarm = Swarm::new(2, payload(2));
    swarm.seed(Link::lan(), Manner::SilentOnHashes);
    swarm.seed(Link::lan(), Manner::Honest);
    let leech = swarm.leech(Link::lan());
    swarm.introduce(leech, &[0]);
    swarm.run_for(Duration::from_secs(2));
    assert_eq!(missing(&swarm, leech), 3);
    let time = swarm.run(5 * MINUTE, |swarm| missing(swarm, leech) == 0);
    assert!(time < Duration::from_secs(8), "{time:?}");
    swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(leech));
    assert_eq!(banned(&swarm, leech), [] as [std::net::IpAddr; 0]);
}

#[test]
fn no_piece_is_begun_before_its_hash_is_known() {
    let mut swarm = Swarm::new(3, payload(3));
    swarm.seed(Link::lan(), Manner::NoHashes);
    swarm.seed(Link::lan(), Manner::Honest);
    let leech = swarm.leech(Link::lan());
    swarm.keep_commands(leech);
    swarm.introduce(leech, &[0]);
    swarm.run_for(MINUTE);
    assert_eq!(swarm.stats(leech).downloaded, 0);
    // It refuses each part, and is asked again now and then.
    let before = asked(&swarm, leech).len();
    assert!((3..=9).contains(&before), "{before}");
    swarm.run(5 * MINUTE, all_complete);
    assert_eq!(swarm.stats(leech).wasted, 0);
}

#[test]
fn what_a_reader_waits_for_is_asked_for_first() {
    let mut swarm = Swarm::new(4, payload(4));
    let seed = swarm.seed(Link::lan(), Manner::Honest);
    let viewer = Viewer {
        budget: 4_000_000,
        verdict_delay: Duration::ZERO,
    };
    let node = swarm.viewer(Link::lan(), viewer);
    let start = 1_060 * u64::from(PIECE);
    let play = Play {
        rate: Some(500_000),
        from: start,
        ..Play::default()
    };
    let player = swarm.open(node, play);
    swarm.introduce(node, &[seed]);
    swarm.run_until(MINUTE, |swarm| swarm.player(player).position > start);
    assert_eq!(asked(&swarm, node).first(), Some(&1_024));
}

/// The node has them by their SHA-1 before their second hashes come.
#[test]
fn pieces_of_a_hybrid_that_are_held_are_checked_again_when_their_hashes_come() {
    let hybrid = hybrid(5, &[]);
    let mut swarm = Swarm::new(5, hybrid);
    swarm.seed(slow(), Manner::NoHashes);
    swarm.seed(slow(), Manner::Honest);
    let leech = swarm.leech(Link::lan());
    swarm.introduce(leech, &[0]);
    swarm.run_until(5 * MINUTE, |swarm| held(swarm, leech) > 50);
    let pieces = swarm.payload(leech).geometry.pieces();
    let early: Vec<_> = pieces.filter(|piece| swarm.holds(leech, *piece)).collect();
    assert_eq!(missing(&swarm, leech), 2);
    assert_eq!(swarm.nodes[leech].rechecked, []);
    swarm.introduce(leech, &[1]);
    swarm.run_until(5 * MINUTE, |swarm| swarm.is_complete(leech));
    assert_eq!(missing(&swarm, leech), 0);
    // Each once, whatever the order in which their hashes came.
    let rechecked = &swarm.nodes[leech].rechecked;
    let once: std::collections::BTreeSet<_> = rechecked.iter().collect();
    assert_eq!(once.len(), rechecked.len());
    assert!(early.iter().all(|piece| once.contains(piece)));
    // What came later was checked by both.
    assert!(rechecked.len() < 500, "{}", rechecked.len());
    assert_eq!(halted(&swarm, leech), None);
}

#[test]
fn a_hybrid_that_contradicts_itself_is_given_up_when_its_hashes_come() {
    // A piece that is held by then, or one that comes later.
    for (seed, wrong) in [(6, None), (7, Some(599))] {
        let first = |swarm: &Swarm, node| {
            let mut pieces = swarm.payload(node).geometry.pieces();
            pieces.find(|piece| swarm.holds(node, *piece))
        };
        // Which piece is fetched first does not depend on its hash.
        let mut swarm = Swarm::new(seed, hybrid(seed, &[]));
        swarm.seed(slow(), Manner::NoHashes);
        let leech = swarm.leech(Link::lan());
        swarm.introduce(leech, &[0]);
        swarm.run_until(MINUTE, |swarm| held(swarm, leech) > 20);
        let wrong = wrong.or(first(&swarm, leech).map(PieceIndex::get));

        let mut swarm = Swarm::new(seed, hybrid(seed, &[wrong.unwrap()]));
        swarm.seed(slow(), Manner::NoHashes);
        swarm.seed(slow(), Manner::Honest);
        let (leech, other) = (swarm.leech(Link::lan()), swarm.leech(Link::lan()));
        swarm.introduce(leech, &[0]);
        swarm.run_until(MINUTE, |swarm| held(swarm, leech) > 20);
        swarm.introduce(leech, &[1]);
        swarm.run_until(MINUTE, |swarm| halted(swarm, leech).is_some());
        assert_eq!(
            halted(&swarm, leech),
            Some(Halt::Contradiction),
            "{wrong:?}"
        );
        assert_eq!(swarm.peers(leech), []);
        // No peer is to blame, and none is served.
        assert_eq!(banned(&swarm, leech), [] as [std::net::IpAddr; 0]);
        swarm.introduce(other, &[leech]);
        swarm.run_for(Duration::from_secs(5));
        assert_eq!((swarm.peers(leech).len(), held(&swarm, other)), (0, 0));
    }
}
