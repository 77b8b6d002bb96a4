//! The summary at the end of the demo.

use std::time::Duration;

use serde::Serialize;
use tailwater_serve::size::Size;

use crate::error::CliError;
use crate::out;
use crate::words::{count, duration, measured_rate};

/// The results of the demo.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) bytes: u64,
    pub(super) files: usize,
    pub(super) pieces: u32,
    pub(super) seconds: f64,
    pub(super) bytes_per_second: u64,
    pub(super) bytes_from_each_seeder: Vec<u64>,
    pub(super) memory_peak: u64,
    pub(super) memory_budget: u64,
    pub(super) wasted: u64,
    pub(super) verified: bool,
}

pub(super) fn show(summary: &Summary) -> Result<(), CliError> {
    let seconds = Duration::from_secs_f64(summary.seconds);
    let from: Vec<_> = summary
        .bytes_from_each_seeder
        .iter()
        .map(|&bytes| Size(bytes).to_string())
        .collect();
    let verdict = match summary.verified {
        true => "every piece matches its hash",
        false => "FAILED",
    };
    let rate = measured_rate(summary.bytes, seconds);
    let rate = rate.map(|rate| format!(" ({rate})")).unwrap_or_default();
    out::line("")?;
    out::line(format_args!(
        "transferred  {} in {}{rate}",
        Size(summary.bytes),
        duration(seconds),
    ))?;
    out::line(format_args!(
        "from         {}: {}",
        count(from.len(), "seeder"),
        from.join(", ")
    ))?;
    out::line(format_args!(
        "memory       peak {} of a budget of {}",
        Size(summary.memory_peak),
        Size(summary.memory_budget)
    ))?;
    out::line(format_args!("wasted       {}", Size(summary.wasted)))?;
    out::line(format_args!(
        "verified     {verdict} ({})",
        count(
            usize::try_from(summary.pieces).unwrap_or(usize::MAX),
            "piece"
        )
    ))
}
