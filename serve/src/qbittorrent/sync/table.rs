//! The table behind `sync/maindata`: of each torrent, when each of its fields was found changed. One table serves all clients:
//! a client is told what has changed since the revision that it names. It looks when a client asks, not more often than every
//! second unless the log tells of a change, and at the torrents alone that have changed.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::tracked::{Tracked, fingerprint, first_revision};
use super::{BATCH, Wanted, put, put_gone};
use crate::control::{TorrentId, TorrentView};
use crate::qbittorrent::categories::Labels;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::{FIELDS, Rows, changed};

/// How often it looks while nothing is told of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A torrent as it was seen.
#[derive(Debug)]
struct Seen {
    fingerprints: [u64; FIELDS.len()],
    revisions: [u32; FIELDS.len()],
    /// The last of them.
    revised: u32,
    trackers: Vec<String>,
}

#[derive(Debug)]
pub(in crate::qbittorrent) struct Table {
    newest: u32,
    /// Revisions before this one are not known any more.
    oldest: u32,
    looked: Option<Instant>,
    /// It looks, or who had it look went away in the middle.
    is_looking: bool,
    /// The last revision of the daemon's own, and the last change, that were looked at.
    daemon_revision: u64,
    change: u64,
    torrents: BTreeMap<TorrentId, Seen>,
    gone: Tracked,
    categories: Tracked,
    tags: Tracked,
    trackers: Tracked,
    server: Tracked,
    /// The torrents of each tracker, and the state of the server, as they were seen.
    tracker_lists: Map<String, Value>,
    server_state: Map<String, Value>,
}

impl Table {
    /// An empty one; `now` is a Unix time.
    pub(in crate::qbittorrent) fn new(now: u64) -> Self {
        let first = first_revision(now);
        Self {
            newest: first,
            oldest: first,
            looked: None,
            is_looking: false,
            daemon_revision: 0,
            change: 0,
            torrents: BTreeMap::new(),
            gone: Tracked::default(),
            categories: Tracked::default(),
            tags: Tracked::default(),
            trackers: Tracked::default(),
            server: Tracked::default(),
            tracker_lists: Map::new(),
            server_state: Map::new(),
        }
    }

    pub(super) const fn newest(&self) -> u32 {
        self.newest
    }

    /// Whether what has changed since a revision is known.
    pub(super) fn knows(&self, revision: u32) -> bool {
        let all = [
            &self.gone,
            &self.categories,
            &self.tags,
            &self.trackers,
            &self.server,
        ];
        let oldest = all
            .iter()
            .map(|tracked| tracked.knows_since)
            .fold(self.oldest, u32::max);
        // Before the first look there is no revision to name.
        revision > oldest && revision <= self.newest
    }

