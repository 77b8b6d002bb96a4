//! Sizes, links and hosts that the tests have in common.

use std::time::Duration;

use tailwater_engine::torrent::PieceState;
use tailwater_netsim::Link;

use crate::sim::{Manner, Payload, Play, PlayerId, Swarm, Viewer};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const KIB: u64 = 1 << 10;
pub(crate) const BLOCK: u64 = 16 * KIB;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// 100 Mbit/s, in bytes a second.
pub(crate) const FAST: u64 = 12_500_000;
pub(crate) const NO_DELAY: Duration = Duration::ZERO;
pub(crate) const FAR: Duration = Duration::from_millis(50);

/// 100 Mbit/s each way; two such hosts are `round_trip` apart, and one connection can fill the line.
pub(crate) fn fast(round_trip: Duration) -> Link {
    Link::new(round_trip / 4)
        .with_rate(FAST)
        .with_send_buffer(4 << 20)
}

pub(crate) fn of_budget(budget: u64) -> Viewer {
    Viewer {
        budget,
        verdict_delay: Duration::ZERO,
    }
}

pub(crate) fn at_rate(rate: u64) -> Play {
    Play {
        rate: Some(rate),
        ..Play::default()
    }
}

/// The wire time of so many bytes at 100 Mbit/s.
pub(crate) fn wire_time(bytes: u64) -> Duration {
    Duration::from_nanos(bytes * 1_000_000_000 / FAST)
}

/// A seed and a viewer over 100 Mbit/s, acquainted for a while.
pub(crate) struct Duo {
    pub(crate) swarm: Swarm,
    pub(crate) seed: usize,
    pub(crate) viewer: usize,
}

impl Duo {
    pub(crate) fn new(seed: u64, payload: Payload, round_trip: Duration, viewer: Viewer) -> Self {
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

pub(crate) fn firsts(swarm: &Swarm, player: PlayerId) -> Vec<Duration> {
    swarm.player(player).diary.firsts.clone()
}

pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub(crate) fn is_done(swarm: &Swarm, player: PlayerId) -> bool {
    swarm.player(player).diary.ended.is_some()
}

/// The beginning of a piece of which nothing is held.
pub(crate) fn nowhere_near(swarm: &Swarm, viewer: usize, rng: &mut fastrand::Rng) -> u64 {
    let geometry = &swarm.payload(viewer).geometry;
    let engine = swarm.engine(viewer);
    loop {
        let piece = geometry.piece(rng.u32(..geometry.piece_count())).unwrap();
        let state = engine.piece_state(piece);
        if matches!(state, PieceState::Missing | PieceState::Evicted) {
            return geometry.piece_start(piece);
        }
    }
}

/// The torrent and its storage hold the same pieces.
pub(crate) fn agree(swarm: &Swarm, node: usize) {
    let have = swarm.engine(node).have();
    for piece in swarm.payload(node).geometry.pieces() {
        assert_eq!(have.has(piece), swarm.holds(node, piece), "{piece}");
    }
}
