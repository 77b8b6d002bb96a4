//! Which torrents a request means: a number, an info-hash, a list of both, those that were active in the last minute, or all.

use std::collections::{HashMap, HashSet};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::params::Params;
use super::server::Shared;
use crate::control::{TorrentId, TorrentView};

/// What `ids` may say.
const RECENT: &str = "recently_active";

/// The torrents of a request.
pub(super) struct Selected {
    pub(super) torrents: Vec<TorrentView>,
    /// The numbers of those that were removed, if that was asked for.
    pub(super) removed: Option<Vec<i64>>,
}

/// The torrents that `ids` means, each once; those that are not there are left out.
pub(super) fn select(shared: &Shared, params: Params<'_>) -> Selected {
    let of = |torrents| Selected {
        torrents,
        removed: None,
    };
    match params.value("ids") {
        None => of(shared.control.torrents()),
        Some(Value::String(text)) if text == RECENT => {
            let torrents = shared.control.torrents();
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            let now = now.unwrap_or_default().as_secs();
            let recently = shared.recent.look(shared.control.log(), torrents, now);
            Selected {
                torrents: recently.active,
                removed: Some(recently.removed),
            }
        }
        Some(Value::Array(ids)) => of(pick(shared.control.torrents(), ids)),
        Some(id) => of(pick(shared.control.torrents(), std::slice::from_ref(id))),
    }
}

/// Those that are named, in that order.
fn pick(torrents: Vec<TorrentView>, ids: &[Value]) -> Vec<TorrentView> {
    let numbers: HashMap<i64, TorrentId> = torrents.iter().map(|it| (it.number, it.id)).collect();
    let mut all: HashMap<TorrentId, TorrentView> =
        torrents.into_iter().map(|it| (it.id, it)).collect();
    let mut seen = HashSet::new();
    let meant = ids.iter().filter_map(|id| match id {
        Value::Number(number) => numbers.get(&number.as_i64()?).copied(),
        Value::String(hash) => hash.parse().ok(),
        _ => None,
    });
    meant
        .filter(|id| seen.insert(*id))
        .filter_map(|id| all.remove(&id))
        .collect()
}
