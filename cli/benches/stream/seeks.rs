//! Seeks: forward to data that is not held, and back to data that is.

use std::thread;
use std::time::Duration;

use crate::bed::{Bed, LEN, MIB, Setup};
use crate::figures::{Figures, Percentiles, Target, ms};
use crate::net::RATE;
use crate::seeder::Counts;

pub(crate) const ROUND_TRIP_MS: f64 = 50.0;

fn piece_ms(setup: Setup) -> f64 {
    ms(Duration::from_secs(setup.piece_mib * MIB * 8)) / 1000.0 / (RATE as f64 / 1000.0)
}

/// What a player reads before it seeks: the link is busy by then, and what is ahead of it is on its way.
const STEADY: u64 = 12 * MIB;

/// Steady play, then a seek to where nothing is held, again and again.
fn forward_seeks(bed: &Bed, setup: Setup, seeks: u64, figures: &mut Figures) -> f64 {
    let mut random = fastrand::Rng::with_seed(2);
    let step = LEN / (seeks + 1);
    let mut waits = Vec::new();
    let before = bed.counts();
    for seek in 0..=seeks {
        let start = seek * step + random.u64(..step / 8);
        let mut player = bed.film.play_from(start);
        waits.push(player.body.first_byte);
        player.play_to(start + STEADY);
    }
    // The first one is no seek.
    let first_byte = Percentiles::of(waits.split_off(1));
    bed.finish(before, figures);
    figures.piece_ms = Some(piece_ms(setup));
    figures.first_byte_ms = Some(first_byte);
    first_byte.p50
}

pub(crate) fn seek_1_mib(bed: &Bed, setup: Setup, figures: &mut Figures) {
    let p50 = forward_seeks(bed, setup, 30, figures);
    let wanted = 1.5 * piece_ms(setup);
    figures.targets = vec![Target::at_most("median first byte, ms", wanted, p50)];
}

pub(crate) fn seek_4_mib(bed: &Bed, setup: Setup, figures: &mut Figures) {
    let p50 = forward_seeks(bed, setup, 30, figures);
    let wanted = 1.3 * piece_ms(setup);
    figures.targets = vec![Target::at_most("median first byte, ms", wanted, p50)];
}

pub(crate) fn seek_50_ms(bed: &Bed, setup: Setup, figures: &mut Figures) {
    let p50 = forward_seeks(bed, setup, 30, figures);
    let wanted = piece_ms(setup) + 3.0 * ROUND_TRIP_MS;
    figures.targets = vec![Target::at_most("median first byte, ms", wanted, p50)];
}

const REWINDS: usize = 50;

/// How far back the rewinds go.
const BACK: u64 = 16 * MIB;

/// A player that has stopped because its buffer is full, and looks back here and there.
pub(crate) fn rewind(bed: &Bed, _setup: Setup, figures: &mut Figures) {
    let mut random = fastrand::Rng::with_seed(3);
    let mut player = bed.film.play_from(0);
    player.play_to(LEN / 4);
    let position = player.position;
    let before = settled(bed);
    drop(player);
    let mut waits = Vec::new();
    for _ in 0..REWINDS {
        let back = random.u64(2 * MIB..BACK);
        let mut player = bed.film.play_from(position - back);
        waits.push(player.body.first_byte);
        player.play_to(position - back + MIB);
    }
    let first_byte = Percentiles::of(waits);
    bed.finish(before, figures);
    figures.first_byte_ms = Some(first_byte);
    let downloaded = figures.downloaded_bytes as f64;
    figures.targets = vec![
        Target::at_most("median first byte, ms", 5.0, first_byte.p50),
        Target::at_most("downloaded bytes", 0.0, downloaded),
    ];
}

/// The counts once nothing more arrives. Only a bench may wait by the clock: a full buffer sends no event.
fn settled(bed: &Bed) -> Counts {
    let mut last = bed.counts();
    loop {
        thread::sleep(Duration::from_millis(500));
        let now = bed.counts();
        if now == last {
            return now;
        }
        last = now;
    }
}

pub(crate) fn rewind_in_flow(bed: &Bed, _setup: Setup, figures: &mut Figures) {
    let mut random = fastrand::Rng::with_seed(4);
    let before = bed.counts();
    let mut furthest = 2 * BACK;
    bed.film.play_from(0).play_to(furthest);
    let mut waits = Vec::new();
    for _ in 0..REWINDS / 2 {
        let start = furthest - random.u64(2 * MIB..BACK);
        let mut player = bed.film.play_from(start);
        waits.push(player.body.first_byte);
        player.play_to(furthest + STEADY);
        furthest = player.position;
    }
    let first_byte = Percentiles::of(waits);
    bed.finish(before, figures);
    figures.first_byte_ms = Some(first_byte);
    let again = figures.downloaded_again_bytes as f64;
    figures.targets = vec![
        Target::at_most("median first byte, ms", 5.0, first_byte.p50),
        Target::at_most("downloaded again, bytes", 0.0, again),
    ];
}
