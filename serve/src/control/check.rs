//! Numbers that callers send, and whether they make sense. Limits of 0 mean different things to different people, and are
//! refused.

use super::error::ControlError;

/// The largest limit on connections, peers and slots that is taken: more than any machine has files to open.
const MAX_COUNT: usize = 1_000_000;
/// The largest ratio that a torrent can be asked to stop at.
const MAX_RATIO: f64 = 1_000_000.0;
/// The longest time that a torrent can be asked to stop after, in seconds: a hundred years.
const MAX_SECONDS: u64 = 100 * 366 * 24 * 60 * 60;

/// A rate limit in bytes a second.
pub(super) fn rate(name: &str, rate: Option<u64>) -> Result<(), ControlError> {
    match rate {
        Some(0) => Err(ControlError::Invalid(format!(
            "{name} cannot be 0; null is no limit"
        ))),
        _ => Ok(()),
    }
}

/// A number of connections and the like.
pub(super) fn count(name: &str, count: Option<usize>) -> Result<(), ControlError> {
    match count {
        Some(0) => Err(ControlError::Invalid(format!("{name} cannot be 0"))),
        Some(count) if count > MAX_COUNT => Err(ControlError::Invalid(format!(
            "{name} cannot be more than {MAX_COUNT}"
        ))),
        _ => Ok(()),
    }
}

/// A ratio of uploaded to downloaded bytes.
pub(super) fn ratio(name: &str, ratio: Option<f64>) -> Result<(), ControlError> {
    match ratio {
        Some(ratio) if !(ratio > 0.0 && ratio <= MAX_RATIO) => Err(ControlError::Invalid(format!(
            "{name} must be more than 0 and at most {MAX_RATIO}"
        ))),
        _ => Ok(()),
    }
}

/// A time in seconds.
pub(super) fn seconds(name: &str, seconds: Option<u64>) -> Result<(), ControlError> {
    match seconds {
        Some(seconds) if !(1..=MAX_SECONDS).contains(&seconds) => Err(ControlError::Invalid(
            format!("{name} must be 1 to {MAX_SECONDS} seconds"),
        )),
        _ => Ok(()),
    }
}
