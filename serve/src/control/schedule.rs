//! The speed schedule: alternative rate limits at some hours of some days, in the daemon's local time.

use std::sync::Arc;
use std::time::Duration;

use jiff::ZonedDateTime;
use jiff::civil::{DateTime, Time, Weekday};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

use super::error::ControlError;
use super::service::Inner;
use super::settings::Settings;

/// The most rules of a schedule: one for each hour of a week.
const MAX_RULES: usize = 168;
/// How often the clock is looked at: a limit holds this much too long at most.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// When the alternative limits hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlternativeMode {
    /// Never.
    #[default]
    Off,
    /// Always.
    On,
    /// At the hours of the schedule.
    Schedule,
}

/// Hours of some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScheduleRule {
    /// The days on which they begin.
    pub days: Vec<Day>,
    /// When they begin: `08:30`.
    #[schema(value_type = String, example = "08:00")]
    pub from: Clock,
    /// When they end; the next day if that is not later than their beginning.
    #[schema(value_type = String, example = "17:30")]
    pub to: Clock,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "days need no words")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

/// An hour and a minute, as `HH:MM` in texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clock(Time);

impl Clock {
    /// `None` where there is no such time.
    #[must_use]
    pub fn new(hour: i8, minute: i8) -> Option<Self> {
        Time::new(hour, minute, 0, 0).ok().map(Self)
    }

    /// So many minutes after midnight; the next day begins anew.
    #[must_use]
    pub fn of_minutes(minutes: u16) -> Self {
        let part = |part: u16| i8::try_from(part).unwrap_or(0);
        let clock = Self::new(part(minutes / 60 % 24), part(minutes % 60));
        clock.unwrap_or(Self(Time::midnight()))
    }

    /// Minutes since midnight.
    #[must_use]
    pub fn minutes(self) -> u16 {
        // Neither is negative.
        let part = |part: i8| u16::try_from(part).unwrap_or(0);
        part(self.0.hour()) * 60 + part(self.0.minute())
    }
}

impl std::str::FromStr for Clock {
    type Err = ClockError;

    fn from_str(text: &str) -> Result<Self, ClockError> {
        let digits = |text: &str| {
            let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse().ok())?
        };
        let (hour, minute) = text.split_once(':').ok_or(ClockError)?;
        let (hour, minute) = (digits(hour), digits(minute));
        let clock = hour
            .zip(minute)
            .and_then(|(hour, minute)| Self::new(hour, minute));
        clock.ok_or(ClockError)
    }
}

/// A text is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time of day is HH:MM, from 00:00 to 23:59")]
pub struct ClockError;

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl Serialize for Clock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Clock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Day {
    const fn of(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Mon,
            Weekday::Tuesday => Self::Tue,
            Weekday::Wednesday => Self::Wed,
            Weekday::Thursday => Self::Thu,
            Weekday::Friday => Self::Fri,
            Weekday::Saturday => Self::Sat,
            Weekday::Sunday => Self::Sun,
        }
    }
}

/// The rate limits that hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RateLimits {
    pub(super) download: Option<u64>,
    pub(super) upload: Option<u64>,
    /// They are the alternative ones.
    pub(super) are_alternative: bool,
}

pub(super) fn check(schedule: &[ScheduleRule]) -> Result<(), ControlError> {
    if schedule.len() > MAX_RULES {
        let reason = format!("a schedule has at most {MAX_RULES} rules");
        return Err(ControlError::Invalid(reason));
    }
    match schedule
        .iter()
        .any(|rule| rule.days.is_empty() || rule.days.len() > 7)
    {
        true => Err(ControlError::Invalid(
            "a rule of the schedule has 1 to 7 days".to_owned(),
        )),
        false => Ok(()),
    }
}

impl ScheduleRule {
    fn holds(&self, day: Weekday, time: Time) -> bool {
        let (from, to) = (self.from.0, self.to.0);
        let begins = |day: Weekday| self.days.contains(&Day::of(day));
        match from < to {
            true => begins(day) && from <= time && time < to,
            false => begins(day) && from <= time || begins(day.previous()) && time < to,
        }
    }
}

/// The rate limits of the settings at a local time.
pub(super) fn rate_limits(settings: &Settings, now: DateTime) -> RateLimits {
    let (day, time) = (now.date().weekday(), now.time());
    let are_alternative = match settings.alternative_mode {
        AlternativeMode::Off => false,
        AlternativeMode::On => true,
        AlternativeMode::Schedule => settings.schedule.iter().any(|rule| rule.holds(day, time)),
    };
    let (download, upload) = match are_alternative {
        true => (
            settings.alternative_download_limit,
            settings.alternative_upload_limit,
        ),
        false => (settings.download_limit, settings.upload_limit),
    };
    RateLimits {
        download,
        upload,
        are_alternative,
    }
}

impl Inner {
    /// The rate limits that hold now.
    pub(super) fn rate_limits(&self) -> RateLimits {
        rate_limits(&self.settings.lock(), ZonedDateTime::now().datetime())
    }

    /// Has the session keep to the rate limits that hold now.
    pub(super) fn limit_rates(&self) -> Result<(), ControlError> {
        let limits = self.rate_limits();
        if self.session.download_limit() != limits.download {
            self.session.set_download_limit(limits.download)?;
        }
        if self.session.upload_limit() != limits.upload {
            self.session.set_upload_limit(limits.upload)?;
        }
        Ok(())
    }

