//! `session_stats`

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::control::{TorrentState, TorrentView};
use crate::transmission::server::Shared;

pub(super) fn get(shared: &Shared) -> Map<String, Value> {
    let stats = shared.control.stats();
    let torrents = shared.control.torrents();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    let seconds = seconds.saturating_sub(stats.started);
    let does_run =
        |it: &&TorrentView| !matches!(it.state, TorrentState::Paused | TorrentState::Error);
    let active = torrents.iter().filter(does_run).count();
    let is_new = |it: &&TorrentView| it.added >= stats.started;
    let count = |downloaded: u64, uploaded: u64, added: usize| {
        json!({
            "downloaded_bytes": downloaded,
            "files_added": added,
            "seconds_active": seconds,
            "session_count": 1,
            "uploaded_bytes": uploaded,
        })
    };
    let new = torrents.iter().filter(is_new).count();
    let ever = shared.control.transferred();
    Map::from_iter([
        ("active_torrent_count".to_owned(), active.into()),
        (
            "cumulative_stats".to_owned(),
            count(ever.downloaded, ever.uploaded, torrents.len()),
        ),
        (
            "current_stats".to_owned(),
            count(stats.downloaded, stats.uploaded, new),
        ),
        ("download_speed".to_owned(), stats.down_rate.into()),
        (
            "paused_torrent_count".to_owned(),
            (torrents.len() - active).into(),
        ),
        ("torrent_count".to_owned(), torrents.len().into()),
        ("upload_speed".to_owned(), stats.up_rate.into()),
    ])
}
