//! What graphs are drawn from: pieces, and rates in the past.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::{Id, Json, Query, TorrentPath};
use super::problem::Problem;
use super::server::Shared;
use crate::control::{PiecesView, RateStep, RatesView};

/// Which samples.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Samples {
    /// Seconds from one sample to the next: 1 for the last five minutes, 10 for the last hour; 60 for the last day, of all
    /// torrents together alone. Default: 1.
    step: RateStep,
}

/// The pieces of a torrent.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/pieces", tag = "parts", params(TorrentPath),
    responses(
        (status = 200, description = "What is held, what is fetched, and what peers have", body = PiecesView),
        (status = 409, description = "The metadata is not known yet, or the files are being checked", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn pieces(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
) -> Result<Json<PiecesView>, Problem> {
    Ok(Json(shared.control.pieces(id).await?))
}

/// The rates of a torrent in the past.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/rates", tag = "parts",
    params(TorrentPath, Samples),
    responses(
        (status = 200, description = "Samples", body = RatesView),
        (status = 422, description = "Torrents have no such samples", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn torrent_rates(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    Query(Samples { step }): Query<Samples>,
) -> Result<Json<RatesView>, Problem> {
    Ok(Json(shared.control.torrent_rates(id, step)?))
}

/// The rates of all torrents together in the past.
#[utoipa::path(get, path = "/api/v1/stats/rates", tag = "daemon", params(Samples),
    responses((status = 200, description = "Samples", body = RatesView)))]
pub(super) async fn rates(
    State(shared): State<Arc<Shared>>,
    Query(Samples { step }): Query<Samples>,
) -> Json<RatesView> {
    Json(shared.control.rates(step))
}
