//! Small answers.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use serde::Serialize;

use super::refused::Refused;

/// 200, and nothing.
pub(super) fn empty() -> Response<Body> {
    Response::new(Body::empty())
}

/// Some text of a type.
pub(super) fn text(content_type: &'static str, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// What is JSON already.
pub(super) fn json(json: impl Into<Body>) -> Response<Body> {
    text("application/json; charset=utf-8", json)
}

/// A value as JSON.
pub(super) fn json_of(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string(value) {
        Ok(text) => json(text),
        Err(error) => refused(&Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error.to_string(),
        )),
    }
}

/// Why a request is not done, in words.
pub(super) fn refused(refused: &Refused) -> Response<Body> {
    let mut response = text("text/plain; charset=utf-8", format!("{}\n", refused.reason));
    *response.status_mut() = refused.status;
    response
}
