//! Who may ask: requests that name us, that no foreign web page sent, with a password where one is needed, and with the id of
//! the session, which a web page cannot read.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use data_encoding::BASE64;

use super::server::Shared;
use crate::control::{Access, TokenError};
use crate::stream::{Client, check_origin, requested_host};

/// The header with the id of the session.
pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("x-transmission-session-id");
/// The header that tells clients that JSON-RPC is spoken.
const RPC_VERSION: HeaderName = HeaderName::from_static("x-transmission-rpc-version");
/// The version of the protocol.
pub(super) const SEMVER: &str = "6.0.0";
/// The longest `Authorization` header that is looked at.
const MAX_AUTHORIZATION_LEN: usize = 1_024;

/// Lets a request through whose caller may ask.
///
/// # Errors
///
/// The answer to one who may not.
pub(super) async fn admit(shared: &Shared, request: &Parts) -> Result<Access, Response> {
    let refused = requested_host(request, &shared.hosts).and_then(|_| check_origin(request));
    if let Err(refused) = refused {
        return Err(text(refused.status(), refused.reason()));
    }
    let Some(header) = request.headers.get(AUTHORIZATION) else {
        return match shared.requires_password {
            true => Err(unauthorized("a user name and a password are needed")),
            false => Ok(Access::Full),
        };
    };
    let Some(password) = password(header) else {
        return Err(unauthorized("the Authorization header is not Basic"));
    };
    let checked = shared
        .control
        .tokens()
        .check(&password, from(request))
        .await;
    checked.map_err(|error| match error {
        TokenError::Wrong => unauthorized("the password is wrong"),
        TokenError::TooMany(wait) => {
            let mut response = text(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            response
        }
        error => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    })
}

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

/// The password of `Basic`; the name may be any.
fn password(header: &HeaderValue) -> Option<String> {
    let text = header.to_str().ok()?;
    if text.len() > MAX_AUTHORIZATION_LEN {
        return None;
    }
    let (scheme, value) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(value.trim().as_bytes()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(password.to_owned())
}

/// The address group of the client.
fn from(request: &Parts) -> IpAddr {
    let client = request.extensions.get::<Arc<Client>>();
    // Every connection has one.
    client.map_or([0, 0, 0, 0].into(), |client| client.group().addr())
}

fn unauthorized(reason: &str) -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, reason);
    let basic = HeaderValue::from_static("Basic realm=\"tailwater\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    response
}

/// An answer in words.
pub(super) fn text(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
