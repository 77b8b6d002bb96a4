//! The queue: how many torrents download and seed at once, in the order of their places.

use std::sync::Arc;
use std::time::Duration;

use tailwater_session::{Phase, Torrent};
use tokio::time::{MissedTickBehavior, interval};

use super::entry::Entry;
use super::service::{Inner, now};

/// How often the queue is looked at, besides when something changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A download that has got nothing for so long holds no place that another could use, in seconds.
const STALLED_AFTER: u64 = 60;

/// What a torrent would do if it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Download,
    Seed,
}

/// A torrent that may have to wait.
struct Candidate {
    entry: Arc<Entry>,
    torrent: Torrent,
    role: Role,
    position: u64,
    is_held: bool,
    is_stalled: bool,
    is_forced: bool,
}

impl Inner {
    /// Keeps the queue, to the end.
    pub(super) async fn keep_queue(self: Arc<Self>) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.queue_changed.notified() => {}
            }
            self.arrange().await;
        }
    }

    /// Lets those run that have a place, and has the others wait.
    async fn arrange(&self) {
        let (max_downloads, max_seeds) = self.queue_limits();
        let mut candidates: Vec<_> = self.entries().into_iter().filter_map(candidate).collect();
        candidates.sort_by_key(|candidate| (candidate.position, candidate.entry.number));
        let (mut downloads, mut seeds) = (0_usize, 0_usize);
        for candidate in candidates {
            let (limit, taken) = match candidate.role {
                Role::Download => (max_downloads, &mut downloads),
                Role::Seed => (max_seeds, &mut seeds),
            };
            let has_place = limit.is_none_or(|limit| *taken < limit);
            // One that is forced to run takes no place.
            let may_run = has_place || candidate.is_forced;
            if may_run && !candidate.is_stalled && !candidate.is_forced {
                *taken += 1;
            }
            if may_run == candidate.is_held {
                hold(&candidate, !may_run).await;
            }
        }
    }

    /// Moves a torrent to a place in the queue, from 1; the others make room. Returns the numbers and places that changed.
    pub(super) fn move_in_queue(&self, entry: &Entry, position: u64) -> Vec<(i64, u64)> {
        let mut order = self.entries();
        order.sort_by_key(|other| (other.state().queue_position, other.number));
        let Some(at) = order.iter().position(|other| other.number == entry.number) else {
            return Vec::new();
        };
        let moved = order.remove(at);
        let to = usize::try_from(position.saturating_sub(1)).unwrap_or(usize::MAX);
        order.insert(to.min(order.len()), moved);
        let mut changed = Vec::new();
        for (place, other) in (1..).zip(order) {
            let mut state = other.state();
            if state.queue_position != place {
                state.queue_position = place;
                changed.push((other.number, place));
            }
        }
        changed
    }
}

/// A torrent that runs, or would if it had a place.
fn candidate(entry: Arc<Entry>) -> Option<Candidate> {
    let torrent = entry.unpaused()?;
    let status = torrent.status();
    let state = entry.state();
    let role = match status.phase {
        Phase::Downloading => Role::Download,
        Phase::Complete => Role::Seed,
        Phase::Paused if state.is_held && status.stats.bytes_left > 0 => Role::Download,
        Phase::Paused if state.is_held => Role::Seed,
        _ => return None,
    };
    let since = state
        .figures
        .last_activity
        .unwrap_or(0)
        .max(state.runs_since);
    let is_stalled = role == Role::Download && !state.is_held && since + STALLED_AFTER < now();
    let (position, is_held) = (state.queue_position, state.is_held);
    let is_forced = state.options.forced || state.skips_queue;
    drop(state);
    Some(Candidate {
        entry,
        torrent,
        role,
        position,
        is_held,
        is_stalled,
        is_forced,
    })
}

/// Has a torrent wait, or go on.
async fn hold(candidate: &Candidate, is_held: bool) {
    let entry = &candidate.entry;
    // One that is being changed has its turn at the next look.
    let Ok(_changing) = entry.changing.try_lock() else {
        return;
    };
    if entry.state().record.paused {
        return;
    }
    let done = match is_held {
        true => candidate.torrent.pause().await,
        false => candidate.torrent.resume().await,
    };
    match done {
        Ok(()) => {
            let mut state = entry.state();
            state.is_held = is_held;
            state.runs_since = now();
        }
        Err(error) => tracing::debug!("torrent {} in the queue: {error}", entry.id),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use crate::control::TorrentState;
    use crate::control::tests::{add, start, until_state};

    #[tokio::test]
    async fn a_torrent_that_is_started_now_runs_without_a_place_until_it_is_paused() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let limit = serde_json::from_str(r#"{"max_downloads":1}"#).unwrap();
        control.set_settings(limit).await.unwrap();
        let first = add(&control, "a").await;
        let second = add(&control, "b").await;
        until_state(&control, second, TorrentState::Queued).await;
        control.resume_now(second).await.unwrap();
        until_state(&control, second, TorrentState::Downloading).await;
        control.inner.arrange().await;
        let entry = control.inner.entry(second).unwrap();
        assert!(!entry.state().is_held);
        let view = control.torrent(first).unwrap();
        assert_eq!(
            view.state,
            TorrentState::Downloading,
            "its place is its own"
        );
        assert!(!control.torrent(second).unwrap().forced);
        control.pause(second).await.unwrap();
        control.resume(second).await.unwrap();
        until_state(&control, second, TorrentState::Queued).await;
        control.close().await;
    }

    #[tokio::test]
    async fn a_torrent_that_is_forced_runs_without_a_place() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let limit = serde_json::from_str(r#"{"max_downloads":1}"#).unwrap();
        control.set_settings(limit).await.unwrap();
        let mut ids = Vec::new();
        for name in ["a", "b", "c"] {
            ids.push(add(&control, name).await);
        }
        until_state(&control, ids[1], TorrentState::Queued).await;
        until_state(&control, ids[2], TorrentState::Queued).await;
        let patch = |json: &str| serde_json::from_str(json).unwrap();
        let forced = patch(r#"{"forced":true,"title":"The third"}"#);
        control.patch(ids[2], forced).await.unwrap();
        until_state(&control, ids[2], TorrentState::Downloading).await;
        // The place is still that of the first.
        assert_eq!(
            control.torrent(ids[0]).unwrap().state,
            TorrentState::Downloading
        );
        assert_eq!(control.torrent(ids[1]).unwrap().state, TorrentState::Queued);
        control.close().await;
        let control = start(dir.path()).await;
        let view = control.torrent(ids[2]).unwrap();
        assert!(view.forced, "{view:?}");
        assert_eq!(view.title.as_deref(), Some("The third"));
        let free = patch(r#"{"forced":false,"title":null}"#);
        control.patch(ids[2], free).await.unwrap();
        until_state(&control, ids[2], TorrentState::Queued).await;
        assert_eq!(control.torrent(ids[2]).unwrap().title, None);
        control.close().await;
    }
}
