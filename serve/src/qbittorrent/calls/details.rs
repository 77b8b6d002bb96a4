//! What is said of one torrent.

use serde_json::{Map, Value, json};

use super::{Answer, Outcome, torrent};
use crate::control::TorrentView;
use crate::qbittorrent::categories::Labels;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::{has_metadata, popularity, ratio, totals};

/// What a figure is that is not known.
const UNKNOWN: i64 = -1;
/// Fields that the list has too, by the names of both.
const SHARED: [(&str, &str); 21] = [
    ("addition_date", "added_on"),
    ("comment", "comment"),
    ("completion_date", "completion_on"),
    ("dl_speed", "dlspeed"),
    ("download_path", "download_path"),
    ("eta", "eta"),
    ("has_metadata", "has_metadata"),
    ("hash", "hash"),
    ("infohash_v1", "infohash_v1"),
    ("infohash_v2", "infohash_v2"),
    ("last_seen", "seen_complete"),
    ("name", "name"),
    ("private", "private"),
    ("progress", "progress"),
    ("reannounce", "reannounce"),
    ("save_path", "save_path"),
    ("seeding_time", "seeding_time"),
    ("seeds", "num_seeds"),
    ("time_elapsed", "time_active"),
    ("total_size", "total_size"),
    ("up_speed", "upspeed"),
];

pub(super) async fn properties(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    let (about, trackers) = shared.parts(view.id);
    let rows = shared.rows(Labels::of(&shared.control));
    let row = rows.row(&view, &about, &trackers);
    let same =
        SHARED.map(|(ours, theirs)| (ours.to_owned(), row.value(theirs).unwrap_or_default()));
    let (seeds, leeches) = totals(&view, &trackers);
    let has_metadata = has_metadata(&view);
    let known = |value: u64| match has_metadata {
        true => Value::from(value),
        false => UNKNOWN.into(),
    };
    let mut all = Map::from_iter(same);
    let own = json!({
        "created_by": about.creator,
        "creation_date": view.created.unwrap_or(UNKNOWN),
        "dl_limit": limit(view.download_limit),
        "dl_speed_avg": average(view.downloaded, view.downloading_seconds),
        "is_private": view.is_private,
        "nb_connections": view.peers,
        "nb_connections_limit": view.max_peers.unwrap_or(shared.control.settings().max_peers),
        "peers": view.peers.saturating_sub(view.seeds),
        "peers_total": leeches,
        "piece_size": known(view.piece_length.into()),
        "pieces_have": view.pieces_have,
        "pieces_num": known(view.piece_count.into()),
        "popularity": popularity(&view),
        "seeds_total": seeds,
        "share_ratio": ratio(&view),
        "total_downloaded": view.downloaded,
        "total_downloaded_session": shared.begun.downloaded(&view),
        "total_uploaded": view.uploaded,
        "total_uploaded_session": shared.begun.uploaded(&view),
        "total_wasted": view.wasted,
        "up_limit": limit(view.upload_limit),
        "up_speed_avg": average(view.uploaded, active_seconds(&view)),
    });
    if let Value::Object(own) = own {
        all.extend(own);
    }
    Ok(Answer::Json(Value::Object(all)))
}

const fn active_seconds(view: &TorrentView) -> u64 {
    view.downloading_seconds
        .saturating_add(view.seeding_seconds)
}

fn limit(limit: Option<u64>) -> Value {
    limit.map_or(UNKNOWN.into(), Value::from)
}

fn average(bytes: u64, seconds: u64) -> Value {
    bytes
        .checked_div(seconds)
        .map_or(UNKNOWN.into(), Value::from)
}

pub(super) async fn export(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    Ok(Answer::File {
        name: format!("{}.torrent", view.id),
        bytes: shared.control.torrent_file(view.id).await?,
    })
}
