//! `app/preferences`

use std::net::SocketAddr;

use serde_json::{Map, Value};

use super::absent_preferences::ABSENT;
use crate::control::{AlternativeMode, Day, ScheduleRule, Settings, StatsView};
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::has_queue;

/// Seconds of a minute, minutes of an hour.
pub(in crate::qbittorrent) const MINUTE: u64 = 60;
/// Bytes of a mebibyte.
const MEBI: u64 = 1_024 * 1_024;
/// Hours of the original's schedule before someone sets others, in minutes of the day.
pub(super) const USUAL_HOURS: (u16, u16) = (480, 1_200);
/// What days of a schedule can be.
pub(super) const EVERY_DAY: [Day; 7] = [
    Day::Mon,
    Day::Tue,
    Day::Wed,
    Day::Thu,
    Day::Fri,
    Day::Sat,
    Day::Sun,
];
/// Days by their number: all, from Monday to Friday, the weekend, and from 3 on one day from Monday on.
const FIRST_DAY: usize = 3;

/// Preferences that can be changed.
pub const CHANGEABLE: [&str; 24] = [
    "add_stopped_enabled",
    "alt_dl_limit",
    "alt_up_limit",
    "banned_IPs",
    "dl_limit",
    "max_active_downloads",
    "max_active_uploads",
    "max_connec",
    "max_connec_per_torrent",
    "max_inactive_seeding_time",
    "max_inactive_seeding_time_enabled",
    "max_ratio",
    "max_ratio_enabled",
    "max_seeding_time",
    "max_seeding_time_enabled",
    "max_uploads_per_torrent",
    "queueing_enabled",
    "schedule_from_hour",
    "schedule_from_min",
    "schedule_to_hour",
    "schedule_to_min",
    "scheduler_days",
    "scheduler_enabled",
    "up_limit",
];

/// Preferences that are answered as they are.
pub const KEYS: [&str; 36] = [
    "add_stopped_enabled",
    "alt_dl_limit",
    "alt_up_limit",
    "banned_IPs",
    "bittorrent_protocol",
    "bypass_local_auth",
    "dht",
    "disk_cache",
    "dl_limit",
    "encryption",
    "listen_port",
    "lsd",
    "max_active_downloads",
    "max_active_uploads",
    "max_connec",
    "max_connec_per_torrent",
    "max_inactive_seeding_time",
    "max_inactive_seeding_time_enabled",
    "max_ratio",
    "max_ratio_enabled",
    "max_seeding_time",
    "max_seeding_time_enabled",
    "max_uploads_per_torrent",
    "queueing_enabled",
    "save_path",
    "schedule_from_hour",
    "schedule_from_min",
    "schedule_to_hour",
    "schedule_to_min",
    "scheduler_days",
    "scheduler_enabled",
    "up_limit",
    "upnp",
    "use_https",
    "web_ui_address",
    "web_ui_port",
];

pub(super) async fn all(shared: &Shared) -> Value {
    let banned = shared.control.banned().await;
    let banned: Vec<String> = banned.iter().map(ToString::to_string).collect();
    let state = State {
        shared,
        banned: banned.join("\n"),
        settings: shared.control.settings(),
        stats: shared.control.stats(),
    };
    let absent = ABSENT
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.value()));
    let known = KEYS
        .iter()
        .map(|name| ((*name).to_owned(), state.value(name)));
    Value::Object(absent.chain(known).collect::<Map<_, _>>())
}

/// What preferences are made of.
struct State<'a> {
    shared: &'a Shared,
    /// Addresses, one a line.
    banned: String,
    settings: Settings,
    stats: StatsView,
}

