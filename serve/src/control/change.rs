//! The log of changes: each has a number that only rises, also over restarts, and the last ones are kept.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::id::TorrentId;
use super::seeding::ReachedLimit;

/// The most changes that are kept: a reader that is further behind starts over. Each takes some 200 bytes.
pub const RING_LEN: usize = 4_096;
/// The most changes that a reader gets at once.
const BATCH_LEN: usize = 256;
/// Numbers begin with the seconds of the Unix time, shifted by so many bits: a daemon that is started anew continues above
/// all numbers of before, unless it made a million changes each second. They stay below 2^53, which JSON can hold.
const SHIFT: u32 = 20;

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Change {
    /// Its number. Later changes have higher ones.
    pub id: u64,
    /// When it happened, in milliseconds of the Unix time.
    pub at: u64,
    /// The torrent, by its info-hash; none for changes of the daemon itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub torrent: Option<TorrentId>,
    /// What happened.
    #[serde(flatten)]
    pub kind: ChangeKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// A torrent was added.
    Added {
        /// Its name.
        name: String,
    },
    /// The metadata of a magnet link has been fetched.
    MetadataFetched {
        /// Its name.
        name: String,
    },
    /// It runs: what it holds already is known.
    Started {
        /// Pieces that it holds.
        pieces_have: u32,
        /// Pieces in all.
        pieces_total: u32,
    },
    /// Everything wanted is held.
    Completed,
    /// It was paused.
    Paused,
    /// It goes on.
    Resumed,
    /// Its files have been checked.
    Rechecked {
        /// Pieces that it holds.
        pieces_have: u32,
        /// Pieces in all.
        pieces_total: u32,
    },
    /// Its files are in another folder.
    Moved {
        /// The folder.
        folder: String,
    },
    /// It stopped with an error.
    Failed {
        /// Why.
        error: String,
    },
    /// Labels, limits, priorities, trackers or the like were changed.
    Changed,
    /// It was removed.
    Removed {
        /// Its files were deleted.
        deleted_files: bool,
    },
    /// It has reached a limit, and is paused.
    SeedingDone {
        /// Which.
        limit: ReachedLimit,
    },
    /// Something went wrong, and it goes on.
    Warning {
        /// What.
        warning: String,
    },
    /// Settings of the daemon were changed.
    SettingsChanged,
    /// The options of a label were changed, or it was deleted.
    LabelChanged {
        /// The label.
        name: String,
    },
    /// Something could not be saved: the disk may be full.
    SaveFailed {
        /// Why.
        error: String,
    },
}

impl ChangeKind {
    /// Its name, as in JSON.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Added { .. } => "added",
            Self::MetadataFetched { .. } => "metadata_fetched",
            Self::Started { .. } => "started",
            Self::Completed => "completed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Rechecked { .. } => "rechecked",
            Self::Moved { .. } => "moved",
            Self::Failed { .. } => "failed",
            Self::Changed => "changed",
            Self::Removed { .. } => "removed",
            Self::SeedingDone { .. } => "seeding_done",
            Self::Warning { .. } => "warning",
            Self::LabelChanged { .. } => "label_changed",
            Self::SettingsChanged => "settings_changed",
            Self::SaveFailed { .. } => "save_failed",
        }
    }
}

/// A reader asked for changes that are not kept any more, or that never were: it has to start over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The number of the last change: go on from there.
    pub newest: u64,
}

/// The changes, for any number of readers, none of which costs memory by being slow.
#[derive(Debug)]
pub struct ChangeLog {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    changes: VecDeque<Arc<Change>>,
    /// The number of the last change; before the first one, where numbers begin.
    newest: u64,
}

impl ChangeLog {
    /// An empty log, whose numbers begin with this time.
    pub(crate) fn new(now: SystemTime) -> Self {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let first = seconds << SHIFT;
        Self {
            ring: Mutex::new(Ring {
                changes: VecDeque::new(),
                newest: first,
            }),
            newest: watch::Sender::new(first),
        }
    }

