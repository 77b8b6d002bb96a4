//! `session_set`

use super::session::{DAYS, EVERY_DAY, USUAL_HOURS};
use super::set::limit;
use super::{Outcome, nothing};
use crate::control::{AlternativeMode, Clock, Day, ScheduleRule, Settings, SettingsPatch};
use crate::transmission::params::Params;
use crate::transmission::remembered::{MINUTE, OfDaemon, rate};
use crate::transmission::server::Shared;

/// The daemon has no ratio of 0; with this one a torrent is paused at its first look too.
const LEAST_RATIO: f64 = 0.000_001;
/// Minutes of an hour, and of a day.
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;

pub(super) async fn set(shared: &Shared, params: Params<'_>) -> Outcome {
    let mut numbers = shared.remembered.daemon();
    let settings = shared.control.settings();
    if let Some(starts) = params.flag("start_added_torrents") {
        shared.remembered.set_adds_paused(!starts);
    }
    let is_alternative = shared.control.stats().are_limits_alternative;
    let patch = patch(params, &settings, is_alternative, &mut numbers);
    shared.remembered.set_daemon(numbers);
    if patch != SettingsPatch::default() {
        shared.control.set_settings(patch).await?;
    }
    nothing()
}

fn patch(
    params: Params<'_>,
    now: &Settings,
    is_alternative: bool,
    numbers: &mut OfDaemon,
) -> SettingsPatch {
    let count = |name| params.int(name).and_then(|it| usize::try_from(it).ok());
    let mut patch = SettingsPatch {
        download_limit: limit(
            params,
            ["speed_limit_down", "speed_limit_down_enabled"],
            now.download_limit,
            &mut numbers.down,
        ),
        upload_limit: limit(
            params,
            ["speed_limit_up", "speed_limit_up_enabled"],
            now.upload_limit,
            &mut numbers.up,
        ),
        max_connections: count("peer_limit_global"),
        max_peers: count("peer_limit_per_torrent"),
        ..SettingsPatch::default()
    };
    seeding(params, now, numbers, &mut patch);
    queues(params, now, numbers, &mut patch);
    alternative(params, now, is_alternative, numbers, &mut patch);
    patch
}

fn seeding(params: Params<'_>, now: &Settings, numbers: &mut OfDaemon, patch: &mut SettingsPatch) {
    let ratio = params.float("seed_ratio_limit");
    let switch = params.flag("seed_ratio_limited");
    if ratio.is_some() || switch.is_some() {
        numbers.ratio = ratio.or(now.ratio_limit).unwrap_or(numbers.ratio);
        let holds = switch.unwrap_or(now.ratio_limit.is_some());
        patch.ratio_limit = Some(holds.then(|| numbers.ratio.max(LEAST_RATIO)));
    }
    let minutes = params.int("idle_seeding_limit");
    let minutes = minutes.map(|minutes| u64::try_from(minutes).unwrap_or(0));
    let switch = params.flag("idle_seeding_limit_enabled");
    if minutes.is_some() || switch.is_some() {
        let before = now.idle_limit.map(|seconds| seconds.div_ceil(MINUTE));
        numbers.idle_minutes = minutes.or(before).unwrap_or(numbers.idle_minutes);
        let holds = switch.unwrap_or(now.idle_limit.is_some());
        let seconds = || numbers.idle_minutes.saturating_mul(MINUTE).max(1);
        patch.idle_limit = Some(holds.then(seconds));
    }
}

fn queues(params: Params<'_>, now: &Settings, numbers: &mut OfDaemon, patch: &mut SettingsPatch) {
    let queue = |name, switch, before: Option<usize>, remembered: &mut u64| {
        let named = params.int(name).map(|it| u64::try_from(it).unwrap_or(0));
        let flag = params.flag(switch);
        if named.is_none() && flag.is_none() {
            return None;
        }
        let before_now = before.and_then(|it| u64::try_from(it).ok());
        *remembered = named.or(before_now).unwrap_or(*remembered);
        let size = usize::try_from(*remembered).unwrap_or(usize::MAX).max(1);
        Some(flag.unwrap_or(before.is_some()).then_some(size))
    };
    patch.max_downloads = queue(
        "download_queue_size",
        "download_queue_enabled",
        now.max_downloads,
        &mut numbers.downloads,
    );
    patch.max_seeds = queue(
        "seed_queue_size",
        "seed_queue_enabled",
        now.max_seeds,
        &mut numbers.seeds,
    );
}

/// The alternative limits, and their hours.
fn alternative(
    params: Params<'_>,
    now: &Settings,
    is_alternative: bool,
    numbers: &mut OfDaemon,
    patch: &mut SettingsPatch,
) {
    let named = |name| params.int(name).map(|it| u64::try_from(it).unwrap_or(0));
    if let Some(down) = named("alt_speed_down") {
        numbers.alternative_down = down;
        patch.alternative_download_limit = Some(Some(rate(down)));
    }
    if let Some(up) = named("alt_speed_up") {
        numbers.alternative_up = up;
        patch.alternative_upload_limit = Some(Some(rate(up)));
    }
    patch.alternative_mode = mode(params, now.alternative_mode, is_alternative);
    let is_used = patch
        .alternative_mode
        .is_some_and(|mode| mode != AlternativeMode::Off);
    // In Transmission there is always a number, which holds from now on.
    if is_used
        && patch.alternative_download_limit.is_none()
        && now.alternative_download_limit.is_none()
    {
        patch.alternative_download_limit = Some(Some(rate(numbers.alternative_down)));
    }
    if is_used && patch.alternative_upload_limit.is_none() && now.alternative_upload_limit.is_none()
    {
        patch.alternative_upload_limit = Some(Some(rate(numbers.alternative_up)));
    }
    patch.schedule = schedule(params, now);
    let has_hours = patch.schedule.is_some() || !now.schedule.is_empty();
    if patch.alternative_mode == Some(AlternativeMode::Schedule) && !has_hours {
        patch.schedule = Some(vec![rule(USUAL_HOURS, EVERY_DAY)]);
    }
}

