//! The trackers of a torrent.

use std::time::Instant;

use super::Torrent;
use crate::driver::announce::TrackerStatus;
use crate::error::{TorrentError, TrackersError};

impl Torrent {
    /// The status of its trackers, in the order of their tiers.
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
