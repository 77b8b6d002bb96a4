//! What clients are told of the server. It cannot be changed from here.

use serde_json::{Value, json};

use crate::control::{Settings, StatsView};

/// What a client is told of the version.
const VERSION: &str = "4.20.8";

/// The settings. `base` is where the server is.
pub(super) fn shown(stats: &StatsView, settings: &Settings, base: &str) -> Value {
    let unlimited = 0;
    let limit = settings.download_limit.unwrap_or(unlimited);
    json!({
        "options": [],
        "values": {
            "serverVersion": VERSION,
            // No folder of this machine is named to pages.
            "appPath": "",
            "cacheRoot": "",
            "cacheSize": stats.memory_budget,
            "proxyStreamsEnabled": false,
            "btMaxConnections": settings.max_peers,
            "btHandshakeTimeout": 10_000,
            "btRequestTimeout": 10_000,
            "btDownloadSpeedSoftLimit": limit,
            "btDownloadSpeedHardLimit": limit,
            "btMinPeersForStable": 5,
            "remoteHttps": "",
            "localAddonEnabled": false,
            "transcodeHorsepower": 0,
            "transcodeMaxBitRate": 0,
            "transcodeConcurrency": 0,
            "transcodeTrackConcurrency": 0,
            "transcodeHardwareAccel": false,
            "transcodeProfile": null,
            "allTranscodeProfiles": [],
            "transcodeMaxWidth": 0,
        },
        "baseUrl": base,
    })
}
