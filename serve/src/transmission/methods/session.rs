//! `session_get`

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::Outcome;
use crate::compat::Fixed;
use crate::control::{AlternativeMode, Day, ScheduleRule, Settings, StatsView};
use crate::transmission::access::SEMVER;
use crate::transmission::dialects::Dialect;
use crate::transmission::params::Params;
use crate::transmission::remembered::{MINUTE, OfDaemon, kilo};
use crate::transmission::server::Shared;

/// The version that is claimed: clients compare its number, and leave out what is in parentheses.
const VERSION: &str = concat!("4.1.3 (tailwater ", env!("CARGO_PKG_VERSION"), ")");
/// The version of the protocol, as a number, and the oldest one that is spoken.
const RPC_VERSION: u8 = 18;
const RPC_VERSION_MINIMUM: u8 = 14;
/// How many requests of ours a peer may have outstanding at us, as the extension handshake tells it.
const QUEUED_REQUESTS: u32 = 2_000;
/// Bytes of a mebibyte.
const MEBI: u64 = 1_024 * 1_024;
/// All days, Sunday in the lowest bit.
pub(super) const DAYS: [Day; 7] = [
    Day::Sun,
    Day::Mon,
    Day::Tue,
    Day::Wed,
    Day::Thu,
    Day::Fri,
    Day::Sat,
];
/// Hours of Transmission's schedule before someone sets others, in minutes of the day.
pub(super) const USUAL_HOURS: (u16, u16) = (540, 1_020);
/// The days of it: all.
pub(super) const EVERY_DAY: u8 = 127;

/// All fields, by their names in JSON-RPC.
pub const FIELDS: [&str; 61] = [
    "alt_speed_down",
    "alt_speed_enabled",
    "alt_speed_time_begin",
    "alt_speed_time_day",
    "alt_speed_time_enabled",
    "alt_speed_time_end",
    "alt_speed_up",
    "anti_brute_force_enabled",
    "blocklist_enabled",
    "blocklist_size",
    "blocklist_url",
    "cache_size_mib",
    "config_dir",
    "default_trackers",
    "dht_enabled",
    "download_dir",
    "download_dir_free_space",
    "download_queue_enabled",
    "download_queue_size",
    "encryption",
    "idle_seeding_limit",
    "idle_seeding_limit_enabled",
    "incomplete_dir",
    "incomplete_dir_enabled",
    "lpd_enabled",
    "peer_limit_global",
    "peer_limit_per_torrent",
    "peer_port",
    "peer_port_random_on_start",
    "pex_enabled",
    "port_forwarding_enabled",
    "preferred_transports",
    "queue_stalled_enabled",
    "queue_stalled_minutes",
    "rename_partial_files",
    "reqq",
    "rpc_version",
    "rpc_version_minimum",
    "rpc_version_semver",
    "script_torrent_added_enabled",
    "script_torrent_added_filename",
    "script_torrent_done_enabled",
    "script_torrent_done_filename",
    "script_torrent_done_seeding_enabled",
    "script_torrent_done_seeding_filename",
    "seed_queue_enabled",
    "seed_queue_size",
    "seed_ratio_limit",
    "seed_ratio_limited",
    "sequential_download",
    "session_id",
    "speed_limit_down",
    "speed_limit_down_enabled",
    "speed_limit_up",
    "speed_limit_up_enabled",
    "start_added_torrents",
    "tcp_enabled",
    "trash_original_torrent_files",
    "units",
    "utp_enabled",
    "version",
];

pub(super) async fn get(shared: &Shared, params: Params<'_>, dialect: Dialect) -> Outcome {
    let named: Option<Vec<&str>> = params.texts("fields").map(Iterator::collect);
    let is_known = |name: &&str| FIELDS.contains(name);
    let named = named.unwrap_or_default();
    let mut fields: Vec<&str> = named.into_iter().filter(is_known).collect();
    // None that is known stands for all.
    if fields.is_empty() {
        fields = FIELDS.to_vec();
    }
    let data = shared.control.data_dir().to_owned();
    let free = match fields.contains(&"download_dir_free_space") {
        true => shared.control.space(data).await.ok().flatten(),
        false => None,
    };
    let state = State {
        shared,
        settings: shared.control.settings(),
        stats: shared.control.stats(),
        numbers: shared.remembered.daemon(),
        free: free.map(|space| space.free),
        dialect,
    };
    let values = fields
        .into_iter()
        .map(|name| (name.to_owned(), state.value(name)));
    Ok(values.collect::<Map<_, _>>())
}

/// What the fields are made of.
struct State<'a> {
    shared: &'a Shared,
    settings: Settings,
    stats: StatsView,
    numbers: OfDaemon,
    free: Option<u64>,
    dialect: Dialect,
}

