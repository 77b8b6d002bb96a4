//! Text forms of values that are serialised.

use std::fmt::Display;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// A time as whole seconds.
#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
pub(crate) fn seconds<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs()).serialize(serializer)
}

/// A time as whole seconds.
pub(crate) fn whole_seconds<S: Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(time.as_secs())
}

/// What has a text form, as that.
pub(crate) fn display<S: Serializer>(
    value: &impl Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
