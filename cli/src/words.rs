//! Formats numbers and times for people.

use std::time::Duration;

use tailwater_serve::size::Size;
pub(crate) use tailwater_serve::words::count;

/// Whole percents, rounded down, so that 100 means all.
pub(crate) fn percent(done: u64, total: u64) -> u128 {
    match total {
        0 => 100,
        _ => u128::from(done.min(total)) * 100 / u128::from(total),
    }
}

/// A time in the two largest units that matter, in whole seconds: `1 min 5 s`, `30 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (large, unit, small, smaller) = match seconds {
        0 => return "less than a second".to_owned(),
        1..60 => (seconds, "s", 0, ""),
        60..3_600 => (seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => (seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => (seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    };
    match small {
        0 => format!("{large} {unit}"),
        _ => format!("{large} {unit} {small} {smaller}"),
    }
}

/// A time that is left, in whole seconds: the last one counts as a second.
pub(crate) fn eta(left: Duration) -> String {
    duration(left.max(Duration::from_secs(1)))
}

/// `1.50 MiB/s`.
pub(crate) fn rate(bytes_per_second: u64) -> String {
    format!("{}/s", Size(bytes_per_second))
}

/// The rate of `bytes` bytes in a time; `None` for less than a second, in which nothing can be measured.
pub(crate) fn measured_rate(bytes: u64, time: Duration) -> Option<String> {
    if time < Duration::from_secs(1) {
        return None;
    }
    let millis = time.as_millis().max(1);
    let per_second = u128::from(bytes) * 1_000 / millis;
    Some(rate(u64::try_from(per_second).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_percent_is_everything() {
        assert_eq!(percent(999, 1_000), 99);
        assert_eq!(percent(1_000, 1_000), 100);
        assert_eq!(percent(0, 0), 100);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), 99);
    }

    #[test]
    fn times_are_whole_seconds_in_two_units_at_most() {
        let cases = [
            (0, "less than a second"),
            (999, "less than a second"),
            (1_000, "1 s"),
            (7_900, "7 s"),
            (42_000, "42 s"),
            (65_000, "1 min 5 s"),
            (1_800_000, "30 min"),
            (86_400_000, "1 d"),
            (7_260_000, "2 h 1 min"),
            (180_000_000, "2 d 2 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(Duration::from_millis(millis)), text);
        }
        assert_eq!(eta(Duration::ZERO), "1 s");
    }

    #[test]
    fn no_rate_is_told_of_less_than_a_second() {
        assert_eq!(measured_rate(1 << 30, Duration::from_millis(999)), None);
        let told = measured_rate(3 << 20, Duration::from_millis(1_500));
        assert_eq!(told.as_deref(), Some("2.00 MiB/s"));
    }
}
