//! The daemon: what it is, how it does, its settings and tokens.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::Json;
use super::problem::Problem;
use super::server::Shared;
use crate::control::{NewToken, Settings, SettingsPatch, StatsView, TokenInfo};

/// What answers here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct About {
    /// The program.
    name: &'static str,
    /// Its version.
    version: &'static str,
    /// Where the description of the API is.
    openapi: &'static str,
}

/// What answers here.
#[utoipa::path(get, path = "/api/v1", tag = "daemon", responses((status = 200, description = "Name and version", body = About)))]
pub(super) async fn about() -> Json<About> {
    Json(About {
        name: "tailwater",
        version: env!("CARGO_PKG_VERSION"),
        openapi: "/api/v1/openapi.json",
    })
}

/// The settings that can be changed while the daemon runs.
#[utoipa::path(get, path = "/api/v1/settings", tag = "daemon", responses((status = 200, description = "The settings", body = Settings)))]
pub(super) async fn settings(State(shared): State<Arc<Shared>>) -> Json<Settings> {
    Json(shared.control.settings())
}

/// Changes settings; what is missing stays.
#[utoipa::path(patch, path = "/api/v1/settings", tag = "daemon", request_body(content = SettingsPatch, example = json!({"download_limit": 5_242_880, "alternative_mode": "schedule", "alternative_download_limit": 1_048_576, "schedule": [{"days": ["mon", "fri"], "from": "08:00", "to": "17:30"}]})),
    responses(
        (status = 200, description = "The settings as they are now", body = Settings),
        (status = 422, description = "A value makes no sense; nothing was changed", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn set_settings(
    State(shared): State<Arc<Shared>>,
    Json(patch): Json<SettingsPatch>,
) -> Result<Json<Settings>, Problem> {
    Ok(Json(shared.control.set_settings(patch).await?))
}

/// The daemon's figures.
#[utoipa::path(get, path = "/api/v1/stats", tag = "daemon", responses((status = 200, description = "The figures", body = StatsView)))]
pub(super) async fn stats(State(shared): State<Arc<Shared>>) -> Json<StatsView> {
    Json(shared.control.stats())
}

/// The tokens, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "daemon", responses((status = 200, description = "The tokens", body = Vec<TokenInfo>)))]
pub(super) async fn tokens(
    State(shared): State<Arc<Shared>>,
) -> Result<Json<Vec<TokenInfo>>, Problem> {
    Ok(Json(shared.control.tokens().list().await?))
}

/// A token to make.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenName {
    /// What to call it.
    name: String,
    /// Whether it may only read.
    #[serde(default)]
    is_read_only: bool,
}

/// Makes a token. The answer has its secret, which is never shown again.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "daemon", request_body(content = TokenName, example = json!({"name": "phone", "is_read_only": true})),
    responses(
        (status = 201, description = "The token", body = NewToken),
        (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn add_token(
    State(shared): State<Arc<Shared>>,
    Json(TokenName { name, is_read_only }): Json<TokenName>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let token = shared.control.tokens().add(&name, is_read_only).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// Deletes a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "daemon", params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 404, description = "There is none", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn remove_token(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let was_there = shared.control.tokens().remove(&name).await?;
    let missing = || Problem::missing("no-such-token", "there is no token of this name");
    was_there
        .then_some(StatusCode::NO_CONTENT)
        .ok_or_else(missing)
}

/// Whether the process lives.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Whether every torrent that was saved has been started.
pub(super) async fn readiness(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match shared.control.is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
    }
}
