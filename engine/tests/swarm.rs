//! Swarms on a simulated network: the state machines of torrents and connections together.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::net::IpAddr;
use std::time::Duration;

use sim::{Manner, Payload, Swarm};
use tailwater_engine::torrent::{Notice, Origin};
use tailwater_netsim::Link;

const MINUTE: Duration = Duration::from_secs(60);

fn lan() -> Link {
    Link::lan()
}

/// 2 MB/s both ways, 25 ms to the core.
fn broadband() -> Link {
    Link::new(Duration::from_millis(25)).with_rate(2_000_000)
}

fn all_complete(swarm: &Swarm) -> bool {
    (0..swarm.nodes.len()).all(|node| swarm.is_complete(node))
}

fn one_seed_four_leeches(seed: u64) -> (Duration, u64, Vec<u64>) {
    let mut swarm = Swarm::new(seed, Payload::new(seed, 3_000_001, 65_536));
    swarm.seed(broadband(), Manner::Honest);
    for _ in 0..4 {
        swarm.leech(broadband());
    }
    let time = swarm.run(5 * MINUTE, all_complete);
    let uploaded = (0..5).map(|node| swarm.stats(node).uploaded).collect();
    (time, swarm.digest(), uploaded)
}

#[test]
fn one_seed_and_four_leeches_complete_and_help_each_other() {
    let (time, _, uploaded) = one_seed_four_leeches(1);
    // The seed alone would need 6 s for four copies.
    assert!(time < Duration::from_secs(15), "{time:?}");
    let by_leeches: u64 = uploaded[1..].iter().sum();
    assert!(by_leeches > 3_000_000, "uploaded {uploaded:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    assert_eq!(one_seed_four_leeches(7), one_seed_four_leeches(7));
    assert_ne!(one_seed_four_leeches(7).1, one_seed_four_leeches(8).1);
}

#[test]
fn files_that_share_no_pieces_are_exchanged_and_each_is_whole() {
    let files = [300_000, 1, 65_536, 0, 700_001, 16_384, 131_072, 40_000];
    let payload = Payload::aligned(5, &files, 65_536);
    let (total, end) = (payload.geometry.total(), payload.geometry.end());
    assert!(total < end, "there are gaps");
    let mut swarm = Swarm::new(5, payload);
    swarm.seed(broadband(), Manner::Honest);
    for _ in 0..3 {
        swarm.leech(broadband());
    }
    // The storages compare every piece with its hash tree.
    swarm.run(5 * MINUTE, all_complete);
    for leech in 1..4 {
        let stats = swarm.stats(leech);
        assert_eq!((stats.bytes_have, stats.bytes_total), (total, total));
        assert_eq!(stats.bytes_left, 0);
        assert!(stats.downloaded >= total);
    }
}

#[test]
fn one_seed_and_one_leech_fill_a_long_fast_link() {
    let mut swarm = Swarm::new(3, Payload::new(3, 40_000_000, 262_144));
    // 10 MB/s with 200 ms there and back: 2 MB are on their way at once.
    let link = Link::new(Duration::from_millis(50))
        .with_rate(10_000_000)
        .with_send_buffer(4_000_000);
    swarm.seed(link, Manner::Honest);
    let leech = swarm.leech(link);
    let time = swarm.run(MINUTE, |swarm| swarm.is_complete(leech));
    assert!(time < Duration::from_millis(6_500), "{time:?}");
    assert_eq!(swarm.stats(leech).wasted, 0);
}

#[test]
fn a_liar_is_banned_and_the_download_completes() {
    for seed in 0..8 {
        let mut swarm = Swarm::new(seed, Payload::new(seed, 2_000_000, 131_072));
        swarm.seed(lan(), Manner::Honest);
        swarm.seed(lan(), Manner::Liar);
        let leech = swarm.leech(lan());
        swarm.run(10 * MINUTE, |swarm| swarm.is_complete(leech));
        let banned: Vec<_> = swarm.nodes[leech]
            .notes
            .iter()
            .filter_map(|note| match note {
                Notice::Banned(Origin::Ip(ip)) => Some(*ip),
                _ => None,
            })
            .collect();
        let honest: IpAddr = [10, 0, 0, 1].into();
        assert!(
            !banned.contains(&honest),
            "seed {seed}: an honest peer was banned"
        );
    }
}

#[test]
fn a_liar_among_several_is_found_out() {
    let mut found = 0;
    for seed in 0..8 {
        let mut swarm = Swarm::new(seed, Payload::new(seed, 4_000_000, 262_144));
        // Slow honest peers, so that all take part in the same pieces.
        swarm.seed(broadband(), Manner::Honest);
        swarm.seed(broadband(), Manner::Honest);
        swarm.seed(broadband(), Manner::Liar);
        let leech = swarm.leech(lan());
        swarm.run(10 * MINUTE, |swarm| swarm.is_complete(leech));
        let notes = &swarm.nodes[leech].notes;
        let liar: IpAddr = [10, 0, 0, 3].into();
        found += usize::from(notes.contains(&Notice::Banned(liar.into())));
        let innocent =
            |note: &Notice| matches!(note, Notice::Banned(origin) if *origin != liar.into());
        assert!(!notes.iter().any(innocent), "seed {seed}: {notes:?}");
    }
    assert_eq!(found, 8);
}

#[test]
fn a_peer_that_never_answers_holds_nothing_up_for_long() {
    let mut swarm = Swarm::new(5, Payload::new(5, 2_000_000, 65_536));
    swarm.seed(broadband(), Manner::Honest);
    swarm.seed(broadband(), Manner::Silent);
    let leech = swarm.leech(broadband());
    let time = swarm.run(5 * MINUTE, |swarm| swarm.is_complete(leech));
    assert!(time < Duration::from_secs(25), "{time:?}");
}
