//! What has changed of the torrents since a client looked last, so that a list of thousands is read once.
//!
//! Each torrent has the revision at which it was found changed. Nothing is watched: a torrent is compared with how it was
//! when a client asks, whoever that is, and not more often than [`LOOK_EVERY`].

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::id::TorrentId;
use super::request::StorageChoice;
use super::seeding::Limit;
use super::service::{Control, Inner};
use super::view::TorrentView;

/// How often torrents are compared with how they were; at once when something was done with one of them.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The most removed torrents that are remembered: a client that has missed more gets the whole list.
const MAX_REMOVED: usize = 4_096;

/// What of a torrent was seen last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    fingerprint: u64,
    /// When it was found changed; 0 if it was never looked at.
    revision: u64,
}

/// The revisions of a daemon.
#[derive(Debug)]
pub(super) struct Revisions {
    newest: u64,
    /// When the torrents were compared last, and the last change in the log by then.
    looked: Option<(Instant, u64)>,
    removed: VecDeque<(u64, TorrentId)>,
    /// What was removed up to this revision is not known any more.
    forgotten: u64,
}

/// Torrents that have changed since a revision.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChangedTorrents {
    /// What to ask with the next time.
    pub revision: u64,
    /// These are all torrents, as what was asked with is not known: whatever the client has is out of date.
    pub is_whole: bool,
    /// There are more that have changed: the client asks again at once.
    pub has_more: bool,
    /// How many torrents there are.
    pub total: usize,
    /// Those that have changed, as in lists.
    pub torrents: Vec<TorrentView>,
    /// Those that were removed.
    pub removed: Vec<TorrentId>,
}

impl Revisions {
    /// Revisions begin with a number of the change log, and so above those of an earlier process.
    pub(super) fn new(first: u64) -> Self {
        Self {
            newest: first,
            looked: None,
            removed: VecDeque::new(),
            forgotten: first,
        }
    }

    pub(super) fn handle_removed(&mut self, id: TorrentId) {
        self.newest += 1;
        if self.removed.len() == MAX_REMOVED
            && let Some((revision, _)) = self.removed.pop_front()
        {
            self.forgotten = revision;
        }
        self.removed.push_back((self.newest, id));
    }

    /// Compares a torrent with how it was.
    fn look(&mut self, entry: &Entry) {
        let fingerprint = fingerprint(&entry.brief());
        let seen = &mut entry.state().seen;
        if seen.revision == 0 || seen.fingerprint != fingerprint {
            self.newest += 1;
            *seen = Seen {
                fingerprint,
                revision: self.newest,
            };
        }
    }

    fn look_at_all(&mut self, entries: &[Arc<Entry>], newest_change: u64) {
        let is_recent = self
            .looked
            .is_some_and(|(at, change)| at.elapsed() < LOOK_EVERY && change == newest_change);
        if !is_recent {
            self.looked = Some((Instant::now(), newest_change));
            entries.iter().for_each(|entry| self.look(entry));
        }
    }

    fn knows(&self, since: u64) -> bool {
        (self.forgotten..=self.newest).contains(&since)
    }
}

impl Control {
    /// The torrents that have changed since a revision, at most so many, the first changes first; all of them if the revision
    /// is none of this process.
    #[must_use]
    pub fn torrents_since(&self, since: u64, limit: usize) -> ChangedTorrents {
        let mut revisions = self.inner.revisions.lock();
        let newest_change = self.inner.log.newest();
        let entries = self.inner.entries();
        revisions.look_at_all(&entries, newest_change);
        let is_whole = !revisions.knows(since);
        let since = if is_whole { 0 } else { since };
        let revised = entries
            .iter()
            .map(|entry| (entry.state().seen.revision, entry));
        let mut changed: Vec<_> = revised.filter(|(revision, _)| *revision > since).collect();
        changed.sort_by_key(|(revision, _)| *revision);
        let has_more = changed.len() > limit;
        changed.truncate(limit);
        let last = changed.last().map(|(revision, _)| *revision);
        let revision = last.filter(|_| has_more).unwrap_or(revisions.newest);
        let between = |at: &u64| !is_whole && since < *at && *at <= revision;
        let removed = revisions.removed.iter();
        let removed = removed.filter(|(at, _)| between(at)).map(|(_, id)| *id);
        ChangedTorrents {
            revision,
            is_whole,
            has_more,
            total: entries.len(),
            removed: removed.collect(),
            torrents: changed.iter().map(|(_, entry)| entry.brief()).collect(),
        }
    }
}

impl Inner {
    pub(super) fn revise_removed(&self, id: TorrentId) {
        self.revisions.lock().handle_removed(id);
    }
}

