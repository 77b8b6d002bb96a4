//! What is said of a torrent, in the shape of TorrServer: what is zero or empty is left out where it is there.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use tailwater_session::Torrent;

use super::files::{File, is_zero};
use super::server::Shared;
use super::texts::Texts;
use crate::control::{TorrentState, TorrentView};

/// Bytes of what is called a chunk there: a block.
const BLOCK: u64 = 16 * 1_024;

/// What a torrent is doing, in the numbers of TorrServer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stat {
    Added,
    GettingInfo,
    Preload,
    Working,
    Closed,
    InDb,
}

impl Stat {
    /// That of a state of the daemon.
    pub(super) const fn of(state: TorrentState, is_preloaded: bool) -> Self {
        match state {
            TorrentState::Starting => Self::Added,
            TorrentState::Metadata => Self::GettingInfo,
            TorrentState::Paused => Self::InDb,
            TorrentState::Error => Self::Closed,
            _ if is_preloaded => Self::Preload,
            _ => Self::Working,
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Added => 0,
            Self::GettingInfo => 1,
            Self::Preload => 2,
            Self::Working => 3,
            Self::Closed => 4,
            Self::InDb => 5,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Added => "Torrent added",
            Self::GettingInfo => "Torrent getting info",
            Self::Preload => "Torrent preload",
            Self::Working => "Torrent working",
            Self::Closed => "Torrent closed",
            Self::InDb => "Torrent in db",
        }
    }
}

/// What is said of a torrent.
#[derive(Debug, Default, Serialize)]
pub(super) struct Status {
    title: String,
    category: String,
    poster: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    data: String,
    timestamp: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    torrs_hash: Option<Arc<str>>,
    stat: u8,
    stat_string: &'static str,
    #[serde(skip_serializing_if = "is_zero")]
    loaded_size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    torrent_size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    preloaded_bytes: u64,
    #[serde(skip_serializing_if = "is_zero")]
    preload_size: u64,
    #[serde(flatten)]
    transfer: Transfer,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shared")]
    file_stats: Option<Arc<Vec<File>>>,
}

/// What others have too.
#[expect(clippy::ref_option, reason = "serde calls it so")]
fn shared<T: Serialize + ?Sized, S: Serializer>(
    value: &Option<Arc<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_deref().serialize(serializer)
}

/// What of it is a figure of the transfer.
#[derive(Debug, Default, Serialize)]
struct Transfer {
    #[serde(skip_serializing_if = "is_zero")]
    download_speed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    upload_speed: u64,
    #[serde(skip_serializing_if = "is_zero")]
    total_peers: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pending_peers: u64,
    #[serde(skip_serializing_if = "is_zero")]
    active_peers: u64,
    #[serde(skip_serializing_if = "is_zero")]
    connected_seeders: u64,
    #[serde(skip_serializing_if = "is_zero")]
    half_open_peers: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_written: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_written_data: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_read: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_read_data: u64,
    #[serde(skip_serializing_if = "is_zero")]
    bytes_read_useful_data: u64,
    #[serde(skip_serializing_if = "is_zero")]
    chunks_written: u64,
    #[serde(skip_serializing_if = "is_zero")]
    chunks_read: u64,
    #[serde(skip_serializing_if = "is_zero")]
    chunks_read_useful: u64,
    #[serde(skip_serializing_if = "is_zero")]
    chunks_read_wasted: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pieces_dirtied_good: u64,
}

impl Status {
    /// That of a torrent of the daemon.
    pub(super) fn of(shared: &Shared, view: &TorrentView) -> Self {
        let attributes = shared.control().attributes(view.id);
        let texts = Texts::of(view, &attributes.unwrap_or_default());
        let torrent = shared.control().running(view.id);
        let preload = shared.preloads.state(view.id);
        let known = torrent
            .as_ref()
            .map(|it| shared.known.of(view.id, it, &texts));
        let (files, word) = known.unzip();
        let stat = Stat::of(view.state, preload.is_running);
        Self {
            title: texts.title,
            category: texts.category,
            poster: texts.poster,
            data: texts.data,
            timestamp: view.added,
            name: view.name.clone(),
            hash: view.id.to_string(),
            torrs_hash: word,
            stat: stat.number(),
            stat_string: stat.words(),
            loaded_size: view.have,
            torrent_size: view.size,
            preloaded_bytes: preload.done,
            preload_size: preload.size,
            transfer: torrent.as_ref().map(Transfer::of).unwrap_or_default(),
            file_stats: files,
        }
    }
}

impl Transfer {
    fn of(torrent: &Torrent) -> Self {
        let stats = torrent.stats();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let (known, connected) = (count(stats.known_addrs), count(stats.peers));
        let useful = stats.downloaded.saturating_sub(stats.wasted);
        Self {
            download_speed: stats.down_rate,
            upload_speed: stats.up_rate,
            total_peers: known.max(connected),
            pending_peers: known.saturating_sub(connected),
            active_peers: connected,
            connected_seeders: count(stats.seeds),
            half_open_peers: count(stats.connecting),
            bytes_written: stats.uploaded,
            bytes_written_data: stats.uploaded,
            bytes_read: stats.downloaded,
            bytes_read_data: stats.downloaded,
            bytes_read_useful_data: useful,
            chunks_written: stats.uploaded.div_ceil(BLOCK),
            chunks_read: stats.downloaded.div_ceil(BLOCK),
            chunks_read_useful: useful.div_ceil(BLOCK),
            chunks_read_wasted: stats.wasted.div_ceil(BLOCK),
            pieces_dirtied_good: stats.pieces_have.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_numbers_of_torrserver() {
        for (state, is_preloaded, number, words) in [
            (TorrentState::Starting, false, 0, "Torrent added"),
            (TorrentState::Metadata, false, 1, "Torrent getting info"),
            (TorrentState::Downloading, true, 2, "Torrent preload"),
            (TorrentState::Downloading, false, 3, "Torrent working"),
            (TorrentState::Seeding, false, 3, "Torrent working"),
            (TorrentState::Error, true, 4, "Torrent closed"),
            (TorrentState::Paused, true, 5, "Torrent in db"),
        ] {
            let stat = Stat::of(state, is_preloaded);
            assert_eq!((stat.number(), stat.words()), (number, words));
        }
    }

    #[test]
    fn what_is_zero_is_left_out() {
        let json = serde_json::to_value(Status::default()).unwrap();
        let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        // Their order hangs on what else is built with serde_json.
        keys.sort_unstable();
        let kept = [
            "category",
            "hash",
            "poster",
            "stat",
            "stat_string",
            "timestamp",
            "title",
        ];
        assert_eq!(keys, kept);
    }
}
