//! Logins of pages: a token is exchanged for a cookie, which no script can read and no foreign page can use.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use axum::http::header::{ORIGIN, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{self, Caller};
use super::input::Json;
use super::problem::Problem;
use super::server::Shared;
use crate::control::Access;

/// How long a browser keeps the cookie, in seconds. The daemon may end the login before.
const KEPT_FOR: u32 = 30 * 24 * 60 * 60;

/// A token by which to log in.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    /// The token.
    #[schema(example = "tw_1_kAq5")]
    token: String,
}

/// What the caller is, and what it may do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WhoAmI {
    /// Requests need a token or a login here.
    needs_token: bool,
    /// The caller may ask: it has one, or needs none.
    is_admitted: bool,
    /// It may not change anything.
    is_read_only: bool,
    /// The name of the token of its login.
    token_name: Option<String>,
    /// What changing requests by cookie carry in the header X-CSRF-Token.
    csrf: Option<String>,
}

impl WhoAmI {
    fn of(shared: &Shared, caller: Option<Caller>) -> Self {
        let is_admitted = caller.is_some();
        let access = caller.as_ref().map(|caller| caller.access);
        let login = caller.and_then(|caller| caller.login);
        let (token_name, csrf) = login.map(|login| (login.token_name, login.csrf)).unzip();
        Self {
            needs_token: shared.requires_token,
            is_admitted,
            is_read_only: access == Some(Access::Read),
            token_name,
            csrf,
        }
    }
}

/// What the caller is, and what it may do. It is answered without a token.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "login",
    responses(
        (status = 200, description = "The caller", body = WhoAmI),
        (status = 401, description = "It sent a token that is wrong", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn whoami(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Json<WhoAmI>, Problem> {
    let (parts, _) = request.into_parts();
    let caller = access::identify(&shared, &parts).await?;
    Ok(Json(WhoAmI::of(&shared, caller)))
}

/// Logs a page in: the answer sets a cookie, which stands for the token.
#[utoipa::path(post, path = "/api/v1/login", tag = "login", request_body(content = Credentials, example = json!({"token": "tw_1_kAq5"})),
    responses(
        (status = 200, description = "The caller as it is now, and the cookie", body = WhoAmI),
        (status = 401, description = "The token is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "It was wrong too often", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn log_in(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let from = access::from(&parts);
    let is_tls = is_tls(&shared, &parts.headers);
    // One that is replaced is not left behind.
    let before = access::cookie(&parts.headers, &shared.cookie).map(str::to_owned);
    let request = Request::from_parts(parts, body);
    let Json(Credentials { token }) = Json::from_request(request, &()).await?;
    let login = shared.control.logins().open(token.trim(), from).await?;
    if let Some(before) = before {
        shared.control.logins().close(&before).await;
    }
    let cookie = set_cookie(&shared, &login.secret, KEPT_FOR, is_tls);
    let access = login.access;
    let caller = Caller {
        access,
        login: Some(login),
    };
    let who = Json(WhoAmI::of(&shared, Some(caller)));
    Ok(([(SET_COOKIE, cookie)], who).into_response())
}

/// Logs a page out. Without a login nothing happens.
#[utoipa::path(post, path = "/api/v1/logout", tag = "login",
    responses(
        (status = 204, description = "The login has ended"),
        (status = 403, description = "The header X-CSRF-Token is missing", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn log_out(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let secret = access::cookie(&headers, &shared.cookie);
    let logins = shared.control.logins();
    if let Some(secret) = secret
        && let Some(login) = logins.find(secret).await?
    {
        access::check_csrf(&login, &headers)?;
        logins.close(secret).await;
    }
    let cookie = set_cookie(&shared, "", 0, is_tls(&shared, &headers));
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie)]).into_response())
}

/// Whether the browser reached us by TLS, a reverse proxy's included: it says so with everything that changes something.
fn is_tls(shared: &Shared, headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    shared.is_tls || origin.is_some_and(|origin| origin.starts_with("https://"))
}

/// The value of a `Set-Cookie` header: for no script, and for no request that begins on another site.
fn set_cookie(shared: &Shared, secret: &str, kept_for: u32, is_tls: bool) -> String {
    let name = &shared.cookie;
    let secure = if is_tls { "; Secure" } else { "" };
    format!("{name}={secret}; Path=/; Max-Age={kept_for}; HttpOnly; SameSite=Strict{secure}")
}
