//! The figures of a case, and their targets.

use std::time::Duration;

use serde::Serialize;

/// One case's figures: one line of JSON. What a case does not measure is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) case: &'static str,
    /// The wire time of one piece at the link's rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) piece_ms: Option<f64>,
    /// From asking to the first byte of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) first_byte_ms: Option<Percentiles>,
    /// The pauses of a player that plays at a steady rate, from the first byte on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stalls_ms: Option<Percentiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mbit_per_second: Option<f64>,
    /// What the players read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_bytes: Option<u64>,
    /// What the seeder sent while the case was measured.
    pub(crate) downloaded_bytes: u64,
    /// The part of it that it had sent before.
    pub(crate) downloaded_again_bytes: u64,
    /// The program's most resident memory at any time (`VmHWM`).
    pub(crate) peak_memory_mib: f64,
    pub(crate) targets: Vec<Target>,
}

/// A target and what was reached.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) what: &'static str,
    pub(crate) wanted: f64,
    pub(crate) reached: f64,
    pub(crate) met: bool,
}

/// Percentiles by nearest rank, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) n: usize,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Target {
    pub(crate) fn at_most(what: &'static str, wanted: f64, reached: f64) -> Self {
        let met = reached <= wanted;
        Self {
            what,
            wanted,
            reached,
            met,
        }
    }

    pub(crate) fn at_least(what: &'static str, wanted: f64, reached: f64) -> Self {
        let met = reached >= wanted;
        Self {
            what,
            wanted,
            reached,
            met,
        }
    }
}

impl Percentiles {
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let n = durations.len();
        let rank = |percent: usize| {
            let rank = (n * percent).div_ceil(100).max(1);
            durations.get(rank - 1).map_or(0.0, |&found| ms(found))
        };
        Self {
            n,
            p50: rank(50),
            p90: rank(90),
            p99: rank(99),
            max: rank(100),
        }
    }
}

/// Milliseconds, to the microsecond.
pub(crate) fn ms(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
