//! Limits and defaults that a user of the crate can meet.

use crate::error::SettingError;

pub use tailwater_tracker::MAX_TRACKERS;

/// The memory budget of a session that was told none, in bytes.
pub const DEFAULT_MEMORY_BUDGET: u64 = 256 * 1024 * 1024;
/// The most connected peers of a torrent, where neither it nor its session was told.
pub const DEFAULT_MAX_PEERS: usize = 200;
/// Peers of a torrent that are uploaded to at once, where neither it nor its session was told.
pub const DEFAULT_UPLOAD_SLOTS: usize = 8;

/// A limit of 0 would stop everything.
pub(crate) const fn check(setting: &'static str, limit: Option<usize>) -> Result<(), SettingError> {
    match limit {
        Some(0) => Err(SettingError::Zero { setting }),
        _ => Ok(()),
    }
}

/// A rate of 0 is a full stop for one user and no limit for another.
pub(crate) const fn check_rate(
    setting: &'static str,
    rate: Option<u64>,
) -> Result<(), SettingError> {
    match rate {
        Some(0) => Err(SettingError::Zero { setting }),
        _ => Ok(()),
    }
}
