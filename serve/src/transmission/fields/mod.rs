//! What is said of a torrent.
//!
//! | file | knows |
//! |---|---|
//! | `figures` | what it is, what it is doing, how far it is |
//! | `limits` | its limits |
//! | `files`, `peers`, `trackers`, `web_seeds` | its parts |
//! | `parts` | which parts are asked for, and their answers |

mod figures;
mod files;
mod limits;
mod parts;
mod peers;
mod trackers;
mod web_seeds;

use serde_json::Value;

pub(super) use files::changes as file_changes;
pub(super) use limits::{Held, labels as label_limits};
pub(super) use parts::{Needs, PRIORITY, Parts};
pub(super) use trackers::parse as parse_trackers;

use super::dialects::Dialect;
use super::remembered::OfTorrent;
use crate::control::TorrentView;

/// What a field is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// What the list of torrents has.
    View,
    /// What takes longer: comment, program, link.
    Whole,
    /// What is rarely asked for: its group, since when it runs.
    Standing,
    Files,
    Peers,
    Trackers,
    WebSeeds,
    Pieces,
}

/// All fields, by their names in JSON-RPC.
pub(super) const ALL: [(&str, Need); 81] = [
    ("activity_date", Need::View),
    ("added_date", Need::View),
    ("availability", Need::Pieces),
    ("bandwidth_priority", Need::Standing),
    ("bytes_completed", Need::Files),
    ("comment", Need::Whole),
    ("corrupt_ever", Need::View),
    ("creator", Need::Whole),
    ("date_created", Need::View),
    ("desired_available", Need::View),
    ("done_date", Need::View),
    ("download_dir", Need::View),
    ("download_limit", Need::View),
    ("download_limited", Need::View),
    ("downloaded_ever", Need::View),
    ("edit_date", Need::View),
    ("error", Need::View),
    ("error_string", Need::View),
    ("eta", Need::View),
    ("eta_idle", Need::View),
    ("file_count", Need::View),
    ("file_stats", Need::Files),
    ("files", Need::Files),
    ("group", Need::Standing),
    ("hash_string", Need::View),
    ("have_unchecked", Need::View),
    ("have_valid", Need::View),
    ("honors_session_limits", Need::Standing),
    ("id", Need::View),
    ("is_finished", Need::View),
    ("is_private", Need::View),
    ("is_stalled", Need::View),
    ("labels", Need::View),
    ("left_until_done", Need::View),
    ("magnet_link", Need::Whole),
    ("manual_announce_time", Need::View),
    ("max_connected_peers", Need::View),
    ("metadata_percent_complete", Need::View),
    ("name", Need::View),
    ("peer_limit", Need::View),
    ("peers", Need::Peers),
    ("peers_connected", Need::View),
    ("peers_from", Need::Peers),
    ("peers_getting_from_us", Need::Peers),
    ("peers_sending_to_us", Need::Peers),
    ("percent_complete", Need::View),
    ("percent_done", Need::View),
    ("piece_count", Need::View),
    ("piece_size", Need::View),
    ("pieces", Need::Pieces),
    ("primary_mime_type", Need::Files),
    ("priorities", Need::Files),
    ("queue_position", Need::View),
    ("rate_download", Need::View),
    ("rate_upload", Need::View),
    ("recheck_progress", Need::View),
    ("seconds_downloading", Need::View),
    ("seconds_seeding", Need::View),
    ("seed_idle_limit", Need::View),
    ("seed_idle_mode", Need::View),
    ("seed_ratio_limit", Need::View),
    ("seed_ratio_mode", Need::View),
    ("sequential_download", Need::View),
    ("sequential_download_from_piece", Need::View),
    ("size_when_done", Need::View),
    ("source", Need::View),
    ("start_date", Need::Standing),
    ("status", Need::View),
    ("torrent_file", Need::View),
    ("total_size", Need::View),
    ("tracker_list", Need::Trackers),
    ("tracker_stats", Need::Trackers),
    ("trackers", Need::Trackers),
    ("upload_limit", Need::View),
    ("upload_limited", Need::View),
    ("upload_ratio", Need::View),
    ("uploaded_ever", Need::View),
    ("wanted", Need::Files),
    ("webseeds", Need::WebSeeds),
    ("webseeds_ex", Need::WebSeeds),
    ("webseeds_sending_to_us", Need::WebSeeds),
];

/// The names of all fields, in JSON-RPC.
pub const FIELDS: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ALL[at].0;
        at += 1;
    }
    names
};

/// A torrent, with all that its fields are made of.
pub(super) struct Row<'a> {
    pub(super) view: &'a TorrentView,
    pub(super) parts: &'a Parts,
    /// The limits on its seeding that hold.
    pub(super) held: Held,
    /// The numbers of limits that do not hold.
    pub(super) numbers: OfTorrent,
    pub(super) dialect: Dialect,
    /// A Unix time.
    pub(super) now: u64,
}

/// What a field is made of; `None` if there is none of this name.
pub(super) fn need(name: &str) -> Option<(&'static str, Need)> {
    let at = ALL.binary_search_by(|(field, _)| (*field).cmp(name));
    at.ok().map(|at| ALL[at])
}

/// The value of a field; null if there is none of this name.
pub(super) fn value(name: &str, row: &Row<'_>) -> Value {
    figures::value(name, row)
        .or_else(|| limits::value(name, row))
        .or_else(|| files::value(name, row))
        .or_else(|| peers::value(name, row))
        .or_else(|| trackers::value(name, row))
        .or_else(|| web_seeds::value(name, row))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted_and_found_by_their_names() {
        assert!(ALL.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(need("wanted"), Some(("wanted", Need::Files)));
        assert_eq!(need("hashString"), None);
    }
}
