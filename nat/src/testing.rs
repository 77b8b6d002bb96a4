//! What all tests of the crate use.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "an Instant has to come from somewhere"
)]
/// A time to begin with.
pub(crate) fn epoch() -> Instant {
    Instant::now()
}