/// What tells a torrent from how it was. Seconds that pass are no change.
fn fingerprint(view: &TorrentView) -> u64 {
    let TorrentView {
        id,
        number,
        name,
        title,
        state,
        state_progress,
        error,
        warning,
        labels,
        queue_position,
        forced,
        added,
        completed,
        last_activity,
        size,
        have,
        left,
        progress,
        downloaded,
        uploaded,
        wasted,
        ratio,
        down_rate,
        up_rate,
        eta,
        is_stalled,
        downloading_seconds: _,
        seeding_seconds: _,
        download_limit,
        upload_limit,
        max_peers,
        upload_slots,
        ratio_limit,
        idle_limit,
        seeding_time_limit,
        completed_folder,
        sequential,
        on_demand,
        super_seeding,
        storage,
        folder,
        is_private,
        file_count,
        piece_length,
        piece_count,
        pieces_have,
        peers,
        seeds,
        known_peers,
        comment,
        created_by,
        created,
        magnet,
    } = view;
    let hasher = &mut DefaultHasher::new();
    (id, number, name, title, state.name()).hash(hasher);
    (error, warning, labels, forced).hash(hasher);
    (queue_position, added, completed, last_activity).hash(hasher);
    (size, have, left, downloaded, uploaded, wasted).hash(hasher);
    (down_rate, up_rate, eta, is_stalled).hash(hasher);
    (download_limit, upload_limit, max_peers, upload_slots).hash(hasher);
    (completed_folder, sequential, on_demand, super_seeding).hash(hasher);
    let is_on_disk = *storage == StorageChoice::Disk;
    (is_on_disk, folder, is_private, file_count).hash(hasher);
    (piece_length, piece_count, pieces_have).hash(hasher);
    (peers, seeds, known_peers).hash(hasher);
    (comment, created_by, created, magnet).hash(hasher);
    let bits = |number: f64| number.to_bits();
    (state_progress.map(bits), bits(*progress), bits(*ratio)).hash(hasher);
    let ratio_limit = ratio_limit.map(|limit| limit.value().map(bits));
    let seconds = |limit: Option<Limit<u64>>| limit.map(Limit::value);
    (
        ratio_limit,
        seconds(*idle_limit),
        seconds(*seeding_time_limit),
    )
        .hash(hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::control::tests::{add, start};

    fn ids(changed: &ChangedTorrents) -> Vec<TorrentId> {
        changed.torrents.iter().map(|torrent| torrent.id).collect()
    }

    #[tokio::test]
    async fn a_client_gets_all_torrents_once_and_then_those_that_have_changed() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let (a, b) = (add(&control, "a").await, add(&control, "b").await);
        for id in [a, b] {
            control.pause(id).await.unwrap();
            let mut torrent = control.handle(id).await.unwrap();
            while torrent.status().phase != tailwater_session::Phase::Paused {
                torrent.changed().await.unwrap();
            }
        }
        let whole = control.torrents_since(0, 10);
        assert!(whole.is_whole && !whole.has_more, "{whole:?}");
        assert_eq!((ids(&whole).len(), whole.total), (2, 2));
        let same = control.torrents_since(whole.revision, 10);
        assert_eq!((same.is_whole, same.revision), (false, whole.revision));
        assert!(same.torrents.is_empty() && same.removed.is_empty());

        let patch = || serde_json::from_str(r#"{"labels":["new"]}"#).unwrap();
        control.patch(b, patch()).await.unwrap();
        let changed = control.torrents_since(whole.revision, 10);
        assert_eq!((ids(&changed), changed.is_whole), (vec![b], false));
        assert_eq!(changed.torrents[0].labels, ["new"]);
        // Another client, which has not seen that, gets it too; one that has seen it does not.
        assert_eq!(ids(&control.torrents_since(same.revision, 10)), [b]);
        assert!(ids(&control.torrents_since(changed.revision, 10)).is_empty());

        control.remove(a, false).await.unwrap();
        let c = add(&control, "c").await;
        let changed = control.torrents_since(changed.revision, 10);
        assert_eq!((ids(&changed), changed.removed.clone()), (vec![c], vec![a]));
        // What is no revision of this process is answered with everything.
        for unknown in [1, changed.revision + 1_000_000] {
            let whole = control.torrents_since(unknown, 10);
            assert!(whole.is_whole && whole.removed.is_empty());
            assert_eq!(ids(&whole).len(), 2);
        }
        control.close().await;
    }

    #[tokio::test]
    async fn a_long_list_comes_in_parts_and_each_torrent_in_one() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let mut all = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            let id = add(&control, name).await;
            control.pause(id).await.unwrap();
            all.push(id);
        }
        // Nothing else happens to them meanwhile.
        control.inner.session.close().await;
        let (mut found, mut since, mut parts) = (Vec::new(), 0, 0);
        loop {
            let part = control.torrents_since(since, 2);
            assert_eq!((part.is_whole, part.total), (parts == 0, 5));
            found.extend(ids(&part));
            (since, parts) = (part.revision, parts + 1);
            if !part.has_more {
                break;
            }
        }
        found.sort();
        all.sort();
        assert_eq!((found, parts), (all, 3));
    }

    #[test]
    fn what_was_removed_is_remembered_within_bounds() {
        let id = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let mut revisions = Revisions::new(1_000);
        for _ in 0..10_000 {
            revisions.handle_removed(id);
        }
        assert_eq!(revisions.removed.len(), MAX_REMOVED);
        assert!(!revisions.knows(1_000) && !revisions.knows(revisions.forgotten - 1));
        assert!(revisions.knows(revisions.forgotten) && revisions.knows(revisions.newest));
        assert!(!revisions.knows(revisions.newest + 1));
    }
}
