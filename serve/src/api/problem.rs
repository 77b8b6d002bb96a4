//! Errors as problem documents (RFC 9457).

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::store::StoreError;
use crate::control::{ControlError, TokenError};

/// What stands before the name of a problem in its type.
const TYPE: &str = "urn:tailwater:problem:";

/// A problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// Which problem: a URN that does not change.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in words.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What is wrong with this request.
    pub detail: String,
    #[serde(skip)]
    retry_after: Option<u64>,
}

impl Problem {
    /// `name` is the end of its type.
    pub(super) fn new(status: StatusCode, name: &str, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            kind: format!("{TYPE}{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// 400: the request makes no sense.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    }

    /// 422: it can be read, and makes no sense.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    /// 404: what a path names is not there.
    pub(super) fn missing(name: &str, detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, name, detail)
    }

    /// 500: it is our fault, or the machine's.
    pub(super) fn system(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "system", detail)
    }

    /// 404: no such address.
    pub(super) fn no_route() -> Self {
        let detail = "there is nothing at this address; /api/v1/openapi.json has all that there is";
        Self::new(StatusCode::NOT_FOUND, "no-such-address", detail)
    }

    /// 405.
    pub(super) fn wrong_method() -> Self {
        let detail =
            "this address does not know the method; the header Allow has those that it knows";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail)
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        let detail = error.to_string();
        let (status, name) = match error {
            ControlError::NotFound(_) => (StatusCode::NOT_FOUND, "no-such-torrent"),
            ControlError::Duplicate(_) => (StatusCode::CONFLICT, "duplicate-torrent"),
            ControlError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            ControlError::Folder(_) => (StatusCode::FORBIDDEN, "folder-not-allowed"),
            ControlError::Conflict(_) => (StatusCode::CONFLICT, "not-now"),
            ControlError::Fetch { .. } => (StatusCode::BAD_GATEWAY, "fetch-failed"),
            ControlError::Store(StoreError::Full { .. }) => {
                (StatusCode::INSUFFICIENT_STORAGE, "disk-full")
            }
            ControlError::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "database-failed"),
            ControlError::TooMany(_) => (StatusCode::CONFLICT, "too-many-torrents"),
            ControlError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "ending"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "torrent-failed"),
        };
        Self::new(status, name, detail)
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let detail = error.to_string();
        match error {
            TokenError::Wrong => Self::new(StatusCode::UNAUTHORIZED, "wrong-token", detail),
            TokenError::TooMany(wait) => Self {
                retry_after: Some(wait.as_secs().max(1)),
                ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-failures", detail)
            },
            TokenError::NameTaken(_) => Self::new(StatusCode::CONFLICT, "name-taken", detail),
            TokenError::Name | TokenError::Full => Self::invalid(detail),
            TokenError::Store(error) => ControlError::from(error).into(),
            TokenError::System(_) => Self::system(detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A struct of texts and numbers can be written as JSON.
        let json = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, json);
        if status == StatusCode::UNAUTHORIZED {
            // A browser asks its user for the second: any name, and the token for a password.
            for way in ["Bearer realm=\"tailwater\"", "Basic realm=\"tailwater\""] {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(way));
            }
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
