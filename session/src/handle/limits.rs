//! Limits of one torrent, the order in which it fetches, and whether it super-seeds.

use std::sync::Arc;

use tailwater_metainfo::PieceIndex;

use super::Torrent;
use crate::driver::message::{Request, TorrentMessage};
use crate::error::{SettingError, TorrentError};
use crate::limits::{check, check_rate};
use crate::rate_group::RateGroup;
use crate::torrent::Priority;

impl Torrent {
    /// The download rate limit of this torrent in bytes a second, within the session's limit; `None` for no limit of
    /// its own.
    #[must_use]
    pub fn download_limit(&self) -> Option<u64> {
        self.shared.download_limit.torrent()?.rate()
    }

    /// Changes the download rate limit, in bytes a second; `None` lifts it. It holds at once: a connection that waits
    /// its turn under the old limit goes on under the new one.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_download_limit(&self, bytes_per_second: Option<u64>) -> Result<(), SettingError> {
        check_rate("a download limit", bytes_per_second)?;
        if let Some(limiter) = self.shared.download_limit.torrent() {
            limiter.set_rate(bytes_per_second);
        }
        self.shared.settings.lock().options.download_limit = bytes_per_second;
        Ok(())
    }

    /// The upload rate limit of this torrent in bytes of blocks a second, within the session's limit; `None` for no
    /// limit of its own.
    #[must_use]
    pub fn upload_limit(&self) -> Option<u64> {
        self.shared.upload_limit.torrent()?.rate()
    }

    /// Changes the upload rate limit, in bytes of blocks a second; `None` lifts it. It holds at once: a connection that
    /// waits its turn under the old limit goes on under the new one.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_upload_limit(&self, bytes_per_second: Option<u64>) -> Result<(), SettingError> {
        check_rate("an upload limit", bytes_per_second)?;
        if let Some(limiter) = self.shared.upload_limit.torrent() {
            limiter.set_rate(bytes_per_second);
        }
        self.shared.settings.lock().options.upload_limit = bytes_per_second;
        Ok(())
    }

    /// Has the torrent share the rate limits of a group, in place of the one before; `None` for no group. It holds at once.
    pub fn set_rate_group(&self, group: Option<&RateGroup>) {
        let download = group.map(|group| Arc::clone(&group.download));
        let upload = group.map(|group| Arc::clone(&group.upload));
        self.shared.download_limit.set_group(download);
        self.shared.upload_limit.set_group(upload);
    }

    /// Whether the rate limits of the session and of a group hold for the torrent, as they do unless told otherwise.
    #[must_use]
    pub fn keeps_session_limits(&self) -> bool {
        !self.shared.download_limit.stands_alone()
    }

    /// Has the torrent keep to the rate limits of the session and of its group, or to its own alone. It holds at once.
    pub fn set_keeps_session_limits(&self, keeps: bool) {
        self.shared.download_limit.set_stands_alone(!keeps);
        self.shared.upload_limit.set_stands_alone(!keeps);
    }

    /// The most connected peers: its own limit, or the session's.
    #[must_use]
    pub fn max_peers(&self) -> usize {
        self.shared.limits.max_peers()
    }

    /// Changes the most connected peers; `None` for the session's limit. It holds within a second: peers above it are
    /// disconnected, the least useful first.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_max_peers(&self, peers: Option<usize>) -> Result<(), SettingError> {
        check("the most peers", peers)?;
        self.shared.limits.own.set_max_peers(peers);
        self.shared.settings.lock().options.max_peers = peers;
        Ok(())
    }

    /// The number of upload slots (peers that are uploaded to at once): its own, or the session's. A complete torrent
    /// may have up to four times as many.
    #[must_use]
    pub fn upload_slots(&self) -> usize {
        self.shared.limits.upload_slots()
    }

    /// Changes the number of upload slots; `None` for the session's number. It holds within a second: peers are choked, or
    /// unchoked, as if slots had been dealt out.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_upload_slots(&self, slots: Option<usize>) -> Result<(), SettingError> {
        check("the upload slots", slots)?;
        self.shared.limits.own.set_upload_slots(slots);
        self.shared.settings.lock().options.upload_slots = slots;
        Ok(())
    }

    /// Whether pieces are fetched in order.
    #[must_use]
    pub fn is_sequential(&self) -> bool {
        self.shared.settings.lock().options.sequential
    }

    /// Fetches pieces in order, or rarest first.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the order may or may not have been changed.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn set_sequential(&self, sequential: bool) -> Result<(), TorrentError> {
        self.shared.settings.lock().options.sequential = sequential;
        self.send(TorrentMessage::Request(Request::Sequential(sequential)))
            .await
    }

    /// Whether the torrent super-seeds while it has every piece, as [`AddOptions::super_seeding`](crate::AddOptions) says;
    /// [`Stats::super_seeding`](crate::Stats::super_seeding) tells whether it does so now.
    #[must_use]
    pub fn is_super_seeding(&self) -> bool {
        self.shared.settings.lock().options.super_seeding
    }

    /// Has the torrent super-seed (BEP 16), or no longer. Peers that are connected and know what we have are served as
    /// before; when it ends, peers are told of all pieces.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, it may or may not have been changed.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn set_super_seeding(&self, super_seeding: bool) -> Result<(), TorrentError> {
        self.shared.settings.lock().options.super_seeding = super_seeding;
        self.send(TorrentMessage::Request(Request::SuperSeeding(
            super_seeding,
        )))
        .await
    }

    /// Changes the priorities of some pieces. The next [`Torrent::set_file_priorities`] overrules it.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, all of it has been taken or nothing.
    ///
    /// # Errors
    ///
    /// [`TorrentError::Closed`], or why it could not start.
    pub async fn set_piece_priorities(
        &self,
        pieces: Vec<(PieceIndex, Priority)>,
    ) -> Result<(), TorrentError> {
        self.send(TorrentMessage::Request(Request::Priorities(pieces)))
            .await
    }
}
