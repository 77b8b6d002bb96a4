//! The origin of simulated time, for tests and fuzzing.

use std::time::Instant;

#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to make an instant"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}
