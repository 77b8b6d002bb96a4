//! Rates of all torrents, and their limits.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::limits::rate;
use super::{Answer, Outcome, absent, nothing};
use crate::control::{AlternativeMode, SettingsPatch, StatsView};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

pub(super) async fn run(shared: &Shared, name: &str, params: &Params) -> Outcome {
    let stats = shared.control.stats();
    let number = |number: u64| Ok(Answer::Text(number.to_string()));
    match name {
        "transfer/info" => {
            let nodes = shared.control.dht_nodes().await;
            Ok(Answer::Json(Value::Object(info(&stats, nodes))))
        }
        "transfer/downloadLimit" => number(stats.download_limit.unwrap_or(0)),
        "transfer/uploadLimit" => number(stats.upload_limit.unwrap_or(0)),
        "transfer/speedLimitsMode" => number(stats.are_limits_alternative.into()),
        "transfer/setDownloadLimit" | "transfer/setUploadLimit" => {
            params.need(["limit"])?;
            let patch = limits(
                name == "transfer/setDownloadLimit",
                rate(params, "limit"),
                &stats,
            );
            shared.control.set_settings(patch).await?;
            nothing()
        }
        "transfer/toggleSpeedLimitsMode" => {
            alternative(shared, !stats.are_limits_alternative).await
        }
        "transfer/setSpeedLimitsMode" => {
            params.need(["mode"])?;
            let mode = params.int("mode");
            let mode = mode.ok_or_else(|| Failure::params("'mode': invalid argument"))?;
            alternative(shared, mode != 0).await
        }
        "transfer/banPeers" => ban(shared, params).await,
        _ => absent::run(name),
    }
}

/// Addresses with ports, of which the ports do not matter; what is none is passed over, as in the original.
async fn ban(shared: &Shared, params: &Params) -> Outcome {
    let [named] = params.need(["peers"])?;
    let addrs = named.split('|').filter_map(|it| {
        let addr: SocketAddr = it.trim().parse().ok()?;
        Some(addr.ip())
    });
    shared.control.ban(addrs.collect()).await?;
    nothing()
}

/// The limit that holds now is changed.
fn limits(is_download: bool, limit: Option<u64>, stats: &StatsView) -> SettingsPatch {
    let mut patch = SettingsPatch::default();
    let place = match (is_download, stats.are_limits_alternative) {
        (true, false) => &mut patch.download_limit,
        (true, true) => &mut patch.alternative_download_limit,
        (false, false) => &mut patch.upload_limit,
        (false, true) => &mut patch.alternative_upload_limit,
    };
    *place = Some(limit);
    patch
}

async fn alternative(shared: &Shared, holds: bool) -> Outcome {
    let patch = SettingsPatch {
        alternative_mode: Some(match holds {
            true => AlternativeMode::On,
            false => AlternativeMode::Off,
        }),
        ..SettingsPatch::default()
    };
    shared.control.set_settings(patch).await?;
    nothing()
}

/// The figures that `sync/maindata` has too.
pub(in crate::qbittorrent) fn info(stats: &StatsView, dht_nodes: usize) -> Map<String, Value> {
    let info = json!({
        "connection_status": match (&stats.listen_addr, stats.peers) {
            (None, _) => "disconnected",
            // Whether someone could connect to us is not known.
            (Some(_), 0) => "firewalled",
            _ => "connected",
        },
        "dht_nodes": dht_nodes,
        "dl_info_data": stats.downloaded,
        "dl_info_speed": stats.down_rate,
        "dl_rate_limit": stats.download_limit.unwrap_or(0),
        "last_external_address_v4": "",
        "last_external_address_v6": "",
        "up_info_data": stats.uploaded,
        "up_info_speed": stats.up_rate,
        "up_rate_limit": stats.upload_limit.unwrap_or(0),
    });
    match info {
        Value::Object(info) => info,
        _ => Map::new(),
    }
}
