//! The id of the session, which a web page cannot read.

use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::server::Shared;
use crate::compat::text;

/// The header with the id of the session.
const SESSION_ID: HeaderName = HeaderName::from_static("x-transmission-session-id");
/// The header that tells clients that JSON-RPC is spoken.
const RPC_VERSION: HeaderName = HeaderName::from_static("x-transmission-rpc-version");
/// Both, for the pages that may read them.
pub(super) const EXPOSED: &str = "x-transmission-session-id, x-transmission-rpc-version";
/// The version of the protocol.
pub(super) const SEMVER: &str = "6.0.0";

/// The answer with the right id, to a request without the id of the session: a foreign page's has none.
pub(super) fn no_session(shared: &Shared, headers: &HeaderMap) -> Option<Response> {
    let named = headers.get(SESSION_ID);
    if named.is_some_and(|named| named.as_bytes() == shared.session_id.as_bytes()) {
        return None;
    }
    let id = &shared.session_id;
    let mut response = text(
        StatusCode::CONFLICT,
        &format!("send the request again with the header X-Transmission-Session-Id: {id}"),
    );
    let headers = response.headers_mut();
    // It has letters and digits alone.
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(SESSION_ID, id);
    }
    headers.insert(RPC_VERSION, HeaderValue::from_static(SEMVER));
    Some(response)
}
