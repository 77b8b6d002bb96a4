//! `app/setPreferences`

use serde_json::{Map, Value};

use super::preferences::{days_of, hours};
use super::{MINUTE, Outcome, nothing};
use crate::control::{AlternativeMode, Clock, ScheduleRule, Settings, SettingsPatch};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::has_queue;

/// The daemon has no ratio of 0; with this one a torrent is paused at its first look too.
const LEAST_RATIO: f64 = 0.000_001;

/// How many torrents run at once while there is a queue; kept while there is none, until the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::qbittorrent) struct QueueNumbers {
    pub(in crate::qbittorrent) downloads: usize,
    pub(in crate::qbittorrent) seeds: usize,
}

impl Default for QueueNumbers {
    /// The original's own.
    fn default() -> Self {
        Self {
            downloads: 3,
            seeds: 3,
        }
    }
}

pub(super) async fn set(shared: &Shared, params: &Params) -> Outcome {
    let [json] = params.need(["json"])?;
    // What is no object changes nothing, as in the original.
    let Ok(Value::Object(wished)) = serde_json::from_str(json) else {
        return nothing();
    };
    let mut numbers = *shared.queue.lock();
    let patch = patch(&wished, &shared.control.settings(), &mut numbers);
    if patch != SettingsPatch::default() {
        let set = shared.control.set_settings(patch).await;
        set.map_err(|error| Failure::params(error.to_string()))?;
    }
    if let Some(lines) = wished.get("banned_IPs").and_then(Value::as_str) {
        // What is no address is passed over, as in the original.
        let addrs = lines.lines().filter_map(|line| line.trim().parse().ok());
        let set = shared.control.set_banned(addrs.collect()).await;
        set.map_err(|error| Failure::params(error.to_string()))?;
    }
    *shared.queue.lock() = numbers;
    if let Some(paused) = wished.get("add_stopped_enabled").and_then(Value::as_bool) {
        shared.set_adds_paused(paused);
    }
    nothing()
}

fn patch(wished: &Map<String, Value>, now: &Settings, numbers: &mut QueueNumbers) -> SettingsPatch {
    let int = |name: &str| wished.get(name).and_then(Value::as_i64);
    // 0 and what is below it stand for none.
    let above_0 =
        |name: &str| Some(int(name)?).map(|it| u64::try_from(it).ok().filter(|it| *it > 0));
    let count = |name: &str| above_0(name)?.and_then(|it| usize::try_from(it).ok());
    let mut patch = SettingsPatch {
        download_limit: above_0("dl_limit"),
        upload_limit: above_0("up_limit"),
        alternative_download_limit: above_0("alt_dl_limit"),
        alternative_upload_limit: above_0("alt_up_limit"),
        // The daemon always has these limits.
        max_connections: count("max_connec"),
        max_peers: count("max_connec_per_torrent"),
        upload_slots: count("max_uploads_per_torrent"),
        ratio_limit: ratio(wished, now.ratio_limit),
        seeding_time_limit: minutes(wished, "max_seeding_time", now.seeding_time_limit),
        idle_limit: minutes(wished, "max_inactive_seeding_time", now.idle_limit),
        ..SettingsPatch::default()
    };
    queue(wished, now, numbers, &mut patch);
    schedule(wished, now, &mut patch);
    patch
}

fn flag(wished: &Map<String, Value>, name: &str) -> Option<bool> {
    wished.get(name)?.as_bool()
}

fn ratio(wished: &Map<String, Value>, now: Option<f64>) -> Option<Option<f64>> {
    let named = wished.get("max_ratio").and_then(Value::as_f64);
    let named = named.map(|it| (it >= 0.0).then_some(it.max(LEAST_RATIO)));
    switched(flag(wished, "max_ratio_enabled"), named, now)
}

fn minutes(wished: &Map<String, Value>, name: &str, now: Option<u64>) -> Option<Option<u64>> {
    let named = wished.get(name).and_then(Value::as_i64);
    let seconds = |minutes: u64| minutes.saturating_mul(MINUTE).max(1);
    let named = named.map(|it| u64::try_from(it).ok().map(seconds));
    switched(flag(wished, &format!("{name}_enabled")), named, now)
}

/// A limit with a switch: off is none, and on without a number keeps what is there.
fn switched<T>(is_on: Option<bool>, named: Option<Option<T>>, now: Option<T>) -> Option<Option<T>> {
    match (is_on, named) {
        (Some(false), _) => Some(None),
        (_, Some(named)) => Some(named),
        (Some(true), None) => now.map(Some),
        (None, None) => None,
    }
}

fn queue(
    wished: &Map<String, Value>,
    now: &Settings,
    numbers: &mut QueueNumbers,
    patch: &mut SettingsPatch,
) {
    let named = |name: &str| {
        let number = wished.get(name)?.as_i64()?;
        Some(usize::try_from(number).ok().filter(|it| *it > 0))
    };
    let (downloads, seeds) = (named("max_active_downloads"), named("max_active_uploads"));
    numbers.downloads = downloads
        .flatten()
        .or(now.max_downloads)
        .unwrap_or(numbers.downloads);
    numbers.seeds = seeds.flatten().or(now.max_seeds).unwrap_or(numbers.seeds);
    let was_on = has_queue(now);
    match flag(wished, "queueing_enabled").unwrap_or(was_on) {
        false if was_on => (patch.max_downloads, patch.max_seeds) = (Some(None), Some(None)),
        false => {}
        true if was_on => (patch.max_downloads, patch.max_seeds) = (downloads, seeds),
        true => {
            patch.max_downloads = Some(downloads.unwrap_or(Some(numbers.downloads)));
            patch.max_seeds = Some(seeds.unwrap_or(Some(numbers.seeds)));
        }
    }
}

