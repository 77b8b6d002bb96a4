//! `/settings`: the keys of TorrServer's settings. Most of them are options of the command line here, and shown as they are.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::Body;
use super::refused::Refused;
use crate::control::{Control, Settings as OfDaemon, SettingsPatch, StatsView};

/// The name under which they are kept.
const KEPT: &str = "torrserver.settings";
/// Bytes of a kilobyte, in rates.
const KILO: u64 = 1_024;
/// What is preloaded by default, in bytes, unless that is more than half of the memory.
const PRELOAD: u64 = 32 * 1_024 * 1_024;
/// The longest time for which a torrent stays that no one needs, in seconds.
const MAX_TIMEOUT: i64 = 24 * 3_600;

/// What clients are told of the daemon that cannot change while it runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Fixed {
    /// The DHT is used.
    pub dht: bool,
    /// Peers are looked for on the local network.
    pub local_discovery: bool,
    /// The gateway is asked to map the port.
    pub port_mapping: bool,
    /// Peers are connected to over uTP too.
    pub utp: bool,
    /// Peers are connected to over TCP too.
    pub tcp: bool,
    /// Connections to peers have to be encrypted.
    pub requires_encryption: bool,
}

/// What is kept for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    /// How much of the memory is preloaded, in percent; none for the default.
    preload: Option<u64>,
    /// How long a torrent stays that no one needs, in seconds.
    timeout: u64,
    /// The second at which a file was left is kept.
    keeps_time: bool,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            preload: None,
            timeout: crate::on_demand::DEFAULT_IDLE.as_secs(),
            keeps_time: false,
        }
    }
}

/// The settings that clients see and change.
pub(super) struct Settings {
    fixed: Fixed,
    kept: Mutex<Kept>,
    /// Held while they are changed.
    changing: tokio::sync::Mutex<()>,
}

