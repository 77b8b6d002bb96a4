//! The figures of a case, and their targets.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::targets::Target;

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// How much more memory an attack may take, in MiB.
const GROWTH: f64 = 64.0;
/// How long Ctrl-C may take, in seconds.
const CTRL_C: f64 = 2.0;

/// One case's figures: one line of JSON. What a case does not measure is left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Figures {
    pub(crate) case: String,
    /// Resident before the attack and at most during it, in MiB.
    pub(crate) resident_before: f64,
    pub(crate) resident_peak: f64,
    /// Seconds from SIGINT to the end of the process; `None` when it was killed before, or had ended.
    pub(crate) ctrl_c: Option<f64>,
    /// The process exceeded its memory limit, and was killed.
    pub(crate) is_killed: bool,
    /// Bytes that the attackers sent, in MiB, and connections that they made.
    pub(crate) attack_sent: f64,
    pub(crate) attack_connections: u64,
    pub(crate) targets: Vec<Target>,
}

/// The measurements of the process under attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// In bytes.
    pub(crate) before: u64,
    pub(crate) peak: u64,
    pub(crate) ctrl_c: Option<Duration>,
    pub(crate) is_killed: bool,
}

impl Figures {
    /// The head of the table.
    pub(crate) const HEAD: &'static str = "case                                         resident MiB     Ctrl-C s  sent MiB  conns  targets";

    /// What every case has: memory, and the wait for Ctrl-C.
    pub(crate) fn of(seen: Seen) -> Self {
        let mut figures = Self {
            resident_before: mib(seen.before),
            resident_peak: mib(seen.peak),
            ctrl_c: seen.ctrl_c.map(|wait| wait.as_secs_f64()),
            is_killed: seen.is_killed,
            ..Self::default()
        };
        figures.at_most(
            "growth MiB",
            GROWTH,
            mib(seen.peak.saturating_sub(seen.before)),
        );
        if let Some(wait) = figures.ctrl_c {
            figures.at_most("Ctrl-C s", CTRL_C, wait);
        }
        figures
    }

    /// Nothing of a process, but targets.
    pub(crate) fn at_most(&mut self, what: &'static str, wanted: f64, reached: f64) {
        self.targets.push(Target::at_most(what, wanted, reached));
    }

    pub(crate) fn at_least(&mut self, what: &'static str, wanted: f64, reached: f64) {
        self.targets.push(Target::at_least(what, wanted, reached));
    }

    /// Records the size of the attack.
    pub(crate) fn attacked(mut self, counts: &tailwater_hostile::Counts) -> Self {
        self.attack_sent = mib(counts.sent());
        self.attack_connections = counts.connections();
        self
    }

    pub(crate) fn is_missed(&self) -> bool {
        self.is_killed || self.targets.iter().any(|target| !target.met)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ctrl_c = match (self.ctrl_c, self.is_killed) {
            (Some(wait), _) => format!("{wait:.2}"),
            (None, true) => "killed".to_owned(),
            (None, false) => "-".to_owned(),
        };
        write!(
            f,
            "{:<44} {:>5.0} → {:>5.0} {:>10} {:>9.0} {:>6} ",
            self.case,
            self.resident_before,
            self.resident_peak,
            ctrl_c,
            self.attack_sent,
            self.attack_connections
        )?;
        for target in &self.targets {
            let verdict = if target.met { "" } else { " MISSED" };
            write!(
                f,
                " [{} {:.2} of {}{verdict}]",
                target.what, target.reached, target.wanted
            )?;
        }
        Ok(())
    }
}

pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB
}

/// The middle one, or the lower of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}
