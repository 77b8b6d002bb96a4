//! Goals of a torrent: when seeding ends, and when a torrent without progress is given up.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;

/// When a torrent is done, beside Ctrl-C. Each holds for every torrent by itself.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Goals {
    /// Seed until this many times the torrent's size has been sent in this run: 1.5; 0 ends at once.
    #[arg(long, value_name = "RATIO", help_heading = "Seeding")]
    pub(crate) seed_ratio: Option<Ratio>,
    /// Seed for this long: 90min, 2h, 1d. With `--seed-ratio`, what comes first ends it.
    #[arg(long, value_name = "TIME", help_heading = "Seeding")]
    pub(crate) seed_time: Option<Span>,
    /// Give up a torrent that has had no peer, or while it downloads no data, for this long: 30min.
    #[arg(long, value_name = "TIME", help_heading = "Limits")]
    pub(crate) stop_timeout: Option<Span>,
}

impl Goals {
    /// Whether they say how long to seed.
    pub(crate) const fn ends_seeding(&self) -> bool {
        self.seed_ratio.is_some() || self.seed_time.is_some()
    }

    /// Whether there is one.
    pub(crate) const fn is_any(&self) -> bool {
        self.ends_seeding() || self.stop_timeout.is_some()
    }

    /// How long a torrent may have no peer or no data.
    pub(crate) fn patience(&self) -> Option<Duration> {
        self.stop_timeout.map(|span| span.0)
    }
}

/// A share ratio: bytes sent, in sizes of the torrent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratio(pub(crate) f64);

/// A text that is not a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a ratio; write a number such as 1.5 or 2")]
pub(crate) struct ParseRatioError;

impl FromStr for Ratio {
    type Err = ParseRatioError;

    fn from_str(text: &str) -> Result<Self, ParseRatioError> {
        let number: f64 = text.trim().parse().map_err(|_| ParseRatioError)?;
        match number.is_finite() && number.is_sign_positive() {
            true => Ok(Self(number)),
            false => Err(ParseRatioError),
        }
    }
}

/// A time with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A text that is not a time with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time; write a number with its unit: 90s, 15min, 2h, 1d, or 1h 30min")]
pub(crate) struct ParseSpanError;

impl FromStr for Span {
    type Err = ParseSpanError;

    fn from_str(text: &str) -> Result<Self, ParseSpanError> {
        humantime::parse_duration(text.trim())
            .map(Self)
            .map_err(|_| ParseSpanError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let cases = [
            ("90s", 90),
            ("90min", 5_400),
            ("2h", 7_200),
            ("1d", 86_400),
            ("1h 30min", 5_400),
            ("0", 0),
        ];
        for (text, seconds) in cases {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))));
        }
        for text in [
            "",
            "60",
            "-1h",
            "soon",
            "1 fortnight",
            "99999999999999999999d",
        ] {
            assert_eq!(text.parse::<Span>(), Err(ParseSpanError), "{text}");
        }
    }

    #[test]
    fn a_ratio_is_a_number() {
        assert_eq!("1.5".parse(), Ok(Ratio(1.5)));
        assert_eq!("0".parse(), Ok(Ratio(0.0)));
        for text in ["", "-1", "-0", "inf", "NaN", "1:2", "150%"] {
            assert_eq!(text.parse::<Ratio>(), Err(ParseRatioError), "{text}");
        }
    }
}
