//! The description of the API (OpenAPI 3.1), made from the code.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::{
    daemon, events, graphs, inspect, labels, list, login, metrics, parts, problem, stream,
    torrents, upload,
};
use crate::control;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "tailwater",
        description = "The API of the tailwater daemon. Times are Unix times in seconds, sizes bytes, rates bytes a second."
    ),
    paths(
        daemon::about,
        login::whoami,
        login::log_in,
        login::log_out,
        metrics::metrics,
        daemon::settings,
        daemon::set_settings,
        daemon::stats,
        daemon::tokens,
        daemon::add_token,
        daemon::remove_token,
        labels::labels,
        labels::set_label,
        labels::remove_label,
        events::events,
        list::list,
        upload::add,
        inspect::inspect,
        torrents::show,
        torrents::change,
        torrents::remove,
        torrents::pause,
        torrents::resume,
        torrents::recheck,
        torrents::reannounce,
        torrents::move_to,
        torrents::rename,
        parts::files,
        parts::set_files,
        parts::peers,
        parts::add_peers,
        parts::trackers,
        parts::set_trackers,
        parts::web_seeds,
        graphs::pieces,
        graphs::torrent_rates,
        graphs::rates,
        stream::stream,
        stream::buffer,
    ),
    components(schemas(
        control::TorrentView,
        control::TorrentState,
        control::FileView,
        control::FilePriority,
        control::PeerView,
        control::TrackerView,
        control::WebSeedView,
        control::StatsView,
        control::Settings,
        control::SettingsPatch,
        control::AlternativeMode,
        control::ScheduleRule,
        control::Day,
        control::LabelView,
        control::LabelOptions,
        control::ReachedLimit,
        control::TorrentPatch,
        control::FileChange,
        control::AddParams,
        control::StorageChoice,
        control::Change,
        control::ChangeKind,
        control::Inspection,
        control::InspectedFile,
        control::PiecesView,
        control::RatesView,
        control::NewToken,
        control::TokenInfo,
        problem::Problem,
    ))
)]
struct Api;

/// The text of the description: the same for the life of the process.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut api = Api::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    // A description of texts and numbers can be written as JSON.
    let mut api = serde_json::to_value(&api).unwrap_or_default();
    describe_lists(&mut api);
    api.to_string()
});

/// Torrents of lists have the fields that were asked for: none has to be there.
fn describe_lists(api: &mut Value) {
    let Some(schemas) = api.pointer_mut("/components/schemas") else {
        return;
    };
    let mut some = schemas["TorrentView"].clone();
    if let Some(some) = some.as_object_mut() {
        some.remove("required");
        let text = "A torrent with the fields that were asked for; see `TorrentView`.";
        some.insert("description".to_owned(), text.into());
    }
    schemas["TorrentFields"] = some;
    if let Some(items) = schemas.pointer_mut("/TorrentList/properties/torrents/items") {
        *items = json!({ "$ref": "#/components/schemas/TorrentFields" });
    }
}

/// The description, as JSON.
#[must_use]
pub fn document() -> &'static str {
    TEXT.as_str()
}

/// The description.
pub(super) async fn show() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], document())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::FIELDS;

    #[test]
    fn every_field_of_a_torrent_can_be_asked_for() {
        let api: serde_json::Value = serde_json::from_str(document()).unwrap();
        let described = &api["components"]["schemas"]["TorrentView"]["properties"];
        let described: BTreeSet<&str> = described
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let known: BTreeSet<&str> = FIELDS.iter().copied().collect();
        assert_eq!(described, known);
    }

    #[test]
    fn it_is_a_description_of_3_1_with_every_path() {
        let api: serde_json::Value = serde_json::from_str(document()).unwrap();
        assert_eq!(api["openapi"], "3.1.0");
        let paths = api["paths"].as_object().unwrap();
        for path in [
            "/api/v1/torrents",
            "/api/v1/torrents/{id}",
            "/api/v1/events",
            "/stream/{id}/{file}",
        ] {
            assert!(paths.contains_key(path), "{path}");
        }
    }
}
