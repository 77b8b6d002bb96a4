//! The files of torrents, for players.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC};

use super::access::RequestedHost;
use super::input::{Id, TorrentPath};
use super::problem::Problem;
use super::server::Shared;
use crate::compat::basic;
use crate::control::TorrentId;
use crate::stream::Client;

/// What stands before the info-hash.
const PREFIX: &str = "/stream/";

/// A file by its index, with ranges; the playlist; subtitles.
#[utoipa::path(get, path = "/stream/{id}/{file}", tag = "stream",
    params(("id" = String, Path, description = "Info-hash"), ("file" = String, Path, description = "INDEX, INDEX/NAME, or playlist.m3u")),
    responses(
        (status = 200, description = "The file", content_type = "application/octet-stream"),
        (status = 206, description = "A part of it"),
        (status = 409, description = "The metadata is not known yet", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn stream(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let rest = parts.uri.path().strip_prefix(PREFIX);
    // Behind the info-hash, as it was written: the name of a file is compared undecoded.
    let path = rest.and_then(|rest| rest.find('/').map(|slash| rest[slash..].to_owned()));
    let path = path.ok_or_else(Problem::no_route)?;
    // The buffer has an address of its own.
    if path == "/stats" {
        return Err(Problem::no_route());
    }
    answer(&shared, id, &path, parts).await
}

/// The live picture of a torrent's buffer: pieces, readers, memory.
#[utoipa::path(get, path = "/api/v1/torrents/{id}/buffer", tag = "parts", params(TorrentPath),
    responses((status = 200, description = "Pieces, readers, memory", content_type = "application/json")))]
pub(super) async fn buffer(
    State(shared): State<Arc<Shared>>,
    Id(id): Id,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    answer(&shared, id, "/stats", parts).await
}

async fn answer(
    shared: &Shared,
    id: TorrentId,
    path: &str,
    parts: Parts,
) -> Result<Response, Problem> {
    let torrent = shared.control.handle(id).await?;
    let missing = || Problem::system("no connection");
    let client = parts.extensions.get::<Arc<Client>>().cloned();
    let client = client.ok_or_else(missing)?;
    let host = parts.extensions.get::<RequestedHost>().cloned();
    let RequestedHost(host) = host.ok_or_else(missing)?;
    let scheme = if shared.is_tls { "https" } else { "http" };
    let own = credentials(&parts.headers);
    let base = format!("{scheme}://{own}{host}{PREFIX}{id}");
    let response = shared
        .mount
        .answer(torrent, path, &base, parts, &client)
        .await;
    Ok(response.map(Body::new))
}

/// What a player that gave a name and a password needs in the URLs of its playlist: many do not send it with them otherwise.
fn credentials(headers: &HeaderMap) -> String {
    let given = headers.get(AUTHORIZATION).and_then(basic);
    given.map_or_else(String::new, |(name, password)| {
        let encode = |text| percent_encoding::utf8_percent_encode(text, UNRESERVED).to_string();
        format!("{}:{}@", encode(&name), encode(&password))
    })
}

/// What stands for itself in every part of a URL.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
