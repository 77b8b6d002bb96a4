//! What requests hold, within limits: names, queries, bodies.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::problem::Problem;
use crate::control::TorrentId;

/// The longest body of JSON, in bytes: priorities of some ten thousand files.
pub(super) const MAX_JSON_LEN: usize = 1024 * 1024;
/// How long a client may take for a body.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// The torrent that a path names.
pub(super) struct Id(pub(super) TorrentId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let params = params.map_err(|error| Problem::bad_request(error.to_string()))?;
        let mut named = params.iter().filter(|(name, _)| *name == "id");
        let (_, text) = named.next().ok_or_else(Problem::no_route)?;
        text.parse().map(Self).map_err(|error| {
            Problem::bad_request(format!("the address does not name a torrent: {error}"))
        })
    }
}

/// The same in the description of the API.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it is only described")]
pub(super) struct TorrentPath {
    /// Info-hash
    id: String,
}

/// The query of an address.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        query(parts.uri.query()).map(Self)
    }
}

/// Reads a query.
pub(super) fn query<T: DeserializeOwned>(query: Option<&str>) -> Result<T, Problem> {
    serde_urlencoded::from_str(query.unwrap_or_default())
        .map_err(|error| Problem::bad_request(format!("the query: {error}")))
}

/// A body or an answer of JSON. A body is an object.
pub(super) struct Json<T>(pub(super) T);

/// A body that is an array.
pub(super) struct JsonArray<T>(pub(super) Vec<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        object(&json(request).await?).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonArray<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        parse(&json(request).await?).map(Self)
    }
}

/// The body of a request that has JSON.
async fn json(request: Request) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    // What a form of a foreign page can send without asking is not this.
    if media_type(&parts.headers) != Some("application/json") {
        let detail = "the body must be application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "wrong-type", detail));
    }
    read(&parts.headers, body, MAX_JSON_LEN).await
}

/// Reads an object of JSON. Fields by their order, as serde would take them from an array, are not meant.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        // What is not even JSON is said to be so.
        let _: serde::de::IgnoredAny = parse(bytes)?;
        return Err(Problem::invalid("the body: an object is expected"));
    }
    parse(bytes)
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match written(&self.0) {
            Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
            Err(problem) => problem.into_response(),
        }
    }
}

/// Writes JSON.
pub(super) fn written(value: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::system(error.to_string()))
}

/// Reads JSON.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| match error.is_data() {
        true => Problem::invalid(format!("the body: {error}")),
        false => Problem::bad_request(format!("the body is not JSON: {error}")),
    })
}

/// The type of a body, without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    text.split(';').next().map(str::trim)
}

/// Reads a body.
///
/// # Errors
///
/// 413 when it is longer than `limit`, 408 when it takes too long.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Problem> {
    let too_long = || {
        let detail = format!("the body is longer than {limit} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-long", detail)
    };
    let said = headers.get(CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let reading = Limited::new(body, limit).collect();
    let read = tokio::time::timeout(BODY_WITHIN, reading).await;
    let read = read.map_err(|_| {
        let detail = "the body did not come in time";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail)
    })?;
    match read {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_long()),
        Err(error) => Err(Problem::bad_request(format!("the body: {error}"))),
    }
}
