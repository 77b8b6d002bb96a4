//! What a torrent is doing, in the original's words.

use super::has_metadata;
use crate::control::{TorrentState, TorrentView};

/// Everything that is wanted is held, as far as that is known.
pub(in crate::qbittorrent) const fn is_complete(view: &TorrentView) -> bool {
    view.left == 0 && has_metadata(view) && !is_looking(view)
}

/// What it holds is being found out.
pub(super) const fn is_looking(view: &TorrentView) -> bool {
    matches!(view.state, TorrentState::Starting | TorrentState::Checking) && view.have == 0
}

/// What it is doing.
pub(in crate::qbittorrent) fn state(view: &TorrentView) -> &'static str {
    let either = |complete, incomplete| match is_complete(view) {
        true => complete,
        false => incomplete,
    };
    match view.state {
        TorrentState::Starting => "checkingResumeData",
        TorrentState::Metadata if view.forced => "forcedMetaDL",
        TorrentState::Metadata => "metaDL",
        // What it holds is being found out.
        TorrentState::Checking if view.completed.is_some() => "checkingUP",
        TorrentState::Checking => "checkingDL",
        TorrentState::Downloading if view.forced => "forcedDL",
        TorrentState::Downloading if view.down_rate > 0 => "downloading",
        TorrentState::Downloading => "stalledDL",
        TorrentState::Seeding if view.forced => "forcedUP",
        TorrentState::Seeding if view.up_rate > 0 => "uploading",
        TorrentState::Seeding => "stalledUP",
        TorrentState::Paused => either("stoppedUP", "stoppedDL"),
        TorrentState::Queued => either("queuedUP", "queuedDL"),
        TorrentState::Moving => "moving",
        TorrentState::Error => "error",
    }
}

/// Which torrents a list is to have. One that is not known means all, as in the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::qbittorrent) enum Filter {
    All,
    Downloading,
    Seeding,
    Completed,
    Stopped,
    Running,
    Active,
    Inactive,
    Stalled,
    StalledUploading,
    StalledDownloading,
    Checking,
    Moving,
    Errored,
}

impl Filter {
    pub(in crate::qbittorrent) fn named(name: &str) -> Self {
        match name {
            "downloading" => Self::Downloading,
            "seeding" => Self::Seeding,
            "completed" => Self::Completed,
            // What it was called before version 5.
            "stopped" | "paused" => Self::Stopped,
            "running" | "resumed" => Self::Running,
            "active" => Self::Active,
            "inactive" => Self::Inactive,
            "stalled" => Self::Stalled,
            "stalled_uploading" => Self::StalledUploading,
            "stalled_downloading" => Self::StalledDownloading,
            "checking" => Self::Checking,
            "moving" => Self::Moving,
            "errored" => Self::Errored,
            _ => Self::All,
        }
    }

    pub(in crate::qbittorrent) fn takes(self, view: &TorrentView) -> bool {
        let state = state(view);
        let is_stopped = matches!(state, "stoppedDL" | "stoppedUP");
        match self {
            Self::All => true,
            Self::Downloading => matches!(
                state,
                "downloading"
                    | "metaDL"
                    | "forcedMetaDL"
                    | "stalledDL"
                    | "checkingDL"
                    | "stoppedDL"
                    | "queuedDL"
                    | "forcedDL"
            ),
            Self::Seeding => matches!(
                state,
                "uploading" | "stalledUP" | "checkingUP" | "queuedUP" | "forcedUP"
            ),
            Self::Completed => matches!(
                state,
                "uploading" | "stalledUP" | "checkingUP" | "stoppedUP" | "queuedUP" | "forcedUP"
            ),
            Self::Stopped => is_stopped,
            Self::Running => !is_stopped,
            Self::Active => is_active(view, state),
            Self::Inactive => !is_active(view, state),
            Self::Stalled => matches!(state, "stalledUP" | "stalledDL"),
            Self::StalledUploading => state == "stalledUP",
            Self::StalledDownloading => state == "stalledDL",
            Self::Checking => state.starts_with("checking"),
            Self::Moving => state == "moving",
            Self::Errored => state == "error",
        }
    }
}

/// Whether something is transferred. A stalled download counts if it uploads.
fn is_active(view: &TorrentView, state: &str) -> bool {
    match state {
        "stalledDL" => view.up_rate > 0,
        "metaDL" | "forcedMetaDL" | "downloading" | "forcedDL" | "uploading" | "forcedUP"
        | "moving" => true,
        _ => false,
    }
}
