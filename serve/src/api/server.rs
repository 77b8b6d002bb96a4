//! The server of the API: the connections are those of the streaming server, with its limits.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::routes;
use crate::control::Control;
use crate::stream::{Client, Handler, HostName, Hosts, Limits, Mount, RequestBody, Server};
use crate::tls::ServerTls;

/// The most connections: more than the pages and programs of a household have, and each takes 128 kB at most. One more
/// displaces one that does nothing.
const CONNECTIONS: usize = 512;
/// Files that are read at once.
const STREAMS: usize = 64;
/// Bodies of .torrent files that are read at once: each is in memory, and so is what is decoded of it.
const UPLOADS: usize = 4;
/// Links whose metadata is fetched at once without adding them: each asks up to some hundred peers.
const INSPECTIONS: usize = 8;

/// The limits of the server.
#[must_use]
pub fn limits() -> Limits {
    Limits {
        connections: CONNECTIONS,
        streams: STREAMS,
        // Those who wait for events, which has no end, are displaced after those who do nothing.
        stuck_for: Duration::from_secs(120),
        ..Limits::default()
    }
}

/// Settings of the server.
#[derive(Clone, Debug, Default)]
pub struct ApiConfig {
    names: Vec<HostName>,
    requires_token: bool,
    tls: Option<ServerTls>,
}

impl ApiConfig {
    /// Requests that name these hosts are answered too. Default: those that name the server's address alone.
    #[must_use]
    pub fn host_names(mut self, names: impl IntoIterator<Item = HostName>) -> Self {
        self.names.extend(names);
        self
    }

    /// Encrypts all connections. Default: none is.
    #[must_use]
    pub fn tls(mut self, tls: Option<ServerTls>) -> Self {
        self.tls = tls;
        self
    }

    /// Whether every request needs a token. Default: no, and a token that is sent must be right. A server that others
    /// reach always needs one.
    #[must_use]
    pub const fn requires_token(mut self, required: bool) -> Self {
        self.requires_token = required;
        self
    }
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) control: Control,
    pub(super) hosts: Hosts,
    /// Connections are encrypted.
    pub(super) is_tls: bool,
    pub(super) requires_token: bool,
    /// The name of the cookie of a login. Browsers do not tell the ports of a host apart.
    pub(super) cookie: String,
    pub(super) mount: Mount,
    pub(super) uploads: Semaphore,
    pub(super) inspections: Semaphore,
}

/// A running server.
pub struct ApiServer {
    server: Server,
    addr: SocketAddr,
}

impl ApiServer {
    /// Serves the API to all who connect to `listener`. On any but a loopback address, every request needs a token.
    ///
    /// # Errors
    ///
    /// When the listener has no address.
    pub fn start(
        listener: TcpListener,
        control: Control,
        config: &ApiConfig,
    ) -> std::io::Result<Self> {
        let addr = listener.local_addr()?;
        let limits = limits();
        let hosts = Hosts::of(addr).with_names(&config.names);
        let is_tls = config.tls.is_some();
        let shared = Arc::new(Shared {
            control,
            hosts: match is_tls {
                true => hosts.with_tls(),
                false => hosts,
            },
            is_tls,
            requires_token: config.requires_token || !is_loopback(addr.ip()),
            cookie: format!("tailwater_{}", addr.port()),
            mount: Mount::new(limits),
            uploads: Semaphore::new(UPLOADS),
            inspections: Semaphore::new(INSPECTIONS),
        });
        let handler = Arc::new(Routes(routes::router(shared)));
        Ok(Self {
            server: Server::serve(listener, handler, limits, config.tls.clone()),
            addr,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Ends all connections, and returns when that is done. May be called again.
    pub async fn close(&self) {
        self.server.close().await;
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The routes, for the connections.
struct Routes(Router);

impl Handler for Routes {
    type Body = Body;

    async fn handle(&self, mut request: Request<RequestBody>, client: &Arc<Client>) -> Response {
        request.extensions_mut().insert(Arc::clone(client));
        match self.0.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
