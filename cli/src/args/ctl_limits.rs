//! `tailwater ctl limit` and `tailwater ctl labels`, as typed.

use std::str::FromStr;

use clap::{Args as ClapArgs, ValueEnum};
use serde_json::{Value, json};
use tailwater_serve::control::{Clock, Day, ScheduleRule};
use tailwater_serve::size::Size;

use super::goals::Span;

/// Change rate limits and the like: of torrents, or of the daemon if none is named. Without a limit, show them.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlLimit {
    /// Info-hashes, their beginnings, numbers, or names.
    #[arg(value_name = "TORRENT")]
    pub(crate) torrents: Vec<String>,
    /// The most to receive, in bytes a second: 2MiB; 0 lifts it.
    #[arg(long, value_name = "SIZE")]
    pub(crate) down: Option<Size>,
    /// The most to send, in bytes a second; 0 lifts it.
    #[arg(long, value_name = "SIZE")]
    pub(crate) up: Option<Size>,
    /// The most connected peers of each torrent.
    #[arg(long, value_name = "N")]
    pub(crate) peers: Option<usize>,
    #[command(flatten)]
    pub(crate) seeding: CtlSeeding,
    /// The most torrents that download at once; 0 lifts it. Of the whole daemon.
    #[arg(long, value_name = "N", conflicts_with = "torrents")]
    pub(crate) downloads: Option<usize>,
    /// The most torrents that seed at once; 0 lifts it. Of the whole daemon.
    #[arg(long, value_name = "N", conflicts_with = "torrents")]
    pub(crate) seeds: Option<usize>,
    /// The place in the queue, from 1.
    #[arg(long, value_name = "N", requires = "torrents")]
    pub(crate) place: Option<u64>,
    #[command(flatten)]
    pub(crate) alternative: CtlAlternative,
}

/// When torrents stop to seed.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlSeeding {
    /// Pause a complete torrent when it has uploaded so many times its size; none or 0 for no limit, inherit for that of the
    /// label or daemon.
    #[arg(long, value_name = "RATIO")]
    pub(crate) ratio: Option<SeedingLimit<f64>>,
    /// Pause a complete torrent when nothing was sent or received for so long: 2h; none, inherit.
    #[arg(long, value_name = "TIME")]
    pub(crate) idle: Option<SeedingLimit<Span>>,
    /// Pause a torrent when it has seeded for so long: 7d; none, inherit.
    #[arg(long, value_name = "TIME")]
    pub(crate) seeding_time: Option<SeedingLimit<Span>>,
}

/// Alternative rate limits, by the hour.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlAlternative {
    /// The most to receive while the alternative limits hold; 0 lifts it. Of the whole daemon.
    #[arg(long, value_name = "SIZE", conflicts_with = "torrents")]
    pub(crate) alt_down: Option<Size>,
    /// The most to send while the alternative limits hold; 0 lifts it. Of the whole daemon.
    #[arg(long, value_name = "SIZE", conflicts_with = "torrents")]
    pub(crate) alt_up: Option<Size>,
    /// When the alternative limits hold. Of the whole daemon.
    #[arg(long, value_enum, conflicts_with = "torrents")]
    pub(crate) alt: Option<CtlMode>,
    /// Hours of the schedule, in the daemon's local time: "mon-fri 08:00-17:30", or none; may be given again.
    #[arg(long, value_name = "HOURS", conflicts_with = "torrents")]
    pub(crate) schedule: Vec<Hours>,
}

/// When the alternative limits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CtlMode {
    Off,
    On,
    Schedule,
}

impl CtlMode {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Schedule => "schedule",
        }
    }
}

/// List the labels, or change what holds for the torrents that have one.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlLabels {
    /// The label to change.
    #[arg(value_name = "LABEL")]
    pub(crate) name: Option<String>,
    /// The folder for torrents that are added with it; an empty text for none.
    #[arg(long, value_name = "DIR", requires = "name")]
    pub(crate) folder: Option<String>,
    /// The folder to which files are moved when a torrent is complete; an empty text for none.
    #[arg(long, value_name = "DIR", requires = "name")]
    pub(crate) completed_folder: Option<String>,
    #[command(flatten)]
    pub(crate) seeding: CtlSeeding,
    /// Delete it, of torrents too.
    #[arg(long, requires = "name", conflicts_with_all = ["folder", "completed_folder", "ratio", "idle", "seeding_time"])]
    pub(crate) delete: bool,
}

