//! The shared state through which a torrent's handles see and change its trackers.

use std::collections::HashSet;
use std::time::Instant;

use tokio::sync::watch;
use url::Url;

use super::MAX_TRACKERS;
use super::status::{TrackerState, TrackerStatus};
use crate::error::{TorrentError, TrackersError};

type Tiers = Vec<Vec<String>>;

/// The side that a torrent's handles hold.
#[derive(Debug)]
pub(crate) struct TrackersHandle {
    tiers: watch::Sender<Tiers>,
    hurries: watch::Sender<u64>,
    states: watch::Receiver<Vec<Known>>,
}

/// The side that the announcer holds.
#[derive(Debug)]
pub(crate) struct AnnounceControl {
    /// The trackers that the announcer is to use.
    pub(super) tiers: watch::Receiver<Tiers>,
    /// Changes when trackers are to be asked soon.
    pub(super) hurries: watch::Receiver<u64>,
    pub(super) states: watch::Sender<Vec<Known>>,
}

impl AnnounceControl {
    /// The same trackers for another announcer, of which nothing is shown.
    pub(crate) fn unseen(&self) -> Self {
        Self {
            tiers: self.tiers.clone(),
            hurries: self.hurries.clone(),
            states: watch::channel(Vec::new()).0,
        }
    }
}

/// What is known of a tracker.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) status: TrackerStatus,
    pub(super) last_announce: Option<Instant>,
    pub(super) next_announce: Option<Instant>,
}

pub(crate) fn control(tiers: Tiers) -> (TrackersHandle, AnnounceControl) {
    let (states_in, states) = watch::channel(unasked(&tiers));
    let (tiers_in, tiers) = watch::channel(tiers);
    let (hurries_in, hurries) = watch::channel(0);
    let handle = TrackersHandle {
        tiers: tiers_in,
        hurries: hurries_in,
        states,
    };
    let control = AnnounceControl {
        tiers,
        hurries,
        states: states_in,
    };
    (handle, control)
}

impl TrackersHandle {
    /// The trackers as they were set last.
    pub(crate) fn tiers(&self) -> Tiers {
        self.tiers.borrow().clone()
    }

    pub(crate) fn status(&self, now: Instant) -> Vec<TrackerStatus> {
        let states = self.states.borrow();
        let states = states.iter().map(|known| TrackerStatus {
            last_announce: known
                .last_announce
                .map(|at| now.saturating_duration_since(at)),
            next_announce: known
                .next_announce
                .map(|at| at.saturating_duration_since(now)),
            ..known.status.clone()
        });
        states.collect()
    }

    /// Changes the trackers, if what they become is right.
    pub(crate) fn change(&self, change: impl FnOnce(&Tiers) -> Tiers) -> Result<(), TrackersError> {
        if self.tiers.is_closed() {
            return Err(TorrentError::Closed.into());
        }
        let mut refused = None;
        self.tiers.send_if_modified(|tiers| {
            let changed = change(tiers);
            refused = check(&changed).err();
            if refused.is_none() {
                *tiers = changed;
            }
            refused.is_none()
        });
        refused.map_or(Ok(()), Err)
    }

    pub(crate) fn hurry(&self) -> Result<(), TorrentError> {
        if self.hurries.is_closed() {
            return Err(TorrentError::Closed);
        }
        self.hurries.send_modify(|hurries| *hurries += 1);
        Ok(())
    }
}

/// Trackers of a torrent that does not run yet.
fn unasked(tiers: &Tiers) -> Vec<Known> {
    let urls = tiers.iter().enumerate();
    let urls = urls.flat_map(|(tier, urls)| urls.iter().map(move |url| (tier, url)));
    let unasked = urls.map(|(tier, url)| Known {
        status: TrackerStatus {
            url: url.clone(),
            tier,
            state: TrackerState::Idle,
            failures: 0,
            last_error: None,
            warning: None,
            seeders: None,
            leechers: None,
            peers: None,
            last_announce: None,
            next_announce: None,
        },
        last_announce: None,
        next_announce: None,
    });
    unasked.take(MAX_TRACKERS).collect()
}

fn check(tiers: &Tiers) -> Result<(), TrackersError> {
    let mut seen = HashSet::new();
    for url in tiers.iter().flatten() {
        if !seen.insert(url) {
            let url = url.clone();
            return Err(TrackersError::Duplicate { url });
        }
        check_url(url)?;
    }
    match seen.len() > MAX_TRACKERS {
        true => Err(TrackersError::TooMany {
            limit: MAX_TRACKERS,
        }),
        false => Ok(()),
    }
}

/// Refuses what could never be asked.
fn check_url(url: &str) -> Result<(), TrackersError> {
    let unusable = |reason: String| TrackersError::Unusable {
        url: url.to_owned(),
        reason,
    };
    let parsed = Url::parse(url).map_err(|error| unusable(error.to_string()))?;
    match parsed.scheme() {
        "http" | "https" | "udp" if parsed.has_host() => Ok(()),
        scheme => Err(unusable(format!("trackers are not asked by {scheme}"))),
    }
}