/// By hand or by the hours; the daemon has one switch for both.
fn mode(params: Params<'_>, now: AlternativeMode, is_alternative: bool) -> Option<AlternativeMode> {
    let by_hours = params.flag("alt_speed_time_enabled");
    let by_hand = params.flag("alt_speed_enabled");
    match (by_hours, by_hand) {
        (Some(true), _) => Some(AlternativeMode::Schedule),
        (_, Some(true)) if now == AlternativeMode::Schedule && is_alternative => None,
        (_, Some(true)) => Some(AlternativeMode::On),
        (Some(false), None) if now != AlternativeMode::Schedule => None,
        // Those of an hour are switched off, with their hours.
        (None, Some(false)) if now == AlternativeMode::Schedule && !is_alternative => None,
        (Some(false), _) | (None, Some(false)) => Some(AlternativeMode::Off),
        (None, None) => None,
    }
}

/// The rule of the hours; what is not named stays as it is in the first rule.
fn schedule(params: Params<'_>, now: &Settings) -> Option<Vec<ScheduleRule>> {
    let minutes = |name| {
        let minutes = params.int(name).filter(|it| (0..DAY).contains(it));
        minutes.and_then(|it| u16::try_from(it).ok())
    };
    let (begin, end) = (
        minutes("alt_speed_time_begin"),
        minutes("alt_speed_time_end"),
    );
    let days = params.int("alt_speed_time_day");
    let days = days
        .and_then(|it| u8::try_from(it).ok())
        .filter(|it| it & EVERY_DAY != 0);
    if begin.is_none() && end.is_none() && days.is_none() {
        return None;
    }
    let first = now.schedule.first();
    let before = first.map_or(USUAL_HOURS, |it| (it.from.minutes(), it.to.minutes()));
    let hours = (begin.unwrap_or(before.0), end.unwrap_or(before.1));
    let mut rule = rule(hours, days.unwrap_or(EVERY_DAY));
    if let (Some(first), None) = (first, days) {
        rule.days.clone_from(&first.days);
    }
    Some(vec![rule])
}

fn rule((begin, end): (u16, u16), days: u8) -> ScheduleRule {
    let chosen = |(_, bit): &(Day, u8)| days & (1 << bit) != 0;
    ScheduleRule {
        days: DAYS
            .into_iter()
            .zip(0..)
            .filter(chosen)
            .map(|(day, _)| day)
            .collect(),
        from: Clock::of_minutes(begin),
        to: Clock::of_minutes(end),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn patched(json: &Value, now: &Settings, numbers: &mut OfDaemon) -> SettingsPatch {
        patch(Params(json.as_object().unwrap()), now, false, numbers)
    }

    #[test]
    fn a_number_is_remembered_until_its_switch_is_on() {
        let (now, mut numbers) = (Settings::default(), OfDaemon::default());
        let first = patched(
            &json!({"speed_limit_down": 7, "seed_ratio_limit": 3}),
            &now,
            &mut numbers,
        );
        assert_eq!(
            (first.download_limit, first.ratio_limit),
            (Some(None), Some(None))
        );
        let on = json!({"speed_limit_down_enabled": true, "seed_ratio_limited": true,
            "idle_seeding_limit_enabled": true, "download_queue_enabled": true});
        let on = patched(&on, &now, &mut numbers);
        assert_eq!(on.download_limit, Some(Some(7_000)));
        assert_eq!(on.ratio_limit, Some(Some(3.0)));
        assert_eq!(on.idle_limit, Some(Some(30 * 60)));
        assert_eq!(on.max_downloads, Some(Some(5)));
        assert_eq!(
            patched(&json!({"version": "x"}), &now, &mut numbers),
            SettingsPatch::default()
        );
    }

    #[test]
    fn alternative_limits_hold_by_hand_or_by_hours() {
        let mut numbers = OfDaemon::default();
        let now = Settings::default();
        let on = patched(&json!({"alt_speed_enabled": true}), &now, &mut numbers);
        assert_eq!(on.alternative_mode, Some(AlternativeMode::On));
        assert_eq!(on.alternative_download_limit, Some(Some(50_000)));
        let hours = json!({"alt_speed_time_enabled": true, "alt_speed_time_begin": 60,
            "alt_speed_time_day": 65});
        let hours = patched(&hours, &now, &mut numbers);
        assert_eq!(hours.alternative_mode, Some(AlternativeMode::Schedule));
        let [rule] = hours.schedule.as_deref().unwrap() else {
            panic!();
        };
        assert_eq!(rule.days, [Day::Sun, Day::Sat]);
        assert_eq!((rule.from.minutes(), rule.to.minutes()), (60, 1_020));
        let wrong = json!({"alt_speed_time_begin": 1_440, "alt_speed_time_day": 0});
        assert_eq!(patched(&wrong, &now, &mut numbers).schedule, None);
    }
}
