//! Responses: common headers, and the small responses.

use bytes::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};

use super::body::Body;
use super::page::POLICY;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// `Retry-After` of a client that came too early or exceeded a limit, in seconds.
const RETRY_AFTER_SECONDS: &str = "2";

/// The type of messages for people, and of text without a type of its own.
const PLAIN: &str = "text/plain; charset=utf-8";

/// A response without content, with the security headers of all: no type sniffing, no embedding in another site's page,
/// no referrer for other sites.
pub(crate) fn empty<R>(status: StatusCode) -> Response<Body<R>> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Sets a header whose value was made here.
pub(crate) fn set<R>(
    response: &mut Response<Body<R>>,
    name: HeaderName,
    value: impl TryInto<HeaderValue>,
) {
    // All values are printable ASCII: whatever comes from a torrent has been escaped.
    if let Ok(value) = value.try_into() {
        response.headers_mut().insert(name, value);
    }
}

/// A response of text; for `HEAD` only its headers.
pub(crate) fn text<R>(
    method: &Method,
    status: StatusCode,
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> Response<Body<R>> {
    let text = text.into();
    let mut response = empty(status);
    set(&mut response, CONTENT_TYPE, content_type);
    set(&mut response, CONTENT_LENGTH, text.len().to_string());
    if method != Method::HEAD {
        *response.body_mut() = Body::Text(text);
    }
    response
}

/// The page.
pub(crate) fn page<R>(method: &Method, html: impl Into<Bytes>) -> Response<Body<R>> {
    let mut response = text(method, StatusCode::OK, "text/html; charset=utf-8", html);
    set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
    response
}

/// An error response with a reason for people.
pub(crate) fn error<R>(method: &Method, status: StatusCode, reason: &str) -> Response<Body<R>> {
    text(method, status, PLAIN, format!("{status}: {reason}\n"))
}

/// A JSON response that must not be cached.
pub(crate) fn json<R>(method: &Method, json: impl Into<Bytes>) -> Response<Body<R>> {
    let mut response = text(method, StatusCode::OK, "application/json", json);
    let no_store = HeaderValue::from_static("no-store");
    set(&mut response, CACHE_CONTROL, no_store);
    response
}

/// 404: no such address.
pub(crate) fn not_found<R>(method: &Method) -> Response<Body<R>> {
    error(method, StatusCode::NOT_FOUND, "there is nothing here")
}

/// 503: it will work soon, and `Retry-After` tells the client when to ask again.
pub(crate) fn later<R>(method: &Method, reason: &str) -> Response<Body<R>> {
    let mut response = error(method, StatusCode::SERVICE_UNAVAILABLE, reason);
    let seconds = HeaderValue::from_static(RETRY_AFTER_SECONDS);
    set(&mut response, RETRY_AFTER, seconds);
    response
}

/// 405: only reading is possible.
pub(crate) fn wrong_method<R>(method: &Method) -> Response<Body<R>> {
    let mut response = error(
        method,
        StatusCode::METHOD_NOT_ALLOWED,
        "there is nothing to change here",
    );
    set(&mut response, ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}