    /// Whether it is time to look.
    pub(super) fn is_due(&self, shared: &Shared) -> bool {
        let is_quiet = self.change == shared.control.log().newest();
        !(is_quiet && self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY))
    }

    /// Looks at everything; `server` is what the daemon is doing.
    ///
    /// # Cancel safety
    ///
    /// What was looked at is kept, and the next look is at everything again that this one was for.
    pub(super) async fn refresh(
        &mut self,
        shared: &Shared,
        labels: &Labels,
        server: Map<String, Value>,
    ) {
        let begun = Instant::now();
        let next = self.newest.saturating_add(1);
        let was_cut_short = std::mem::replace(&mut self.is_looking, true);
        let mut has_changed = self
            .refresh_torrents(shared, labels, next, was_cut_short)
            .await;
        has_changed |= self.categories.look(hashes(&labels.categories()), next);
        let tags = labels.all_tags().map(|tag| (tag.to_owned(), 0));
        has_changed |= self.tags.look(tags, next);
        has_changed |= self.server.look(hashes(&server), next);
        self.server_state = server;
        if has_changed {
            self.newest = next;
        }
        self.is_looking = false;
        self.looked = Some(begun);
    }

    async fn refresh_torrents(
        &mut self,
        shared: &Shared,
        labels: &Labels,
        next: u32,
        was_cut_short: bool,
    ) -> bool {
        // A change of a tracker list is in the log alone.
        let mut change = self.change;
        let named = changed(&shared.control, &mut change);
        let found = shared
            .control
            .torrents_since(self.daemon_revision, usize::MAX);
        let mut has_changed = was_cut_short;
        let rows = shared.rows(labels.clone());
        if found.is_whole {
            let there: HashSet<TorrentId> = found.torrents.iter().map(|view| view.id).collect();
            let gone: Vec<TorrentId> = self
                .torrents
                .keys()
                .filter(|id| !there.contains(*id))
                .copied()
                .collect();
            has_changed |= self.remove(&gone, next);
        }
        has_changed |= self.remove(&found.removed, next);
        let mut views = found.torrents;
        let seen: HashSet<TorrentId> = views.iter().map(|view| view.id).collect();
        match named {
            Some(named) => {
                let named = named.into_iter().filter(|id| !seen.contains(id));
                views.extend(named.filter_map(|id| shared.control.listed(id).ok()));
            }
            None => views = shared.control.torrents(),
        }
        for (at, view) in views.iter().enumerate() {
            if at % BATCH == BATCH - 1 {
                tokio::task::yield_now().await;
            }
            has_changed |= self.look(shared, &rows, view, next);
        }
        (self.daemon_revision, self.change) = (found.revision, change);
        if has_changed {
            self.tracker_lists = self.list_trackers();
            self.trackers.look(hashes(&self.tracker_lists), next);
        }
        has_changed
    }

    fn remove(&mut self, ids: &[TorrentId], next: u32) -> bool {
        let mut has_changed = false;
        for id in ids {
            if self.torrents.remove(id).is_some() {
                self.gone.handle_gone(id.to_string(), next);
                has_changed = true;
            }
        }
        has_changed
    }

    /// Compares a torrent with how it was.
    fn look(&mut self, shared: &Shared, rows: &Rows, view: &TorrentView, next: u32) -> bool {
        let (about, trackers) = shared.parts(view.id);
        let row = rows.row(view, &about, &trackers);
        let mut fingerprints = [0; FIELDS.len()];
        for (place, value) in fingerprints.iter_mut().zip(row.values()) {
            *place = fingerprint(&value);
        }
        let urls: Vec<String> = trackers.iter().map(|tracker| tracker.url.clone()).collect();
        let Some(seen) = self.torrents.get_mut(&view.id) else {
            let seen = Seen {
                fingerprints,
                revisions: [next; FIELDS.len()],
                revised: next,
                trackers: urls,
            };
            self.torrents.insert(view.id, seen);
            return true;
        };
        let mut has_changed = seen.trackers != urls;
        seen.trackers = urls;
        let fields = seen.fingerprints.iter_mut().zip(&mut seen.revisions);
        for ((known, revision), now) in fields.zip(fingerprints) {
            if *known != now {
                (*known, *revision) = (now, next);
                seen.revised = next;
                has_changed = true;
            }
        }
        has_changed
    }

    /// The torrents of each tracker.
    fn list_trackers(&self) -> Map<String, Value> {
        let mut lists: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (id, seen) in &self.torrents {
            for url in &seen.trackers {
                lists.entry(url).or_default().push(id.to_string().into());
            }
        }
        lists
            .into_iter()
            .map(|(url, ids)| (url.to_owned(), ids.into()))
            .collect()
    }

    /// Torrents with the fields that have changed since a revision.
    pub(super) fn torrents_since(&self, since: u32) -> Wanted {
        let all = self.torrents.iter();
        let all = all.filter(|(_, seen)| seen.revised > since);
        let changed = all.map(|(id, seen)| {
            let fields = seen.revisions.iter().enumerate();
            let fields = fields.filter(|(_, revision)| **revision > since);
            (*id, fields.map(|(at, _)| at).collect::<Vec<_>>())
        });
        changed.collect()
    }

    /// Tells all else that has changed since a revision; everything since 0.
    pub(super) fn tell(&self, since: u32, labels: &Labels, answer: &mut Map<String, Value>) {
        let is_whole = since == 0;
        let newer = |tracked: &Tracked, all: &Map<String, Value>| {
            let newer = all
                .iter()
                .filter(|(name, _)| tracked.has_changed(name, since));
            newer
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect::<Map<_, _>>()
        };
        let categories = newer(&self.categories, &labels.categories());
        let tags: Vec<&str> = labels
            .all_tags()
            .filter(|tag| self.tags.has_changed(tag, since))
            .collect();
        let trackers = newer(&self.trackers, &self.tracker_lists);
        let server = newer(&self.server, &self.server_state);
        put(answer, "categories", Value::Object(categories), is_whole);
        put(answer, "tags", tags.into(), is_whole);
        put(answer, "trackers", Value::Object(trackers), is_whole);
        put(answer, "server_state", Value::Object(server), is_whole);
        if !is_whole {
            put_gone(answer, "torrents_removed", &self.gone_torrents(since));
            put_gone(
                answer,
                "categories_removed",
                &self.categories.gone_since(since),
            );
            put_gone(answer, "tags_removed", &self.tags.gone_since(since));
            put_gone(answer, "trackers_removed", &self.trackers.gone_since(since));
        }
    }

    /// Those that are gone, and were not added again.
    fn gone_torrents(&self, since: u32) -> Vec<String> {
        let mut gone = self.gone.gone_since(since);
        gone.retain(|hash| {
            hash.parse()
                .is_ok_and(|id: TorrentId| !self.torrents.contains_key(&id))
        });
        gone
    }
}

fn hashes(map: &Map<String, Value>) -> impl Iterator<Item = (String, u64)> {
    map.iter()
        .map(|(name, value)| (name.clone(), fingerprint(value)))
}
