//! Files, peers, trackers and web seeds of a torrent.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{Id, Json, JsonArray, TorrentPath};
use super::problem::Problem;
use super::server::Shared;
use crate::control::{FileChange, FileView, PeerView, TrackerView, WebSeedView};

/// The files of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/files", tag = "parts", params(TorrentPath),
    responses(
        (status = 200, description = "All files, by index", body = Vec<FileView>),
        (status = 409, description = "The metadata is not known yet", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn files(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Vec<FileView>>, Problem> {
    Ok(Json(shared.control.files(id).await?))
}

/// Changes how much files are wanted; those that are not named stay as they are.
#[utoipa::path(patch, path = "/api/v1/torrents/{id}/files", tag = "parts", params(TorrentPath),
    request_body(content = Vec<FileChange>, example = json!([{"index": 0, "priority": "high"}])),
    responses(
        (status = 200, description = "The files as they are now", body = Vec<FileView>),
        (status = 422, description = "There is no such file; nothing was changed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn set_files(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    JsonArray(changes): JsonArray<FileChange>,
) -> Result<Json<Vec<FileView>>, Problem> {
    shared.control.set_files(id, changes).await?;
    Ok(Json(shared.control.files(id).await?))
}

/// The connected peers of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/peers", tag = "parts", params(TorrentPath),
    responses((status = 200, description = "The peers", body = Vec<PeerView>)))]
pub(super) async fn peers(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Vec<PeerView>>, Problem> {
    Ok(Json(shared.control.peers(id).await?))
}

/// Addresses of peers.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Peers {
    /// Addresses with ports: 192.0.2.1:6881.
    #[schema(value_type = Vec<String>)]
    peers: Vec<SocketAddr>,
}

/// Connects to peers.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/peers", tag = "parts", params(TorrentPath),
    request_body(content = Peers, example = json!({"peers": ["192.0.2.1:6881"]})), responses((status = 202, description = "They will be tried")))]
pub(super) async fn add_peers(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Json(Peers { peers }): Json<Peers>,
) -> Result<StatusCode, Problem> {
    shared.control.add_peers(id, peers).await?;
    Ok(StatusCode::ACCEPTED)
}

/// The trackers of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/trackers", tag = "parts", params(TorrentPath),
    responses((status = 200, description = "The trackers, by tier", body = Vec<TrackerView>)))]
pub(super) async fn trackers(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Vec<TrackerView>>, Problem> {
    Ok(Json(shared.control.trackers(id)?))
}

/// Trackers, by tier.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tiers {
    /// Announce URLs.
    tiers: Vec<Vec<String>>,
}

/// Replaces the trackers of a torrent.
#[utoipa::path(put, path = "/api/v1/torrents/{id}/trackers", tag = "parts", params(TorrentPath),
    request_body(content = Tiers, example = json!({"tiers": [["http://tracker.example/announce"]]})),
    responses(
        (status = 200, description = "The trackers as they are now", body = Vec<TrackerView>),
        (status = 422, description = "A URL is not that of a tracker; nothing was changed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn set_trackers(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Json(Tiers { tiers }): Json<Tiers>,
) -> Result<Json<Vec<TrackerView>>, Problem> {
    shared.control.set_trackers(id, tiers).await?;
    Ok(Json(shared.control.trackers(id)?))
}

/// The web seeds of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/web-seeds", tag = "parts", params(TorrentPath),
    responses((status = 200, description = "The web seeds", body = Vec<WebSeedView>)))]
pub(super) async fn web_seeds(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<Vec<WebSeedView>>, Problem> {
    Ok(Json(shared.control.web_seeds(id)?))
}
