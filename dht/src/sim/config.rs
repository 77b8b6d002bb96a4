//! The configuration of a simulation.

use std::time::Duration;

/// A network and what happens in it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SimConfig {
    /// Nodes that are there at a time, hostile ones included.
    pub nodes: usize,
    /// The same seed gives the same report.
    pub seed: u64,
    /// The share of the nodes that leave without a word within an hour, each replaced by a new one. 0 to 1 and more.
    pub churn: f64,
    /// The share of hostile nodes, 0 to 1. They answer everything, claim ids next to whatever is looked up, name each other
    /// and nodes that do not exist, and keep nothing.
    pub malicious: f64,
    /// The share of datagrams that are lost, 0 to 1.
    pub loss: f64,
    /// How much time passes, in minutes. All nodes join in the first tenth of it.
    pub minutes: u32,
    /// The shortest and the longest delay of a datagram; each pair of nodes has its own.
    pub delay: (Duration, Duration),
    /// Torrents, each announced by one node.
    pub torrents: usize,
    /// Lookups of those, by random nodes at random times in the second half.
    pub lookups: usize,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            nodes: 1000,
            seed: 1,
            churn: 0.2,
            malicious: 0.0,
            loss: 0.01,
            minutes: 30,
            delay: (Duration::from_millis(20), Duration::from_millis(200)),
            torrents: 100,
            lookups: 1000,
        }
    }
}
