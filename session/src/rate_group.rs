//! Rate limits that several torrents share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::driver::rate_limits::GroupLimiter;
use crate::error::SettingError;
use crate::limits::check_rate;

/// Rate limits that the torrents of a group share ([`Torrent::set_rate_group`](crate::Torrent::set_rate_group)), beside their
/// own and within those of the session. Clones are handles to the same group, which ends with the last of them and its torrents.
#[derive(Clone, Debug, Default)]
pub struct RateGroup {
    pub(crate) download: Arc<GroupLimiter>,
    pub(crate) upload: Arc<GroupLimiter>,
}

impl RateGroup {
    /// A group without limits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The download rate limit over its torrents, in bytes a second; `None` for no limit.
    #[must_use]
    pub fn download_limit(&self) -> Option<u64> {
        self.download.limiter.rate()
    }

    /// Changes the download rate limit over its torrents, in bytes a second; `None` lifts it. It holds at once.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_download_limit(&self, bytes_per_second: Option<u64>) -> Result<(), SettingError> {
        check_rate("a download limit", bytes_per_second)?;
        self.download.limiter.set_rate(bytes_per_second);
        Ok(())
    }

    /// The upload rate limit over its torrents, in bytes of blocks a second; `None` for no limit.
    #[must_use]
    pub fn upload_limit(&self) -> Option<u64> {
        self.upload.limiter.rate()
    }

    /// Changes the upload rate limit over its torrents, in bytes of blocks a second; `None` lifts it. It holds at once.
    ///
    /// # Errors
    ///
    /// [`SettingError::Zero`].
    pub fn set_upload_limit(&self, bytes_per_second: Option<u64>) -> Result<(), SettingError> {
        check_rate("an upload limit", bytes_per_second)?;
        self.upload.limiter.set_rate(bytes_per_second);
        Ok(())
    }

    /// Whether its torrents keep to the session's rate limits too, as they do unless told otherwise.
    #[must_use]
    pub fn keeps_session_limits(&self) -> bool {
        !self.download.leaves_session.load(Ordering::Relaxed)
    }

    /// Has its torrents keep to the session's rate limits too, or to those of the group and their own alone.
    pub fn set_keeps_session_limits(&self, keeps: bool) {
        for limiter in [&self.download, &self.upload] {
            limiter.leaves_session.store(!keeps, Ordering::Relaxed);
            limiter.limiter.wake();
        }
    }
}
