//! `server_state`

use serde_json::{Map, Value, json};

use crate::qbittorrent::calls::transfer_info;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::has_queue;

/// How often pages are to ask, in milliseconds: the original's usual.
const REFRESH_EVERY: u64 = 1_500;

pub(super) async fn server(shared: &Shared) -> Map<String, Value> {
    let control = &shared.control;
    let stats = control.stats();
    let space = control.space(control.data_dir().to_owned()).await;
    let free = space.ok().flatten().map_or(0, |space| space.free);
    let torrents = control.torrents();
    let ever = control.transferred();
    let wasted: u64 = torrents.iter().map(|it| it.wasted).sum();
    let mut state = transfer_info(&stats, control.dht_nodes().await);
    let more = json!({
        "alltime_dl": ever.downloaded,
        "alltime_ul": ever.uploaded,
        "average_time_queue": 0,
        "free_space_on_disk": free,
        "global_ratio": global_ratio(ever.downloaded, ever.uploaded),
        "queued_io_jobs": 0,
        "queueing": has_queue(&control.settings()),
        "read_cache_hits": "0",
        "read_cache_overload": "0",
        "refresh_interval": REFRESH_EVERY,
        "total_buffers_size": stats.memory_used,
        "total_peer_connections": stats.connections,
        "total_queued_size": 0,
        "total_wasted_session": wasted,
        "use_alt_speed_limits": stats.are_limits_alternative,
        "use_subcategories": true,
        "write_cache_overload": "0",
    });
    if let Value::Object(more) = more {
        state.extend(more);
    }
    state
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn global_ratio(downloaded: u64, uploaded: u64) -> String {
    match (downloaded, uploaded) {
        (0, _) | (_, 0) => "-".to_owned(),
        (downloaded, uploaded) => format!("{:.2}", uploaded as f64 / downloaded as f64),
    }
}