    /// Looks at the clock, to the end.
    pub(super) async fn keep_schedule(self: Arc<Self>) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            if let Err(error) = self.limit_rates() {
                tracing::warn!("cannot set the rate limits of this hour: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const DAYS: [Day; 7] = [
        Day::Mon,
        Day::Tue,
        Day::Wed,
        Day::Thu,
        Day::Fri,
        Day::Sat,
        Day::Sun,
    ];
    const WEEK: usize = 7 * 24 * 60;

    fn rule(days: &[Day], from: &str, to: &str) -> ScheduleRule {
        ScheduleRule {
            days: days.to_vec(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
        }
    }

    fn settings(schedule: Vec<ScheduleRule>) -> Settings {
        Settings {
            download_limit: Some(1),
            alternative_download_limit: Some(2),
            upload_limit: Some(3),
            alternative_mode: AlternativeMode::Schedule,
            schedule,
            ..Settings::default()
        }
    }

    /// The minute of a week that begins on a Monday.
    fn at(minute: usize) -> DateTime {
        let monday = date(2026, 11, 23).at(0, 0, 0, 0);
        monday + jiff::Span::new().minutes(i64::try_from(minute).unwrap())
    }

    #[test]
    fn the_limits_of_the_hour_hold() {
        let settings = settings(vec![
            rule(&[Day::Mon, Day::Tue], "08:00", "17:30"),
            rule(&[Day::Fri], "22:00", "06:00"),
        ]);
        let down = |day: usize, hour: usize, minute: usize| {
            rate_limits(&settings, at((day * 24 + hour) * 60 + minute)).download
        };
        for (day, hour, minute, limit) in [
            (0, 7, 59, 1),
            (0, 8, 0, 2),
            (1, 17, 29, 2),
            (1, 17, 30, 1),
            (2, 12, 0, 1),
            (4, 21, 59, 1),
            (4, 22, 0, 2),
            (5, 5, 59, 2),
            (5, 6, 0, 1),
            (5, 22, 0, 1),
        ] {
            assert_eq!(
                down(day, hour, minute),
                Some(limit),
                "{day} {hour}:{minute}"
            );
        }
        // Null is no limit, also among the alternative ones.
        assert_eq!(rate_limits(&settings, at(9 * 60)).upload, None);
        let always = Settings {
            alternative_mode: AlternativeMode::On,
            ..settings.clone()
        };
        assert_eq!(rate_limits(&always, at(0)).download, Some(2));
        let never = Settings {
            alternative_mode: AlternativeMode::Off,
            ..settings
        };
        assert_eq!(rate_limits(&never, at(9 * 60)).download, Some(1));
    }

    #[test]
    fn a_time_of_day_is_two_numbers() {
        for text in ["00:00", "23:59", "08:05"] {
            assert_eq!(text.parse::<Clock>().unwrap().to_string(), text);
        }
        for text in [
            "", "8:00", "24:00", "08:60", "-1:00", "08:00:00", "+8:00", "ab:cd",
        ] {
            assert!(text.parse::<Clock>().is_err(), "{text}");
        }
    }

    fn rules() -> impl Strategy<Value = Vec<ScheduleRule>> {
        let clock =
            (0..24_i8, 0..60_i8).prop_map(|(hour, minute)| Clock::new(hour, minute).unwrap());
        let days = proptest::sample::subsequence(DAYS.to_vec(), 1..=7);
        let rule = (days, clock.clone(), clock).prop_map(|(days, from, to)| ScheduleRule {
            days,
            from,
            to,
        });
        proptest::collection::vec(rule, 0..4)
    }

    /// A second way to say it: the minutes of a week, painted one by one.
    fn painted(schedule: &[ScheduleRule]) -> Vec<bool> {
        let mut week = vec![false; WEEK];
        for rule in schedule {
            let minute = |clock: Clock| {
                usize::try_from(i32::from(clock.0.hour()) * 60 + i32::from(clock.0.minute()))
                    .unwrap()
            };
            let (from, to) = (minute(rule.from), minute(rule.to));
            let length = if from < to {
                to - from
            } else {
                24 * 60 + to - from
            };
            for day in &rule.days {
                let day = DAYS.iter().position(|known| known == day).unwrap();
                for offset in 0..length {
                    week[(day * 24 * 60 + from + offset) % WEEK] = true;
                }
            }
        }
        week
    }

    proptest! {
        #[test]
        fn a_schedule_is_the_minutes_that_its_rules_paint(schedule in rules(), minute in 0..WEEK) {
            let expected = painted(&schedule)[minute];
            let limits = rate_limits(&settings(schedule), at(minute));
            prop_assert_eq!(limits.are_alternative, expected);
            prop_assert_eq!(limits.download, Some(if expected { 2 } else { 1 }));
        }

        #[test]
        fn what_is_written_is_read(schedule in rules()) {
            let text = serde_json::to_string(&schedule).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<ScheduleRule>>(&text).unwrap(), schedule);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,8}") {
            if let Ok(clock) = text.parse::<Clock>() {
                prop_assert_eq!(clock.to_string(), text);
            }
        }
    }
}
