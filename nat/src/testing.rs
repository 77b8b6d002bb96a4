//! Helpers for all tests of the crate.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has to come from somewhere"
)]
/// An arbitrary first moment.
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
