//! Limits and defaults that a user of the crate can meet.

use crate::error::SettingError;

pub use crate::driver::announce::MAX_TRACKERS;

/// The default memory budget of a session, in bytes.
pub const DEFAULT_MEMORY_BUDGET: u64 = 256 * 1024 * 1024;
/// The default limit on connected peers of a torrent, where neither it nor its session has another.
pub const DEFAULT_MAX_PEERS: usize = 200;
/// The default number of upload slots of a torrent (peers that are uploaded to at once), where neither it nor its
/// session has another.
pub const DEFAULT_UPLOAD_SLOTS: usize = 8;

/// Rejects a limit of 0, which would stop everything.
pub(crate) const fn check(setting: &'static str, limit: Option<usize>) -> Result<(), SettingError> {
    match limit {
        Some(0) => Err(SettingError::Zero { setting }),
        _ => Ok(()),
    }
}

/// Rejects a rate of 0, which is a full stop for one user and no limit for another.
pub(crate) const fn check_rate(
    setting: &'static str,
    rate: Option<u64>,
) -> Result<(), SettingError> {
    match rate {
        Some(0) => Err(SettingError::Zero { setting }),
        _ => Ok(()),
    }
}
