//! Who may ask: requests that name us, that no foreign web page sent, with a token or a login where one is needed.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;
use super::server::Shared;
use crate::compat::basic;
use crate::control::{Access, Login};
use crate::stream::{Client, check_origin, requested_host};

/// The longest `Authorization` header that is looked at.
const MAX_AUTHORIZATION_LEN: usize = 1_024;
/// The header in which a page sends back what only it could read.
const CSRF: &str = "x-csrf-token";

/// The host and port as which the client knows us, for the handlers.
#[derive(Clone, Debug)]
pub(super) struct RequestedHost(pub(super) String);

/// Checks a request, and adds the security headers to its answer.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_script = is_script(&parts.headers);
    let mut response = match admit(&shared, &parts) {
        Ok(host) => {
            parts.extensions.insert(RequestedHost(host));
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    };
    if is_script && response.headers().contains_key(WWW_AUTHENTICATE) {
        // A page has its own way to ask for a token: the browser is not to ask for a password.
        let bearer = HeaderValue::from_static("Bearer realm=\"tailwater\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    secure(response.headers_mut());
    response
}

/// Whether a script of a page asks. Browsers say so, but not over plain HTTP to another machine; there the pages are known
/// by the types that they want.
fn is_script(headers: &HeaderMap) -> bool {
    let says = |name: &str, is_so: fn(&str) -> bool| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(is_so)
    };
    says("sec-fetch-dest", |dest| dest == "empty")
        || says("accept", |accept| {
            ["application/json", "text/event-stream"].contains(&accept)
        })
}

fn admit(shared: &Shared, request: &Parts) -> Result<String, Problem> {
    let host = requested_host(request, &shared.hosts)
        .and_then(|host| check_origin(request).map(|()| host))
        .map_err(|refused| Problem::new(refused.status(), "not-this-server", refused.reason()))?;
    if changes(request) && !is_own_origin(shared, &request.headers) {
        let detail = "web pages of other origins may not change anything here";
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "foreign-origin",
            detail,
        ));
    }
    Ok(host)
}

/// Lets a request through whose caller may do what it asks for.
pub(super) async fn authorize(
    State(shared): State<Arc<Shared>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    match permit(&shared, &parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

async fn permit(shared: &Shared, request: &Parts) -> Result<(), Problem> {
    let caller = identify(shared, request).await?.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "no-token",
            "a token is needed: Authorization: Bearer TOKEN, HTTP Basic with the token as the password, or the cookie of \
                POST /api/v1/login",
        )
    })?;
    if !changes(request) {
        return Ok(());
    }
    if let Some(login) = &caller.login {
        check_csrf(login, &request.headers)?;
    }
    match caller.access {
        Access::Full => Ok(()),
        Access::Read => {
            let detail = "this token may only read";
            Err(Problem::new(StatusCode::FORBIDDEN, "read-only", detail))
        }
    }
}

fn changes(request: &Parts) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&request.method)
}

/// Who asks.
pub(super) struct Caller {
    pub(super) access: Access,
    /// That of its cookie, if it has no token.
    pub(super) login: Option<Login>,
}

/// Who asks; `None` for a caller that needs a token and has none.
pub(super) async fn identify(shared: &Shared, request: &Parts) -> Result<Option<Caller>, Problem> {
    let open = |access| {
        let login = None;
        Some(Caller { access, login })
    };
    if let Some(header) = request.headers.get(AUTHORIZATION) {
        let token = token(header).ok_or_else(|| {
            let detail = "the Authorization header is neither Bearer nor Basic";
            Problem::new(StatusCode::UNAUTHORIZED, "wrong-token", detail)
        })?;
        let access = shared.control.tokens().check(&token, from(request)).await?;
        return Ok(open(access));
    }
    if !shared.requires_token {
        return Ok(open(Access::Full));
    }
    let Some(secret) = cookie(&request.headers, &shared.cookie) else {
        return Ok(None);
    };
    let login = shared.control.logins().find(secret).await?;
    Ok(login.map(|login| Caller {
        access: login.access,
        login: Some(login),
    }))
}

/// The address group of the client.
pub(super) fn from(request: &Parts) -> IpAddr {
    let client = request.extensions.get::<Arc<Client>>();
    // Every connection has one.
    client.map_or([0, 0, 0, 0].into(), |client| client.group().addr())
}

/// A browser sends the cookie by itself; the second secret it sends only for a page that could read it.
pub(super) fn check_csrf(login: &Login, headers: &HeaderMap) -> Result<(), Problem> {
    let sent = headers.get(CSRF).and_then(|sent| sent.to_str().ok());
    match sent.is_some_and(|sent| login.is_csrf(sent)) {
        true => Ok(()),
        false => {
            let detail = "a change by cookie needs the header X-CSRF-Token, with what GET /api/v1/whoami says";
            Err(Problem::new(StatusCode::FORBIDDEN, "no-csrf-token", detail))
        }
    }
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let texts = headers.get_all(COOKIE).iter();
    let texts = texts.filter_map(|text| text.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The token of a header: `Bearer TOKEN`, or the password of `Basic`.
pub(super) fn token(header: &HeaderValue) -> Option<String> {
    let text = header.to_str().ok()?;
    if text.len() > MAX_AUTHORIZATION_LEN {
        return None;
    }
    let (scheme, value) = text.split_once(' ')?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Some(value.trim().to_owned()),
        false => basic(header).map(|(_, password)| password),
    }
}

/// Whether a request comes from no web page, or from one of ours. Browsers say where a page comes from with everything
/// that changes something.
fn is_own_origin(shared: &Shared, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    origins.all(|origin| {
        let origin = origin.to_str().ok();
        let host = origin.and_then(|origin| {
            let plain = origin.strip_prefix("http://");
            plain.or_else(|| origin.strip_prefix("https://"))
        });
        host.is_some_and(|host| shared.hosts.allow(host))
    })
}

/// No guessing of types, no embedding, no referrer, nothing in caches.
fn secure(headers: &mut HeaderMap) {
    let fixed = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (CACHE_CONTROL, "no-cache"),
    ];
    for (name, value) in fixed {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; tailwater_1=x=y;b=2"));
        headers.append(COOKIE, HeaderValue::from_static("tailwater_10=z"));
        assert_eq!(cookie(&headers, "tailwater_1"), Some("x=y"));
        assert_eq!(cookie(&headers, "tailwater_10"), Some("z"));
        for missing in ["tailwater", "ailwater_1", "x", "c"] {
            assert_eq!(cookie(&headers, missing), None, "{missing}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(bytes in proptest::collection::vec(32_u8.., 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let _ = token(&value);
                let mut headers = HeaderMap::new();
                headers.append(COOKIE, value);
                let _ = cookie(&headers, "tailwater_1");
            }
        }
    }

    #[test]
    fn tokens_come_as_bearers_or_passwords() {
        let read = |text: &str| token(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("Bearer tw_1_x").as_deref(), Some("tw_1_x"));
        assert_eq!(read("bearer  tw_1_x ").as_deref(), Some("tw_1_x"));
        assert_eq!(read("Basic bWU6dHdfMV94").as_deref(), Some("tw_1_x"));
        let long = format!("Bearer {}", "x".repeat(MAX_AUTHORIZATION_LEN));
        for text in ["", "Bearer", "Basic ###", "Basic bWU=", "Digest x", &long] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
