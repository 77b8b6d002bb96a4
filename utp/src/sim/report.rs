//! The report of a simulation.

use serde::Serialize;

/// The outcome of a simulation. Equal for equal configurations, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SimReport {
    /// The seed.
    pub seed: u64,
    /// Simulated seconds.
    pub seconds: f64,
    /// The rate of the bottleneck, in Mbit/s; 0: there was none.
    pub rate_mbit: f64,
    /// The round trip without queues, in milliseconds.
    pub rtt_ms: f64,
    /// Each flow, in the order of the configuration.
    pub flows: Vec<FlowReport>,
    /// What they shared from one start or end of a flow to the next.
    pub phases: Vec<Phase>,
    /// What went on over time, at equal distances.
    pub samples: Vec<Sample>,
    /// The fingerprint of every event in the network.
    pub digest: String,
}

/// One flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FlowReport {
    /// The congestion controller.
    pub congestion: String,
    /// When it began, in seconds.
    pub start_s: f64,
    /// When it stopped, in seconds.
    pub end_s: f64,
    /// Payload that was acknowledged, in Mbit/s while it lasted.
    pub mbit: f64,
    /// Milliseconds from its start until it had delivered at 90 % of the bottleneck's rate for half a second; `None`: it
    /// never did.
    pub full_after_ms: Option<u64>,
    /// The queuing delay that it measured, in milliseconds.
    pub delay_ms: Figures,
    /// Datagrams sent.
    pub packets_sent: u64,
    /// Datagrams that were sent again.
    pub packets_resent: u64,
    /// Whole windows that were given up.
    pub timeouts: u64,
}

/// What the flows got between two starts or ends of flows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Phase {
    /// When it began, in seconds.
    pub start_s: f64,
    /// When it ended.
    pub end_s: f64,
    /// What each flow delivered, in Mbit/s; 0 for those that had not begun or had ended.
    pub mbit: Vec<f64>,
    /// What all of them delivered, in percent of the bottleneck's rate.
    pub used_percent: f64,
    /// How equal the shares of those flows were that were there (Jain's index): from 1, all the same, to 1 / their number,
    /// one has all.
    pub fairness: f64,
    /// How long a datagram waited for the bottleneck, in milliseconds.
    pub queue_ms: Figures,
}

/// The middle and the end of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// Half of the values are below.
    pub median: f64,
    /// One value of a hundred is above.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// One moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Sample {
    /// When, in milliseconds.
    pub ms: u64,
    /// How long a datagram that arrived now would wait for the bottleneck, in milliseconds.
    pub queue_ms: f64,
    /// Each flow.
    pub flows: Vec<FlowSample>,
}

/// A flow in a moment; all 0 before it begins and after it ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FlowSample {
    /// The congestion window, in bytes.
    pub window: usize,
    /// The queuing delay that it measured, in milliseconds.
    pub delay_ms: f64,
    /// What it has delivered since the sample before, in Mbit/s.
    pub mbit: f64,
}

impl Figures {
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let at = |percent: usize| {
            let value = values.get(values.len() * percent / 100);
            rounded(value.or(values.last()).copied().unwrap_or_default())
        };
        Self {
            median: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

/// To two places.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Jain's index.
pub(super) fn fairness(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares <= 0.0 {
        return 1.0;
    }
    rounded(sum * sum / (shares.len() as f64 * squares))
}
