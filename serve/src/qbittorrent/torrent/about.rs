//! What takes long to find out of a torrent, and does not change until the log tells of a change: its link, its comment.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use super::V2_DIGITS;
use crate::control::{Control, TorrentId};

/// The most torrents that are remembered, some 700 bytes each.
const MAX_KNOWN: usize = 20_000;
/// What stands before the hashes of a link.
const V1: &str = "urn:btih:";
const V2: &str = "urn:btmh:1220";

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::qbittorrent) struct About {
    pub(in crate::qbittorrent) comment: String,
    pub(in crate::qbittorrent) creator: String,
    pub(in crate::qbittorrent) magnet: String,
    /// Its info-hashes in hexadecimal digits; empty where it has none.
    pub(in crate::qbittorrent) v1: String,
    pub(in crate::qbittorrent) v2: String,
}

impl About {
    fn of(control: &Control, id: TorrentId) -> Self {
        let Ok(view) = control.torrent(id) else {
            return Self::default();
        };
        let v2 = after(&view.magnet, V2).filter(|hash| hash.len() == V2_DIGITS);
        let v2 = v2.unwrap_or_default().to_owned();
        // One that has the second alone is known by the beginning of it.
        let is_v2_only = !v2.is_empty() && after(&view.magnet, V1).is_none();
        Self {
            comment: view.comment.unwrap_or_default(),
            creator: view.created_by.unwrap_or_default(),
            v1: match is_v2_only {
                true => String::new(),
                false => id.to_string(),
            },
            v2,
            magnet: view.magnet,
        }
    }
}

/// The hexadecimal digits of a link behind a prefix.
fn after<'a>(magnet: &'a str, prefix: &str) -> Option<&'a str> {
    let (_, rest) = magnet.split_once(prefix)?;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit());
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// What is known of torrents.
#[derive(Debug, Default)]
pub(in crate::qbittorrent) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last change that was looked at.
    change: u64,
    all: HashMap<TorrentId, Arc<About>>,
}

impl Known {
    /// Forgets torrents that have changed since the last look.
    pub(in crate::qbittorrent) fn refresh(&self, control: &Control) {
        let mut state = self.state.lock();
        match changed(control, &mut state.change) {
            Some(changed) => state.all.retain(|id, _| !changed.contains(id)),
            None => state.all.clear(),
        }
    }

    pub(in crate::qbittorrent) fn about(&self, control: &Control, id: TorrentId) -> Arc<About> {
        if let Some(about) = self.state.lock().all.get(&id) {
            return Arc::clone(about);
        }
        let change = control.log().newest();
        let about = Arc::new(About::of(control, id));
        let mut state = self.state.lock();
        // It may have changed while it was looked at.
        if state.change == change && state.all.len() < MAX_KNOWN {
            state.all.insert(id, Arc::clone(&about));
        }
        about
    }
}

/// The torrents that have changed behind a change, which becomes the last one; `None` when all of them may have: changes
/// were missed, or settings or labels have changed.
pub(in crate::qbittorrent) fn changed(
    control: &Control,
    since: &mut u64,
) -> Option<HashSet<TorrentId>> {
    let mut found = Some(HashSet::new());
    loop {
        match control.log().since(*since) {
            Ok(changes) if changes.is_empty() => return found,
            Ok(changes) => {
                for change in changes {
                    *since = change.id;
                    match change.torrent {
                        Some(id) => {
                            if let Some(found) = &mut found {
                                found.insert(id);
                            }
                        }
                        None => found = None,
                    }
                }
            }
            Err(missed) => {
                *since = missed.newest;
                found = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_from_a_link() {
        let (v1, v2) = ("a1".repeat(20), "b2".repeat(32));
        let hybrid = format!("magnet:?xt=urn:btih:{v1}&xt=urn:btmh:1220{v2}&dn=x");
        assert_eq!(after(&hybrid, V1), Some(v1.as_str()));
        assert_eq!(after(&hybrid, V2), Some(v2.as_str()));
        assert_eq!(after("magnet:?xt=urn:btih:", V1), Some(""));
        assert_eq!(after("magnet:?dn=x", V2), None);
    }
}