impl Settings {
    /// Those of a daemon that is as it says.
    pub(super) fn new(fixed: Fixed) -> Self {
        Self {
            fixed,
            kept: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Reads what is kept with the daemon.
    pub(super) async fn load(&self, control: &Control) -> Result<(), Refused> {
        let kept = control.kept(KEPT).await?;
        let kept = kept.and_then(|text| serde_json::from_str(&text).ok());
        *self.kept.lock() = kept.unwrap_or_default();
        Ok(())
    }

    /// How long a torrent stays that no one needs.
    pub(super) fn timeout(&self) -> std::time::Duration {
        std::time::Duration::from_secs(self.kept.lock().timeout)
    }

    /// Whether the second at which a file was left is kept.
    pub(super) fn keeps_time(&self) -> bool {
        self.kept.lock().keeps_time
    }

    /// How many bytes are preloaded of a memory of so many.
    pub(super) fn preload_size(&self, memory: u64) -> u64 {
        percent(memory, self.kept.lock().preload(memory))
    }

    /// All of them, as clients know them.
    pub(super) fn show(&self, control: &Control) -> Value {
        let (kept, stats) = (*self.kept.lock(), control.stats());
        shown(&self.fixed, kept, &control.settings(), &stats)
    }

    /// Changes what can be changed; the rest is checked and passed over.
    pub(super) async fn set(&self, control: &Control, body: &Body) -> Result<(), Refused> {
        let sets = body.object("sets")?;
        let sets = sets.ok_or_else(|| Refused::bad("sets is missing"))?;
        check(&sets)?;
        let _changing = self.changing.lock().await;
        let patch = rates(&sets, &control.settings())?;
        control.set_settings(patch).await?;
        let kept = self.kept.lock().with(&sets)?;
        self.keep(control, kept).await
    }

    /// Takes back what was changed here; rate limits are the daemon's, and stay.
    pub(super) async fn reset(&self, control: &Control) -> Result<(), Refused> {
        let _changing = self.changing.lock().await;
        self.keep(control, Kept::default()).await
    }

    async fn keep(&self, control: &Control, kept: Kept) -> Result<(), Refused> {
        *self.kept.lock() = kept;
        let json = serde_json::to_string(&kept).map_err(|error| Refused::bad(error.to_string()))?;
        Ok(control.keep(KEPT, json).await?)
    }
}

impl Kept {
    /// Percent of the memory.
    fn preload(self, memory: u64) -> u64 {
        let usual = PRELOAD.saturating_mul(100).div_ceil(memory.max(1));
        self.preload.unwrap_or_else(|| usual.clamp(1, 50))
    }

    fn with(mut self, sets: &Body) -> Result<Self, Refused> {
        if let Some(percent) = sets.int("preloadcache")? {
            self.preload = Some(u64::try_from(percent.clamp(0, 100)).unwrap_or(0));
        }
        if let Some(seconds) = sets.int("torrentdisconnecttimeout")? {
            // 0 means the default, as there.
            let seconds = match seconds {
                0 => None,
                seconds => u64::try_from(seconds.clamp(1, MAX_TIMEOUT)).ok(),
            };
            self.timeout = seconds.unwrap_or(Self::default().timeout);
        }
        if let Some(keeps) = sets.flag("tracktimecode")? {
            self.keeps_time = keeps;
        }
        Ok(self)
    }
}

fn percent(of: u64, percent: u64) -> u64 {
    of / 100 * percent.min(100)
}

/// Rate limits are the daemon's: those that differ from what is shown are changed.
fn rates(sets: &Body, now: &OfDaemon) -> Result<SettingsPatch, Refused> {
    let limit = |name: &str, now: Option<u64>| {
        let kilo = sets.int(name)?;
        let kilo = kilo.map(|kilo| u64::try_from(kilo).unwrap_or(0));
        let changed = kilo.filter(|kilo| *kilo != shown_rate(now));
        Ok::<_, Refused>(changed.map(|kilo| match kilo.saturating_mul(KILO) {
            0 => None,
            rate => Some(rate),
        }))
    };
    Ok(SettingsPatch {
        download_limit: limit("downloadratelimit", now.download_limit)?,
        upload_limit: limit("uploadratelimit", now.upload_limit)?,
        ..SettingsPatch::default()
    })
}

/// Kilobytes a second, at least one; 0 is no limit.
fn shown_rate(limit: Option<u64>) -> u64 {
    limit.map_or(0, |rate| (rate / KILO).max(1))
}

/// The types of those that are passed over.
fn check(sets: &Body) -> Result<(), Refused> {
    for name in [
        "cachesize",
        "readerreadahead",
        "retrackersmode",
        "connectionslimit",
        "peerslistenport",
        "sslport",
    ] {
        sets.int(name)?;
    }
    for name in [
        "usedisk",
        "removecacheondrop",
        "forceencrypt",
        "enabledebug",
        "enabledlna",
        "enablebonjour",
        "enablerutorsearch",
        "enabletorznabsearch",
        "enableipv6",
        "disabletcp",
        "disableutp",
        "disableupnp",
        "disabledht",
        "disablepex",
        "disableupload",
        "enablelpd",
        "lpdipv6",
        "responsivemode",
        "showfsactivetorr",
        "storesettingsinjson",
        "storeviewedinjson",
    ] {
        sets.flag(name)?;
    }
    for name in ["torrentssavepath", "friendlyname", "sslcert", "sslkey"] {
        sets.text(name)?;
    }
    Ok(())
}

fn shown(fixed: &Fixed, kept: Kept, settings: &OfDaemon, stats: &StatsView) -> Value {
    let port = stats.listen_addr.as_deref();
    let port = port.and_then(|addr| addr.parse::<std::net::SocketAddr>().ok());
    json!({
        "CacheSize": stats.memory_budget,
        "ReaderReadAHead": 95,
        "PreloadCache": kept.preload(stats.memory_budget),
        "UseDisk": false,
        "TorrentsSavePath": "",
        "RemoveCacheOnDrop": false,
        "ForceEncrypt": fixed.requires_encryption,
        "RetrackersMode": 0,
        "TorrentDisconnectTimeout": kept.timeout,
        "EnableDebug": false,
        "EnableDLNA": false,
        "EnableBonjour": false,
        "FriendlyName": "",
        "EnableRutorSearch": false,
        "EnableTorznabSearch": false,
        "TorznabUrls": [],
        "TMDBSettings": {"APIKey": "", "APIURL": "", "ImageURL": "", "ImageURLRu": ""},
        "EnableIPv6": true,
        "DisableTCP": !fixed.tcp,
        "DisableUTP": !fixed.utp,
        "DisableUPNP": !fixed.port_mapping,
        "DisableDHT": !fixed.dht,
        "DisablePEX": false,
        "DisableUpload": false,
        "DownloadRateLimit": shown_rate(settings.download_limit),
        "UploadRateLimit": shown_rate(settings.upload_limit),
        "ConnectionsLimit": settings.max_peers,
        "PeersListenPort": port.map_or(0, |addr| addr.port()),
        "EnableLPD": fixed.local_discovery,
        "LPDIPv6": fixed.local_discovery,
        "SslPort": 0,
        "SslCert": "",
        "SslKey": "",
        "ResponsiveMode": true,
        "ShowFSActiveTorr": true,
        "StoreSettingsInJson": false,
        "StoreViewedInJson": false,
        "TrackTimecode": kept.keeps_time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(json: &str) -> Body {
        Body::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_kept_is_within_bounds() {
        let kept = |json: &str| Kept::default().with(&sets(json)).unwrap();
        assert_eq!(kept("{}"), Kept::default());
        let changed =
            kept(r#"{"PreloadCache":500,"TorrentDisconnectTimeout":9,"TrackTimecode":true}"#);
        assert_eq!(
            (changed.preload, changed.timeout, changed.keeps_time),
            (Some(100), 9, true)
        );
        assert_eq!(
            kept(r#"{"PreloadCache":-1,"TorrentDisconnectTimeout":-1}"#).timeout,
            1
        );
        assert_eq!(kept(r#"{"TorrentDisconnectTimeout":0}"#).timeout, 30);
        assert!(
            Kept::default()
                .with(&sets(r#"{"PreloadCache":"x"}"#))
                .is_err()
        );
        assert!(check(&sets(r#"{"UseDisk":"yes"}"#)).is_err());
        assert!(
            check(&sets(
                r#"{"CacheSize":67108864,"FriendlyName":"x","Unknown":[]}"#
            ))
            .is_ok()
        );
    }

    #[test]
    fn a_preload_is_never_more_than_half_of_the_memory_unless_it_is_asked_for() {
        let mebi = 1 << 20;
        let size = |memory: u64| percent(memory, Kept::default().preload(memory)) / mebi;
        assert_eq!((size(32 * mebi), size(64 * mebi)), (15, 31));
        assert_eq!(size(256 * mebi), 33);
        assert_eq!(percent(u64::MAX, u64::MAX), u64::MAX / 100 * 100);
        assert_eq!(percent(0, 50), 0);
    }

    #[test]
    fn a_rate_that_is_shown_and_sent_back_stays_as_it_is() {
        let now = OfDaemon {
            download_limit: Some(1_500),
            ..OfDaemon::default()
        };
        let unchanged = rates(
            &sets(r#"{"DownloadRateLimit":1,"UploadRateLimit":0}"#),
            &now,
        );
        assert_eq!(unchanged.unwrap(), SettingsPatch::default());
        let patch = rates(
            &sets(r#"{"DownloadRateLimit":0,"UploadRateLimit":20}"#),
            &now,
        )
        .unwrap();
        assert_eq!(patch.download_limit, Some(None));
        assert_eq!(patch.upload_limit, Some(Some(20 * 1_024)));
    }
}
