//! Helpers for the tests of several modules.

use std::time::Instant;

/// An arbitrary first moment. State machines only ever compare times, so any will do.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has to come from somewhere"
)]
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
