//! Groups of torrents that share rate limits.

use serde_json::{Map, Value, json};

use super::{Outcome, nothing, of};
use crate::control::{GroupOptions, GroupPatch};
use crate::transmission::failure::Failure;
use crate::transmission::params::Params;
use crate::transmission::remembered::{KILO, kilo};
use crate::transmission::server::Shared;

/// The groups that are named, by one name or a list of them; without any, all.
pub(super) fn get(shared: &Shared, params: Params<'_>) -> Map<String, Value> {
    let groups = shared.control.groups().into_iter();
    let groups = groups.filter(|(name, _)| match params.value("group") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(|it| it.as_str() == Some(name)),
        Some(one) => one.as_str() == Some(name),
    });
    let shown: Vec<Value> = groups.map(|(name, group)| shown(&name, group)).collect();
    of("group", shown)
}

fn shown(name: &str, group: GroupOptions) -> Value {
    json!({
        "honors_session_limits": group.keeps_session_limits,
        "name": name,
        "speed_limit_down": kilo(group.download_limit),
        "speed_limit_down_enabled": group.is_download_limited,
        "speed_limit_up": kilo(group.upload_limit),
        "speed_limit_up_enabled": group.is_upload_limited,
    })
}

pub(super) async fn set(shared: &Shared, params: Params<'_>) -> Outcome {
    let name = params.text("name").map(str::trim);
    let name = name.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Failure::params("No group name given"))?;
    shared.control.set_group(name, patch(params)).await?;
    nothing()
}

fn patch(params: Params<'_>) -> GroupPatch {
    let rate = |name: &str| {
        let rate = params.int(name)?;
        Some(u64::try_from(rate).unwrap_or(0).saturating_mul(KILO))
    };
    GroupPatch {
        download_limit: rate("speed_limit_down"),
        is_download_limited: params.flag("speed_limit_down_enabled"),
        upload_limit: rate("speed_limit_up"),
        is_upload_limited: params.flag("speed_limit_up_enabled"),
        keeps_session_limits: params.flag("honors_session_limits"),
    }
}
