//! The trackers of a torrent.

use std::time::{Duration, Instant};

use super::Torrent;
use crate::error::{TorrentError, TrackersError};

/// How a tracker does.
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
    /// What it wants the user to know, by its last answer.
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
    /// It is not asked before so much time has passed; `None` if it will not be asked.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "next_announce_seconds",
            serialize_with = "crate::text::seconds"
        )
    )]
    pub next_announce: Option<Duration>,
}

impl Torrent {
    /// Its trackers in the order of their tiers, and how they do.
    #[must_use]
    pub fn trackers(&self) -> Vec<TrackerStatus> {
        self.shared.trackers.status(now())
    }

    /// The URLs of its trackers, by tier (BEP 12).
    #[must_use]
    pub fn tracker_tiers(&self) -> Vec<Vec<String>> {
        self.shared.trackers.tiers()
    }

    /// Adds a tracker: to tier `tier`, or in a tier of its own behind the others. It is asked when its turn comes (BEP 12).
    ///
    /// # Errors
    ///
    /// When the URL is not that of a tracker, the torrent has it already, or there are too many; and when it is closed.
    pub fn add_tracker(&self, url: &str, tier: Option<usize>) -> Result<(), TrackersError> {
        self.shared.trackers.change(|tiers| {
            let mut tiers = tiers.to_vec();
            match tier.and_then(|tier| tiers.get_mut(tier)) {
                Some(tier) => tier.push(url.to_owned()),
                None => tiers.push(vec![url.to_owned()]),
            }
            tiers
        })
    }

    /// Replaces the trackers, by tier (BEP 12). Those that stay are not asked before their time; one that goes is told that
    /// we left.
    ///
    /// # Errors
    ///
    /// As for [`Torrent::add_tracker`]; then nothing is replaced.
    pub fn replace_trackers(&self, tiers: Vec<Vec<String>>) -> Result<(), TrackersError> {
        self.shared.trackers.change(|_| tiers)
    }

    /// Asks the trackers for peers as soon as their minimum intervals and back-offs allow.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`].
    pub fn reannounce(&self) -> Result<(), TorrentError> {
        self.shared.trackers.hurry()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a handle tells times as durations"
)]
fn now() -> Instant {
    Instant::now()
}
