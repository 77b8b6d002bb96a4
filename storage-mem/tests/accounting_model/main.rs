//! Random operations on a storage and on a naive model of it, compared after each.

#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod model;
mod ops;
mod protecting;
mod world;

use proptest::prelude::*;

use ops::{Op, op};
use world::World;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn accounting_model(
        limit in 40_000u64..300_000,
        evicts in prop::bool::weighted(0.8),
        free_list in prop::sample::select(vec![0, 20_000, 60_000, 1 << 20]),
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut world = World::new(limit, evicts, free_list);
        for torrent in 0..ops::TORRENTS {
            world.apply(&Op::Add(torrent));
        }
        for op in &ops {
            world.apply(op);
            world.compare();
        }
        world.end();
    }
}
