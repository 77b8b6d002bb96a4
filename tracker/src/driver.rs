//! The clock and the randomness of the drivers, which the state machines do not have.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// tokio's clock, so that a test can pause it.
#[expect(clippy::disallowed_methods, reason = "the drivers' clock")]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// From the operating system by way of the standard library's hash keys: good enough for
/// transaction ids and for secrets that live as long as a process.
pub(crate) fn random_u64() -> u64 {
    RandomState::new().hash_one(0u8)
}
