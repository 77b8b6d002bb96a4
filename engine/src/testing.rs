//! What tests of several modules need.

use std::time::Instant;

/// A beginning of time. Machines only ever compare times, so any will do.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has to come from somewhere"
)]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