fn schedule(wished: &Map<String, Value>, now: &Settings, patch: &mut SettingsPatch) {
    let below = |name: &str, end: u16| {
        let number = wished.get(name).and_then(Value::as_u64);
        number
            .and_then(|it| u16::try_from(it).ok())
            .filter(|it| *it < end)
    };
    let first = now.schedule.first();
    let (from, to) = hours(first);
    let time = |name: &str, before: u16| {
        let hour = below(&format!("{name}_hour"), 24);
        let minute = below(&format!("{name}_min"), 60);
        let is_named = hour.is_some() || minute.is_some();
        let hour = hour.unwrap_or(before / 60);
        is_named.then(|| {
            hour.saturating_mul(60)
                .saturating_add(minute.unwrap_or(before % 60))
        })
    };
    let times = (time("schedule_from", from), time("schedule_to", to));
    let days = wished.get("scheduler_days").and_then(Value::as_u64);
    let days = days.and_then(|it| usize::try_from(it).ok()).map(days_of);
    let is_on = flag(wished, "scheduler_enabled");
    let is_new = is_on == Some(true) && first.is_none();
    if times != (None, None) || days.is_some() || is_new {
        let before = first.map(|rule| rule.days.clone());
        patch.schedule = Some(vec![ScheduleRule {
            days: days.or(before).unwrap_or_else(|| days_of(0)),
            from: Clock::of_minutes(times.0.unwrap_or(from)),
            to: Clock::of_minutes(times.1.unwrap_or(to)),
        }]);
    }
    patch.alternative_mode = match (is_on, now.alternative_mode) {
        (Some(true), _) => Some(AlternativeMode::Schedule),
        (Some(false), AlternativeMode::Schedule) => Some(AlternativeMode::Off),
        _ => None,
    };
}

/// The body of the fuzz target.
#[cfg(any(test, feature = "__fuzz"))]
pub(in crate::qbittorrent) fn fuzz(data: &[u8]) {
    let Ok(Value::Object(wished)) = serde_json::from_slice(data) else {
        return;
    };
    let (before, mut numbers) = (Settings::default(), QueueNumbers::default());
    let patch = patch(&wished, &before, &mut numbers);
    assert!(numbers.downloads > 0 && numbers.seeds > 0);
    if let Ok(after) = patch.on(&before) {
        assert!(after.schedule.len() <= 1);
        assert!(after.ratio_limit.is_none_or(|limit| limit > 0.0));
        assert!(after.max_downloads != Some(0) && after.max_connections > 0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::Day;

    fn of(json: &Value, now: &Settings) -> SettingsPatch {
        let mut numbers = QueueNumbers::default();
        patch(json.as_object().unwrap(), now, &mut numbers)
    }

    #[test]
    fn limits_have_numbers_and_switches() {
        let now = Settings::default();
        let limits = json!({"dl_limit": 5, "up_limit": 0, "alt_dl_limit": -1, "max_connec": 0, "max_ratio": 2,
            "max_ratio_enabled": true, "max_seeding_time": 3, "max_inactive_seeding_time_enabled": true, "locale": "de"});
        let limits = of(&limits, &now);
        assert_eq!(
            (limits.download_limit, limits.upload_limit),
            (Some(Some(5)), Some(None))
        );
        assert_eq!(
            (limits.alternative_download_limit, limits.max_connections),
            (Some(None), None)
        );
        assert_eq!(
            (limits.ratio_limit, limits.seeding_time_limit),
            (Some(Some(2.0)), Some(Some(180)))
        );
        assert_eq!(limits.idle_limit, None);
        let off = of(&json!({"max_ratio_enabled": false, "max_ratio": 5}), &now);
        assert_eq!(off.ratio_limit, Some(None));
        assert_eq!(
            of(&json!({"dl_limit": "x", "max_ratio": null}), &now),
            SettingsPatch::default()
        );
    }

    #[test]
    fn a_queue_has_numbers_while_it_is_on() {
        let mut now = Settings::default();
        let on = of(
            &json!({"queueing_enabled": true, "max_active_uploads": -1}),
            &now,
        );
        assert_eq!(
            (on.max_downloads, on.max_seeds),
            (Some(Some(3)), Some(None))
        );
        assert_eq!(
            of(&json!({"max_active_downloads": 7}), &now).max_downloads,
            None
        );
        now.max_downloads = Some(2);
        assert_eq!(
            of(&json!({"max_active_downloads": 7}), &now).max_downloads,
            Some(Some(7))
        );
        let off = of(&json!({"queueing_enabled": false}), &now);
        assert_eq!((off.max_downloads, off.max_seeds), (Some(None), Some(None)));
    }

    #[test]
    fn hours_are_those_of_one_rule() {
        let mut now = Settings::default();
        let on = of(&json!({"scheduler_enabled": true}), &now);
        assert_eq!(on.alternative_mode, Some(AlternativeMode::Schedule));
        let rule = &on.schedule.unwrap()[0];
        assert_eq!(
            (rule.from.minutes(), rule.to.minutes(), rule.days.len()),
            (480, 1_200, 7)
        );
        now.schedule = vec![rule.clone()];
        let later = of(
            &json!({"schedule_from_min": 30, "scheduler_days": 9, "schedule_to_hour": 24}),
            &now,
        );
        let rule = &later.schedule.unwrap()[0];
        assert_eq!((rule.from.minutes(), rule.to.minutes()), (510, 1_200));
        assert_eq!(rule.days, [Day::Sun]);
        now.alternative_mode = AlternativeMode::Schedule;
        let off = of(&json!({"scheduler_enabled": false}), &now);
        assert_eq!(
            (off.alternative_mode, off.schedule),
            (Some(AlternativeMode::Off), None)
        );
    }
}
