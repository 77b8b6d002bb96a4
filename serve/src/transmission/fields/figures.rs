//! What a torrent is, what it is doing, and how far it is.

use serde_json::Value;

use super::Row;
use crate::control::{TorrentState, TorrentView};

/// No time is known, and there would be one.
const UNKNOWN: i64 = -2;
/// There is no such time.
const NONE: i64 = -1;
/// The states of Transmission.
const STOPPED: u8 = 0;
const CHECK_WAIT: u8 = 1;
const CHECK: u8 = 2;
const DOWNLOAD_WAIT: u8 = 3;
const DOWNLOAD: u8 = 4;
const SEED_WAIT: u8 = 5;
const SEED: u8 = 6;
/// An error of this machine.
const LOCAL_ERROR: u8 = 3;

pub(super) fn value(name: &str, row: &Row<'_>) -> Option<Value> {
    let view = row.view;
    Some(match name {
        "activity_date" => view.last_activity.unwrap_or(0).into(),
        // `edit_date` says when something was changed last; the daemon does not remember that.
        "added_date" | "edit_date" => view.added.into(),
        "bandwidth_priority" => row.parts.priority.into(),
        "have_unchecked" | "sequential_download_from_piece" => 0.into(),
        "comment" => row.parts.comment.as_str().into(),
        "corrupt_ever" => view.wasted.into(),
        "creator" => row.parts.creator.as_str().into(),
        "date_created" => view.created.unwrap_or(0).into(),
        // What some peer has of it is not summed up; one that has everything has it all.
        "desired_available" => match view.seeds {
            0 => 0.into(),
            _ => view.left.into(),
        },
        "done_date" => view.completed.unwrap_or(0).into(),
        "download_dir" => view.folder.as_deref().unwrap_or_default().into(),
        "downloaded_ever" => view.downloaded.into(),
        "error" => match trouble(view) {
            Some(_) => LOCAL_ERROR.into(),
            None => 0.into(),
        },
        "error_string" => trouble(view).unwrap_or_default().into(),
        "eta" => eta(row).into(),
        "eta_idle" => row.held.idle_left(view, row.now).unwrap_or(NONE).into(),
        "file_count" => view.file_count.into(),
        "group" => {
            let standing = row.parts.standing.as_ref();
            standing.map_or("", |it| it.group.as_str()).into()
        }
        "source" | "torrent_file" => "".into(),
        "hash_string" => view.id.to_string().into(),
        "have_valid" => view.have.into(),
        "id" => view.number.into(),
        "is_finished" => row.held.is_finished(view, row.now).into(),
        "is_private" => view.is_private.into(),
        "is_stalled" => view.is_stalled.into(),
        "labels" => view.labels.clone().into(),
        "left_until_done" => view.left.into(),
        "magnet_link" => row.parts.magnet.as_str().into(),
        "manual_announce_time" => NONE.into(),
        "metadata_percent_complete" => metadata(view).into(),
        "name" => view.name.as_str().into(),
        "peers_connected" => view.peers.into(),
        "percent_complete" => share(view.have, view.size).into(),
        "percent_done" => done(view).into(),
        "piece_count" => view.piece_count.into(),
        "piece_size" => view.piece_length.into(),
        "queue_position" => view.queue_position.saturating_sub(1).into(),
        "rate_download" => view.down_rate.into(),
        "rate_upload" => view.up_rate.into(),
        "recheck_progress" => match view.state {
            TorrentState::Checking => view.state_progress.unwrap_or(0.0).into(),
            _ => 0.0.into(),
        },
        "seconds_downloading" => view.downloading_seconds.into(),
        "seconds_seeding" => view.seeding_seconds.into(),
        "sequential_download" => view.sequential.into(),
        "size_when_done" => view.have.saturating_add(view.left).into(),
        "start_date" => {
            let standing = row.parts.standing.as_ref();
            let since = standing.and_then(|it| it.runs_since);
            since.unwrap_or(view.added).into()
        }
        "status" => status(view).into(),
        "total_size" => view.size.into(),
        "upload_ratio" => ratio(view).into(),
        "uploaded_ever" => view.uploaded.into(),
        "availability" => row.parts.availability().into(),
        "pieces" => row.parts.pieces().into(),
        _ => return None,
    })
}

/// What is wrong with it.
fn trouble(view: &TorrentView) -> Option<&str> {
    view.error.as_deref().or(view.warning.as_deref())
}

fn status(view: &TorrentView) -> u8 {
    let is_complete = view.left == 0 && view.piece_count > 0;
    match view.state {
        TorrentState::Paused | TorrentState::Error => STOPPED,
        TorrentState::Starting => CHECK_WAIT,
        TorrentState::Checking => CHECK,
        TorrentState::Seeding => SEED,
        TorrentState::Queued if is_complete => SEED_WAIT,
        TorrentState::Queued => DOWNLOAD_WAIT,
        TorrentState::Moving if is_complete => SEED,
        _ => DOWNLOAD,
    }
}

fn eta(row: &Row<'_>) -> i64 {
    let view = row.view;
    match view.state {
        TorrentState::Downloading | TorrentState::Metadata => {
            let seconds = view.eta.and_then(|eta| i64::try_from(eta).ok());
            // Without anybody who has what is missing there is none, not one that is yet to be known.
            seconds.unwrap_or(if view.peers == 0 { NONE } else { UNKNOWN })
        }
        TorrentState::Seeding => row.held.ratio_eta(view).unwrap_or(NONE),
        _ => NONE,
    }
}

/// How much of the metadata is there.
fn metadata(view: &TorrentView) -> f64 {
    match (view.piece_count, view.state) {
        (0, TorrentState::Metadata) => view.state_progress.unwrap_or(0.0),
        (0, _) => 0.0,
        _ => 1.0,
    }
}

/// How much of what is wanted is there; of a link nothing.
fn done(view: &TorrentView) -> f64 {
    match view.piece_count {
        0 => 0.0,
        _ => view.progress,
    }
}

/// -1 stands for none: nothing was received, and nothing is held.
fn ratio(view: &TorrentView) -> f64 {
    match view.downloaded.max(view.have) {
        0 => -1.0,
        _ => view.ratio,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        _ => part.min(whole) as f64 / whole as f64,
    }
}
