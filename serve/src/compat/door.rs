//! Who may ask: requests that name us, that no foreign web page sent, with a password where one is needed.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use tokio::sync::Notify;

use super::answer::text;
use super::asker::Base;
use super::basic::basic;
use super::body::{Bodies, Read};
use super::config::CompatConfig;
use super::origin::{Origin, Page, page};
use super::server::ForeignPages;
use crate::control::{Access, Control, Login, TokenError};
use crate::stream::{Client, Hosts, Refused, check_origin, requested_host};

/// What all requests to a listener share.
pub(crate) struct Door {
    pub(crate) control: Control,
    hosts: Hosts,
    origins: Vec<Origin>,
    foreign: ForeignPages,
    requires_password: bool,
    is_tls: bool,
    bodies: Bodies,
    /// A client asked for the end of the daemon.
    close: Notify,
}

/// A request that names us, and that no foreign page sent.
pub(super) struct Visit {
    /// Where it reaches us.
    pub(super) base: Base,
    /// The page that sent it, if it is one that the user allows.
    pub(super) allowed: Option<Origin>,
}

impl Door {
    pub(super) fn new(
        control: Control,
        addr: SocketAddr,
        config: &CompatConfig,
        foreign: ForeignPages,
    ) -> Self {
        let hosts = Hosts::of(addr).with_names(&config.names);
        let is_tls = config.tls.is_some();
        Self {
            control,
            hosts: match is_tls {
                true => hosts.with_tls(),
                false => hosts,
            },
            origins: config.origins.clone(),
            foreign,
            requires_password: config.requires_password || !addr.ip().to_canonical().is_loopback(),
            is_tls,
            bodies: Bodies::new(),
            close: Notify::new(),
        }
    }

    /// Whether origins are allowed at all.
    pub(super) fn has_origins(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Looks at what a request says of itself: whom it names, and which page sent it.
    ///
    /// # Errors
    ///
    /// When it names another host, or comes from a foreign page.
    pub(super) fn look(&self, request: &Parts) -> Result<Visit, Refused> {
        let host = requested_host(request, &self.hosts)?;
        let allowed = match page(&request.headers, &self.hosts, &self.origins) {
            Page::Allowed(origin) => Some(origin),
            Page::Foreign if self.foreign == ForeignPages::Refused => return Err(Refused::Foreign),
            Page::Own | Page::Foreign => {
                check_origin(request)?;
                None
            }
        };
        Ok(Visit {
            base: Base(format!("{}://{host}", self.scheme())),
            allowed,
        })
    }

    /// Lets a request through whose caller may ask: `Basic`, with any name, and a token of the daemon as the password.
    ///
    /// # Errors
    ///
    /// The answer to one who may not.
    pub(crate) async fn authorize(&self, request: &Parts) -> Result<Access, Response> {
        let Some(header) = request.headers.get(AUTHORIZATION) else {
            return match self.requires_password {
                true => Err(unauthorized("a user name and a password are needed")),
                false => Ok(Access::Full),
            };
        };
        let Some((_, password)) = basic(header) else {
            return Err(unauthorized("the Authorization header is not Basic"));
        };
        let checked = self.check(&password, request).await;
        checked.map_err(|error| match error {
            TokenError::Wrong => unauthorized("the password is wrong"),
            error => token_refused(&error),
        })
    }

    /// What a password allows. Who sends wrong ones has to wait after a few. Where none is needed, one that is no token is
    /// passed over, as the originals do: a program that was set up for another server has that one's.
    ///
    /// # Errors
    ///
    /// As of a token.
    pub(crate) async fn check(
        &self,
        password: &str,
        request: &Parts,
    ) -> Result<Access, TokenError> {
        let tokens = self.control.tokens();
        match self.requires_password {
            true => tokens.check(password, from(request)).await,
            false => Ok(tokens.find(password).await?.unwrap_or(Access::Full)),
        }
    }

    /// Exchanges a password for a login, whose secret stands for it from then on. Who sends wrong ones has to wait after a few.
    ///
    /// # Errors
    ///
    /// As of a token.
    pub(crate) async fn log_in(
        &self,
        password: &str,
        request: &Parts,
    ) -> Result<Login, TokenError> {
        let logins = self.control.logins();
        logins.open(password, from(request)).await
    }

    /// Has all of these routes need a password where one is needed. [`Access`] is among the extensions of their requests.
    pub(crate) fn guard(self: &Arc<Self>, routes: Router) -> Router {
        routes.layer(middleware::from_fn_with_state(Arc::clone(self), guarded))
    }

    /// Whether every request needs a password.
    pub(crate) const fn requires_password(&self) -> bool {
        self.requires_password
    }

    /// The scheme of URLs that lead here.
    pub(crate) const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Reads a body of at most `limit` bytes; keep what is returned until the request is answered.
    ///
    /// # Errors
    ///
    /// The answer to one who sends more, or not in time.
    pub(crate) async fn body(
        &self,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
    ) -> Result<Read<'_>, Response> {
        self.bodies.read(headers, body, limit).await
    }

    /// A client asks for the end of the daemon.
    pub(crate) fn request_close(&self) {
        self.close.notify_one();
    }

    pub(super) async fn close_requested(&self) {
        self.close.notified().await;
    }
}

async fn guarded(State(door): State<Arc<Door>>, request: Request<Body>, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match door.authorize(&parts).await {
        Ok(access) => {
            parts.extensions.insert(access);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(response) => response,
    }
}

/// The address group of the client.
fn from(request: &Parts) -> IpAddr {
    let client = request.extensions.get::<Arc<Client>>();
    // Every connection has one.
    client.map_or([0, 0, 0, 0].into(), |client| client.group().addr())
}

/// The answer to one who has to wait, or whose password could not be looked up.
fn token_refused(error: &TokenError) -> Response {
    match error {
        TokenError::TooMany(wait) => {
            let mut response = text(StatusCode::TOO_MANY_REQUESTS, &error.to_string());
            let seconds = wait.as_secs().max(1);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            response
        }
        TokenError::Wrong => text(StatusCode::FORBIDDEN, "the password is wrong"),
        error => text(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn unauthorized(reason: &str) -> Response {
    let mut response = text(StatusCode::UNAUTHORIZED, reason);
    let basic = HeaderValue::from_static("Basic realm=\"tailwater\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, basic);
    response
}
