//! Limits of an attack: time, connections, bytes.

use std::time::Duration;

/// The limits of a [`Crowd`](super::Crowd), all its scripts together. The first that is reached ends it.
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