/// A limit, none, or that of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SeedingLimit<T> {
    At(T),
    Lifted,
    Inherited,
}

impl<T: FromStr> FromStr for SeedingLimit<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "none" | "0" => Ok(Self::Lifted),
            "inherit" => Ok(Self::Inherited),
            text => text.parse().map(Self::At),
        }
    }
}

impl<T> SeedingLimit<T> {
    /// As the API has it. For the daemon there is no one to inherit from.
    fn json(self, of_daemon: bool, value: impl Fn(T) -> Value) -> Value {
        match self {
            Self::At(limit) => value(limit),
            Self::Lifted if !of_daemon => json!("none"),
            Self::Lifted | Self::Inherited => Value::Null,
        }
    }
}

impl CtlSeeding {
    /// The limits that were named, by their names in the API.
    pub(crate) fn json(&self, of_daemon: bool) -> [(&'static str, Option<Value>); 3] {
        let span = |limit: SeedingLimit<Span>| limit.json(of_daemon, |it| json!(it.0.as_secs()));
        let ratio = self
            .ratio
            .map(|it| it.json(of_daemon, |ratio| json!(ratio)));
        [
            ("ratio_limit", ratio),
            ("idle_limit", self.idle.map(span)),
            ("seeding_time_limit", self.seeding_time.map(span)),
        ]
    }
}

/// Hours of some days, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hours(pub(crate) Option<ScheduleRule>);

/// A text that does not name hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not hours of days; write \"mon-fri 08:00-17:30\", \"sat,sun 00:00-00:00\" for whole days, or none"
)]
pub(crate) struct ParseHoursError;

impl FromStr for Hours {
    type Err = ParseHoursError;

    fn from_str(text: &str) -> Result<Self, ParseHoursError> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (days, hours) = text.trim().split_once(' ').ok_or(ParseHoursError)?;
        let (from, to) = hours.trim().split_once('-').ok_or(ParseHoursError)?;
        let clock = |text: &str| text.parse::<Clock>().map_err(|_| ParseHoursError);
        let mut all = Vec::new();
        for range in days.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (day(first)?, day(last)?);
            // From Friday to Monday is over the end of the week.
            let count = (7 + last - first) % 7;
            all.extend((0..=count).map(|n| DAYS[(first + n) % 7].1));
        }
        Ok(Self(Some(ScheduleRule {
            days: all,
            from: clock(from)?,
            to: clock(to)?,
        })))
    }
}

const DAYS: [(&str, Day); 7] = [
    ("mon", Day::Mon),
    ("tue", Day::Tue),
    ("wed", Day::Wed),
    ("thu", Day::Thu),
    ("fri", Day::Fri),
    ("sat", Day::Sat),
    ("sun", Day::Sun),
];

fn day(text: &str) -> Result<usize, ParseHoursError> {
    let found = DAYS
        .iter()
        .position(|(name, _)| name.eq_ignore_ascii_case(text));
    found.ok_or(ParseHoursError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_name_days_and_times() {
        let days = |text: &str| text.parse::<Hours>().unwrap().0.map(|rule| rule.days);
        assert_eq!(days("none"), None);
        assert_eq!(
            days("mon-wed 08:00-17:30"),
            Some(vec![Day::Mon, Day::Tue, Day::Wed])
        );
        assert_eq!(
            days("sat-mon,Thu 22:00-06:00"),
            Some(vec![Day::Sat, Day::Sun, Day::Mon, Day::Thu])
        );
        let rule = "fri 22:00-06:00".parse::<Hours>().unwrap().0.unwrap();
        assert_eq!(
            (rule.from.to_string(), rule.to.to_string()),
            ("22:00".into(), "06:00".into())
        );
        for text in [
            "",
            "mon",
            "mon 8-9",
            "mon 08:00",
            "day 08:00-09:00",
            "mon- 08:00-09:00",
        ] {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_is_a_number_none_or_inherited() {
        let json = |text: &str, of_daemon| {
            let limit: SeedingLimit<f64> = text.parse().unwrap();
            limit.json(of_daemon, |ratio| json!(ratio))
        };
        assert_eq!(json("1.5", false), json!(1.5));
        assert_eq!(json("none", false), json!("none"));
        assert_eq!(json("0", true), json!(null));
        assert_eq!(json("inherit", false), json!(null));
        assert!("x".parse::<SeedingLimit<f64>>().is_err());
    }
}
