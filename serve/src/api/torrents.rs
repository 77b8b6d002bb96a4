//! One torrent: shown, changed, removed.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::input::{Id, Json, Query, TorrentPath};
use super::problem::Problem;
use super::server::Shared;
use crate::control::{TorrentPatch, TorrentView};

/// A folder.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Folder {
    /// Relative to the data folder, or below one that the daemon was given.
    folder: String,
}

/// Another name for a file or a folder of a torrent.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Renaming {
    /// Its path, from the name of the torrent on, with `/` between its parts.
    path: String,
    /// The new last part of that.
    name: String,
}

/// How a torrent is removed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Removal {
    /// Delete its files too.
    delete_files: bool,
}

/// A torrent, with all its fields.
#[utoipa::path(get, path = "/api/v1/torrents/{id}", tag = "torrents", params(TorrentPath),
    responses(
        (status = 200, description = "The torrent", body = TorrentView),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<TorrentView>, Problem> {
    Ok(Json(shared.control.torrent(id)?))
}

/// Changes labels, limits and the like; what is missing stays.
#[utoipa::path(patch, path = "/api/v1/torrents/{id}", tag = "torrents", params(TorrentPath),
    request_body(content = TorrentPatch, example = json!({"labels": ["linux"], "upload_limit": 1_048_576, "ratio_limit": "none", "queue_position": 1})),
    responses(
        (status = 200, description = "The torrent as it is now", body = TorrentView),
        (status = 422, description = "A value makes no sense; nothing was changed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn change(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Json(patch): Json<TorrentPatch>,
) -> Result<Json<TorrentView>, Problem> {
    shared.control.patch(id, patch).await?;
    Ok(Json(shared.control.torrent(id)?))
}

/// Removes a torrent.
#[utoipa::path(delete, path = "/api/v1/torrents/{id}", tag = "torrents",
    params(TorrentPath, Removal),
    responses(
        (status = 200, description = "It is removed, and some files stay", body = Removed),
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Query(removal): Query<Removal>,
) -> Result<Response, Problem> {
    let left = shared.control.remove_and_say(id, removal.delete_files);
    let left = left.await?.into_iter();
    let left: Vec<_> = left.map(|file| file.to_string_lossy().into()).collect();
    Ok(match left.is_empty() {
        true => StatusCode::NO_CONTENT.into_response(),
        false => Json(Removed { left }).into_response(),
    })
}

/// What a removal left.
#[derive(Serialize, ToSchema)]
pub(super) struct Removed {
    /// Files that were to be deleted and stay, as nothing says that they are the torrent's.
    left: Vec<String>,
}

/// Pauses a torrent.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/pause", tag = "torrents", params(TorrentPath),
    responses((status = 200, description = "The torrent as it is now", body = TorrentView)))]
pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<TorrentView>, Problem> {
    shared.control.pause(id).await?;
    Ok(Json(shared.control.torrent(id)?))
}

/// Has a torrent go on, or try again after an error.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/resume", tag = "torrents", params(TorrentPath),
    responses((status = 200, description = "The torrent as it is now", body = TorrentView)))]
pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<TorrentView>, Problem> {
    shared.control.resume(id).await?;
    Ok(Json(shared.control.torrent(id)?))
}

/// Begins to check the files of a torrent.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/recheck", tag = "torrents", params(TorrentPath),
    responses(
        (status = 202, description = "It has begun; the events tell its end"),
        (status = 409, description = "The metadata is not known yet", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn recheck(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    shared.control.recheck(id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Asks the trackers for peers, as soon as they allow.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/reannounce", tag = "torrents", params(TorrentPath),
    responses((status = 202, description = "It will be done")))]
pub(super) async fn reannounce(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    shared.control.reannounce(id)?;
    Ok(StatusCode::ACCEPTED)
}

/// Renames a file or a folder of a torrent, also on the disk; peers know it as before.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/rename", tag = "torrents", params(TorrentPath),
    request_body(content = Renaming, example = json!({"path": "film.mp4", "name": "movie.mp4"})),
    responses(
        (status = 204, description = "It has the name"),
        (status = 409, description = "The torrent is busy", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such file or folder, or the name cannot be one or is taken; nothing was changed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn rename(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Json(Renaming { path, name }): Json<Renaming>,
) -> Result<StatusCode, Problem> {
    shared.control.rename(id, path, name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to move the files of a torrent to another folder.
#[utoipa::path(post, path = "/api/v1/torrents/{id}/move", tag = "torrents", params(TorrentPath),
    request_body(content = Folder, example = json!({"folder": "films/new"})),
    responses(
        (status = 202, description = "It has begun; the events tell its end"),
        (status = 403, description = "The folder may not be used", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn move_to(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Json(Folder { folder }): Json<Folder>,
) -> Result<StatusCode, Problem> {
    shared.control.move_to(id, folder.into()).await?;
    Ok(StatusCode::ACCEPTED)
}