impl State<'_> {
    fn value(&self, name: &str) -> Value {
        let limits = self.limit(name);
        let schedule = || self.schedule(name);
        let of_daemon = || self.about(name);
        let fixed = || self.fixed(&self.shared.fixed, name);
        limits
            .or_else(schedule)
            .or_else(of_daemon)
            .or_else(fixed)
            .unwrap_or_default()
    }

    /// Limits that can be changed.
    fn limit(&self, name: &str) -> Option<Value> {
        let (settings, numbers) = (&self.settings, &self.numbers);
        let count = |limit: Option<usize>, or: u64| limit.map_or_else(|| or.into(), Value::from);
        Some(match name {
            "download_queue_enabled" => settings.max_downloads.is_some().into(),
            "download_queue_size" => count(settings.max_downloads, numbers.downloads),
            "idle_seeding_limit" => {
                let minutes = settings.idle_limit.map(|limit| limit.div_ceil(MINUTE));
                minutes.unwrap_or(numbers.idle_minutes).into()
            }
            "idle_seeding_limit_enabled" => settings.idle_limit.is_some().into(),
            "peer_limit_global" => settings.max_connections.into(),
            "peer_limit_per_torrent" => settings.max_peers.into(),
            "seed_queue_enabled" => settings.max_seeds.is_some().into(),
            "seed_queue_size" => count(settings.max_seeds, numbers.seeds),
            "seed_ratio_limit" => settings.ratio_limit.unwrap_or(numbers.ratio).into(),
            "seed_ratio_limited" => settings.ratio_limit.is_some().into(),
            "speed_limit_down" => settings.download_limit.map_or(numbers.down, kilo).into(),
            "speed_limit_down_enabled" => settings.download_limit.is_some().into(),
            "speed_limit_up" => settings.upload_limit.map_or(numbers.up, kilo).into(),
            "speed_limit_up_enabled" => settings.upload_limit.is_some().into(),
            _ => return None,
        })
    }

    /// The alternative limits, and their hours: those of the first rule.
    fn schedule(&self, name: &str) -> Option<Value> {
        let (settings, numbers) = (&self.settings, &self.numbers);
        let rule = settings.schedule.first();
        let (begin, end) = rule.map_or(USUAL_HOURS, |it| (it.from.minutes(), it.to.minutes()));
        Some(match name {
            "alt_speed_down" => {
                let limit = settings.alternative_download_limit;
                limit.map_or(numbers.alternative_down, kilo).into()
            }
            "alt_speed_enabled" => self.stats.are_limits_alternative.into(),
            "alt_speed_time_begin" => begin.into(),
            "alt_speed_time_day" => rule.map_or(EVERY_DAY, days).into(),
            "alt_speed_time_enabled" => {
                (settings.alternative_mode == AlternativeMode::Schedule).into()
            }
            "alt_speed_time_end" => end.into(),
            "alt_speed_up" => {
                let limit = settings.alternative_upload_limit;
                limit.map_or(numbers.alternative_up, kilo).into()
            }
            _ => return None,
        })
    }

    /// What the daemon is, and where its things are.
    fn about(&self, name: &str) -> Option<Value> {
        let control = &self.shared.control;
        let data = || control.data_dir().to_string_lossy().into_owned();
        let addr = self.stats.listen_addr.as_deref();
        let addr: Option<SocketAddr> = addr.and_then(|addr| addr.parse().ok());
        Some(match name {
            "cache_size_mib" => (self.stats.memory_budget / MEBI).into(),
            "download_dir" | "incomplete_dir" => data().into(),
            "download_dir_free_space" => self.free.map_or_else(|| (-1).into(), Value::from),
            "peer_port" => addr.map_or(0, |addr| addr.port()).into(),
            "rpc_version" => RPC_VERSION.into(),
            "rpc_version_minimum" => RPC_VERSION_MINIMUM.into(),
            "rpc_version_semver" => SEMVER.into(),
            "session_id" => self.shared.session_id.as_str().into(),
            "units" => units(),
            "version" => VERSION.into(),
            _ => return None,
        })
    }

    /// What cannot change while the daemon runs, or is not there.
    fn fixed(&self, fixed: &Fixed, name: &str) -> Option<Value> {
        let lists = self.shared.options.blocklist.as_ref();
        Some(match name {
            "config_dir" => fixed.state_dir.to_string_lossy().into(),
            "dht_enabled" => fixed.dht.into(),
            // It got another name with JSON-RPC.
            "encryption" => match (self.dialect, fixed.encryption.as_str()) {
                (Dialect::JsonRpc, "tolerated") => "allowed".into(),
                (_, encryption) => encryption.into(),
            },
            "lpd_enabled" => fixed.local_discovery.into(),
            "port_forwarding_enabled" => fixed.port_mapping.into(),
            "preferred_transports" => {
                let transports = [("utp", fixed.utp), ("tcp", fixed.tcp)];
                let used = transports.into_iter().filter(|(_, is_used)| *is_used);
                used.map(|(name, _)| name).collect()
            }
            "tcp_enabled" => fixed.tcp.into(),
            "utp_enabled" => fixed.utp.into(),
            "anti_brute_force_enabled" | "pex_enabled" | "queue_stalled_enabled" => true.into(),
            "start_added_torrents" => (!self.shared.remembered.adds_paused()).into(),
            // A download that has got nothing for a minute does not count.
            "queue_stalled_minutes" => 1.into(),
            "reqq" => QUEUED_REQUESTS.into(),
            "blocklist_enabled" => lists.is_some_and(|it| it.is_enabled()).into(),
            "blocklist_size" => lists.map_or(0, |it| it.size()).into(),
            "blocklist_url" => lists.and_then(|it| it.url()).unwrap_or_default().into(),
            "default_trackers"
            | "script_torrent_added_filename"
            | "script_torrent_done_filename"
            | "script_torrent_done_seeding_filename" => "".into(),
            _ => false.into(),
        })
    }
}

/// The days of a rule as bits.
fn days(rule: &ScheduleRule) -> u8 {
    let bits = DAYS.iter().zip(0_u8..);
    let chosen = bits.filter(|(day, _)| rule.days.contains(day));
    chosen.fold(0, |all, (_, bit)| all | (1 << bit))
}

fn units() -> Value {
    json!({
        "memory_bytes": 1_024,
        "memory_units": ["B", "KiB", "MiB", "GiB", "TiB"],
        "size_bytes": 1_000,
        "size_units": ["B", "kB", "MB", "GB", "TB"],
        "speed_bytes": 1_000,
        "speed_units": ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"],
    })
}
