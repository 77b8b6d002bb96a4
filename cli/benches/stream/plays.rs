//! Players that play continuously, or seek at random.

use std::thread;
use std::time::{Duration, Instant};

use crate::bed::{Bed, LEN, MIB, Setup};
use crate::figures::{Figures, Percentiles, Target};
use crate::net::RATE;

/// The whole file as fast as it comes; Mbit/s from the first byte to the last.
fn whole(bed: &Bed, figures: &mut Figures) -> f64 {
    let before = bed.counts();
    let mut player = bed.film.play_from(0);
    let first = Instant::now();
    let already = player.take();
    player.play_to(LEN);
    let seconds = first.elapsed().as_secs_f64();
    let rate = (LEN - already) as f64 * 8.0 / 1e6 / seconds;
    bed.finish(before, figures);
    figures.first_byte_ms = Some(Percentiles::of(vec![player.body.first_byte]));
    figures.mbit_per_second = Some(rate);
    rate
}

/// What a process may need besides its budget of 64 MiB, in MiB.
const PEAK: f64 = 64.0 + 24.0;

fn peak(figures: &Figures) -> Target {
    Target::at_most("peak memory, MiB", PEAK, figures.peak_memory_mib)
}

pub(crate) fn play_through(bed: &Bed, _setup: Setup, figures: &mut Figures) {
    let rate = whole(bed, figures);
    let link = RATE as f64 / 1e6;
    figures.targets = vec![
        Target::at_least("rate, Mbit/s", 0.9 * link, rate),
        peak(figures),
    ];
}

pub(crate) fn memory(bed: &Bed, _setup: Setup, figures: &mut Figures) {
    whole(bed, figures);
    figures.targets = vec![peak(figures)];
}

/// A player that holds a second of the film and reads at the rate at which it plays.
pub(crate) fn half_rate(bed: &Bed, _setup: Setup, figures: &mut Figures) {
    let rate = RATE / 8 / 2;
    let seconds = |bytes: u64| Duration::from_secs_f64(bytes as f64 / rate as f64);
    let before = bed.counts();
    let mut player = bed.film.play_from(0);
    player.play_to(rate);
    // When the film's first byte was played, as if it had never paused since.
    let mut started = Instant::now();
    let mut stalls = Vec::new();
    while player.position < 60 * rate {
        let runs_out = started + seconds(player.position);
        let full = runs_out - Duration::from_secs(1);
        thread::sleep(full.saturating_duration_since(Instant::now()));
        player.take();
        let late = Instant::now().saturating_duration_since(runs_out);
        if !late.is_zero() {
            stalls.push(late);
            started += late;
        }
    }
    let stalls = Percentiles::of(stalls);
    bed.finish(before, figures);
    figures.stalls_ms = Some(stalls);
    figures.first_byte_ms = Some(Percentiles::of(vec![player.body.first_byte]));
    figures.targets = vec![
        Target::at_most("stalls", 0.0, stalls.n as f64),
        peak(figures),
    ];
}

const READERS: u64 = 3;

pub(crate) fn three_readers(bed: &Bed, _setup: Setup, figures: &mut Figures) {
    let until = Instant::now() + Duration::from_secs(60);
    let before = bed.counts();
    let film = &bed.film;
    let seek_about = |seed: u64| {
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut waits, mut read) = (Vec::new(), 0);
        while Instant::now() < until {
            let start = random.u64(..LEN - 8 * MIB);
            let mut player = film.play_from(start);
            waits.push(player.body.first_byte);
            player.play_to(start + random.u64(MIB / 4..8 * MIB));
            read += player.position - start;
        }
        (waits, read)
    };
    let (waits, read) = thread::scope(|scope| {
        // A thread begins in the namespace of the one that starts it.
        let readers: Vec<_> = (0..READERS)
            .map(|reader| scope.spawn(move || seek_about(10 + reader)))
            .collect();
        let done = readers.into_iter().map(|reader| reader.join().unwrap());
        let (waits, read): (Vec<_>, Vec<u64>) = done.unzip();
        (waits.concat(), read.iter().sum())
    });
    bed.finish(before, figures);
    figures.first_byte_ms = Some(Percentiles::of(waits));
    figures.read_bytes = Some(read);
    figures.targets = vec![peak(figures)];
}
