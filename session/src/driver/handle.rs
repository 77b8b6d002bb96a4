//! The state that the handles of a torrent share, and the registry's entry for a running torrent.

use std::fmt;
use std::sync::Arc;

use tailwater_metainfo::{InfoHash, Metainfo};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::announce::TrackersHandle;
use super::message::TorrentMessage;
use super::peer_limits::TorrentLimits;
use super::rate_limits::RateLimits;
use super::removal::Removal;
use super::web_seed::status::WebSeeds;
use crate::reader::Readers;
use crate::settings::Settings;
use crate::status::Status;

/// The state that all handles of a torrent share.
pub(crate) struct TorrentHandle {
    pub(crate) info_hash: InfoHash,
    pub(crate) metainfo: Arc<Metainfo>,
    pub(crate) messages: mpsc::Sender<TorrentMessage>,
    pub(crate) closing: CancellationToken,
    pub(crate) readers: Arc<Readers>,
    pub(crate) settings: Settings,
    pub(crate) limits: TorrentLimits,
    pub(crate) download_limit: RateLimits,
    pub(crate) upload_limit: RateLimits,
    pub(crate) trackers: TrackersHandle,
    pub(crate) web_seeds: Arc<WebSeeds>,
    pub(crate) removal: Arc<Removal>,
}

/// A torrent that was added and has not ended.
#[derive(Clone)]
pub(crate) struct RunningTorrent {
    pub(crate) shared: Arc<TorrentHandle>,
    pub(crate) status: watch::Receiver<Status>,
}

impl fmt::Debug for RunningTorrent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTorrent")
            .field("info_hash", &self.shared.info_hash)
            .finish_non_exhaustive()
    }
}
