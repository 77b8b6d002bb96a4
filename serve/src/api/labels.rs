//! Labels: folders and limits for the torrents that have them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::input::Json;
use super::problem::Problem;
use super::server::Shared;
use crate::control::{LabelOptions, LabelView};

/// All labels: those of torrents, and those with options.
#[utoipa::path(get, path = "/api/v1/labels", tag = "labels", responses((status = 200, description = "The labels, by name", body = Vec<LabelView>)))]
pub(super) async fn labels(State(shared): State<Arc<Shared>>) -> Json<Vec<LabelView>> {
    Json(shared.control.labels())
}

/// Replaces the options of a label, which is made if need be. Torrents stay where they are.
#[utoipa::path(put, path = "/api/v1/labels/{name}", tag = "labels", params(("name" = String, Path, description = "Its name")),
    request_body(content = LabelOptions, example = json!({"folder": "films", "completed_folder": "films/done", "ratio_limit": 2.0, "idle_limit": "none"})),
    responses(
        (status = 204, description = "They hold from now on"),
        (status = 403, description = "A folder may not be used", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A value makes no sense; nothing was changed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn set_label(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
    Json(options): Json<LabelOptions>,
) -> Result<StatusCode, Problem> {
    shared.control.set_label(name, options).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a label, of torrents too.
#[utoipa::path(delete, path = "/api/v1/labels/{name}", tag = "labels", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn remove_label(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let was_there = shared.control.remove_label(name).await?;
    let missing = || Problem::missing("no-such-label", "there is no label of this name");
    was_there
        .then_some(StatusCode::NO_CONTENT)
        .ok_or_else(missing)
}
