//! Parses timeouts, such as `30s` or `2min`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest wait that is accepted.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait for an answer, from a second to a day: `30s`, `2min`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// A text that is not a time to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time from 1s to 1d; write a number of seconds or one with its unit: 30s, 2min, 1h")]
pub(crate) struct ParseWaitError;

impl FromStr for Wait {
    type Err = ParseWaitError;

    fn from_str(text: &str) -> Result<Self, ParseWaitError> {
        let text = text.trim();
        let time = match text.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => humantime::parse_duration(text).map_err(|_| ParseWaitError)?,
        };
        match (Duration::from_secs(1)..=LONGEST).contains(&time) {
            true => Ok(Self(time)),
            false => Err(ParseWaitError),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_unless_they_have_a_unit() {
        let wait = |text: &str| text.parse().map(|Wait(time)| time.as_millis());
        for (text, millis) in [
            ("30", 30_000),
            ("1500ms", 1_500),
            ("2min", 120_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(wait(text), Ok(millis), "{text}");
        }
        for text in [
            "",
            "0",
            "-1",
            "0s",
            "999ms",
            "2d",
            "30 potatoes",
            "86401",
            "1.5",
        ] {
            assert_eq!(wait(text), Err(ParseWaitError), "{text}");
        }
    }
}