    /// Adds a change; returns its number.
    pub(crate) fn push(&self, torrent: Option<TorrentId>, kind: ChangeKind) -> u64 {
        let at = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = at.unwrap_or_default().as_millis();
        let mut ring = self.ring.lock();
        ring.newest += 1;
        let id = ring.newest;
        if ring.changes.len() == RING_LEN {
            ring.changes.pop_front();
        }
        ring.changes.push_back(Arc::new(Change {
            id,
            at: u64::try_from(at).unwrap_or(u64::MAX),
            torrent,
            kind,
        }));
        // Under the lock, so that it never goes back.
        self.newest.send_replace(id);
        id
    }

    /// The number of the last change.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.ring.lock().newest
    }

    /// Some of the changes behind the one with this number, oldest first; none if there are none yet.
    ///
    /// # Errors
    ///
    /// When some of them are not kept any more, or the number is not one of this log's.
    pub fn since(&self, id: u64) -> Result<Vec<Arc<Change>>, Missed> {
        let ring = self.ring.lock();
        let newest = ring.newest;
        let kept = u64::try_from(ring.changes.len()).unwrap_or(u64::MAX);
        let oldest_known = newest.saturating_sub(kept);
        if id > newest || id < oldest_known {
            return Err(Missed { newest });
        }
        let skipped = usize::try_from(id - oldest_known).unwrap_or(usize::MAX);
        let changes = ring.changes.iter().skip(skipped).take(BATCH_LEN);
        Ok(changes.cloned().collect())
    }

    /// Waits until there is a change behind the one with this number.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait(&self, id: u64) {
        let mut newest = self.newest.subscribe();
        // The sender lives as long as the log.
        let _ = newest.wait_for(|newest| *newest > id).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn log() -> ChangeLog {
        ChangeLog::new(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    #[test]
    fn a_reader_goes_on_where_it_was() {
        let log = log();
        let start = log.newest();
        assert!(log.since(start).unwrap().is_empty());
        let first = log.push(None, ChangeKind::Paused);
        let second = log.push(None, ChangeKind::Resumed);
        assert_eq!((first, second), (start + 1, start + 2));
        let ids = |since| -> Vec<u64> {
            let changes = log.since(since).unwrap();
            changes.iter().map(|change| change.id).collect()
        };
        assert_eq!(ids(start), [first, second]);
        assert_eq!(ids(first), [second]);
        assert!(ids(second).is_empty());
    }

    #[test]
    fn who_is_too_far_behind_or_ahead_starts_over() {
        let log = log();
        let start = log.newest();
        for _ in 0..RING_LEN {
            log.push(None, ChangeKind::Changed);
        }
        assert_eq!(log.since(start).unwrap().len(), BATCH_LEN);
        log.push(None, ChangeKind::Changed);
        let newest = log.newest();
        assert_eq!(log.since(start), Err(Missed { newest }));
        assert!(log.since(start + 1).is_ok());
        assert_eq!(log.since(newest + 1), Err(Missed { newest }));
        assert_eq!(log.since(0), Err(Missed { newest }));
        assert_eq!(log.ring.lock().changes.len(), RING_LEN);
    }

    #[test]
    fn a_log_that_is_begun_later_has_higher_numbers_that_json_can_hold() {
        let later = ChangeLog::new(UNIX_EPOCH + Duration::from_secs(1_700_000_001));
        let log = log();
        for _ in 0..10_000 {
            log.push(None, ChangeKind::Changed);
        }
        assert!(later.newest() > log.newest());
        let in_2100 = ChangeLog::new(UNIX_EPOCH + Duration::from_secs(4_102_444_800));
        assert!(in_2100.newest() < 1 << 53);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_a_change() {
        let log = Arc::new(log());
        let start = log.newest();
        let waiting = tokio::spawn({
            let log = Arc::clone(&log);
            async move { log.wait(start).await }
        });
        log.push(None, ChangeKind::Changed);
        waiting.await.unwrap();
    }
}
