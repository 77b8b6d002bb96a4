//! How much an attack may do.

use std::time::Duration;

/// What a [`Crowd`](super::Crowd) does at most, all its scripts together. Whatever is reached first ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From its start on.
    pub time: Duration,
    /// Connections that it makes.
    pub connections: u64,
    /// Bytes that it sends.
    pub bytes: u64,
}

impl Default for Bounds {
    /// A minute, 10 000 connections, 32 GiB: more than any test needs.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            connections: 10_000,
            bytes: 32 << 30,
        }
    }
}

impl Bounds {
    /// The default, but no longer than this.
    #[must_use]
    pub fn lasting(time: Duration) -> Self {
        Self {
            time,
            ..Self::default()
        }
    }
}
