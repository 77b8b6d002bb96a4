//! The status of a torrent's trackers, as its handle returns it.

use std::time::Duration;

/// The state of a tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum TrackerState {
    /// Not asked yet.
    Idle,
    /// An announce is under way.
    Announcing,
    /// The last announce was answered.
    Working,
    /// The last announce failed; it will be tried again.
    Failing,
    /// It will not be asked again: its URL is unusable, or it said never (BEP 31).
    Disabled,
}

/// A tracker of a torrent at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TrackerStatus {
    /// Its announce URL.
    pub url: String,
    /// Its tier, from 0 (BEP 12).
    pub tier: usize,
    /// How it does.
    pub state: TrackerState,
    /// Failures since the last answer.
    pub failures: u32,
    /// Why the last announce failed; `None` after an answer.
    pub last_error: Option<String>,
    /// The tracker's warning message, by its last answer.
    pub warning: Option<String>,
    /// Peers that have everything, by the last answer that said so.
    pub seeders: Option<u32>,
    /// Peers that lack something, by the last answer that said so.
    pub leechers: Option<u32>,
    /// How many addresses it named in its last answer.
    pub peers: Option<usize>,
    /// How long ago it was last sent an announce.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "last_announce_seconds",
            serialize_with = "crate::text::seconds"
        )
    )]
    pub last_announce: Option<Duration>,
    /// The time before which it is not asked; `None` if it will not be asked.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "next_announce_seconds",
            serialize_with = "crate::text::seconds"
        )
    )]
    pub next_announce: Option<Duration>,
}
