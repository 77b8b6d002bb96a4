//! What is said of torrents.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::compat::json as answer;
use crate::control::{ControlError, FilePriority, FileView, Inspection, TorrentState, TorrentView};

/// The version that is claimed: Sonarr wants 8.0.0 at least, and reads the first three numbers.
const VERSION: &str = concat!("8.1.1 (tailwater ", env!("CARGO_PKG_VERSION"), ")");
/// Bytes of a mebibyte: rqbit's rates are in MiB/s, whatever the key says.
const MEBI: f64 = 1_048_576.0;

/// What the server is, and what it can do.
pub(super) fn root(calls: &[(&str, &str)]) -> Value {
    let apis: serde_json::Map<String, Value> = calls
        .iter()
        .map(|(call, what)| ((*call).to_owned(), (*what).into()))
        .collect();
    json!({"server": "rqbit", "version": VERSION, "apis": apis})
}

/// Where the files of a torrent are: of several, a folder of the torrent's name; of one, the folder in which it is. Sonarr puts the
/// name behind it, if it does not end in it, with nothing between: a slash at the end makes that a path.
fn output_folder(view: &TorrentView, is_alone: bool) -> String {
    let folder = view.folder.as_deref().unwrap_or_default();
    let folder = folder.trim_end_matches('/');
    match is_alone {
        true => format!("{folder}/"),
        false => format!("{folder}/{}", view.name),
    }
}

/// What a list has of a torrent. `is_alone`: it is one file, without a folder.
pub(super) fn listed(view: &TorrentView, is_alone: bool, with_stats: bool) -> Value {
    let mut torrent = json!({
        "id": view.number,
        "info_hash": view.id.to_string(),
        "name": view.name,
        "output_folder": output_folder(view, is_alone),
        "total_pieces": view.piece_count,
    });
    if with_stats {
        torrent["stats"] = stats(view, None);
    }
    torrent
}

/// All that is said of a torrent.
pub(super) fn details(view: &TorrentView, files: &[FileView], is_alone: bool) -> Value {
    let mut torrent = listed(view, is_alone, false);
    torrent["files"] = files
        .iter()
        .map(|it| file(&it.path, it.size, it.priority != FilePriority::Skip))
        .collect();
    torrent
}

/// The same of one that was not added.
pub(super) fn inspected(inspection: &Inspection) -> Value {
    let files = inspection.files.iter();
    let files: Vec<Value> = files.map(|it| file(&it.path, it.size, true)).collect();
    json!({
        "info_hash": inspection.id.to_string(),
        "name": inspection.name,
        "output_folder": "",
        "total_pieces": inspection.piece_count,
        "files": files,
    })
}

/// Whether a torrent is one file without a folder. A file in a folder has a path of several names.
pub(super) fn is_alone<'a>(mut paths: impl Iterator<Item = &'a str>) -> bool {
    let first = paths.next();
    first.is_some_and(|path| !path.contains('/')) && paths.next().is_none()
}

fn file(path: &str, length: u64, included: bool) -> Value {
    // Those of several are in a folder of the torrent's name, which is not said.
    let below = path.split_once('/').map_or(path, |(_, below)| below);
    let components: Vec<&str> = below.split('/').collect();
    json!({
        "name": below,
        "components": components,
        "length": length,
        "included": included,
        "attributes": {"symlink": false, "hidden": false, "padding": false, "executable": false},
    })
}

/// The figures of a torrent. `files`: if they are known, how much of each is there.
pub(super) fn stats(view: &TorrentView, files: Option<&[FileView]>) -> Value {
    let state = match view.state {
        TorrentState::Starting | TorrentState::Metadata | TorrentState::Checking => "initializing",
        TorrentState::Paused => "paused",
        TorrentState::Error => "error",
        _ => "live",
    };
    let progress: Vec<u64> = files.unwrap_or_default().iter().map(|it| it.have).collect();
    let wanted = view.have.saturating_add(view.left).min(view.size);
    json!({
        "state": state,
        "file_progress": progress,
        "error": view.error,
        "progress_bytes": view.have.min(wanted),
        "uploaded_bytes": view.uploaded,
        "total_bytes": wanted,
        "finished": view.size > 0 && view.left == 0,
        "live": (state == "live").then(|| live(view)),
    })
}

fn live(view: &TorrentView) -> Value {
    let remaining = view.eta.map(|seconds| {
        json!({"duration": {"secs": seconds, "nanos": 0}, "human_readable": format!("{seconds}s")})
    });
    json!({
        "snapshot": {
            "downloaded_and_checked_bytes": view.have,
            "fetched_bytes": view.downloaded,
            "uploaded_bytes": view.uploaded,
            "downloaded_and_checked_pieces": view.pieces_have,
            "total_piece_download_ms": 0,
            "peer_stats": {
                "queued": 0,
                "connecting": 0,
                "live": view.peers,
                "seen": view.known_peers,
                "dead": 0,
                "not_needed": 0,
                "steals": 0,
            },
        },
        "average_piece_download_time": null,
        "download_speed": speed(view.down_rate),
        "upload_speed": speed(view.up_rate),
        "time_remaining": remaining,
    })
}

fn speed(rate: u64) -> Value {
    // No rate comes near 2^53.
    let mebibytes = u32::try_from(rate / 1_024).map_or(f64::MAX, f64::from) * 1_024.0 / MEBI;
    json!({"mbps": mebibytes, "human_readable": format!("{mebibytes:.2} MiB/s")})
}

/// An error, as rqbit writes it.
pub(super) fn error(status: StatusCode, kind: &str, reason: &str) -> Response {
    let words = json!({
        "error_kind": kind,
        "human_readable": reason,
        "status": status.as_u16(),
        "status_text": status.to_string(),
    });
    let mut response = answer(words.to_string());
    *response.status_mut() = status;
    response
}

/// Why the daemon did not do what it was asked for.
pub(super) fn refused(error: &ControlError) -> Response {
    let status = match error {
        ControlError::NotFound(_) => StatusCode::NOT_FOUND,
        ControlError::Duplicate(_) | ControlError::Conflict(_) => StatusCode::CONFLICT,
        ControlError::Invalid(_) | ControlError::Folder(_) | ControlError::Fetch { .. } => {
            StatusCode::BAD_REQUEST
        }
        ControlError::TooMany(_) | ControlError::Closed => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let kind = match status {
        StatusCode::NOT_FOUND => "torrent_not_found",
        _ => "other",
    };
    self::error(status, kind, &error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_alone_if_it_is_one_file_without_a_folder() {
        let cases: [(&[&str], bool); 4] = [
            (&[], false),
            (&["a"], true),
            (&["a/b"], false),
            (&["a/b", "a/c"], false),
        ];
        for (paths, expected) in cases {
            assert_eq!(is_alone(paths.iter().copied()), expected, "{paths:?}");
        }
        assert_eq!(file("t/a/b", 5, true)["components"], json!(["a", "b"]));
        assert_eq!(file("a", 5, false)["name"], "a");
    }

    #[test]
    fn rates_are_in_mebibytes() {
        assert_eq!(speed(3 * 1_048_576)["mbps"], 3.0);
        assert_eq!(speed(0)["human_readable"], "0.00 MiB/s");
    }
}