impl State<'_> {
    fn value(&self, name: &str) -> Value {
        let limit = self.limit(name);
        limit
            .or_else(|| self.schedule(name))
            .or_else(|| self.about(name))
            .unwrap_or_default()
    }

    fn limit(&self, name: &str) -> Option<Value> {
        let settings = &self.settings;
        let rate = |limit: Option<u64>| limit.unwrap_or(0).into();
        let minutes =
            |limit: Option<u64>| limit.map_or((-1).into(), |it| it.div_ceil(MINUTE).into());
        let numbers = *self.shared.queue.lock();
        let count = |limit: Option<usize>, usual: usize| match limit {
            Some(limit) => limit.into(),
            None if has_queue(settings) => (-1).into(),
            None => Value::from(usual),
        };
        Some(match name {
            "alt_dl_limit" => rate(settings.alternative_download_limit),
            "alt_up_limit" => rate(settings.alternative_upload_limit),
            "dl_limit" => rate(settings.download_limit),
            "max_active_downloads" => count(settings.max_downloads, numbers.downloads),
            "max_active_uploads" => count(settings.max_seeds, numbers.seeds),
            "max_connec" => settings.max_connections.into(),
            "max_connec_per_torrent" => settings.max_peers.into(),
            "max_inactive_seeding_time" => minutes(settings.idle_limit),
            "max_inactive_seeding_time_enabled" => settings.idle_limit.is_some().into(),
            "max_ratio" => settings.ratio_limit.unwrap_or(-1.0).into(),
            "max_ratio_enabled" => settings.ratio_limit.is_some().into(),
            "max_seeding_time" => minutes(settings.seeding_time_limit),
            "max_seeding_time_enabled" => settings.seeding_time_limit.is_some().into(),
            "max_uploads_per_torrent" => settings.upload_slots.into(),
            "queueing_enabled" => has_queue(settings).into(),
            "up_limit" => rate(settings.upload_limit),
            _ => return None,
        })
    }

    /// The hours of the alternative limits: those of the first rule.
    fn schedule(&self, name: &str) -> Option<Value> {
        let rule = self.settings.schedule.first();
        let (from, to) = hours(rule);
        let hour = u16::try_from(MINUTE).unwrap_or(u16::MAX);
        Some(match name {
            "schedule_from_hour" => (from / hour).into(),
            "schedule_from_min" => (from % hour).into(),
            "schedule_to_hour" => (to / hour).into(),
            "schedule_to_min" => (to % hour).into(),
            "scheduler_days" => rule.map_or(0, |rule| number_of(&rule.days)).into(),
            "scheduler_enabled" => {
                (self.settings.alternative_mode == AlternativeMode::Schedule).into()
            }
            _ => return None,
        })
    }

    /// What the daemon is, and how it was started.
    fn about(&self, name: &str) -> Option<Value> {
        let fixed = &self.shared.fixed;
        let addr = self.stats.listen_addr.as_deref();
        let addr: Option<SocketAddr> = addr.and_then(|addr| addr.parse().ok());
        Some(match name {
            "add_stopped_enabled" => self.shared.adds_paused().into(),
            "banned_IPs" => self.banned.as_str().into(),
            "bittorrent_protocol" => match (fixed.tcp, fixed.utp) {
                (true, false) => 1.into(),
                (false, true) => 2.into(),
                _ => 0.into(),
            },
            "bypass_local_auth" => (!self.shared.door.requires_password()).into(),
            "dht" => fixed.dht.into(),
            "disk_cache" => (self.stats.memory_budget / MEBI).into(),
            "encryption" => u8::from(fixed.encryption == "required").into(),
            "listen_port" => addr.map_or(0, |addr| addr.port()).into(),
            "lsd" => fixed.local_discovery.into(),
            "save_path" => self.shared.control.data_dir().to_string_lossy().into(),
            "upnp" => fixed.port_mapping.into(),
            "use_https" => (self.shared.door.scheme() == "https").into(),
            "web_ui_address" => self.shared.addr.ip().to_string().into(),
            "web_ui_port" => self.shared.addr.port().into(),
            _ => return None,
        })
    }
}

/// The hours of a rule, in minutes of the day.
pub(super) fn hours(rule: Option<&ScheduleRule>) -> (u16, u16) {
    rule.map_or(USUAL_HOURS, |it| (it.from.minutes(), it.to.minutes()))
}

/// The number of a choice of days; that of all where there is none.
fn number_of(days: &[Day]) -> usize {
    let choices = (0..FIRST_DAY + EVERY_DAY.len()).find(|number| {
        let chosen = days_of(*number);
        chosen.len() == days.len() && chosen.iter().all(|day| days.contains(day))
    });
    choices.unwrap_or(0)
}

/// The days of a choice.
pub(super) fn days_of(number: usize) -> Vec<Day> {
    const WORKING: usize = 5;
    match number {
        1 => EVERY_DAY[..WORKING].to_vec(),
        2 => EVERY_DAY[WORKING..].to_vec(),
        number => match number
            .checked_sub(FIRST_DAY)
            .and_then(|at| EVERY_DAY.get(at))
        {
            Some(day) => vec![*day],
            None => EVERY_DAY.to_vec(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_numbers() {
        for number in 0..10 {
            assert_eq!(number_of(&days_of(number)), number);
        }
        assert_eq!(days_of(2), [Day::Sat, Day::Sun]);
        assert_eq!(days_of(3), [Day::Mon]);
        assert_eq!(days_of(99), EVERY_DAY);
        assert_eq!(number_of(&[Day::Mon, Day::Sun]), 0);
    }

    #[test]
    fn each_preference_is_there_once() {
        let mut all: Vec<&str> = KEYS
            .into_iter()
            .chain(ABSENT.map(|(name, _)| name))
            .collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        // Those of version 5.1.4.
        assert_eq!((all.len(), count), (221, 221));
        assert!(CHANGEABLE.iter().all(|name| KEYS.contains(name)));
    }
}
