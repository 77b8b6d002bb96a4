//! What changed in the last minute, for callers that ask for `recently_active`: it is found out when one asks.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use crate::control::{ChangeLog, TorrentId, TorrentView};

/// How long a change is recent, in seconds: as in Transmission.
const RECENT: u64 = 60;

#[derive(Debug, Default)]
pub(super) struct Recent {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// The number of the last change that was looked at.
    change: u64,
    /// When a torrent changed last, as a Unix time.
    changed: HashMap<TorrentId, u64>,
    /// Everything counts as changed until then: changes were missed.
    all_until: u64,
    /// The torrents at the last look, by their numbers, and those that are gone since, with the time when that was seen.
    known: BTreeMap<i64, ()>,
    removed: BTreeMap<i64, u64>,
}

/// The torrents that changed, and the numbers of those that were removed.
#[derive(Debug, PartialEq)]
pub(super) struct Recently {
    pub(super) active: Vec<TorrentView>,
    pub(super) removed: Vec<i64>,
}

impl Recent {
    /// Looks at all torrents; `now` is a Unix time.
    pub(super) fn look(&self, log: &ChangeLog, torrents: Vec<TorrentView>, now: u64) -> Recently {
        let mut seen = self.seen.lock();
        seen.read(log, now);
        let removed = seen.removed(&torrents, now);
        let since = now.saturating_sub(RECENT);
        let is_recent = |torrent: &TorrentView| {
            let changed = seen.changed.get(&torrent.id).copied();
            seen.all_until > now
                || torrent.down_rate > 0
                || torrent.up_rate > 0
                || torrent.state_progress.is_some()
                || changed.max(torrent.last_activity).unwrap_or(0) >= since
        };
        let active = torrents.into_iter().filter(is_recent).collect();
        Recently { active, removed }
    }
}

impl Seen {
    fn read(&mut self, log: &ChangeLog, now: u64) {
        loop {
            let changes = match log.since(self.change) {
                Ok(changes) => changes,
                Err(missed) => {
                    self.change = missed.newest;
                    self.all_until = now + RECENT;
                    continue;
                }
            };
            if changes.is_empty() {
                break;
            }
            for change in changes {
                self.change = change.id;
                if let Some(id) = change.torrent {
                    self.changed.insert(id, change.at / 1_000);
                }
            }
        }
        self.changed.retain(|_, at| *at + RECENT >= now);
    }

    fn removed(&mut self, torrents: &[TorrentView], now: u64) -> Vec<i64> {
        let there: BTreeMap<i64, ()> = torrents.iter().map(|it| (it.number, ())).collect();
        let before = std::mem::replace(&mut self.known, there);
        for (number, ()) in before {
            if !self.known.contains_key(&number) {
                self.removed.insert(number, now);
            }
        }
        self.removed.retain(|_, at| *at + RECENT >= now);
        self.removed.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;
    use crate::control::ChangeKind;

    fn now() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.unwrap().as_secs()
    }

    #[test]
    fn a_change_is_recent_for_a_minute() {
        let log = ChangeLog::new(SystemTime::now());
        let id: TorrentId = "11".repeat(20).parse().unwrap();
        let mut seen = Seen {
            change: log.newest(),
            ..Seen::default()
        };
        log.push(Some(id), ChangeKind::Changed);
        seen.read(&log, now());
        assert_eq!((seen.changed.len(), seen.all_until), (1, 0));
        seen.read(&log, now() + RECENT + 2);
        assert!(seen.changed.is_empty());
        // One that has missed changes takes everything for recent.
        let mut late = Seen::default();
        late.read(&log, now());
        assert!(late.all_until > now());
        assert_eq!(late.change, log.newest());
    }
}
