//! The report of a simulation.

use serde::Serialize;

/// The outcome of a simulation. Equal for equal configurations, byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SimReport {
    /// Nodes at a time.
    pub nodes: usize,
    /// Hostile ones among them.
    pub malicious_nodes: usize,
    /// Nodes that were there at some time.
    pub nodes_ever: usize,
    /// The seed.
    pub seed: u64,
    /// Simulated minutes.
    pub minutes: u32,
    /// Announces that ended.
    pub announces: usize,
    /// Nodes that stored one, the median.
    pub stored_median: u64,
    /// Lookups that ended.
    pub lookups: usize,
    /// The share of them that found the announced peer.
    pub found_percent: f64,
    /// Nodes that named one another on the way to the first peer.
    pub hops: Figures,
    /// Questions of a lookup.
    pub messages: Figures,
    /// Milliseconds to the first peer.
    pub first_peer_ms: Figures,
    /// Milliseconds to the end.
    pub end_ms: Figures,
    /// Lookups by the number of hops to the first peer.
    pub hops_histogram: Histogram,
    /// Lookups by the number of queries.
    pub messages_histogram: Histogram,
    /// Lookups by the time to the first peer, in milliseconds.
    pub first_peer_histogram: Histogram,
    /// Lookups by the time to the end, in milliseconds.
    pub end_histogram: Histogram,
    /// How many of the eight nodes that are truly the nearest a lookup ended with, in percent; a tenth of the lookups is
    /// checked.
    pub closest_percent: f64,
    /// Nodes in a routing table at the end.
    pub table_nodes: Figures,
    /// The share of those that live, in percent.
    pub table_alive_percent: f64,
    /// The share of a living node's eight true neighbours that it knows, in percent.
    pub neighbours_known_percent: f64,
    /// Routing tables and nodes whose invariants were checked, and held.
    pub checked_nodes: usize,
    /// Bytes of memory of a node at the end.
    pub memory_bytes: Figures,
    /// Bytes that a node has sent, all that were ever there on average, headers not counted.
    pub sent_bytes_per_node: u64,
    /// Datagrams that were sent.
    pub datagrams: u64,
    /// Bytes that all nodes sent within a second, on average.
    pub bytes_per_second: u64,
    /// The fingerprint of every event in the network.
    pub digest: String,
}

/// The middle and the end of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// Half of the values are below.
    pub median: u64,
    /// One value of a hundred is above.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Figures {
    pub(super) fn of(mut values: Vec<u64>) -> Self {
        values.sort_unstable();
        let at = |percent: usize| {
            let index = values.len() * percent / 100;
            values
                .get(index)
                .or(values.last())
                .copied()
                .unwrap_or_default()
        };
        Self {
            median: at(50),
            p99: at(99),
            max: values.last().copied().unwrap_or_default(),
        }
    }
}

/// A distribution: how many values fall into each of its equally wide bins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Histogram {
    /// How many values a bin is wide: the first is from 0 to below this.
    pub width: u64,
    /// How many values there are in each, up to the last that has one. Of [`MAX_BINS`], the last takes all larger ones.
    pub counts: Vec<u64>,
}

/// The most bins of a [`Histogram`].
pub const MAX_BINS: usize = 256;

impl Histogram {
    pub(super) fn of(width: u64, values: &[u64]) -> Self {
        let mut counts = Vec::new();
        for value in values {
            let bin = usize::try_from(value / width.max(1)).unwrap_or(usize::MAX);
            let bin = bin.min(MAX_BINS - 1);
            if counts.len() <= bin {
                counts.resize(bin + 1, 0);
            }
            counts[bin] += 1;
        }
        Self { width, counts }
    }
}

/// The share of `part` in `all`, in percent to two places.
pub(super) fn percent(part: usize, all: usize) -> f64 {
    let part = u32::try_from(part.min(all)).unwrap_or(u32::MAX);
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    if all == 0 {
        return 0.0;
    }
    (f64::from(part) / f64::from(all) * 10_000.0).round() / 100.0
}
