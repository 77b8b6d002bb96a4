//! What is in a torrent, before it is added.

use std::sync::Arc;

use axum::extract::{Request, State};

use super::input::Json;
use super::problem::Problem;
use super::server::Shared;
use super::upload;
use crate::control::Inspection;

/// Says what is in a torrent without adding it.
///
/// The body is that of `POST /torrents`; of its options, `peers` are asked for the metadata of a link. The metadata of a
/// magnet link is waited for up to 60 s; a client that leaves before ends the search.
#[utoipa::path(post, path = "/api/v1/torrents/inspect", tag = "torrents",
    request_body(content((upload::AddBody = "application/json", example = json!({"torrent": "ZDQ6aW5mb2Q2Omxlbmd0aGk1ZTQ6bmFtZTU6aGVsbG8xMjpwaWVjZSBsZW5ndGhpMTYzODRlNjpwaWVjZXMyMDqq9MYd3MXootq+3g87SCzZrqlDTWVl"})), (Vec<u8> = "application/x-bittorrent"))),
    responses(
        (status = 200, description = "What is in it", body = Inspection),
        (status = 422, description = "It cannot be used", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "It could not be fetched", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn inspect(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<Inspection>, Problem> {
    let (source, params) = upload::read(&shared, request).await?;
    // It is never closed.
    let permit = shared.inspections.acquire().await;
    let _permit = permit.map_err(|error| Problem::bad_request(error.to_string()))?;
    let inspection = shared.control.inspect(source, params.peers).await?;
    Ok(Json(inspection))
}
