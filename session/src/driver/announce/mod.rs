//! The announcer: a task that announces a torrent to its trackers (BEP 3, BEP 12).

mod control;
#[cfg_attr(not(feature = "trackers"), path = "no_trackers.rs")]
mod running;
pub(crate) mod status;

use tokio::sync::watch;

use crate::driver::swarm::SwarmContext;

pub(crate) use control::{AnnounceControl, TrackersHandle, control};
pub use running::MAX_TRACKERS;
pub(crate) use running::{Client, ClientConfig};
pub(crate) use status::TrackerStatus;

/// How many trackers a torrent has, and how many of them answer or fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) trackers: usize,
    pub(crate) asked: usize,
    pub(crate) answered: usize,
    pub(crate) failed: usize,
}

/// Everything that the announcer's task needs.
pub(crate) struct Announcer {
    pub(crate) context: SwarmContext,
    /// What is missing is not fetched: the tracker is told all the same that it is.
    pub(crate) wants_nothing: bool,
    pub(crate) client: Client,
    /// The trackers, which may change, and what is shown of them.
    pub(crate) control: AnnounceControl,
    /// Ask every tier at once, not one after the other.
    pub(crate) all_tiers: bool,
    /// Stay with one tracker while it answers (BEP 27).
    pub(crate) one_tracker: bool,
    pub(crate) tally: watch::Sender<Tally>,
}
