//! The listener: connections are those of the streaming server, with its limits.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use hyper::Request;
use tokio::net::TcpListener;
use tower_service::Service;

use super::answer::text;
use super::config::CompatConfig;
use super::cors;
use super::door::Door;
use crate::control::Control;
use crate::stream::{Client, Handler, Limits, RequestBody, Server};

/// What differs from API to API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Limits of its connections.
    pub(crate) limits: Limits,
    /// What pages may do that the user has not allowed.
    pub(crate) foreign: ForeignPages,
    /// Headers that pages of allowed origins may read, besides the usual ones; separated by commas.
    pub(crate) exposed: &'static str,
}

impl Rules {
    /// At most so many connections, of which one more displaces one that does nothing; pages are kept out that the user has
    /// not allowed.
    pub(crate) fn of(connections: usize) -> Self {
        Self {
            limits: Limits {
                connections,
                ..Limits::default()
            },
            foreign: ForeignPages::Refused,
            exposed: "",
        }
    }
}

/// What requests of pages may do that say that they are of another origin, and that the user has not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForeignPages {
    /// None is answered.
    Refused,
    /// The API has its own defence: each request has to say something that a foreign page cannot read. Add-ons of browsers,
    /// which can, are answered then. What the browser itself calls foreign is refused here too.
    KeptOutByApi,
}

/// A running listener.
pub struct CompatServer {
    server: Server,
    door: Arc<Door>,
    addr: SocketAddr,
}

impl CompatServer {
    /// Serves the routes that `routes` makes to all who connect to `listener`. On any but a loopback address, every request needs
    /// a password.
    ///
    /// # Errors
    ///
    /// When the listener has no address.
    pub(crate) fn start(
        listener: TcpListener,
        control: Control,
        config: &CompatConfig,
        rules: Rules,
        routes: impl FnOnce(&Arc<Door>) -> Router,
    ) -> std::io::Result<Self> {
        let addr = listener.local_addr()?;
        let door = Arc::new(Door::new(control, addr, config, rules.foreign));
        let handler = Arc::new(Routes {
            router: routes(&door),
            door: Arc::clone(&door),
            exposed: rules.exposed,
        });
        Ok(Self {
            server: Server::serve(listener, handler, rules.limits, config.tls.clone()),
            door,
            addr,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until a client asks for the end of the daemon.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn close_requested(&self) {
        self.door.close_requested().await;
    }

    /// Ends all connections, and returns when that is done. May be called again.
    pub async fn close(&self) {
        self.server.close().await;
    }
}

/// The routes, for the connections.
struct Routes {
    router: Router,
    door: Arc<Door>,
    exposed: &'static str,
}

impl Handler for Routes {
    type Body = Body;

    async fn handle(&self, request: Request<RequestBody>, client: &Arc<Client>) -> Response {
        let (mut parts, body) = request.into_parts();
        let (mut response, allowed) = match self.door.look(&parts) {
            Ok(visit) if cors::is_preflight(&parts) => {
                let answer = match &visit.allowed {
                    Some(_) => cors::preflight(&parts.headers),
                    None => {
                        let reason = "pages of this origin may not use this server; --allow-origin names those that may";
                        text(StatusCode::FORBIDDEN, reason)
                    }
                };
                (answer, visit.allowed)
            }
            Ok(visit) => {
                parts.extensions.insert(Arc::clone(client));
                parts.extensions.insert(visit.base);
                let request = Request::from_parts(parts, Body::new(body));
                let response = match self.router.clone().call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                };
                (response, visit.allowed)
            }
            Err(refused) => (text(refused.status(), refused.reason()), None),
        };
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(origin) = &allowed {
            cors::tell(headers, origin, self.exposed);
        }
        if self.door.has_origins() {
            cors::vary(headers);
        }
        response
    }
}
