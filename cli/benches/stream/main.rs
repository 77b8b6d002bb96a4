//! Measures how long a player waits for `tailwater stream`, over a link that is slower than the machine.
//!
//! ```text
//! cargo bench -p tailwater --bench stream -- [--json] [CASE...]
//! ```
//!
//! A libtorrent seeder (`scripts/install-clients.sh`) and the release binary run in two network namespaces, joined by a
//! veth pair with `tc tbf`, or by a small program that also delays. That needs root; without it, the bench prints so
//! and measures nothing.

#![allow(clippy::unwrap_used, reason = "a step that fails ends the measurement")]

mod bed;
mod cases;
mod client;
mod figures;
mod net;
mod plays;
mod seeks;

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/interop/process.rs"]
mod process;
#[path = "../../tests/stream/seeder.rs"]
mod seeder;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/stream/streaming.rs"]
mod streaming;

use clap::Parser;

use crate::cases::CASES;
use crate::figures::{Figures, Percentiles};
use crate::net::Net;

/// Measures `tailwater stream` over a link of 100 Mbit/s.
#[derive(Parser)]
struct Args {
    /// Prints a line of JSON for each case.
    #[arg(long)]
    json: bool,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// Which cases to run; all if none is named.
    #[arg(value_parser = names())]
    cases: Vec<String>,
}

fn names() -> clap::builder::PossibleValuesParser {
    let values = CASES
        .iter()
        .map(|case| clap::builder::PossibleValue::new(case.name).help(case.about));
    values.collect::<Vec<_>>().into()
}

fn main() {
    let args = Args::parse();
    if !args.bench {
        println!("nothing is measured: this runs by `cargo bench`");
        return;
    }
    if let Err(reason) = Net::is_possible() {
        println!("nothing is measured: this needs root, for network namespaces ({reason})");
        return;
    }
    let wanted = |name: &str| args.cases.is_empty() || args.cases.iter().any(|case| case == name);
    for case in CASES.iter().filter(|case| wanted(case.name)) {
        eprintln!("{}: {}", case.name, case.about);
        let figures = case.run();
        if args.json {
            println!("{}", serde_json::to_string(&figures).unwrap());
        } else {
            show(&figures);
        }
    }
}

fn show(figures: &Figures) {
    let percentiles = |what: &str, shown: Option<Percentiles>| {
        if let Some(shown) = shown {
            let Percentiles {
                n,
                p50,
                p90,
                p99,
                max,
            } = shown;
            println!(
                "  {what}: {n} times; p50 {p50:.1} ms, p90 {p90:.1}, p99 {p99:.1}, max {max:.1}"
            );
        }
    };
    percentiles("first byte", figures.first_byte_ms);
    percentiles("stalls", figures.stalls_ms);
    if let Some(rate) = figures.mbit_per_second {
        println!("  rate: {rate:.1} Mbit/s");
    }
    let mib = |bytes: u64| bytes as f64 / bed::MIB as f64;
    if let Some(read) = figures.read_bytes {
        println!("  players read {:.1} MiB", mib(read));
    }
    let (sent, again) = (
        mib(figures.downloaded_bytes),
        mib(figures.downloaded_again_bytes),
    );
    let peak = figures.peak_memory_mib;
    println!("  downloaded {sent:.1} MiB, {again:.1} MiB of it again; peak memory {peak:.1} MiB");
    for target in &figures.targets {
        let verdict = if target.met { "met" } else { "MISSED" };
        println!(
            "  target {verdict}: {} {:.1}, wanted {:.1}",
            target.what, target.reached, target.wanted
        );
    }
}
