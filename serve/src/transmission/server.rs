//! The server: connections are those of the streaming server, with its limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use data_encoding::BASE32_NOPAD;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use tailwater_metainfo::Limits as TorrentLimits;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::access::{admit, no_session, text};
use super::at_rest::AtRest;
use super::dialects::{self, Call, Requests};
use super::methods;
use super::recent::Recent;
use super::remembered::Remembered;
use crate::control::{Access, Control};
use crate::stream::{Client, Handler, HostName, Hosts, Limits, Server};
use crate::tls::ServerTls;

/// The path of the RPC; some clients write a slash behind it.
const PATH: &str = "/transmission/rpc";
/// The most connections. One more displaces one that does nothing.
const CONNECTIONS: usize = 256;
/// A body that is longer waits for its turn, in bytes: most are far shorter.
const SMALL_BODY: usize = 64 * 1_024;
/// Longer bodies that are read at once: each is in memory, and so is what is decoded of it.
const LARGE_BODIES: usize = 4;
/// What a body has besides a .torrent file, in bytes.
const AROUND: usize = 1_024 * 1_024;
/// How long a client may take for a body.
const BODY_WITHIN: Duration = Duration::from_secs(60);
/// Random bytes of the session's id.
const SESSION_ID_LEN: usize = 30;
/// The most lists of torrents that are made at once: those with all fields of thousands of torrents are large.
const LISTS_AT_ONCE: usize = 8;
/// The longest answer to a batch, in bytes.
const MAX_BATCH_ANSWER: usize = 64 * 1_024 * 1_024;

/// What a client is told of the daemon that cannot change while it runs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Fixed {
    /// The folder of the daemon's state.
    pub state_dir: PathBuf,
    /// The DHT is used.
    pub dht: bool,
    /// Peers are looked for on the local network.
    pub local_discovery: bool,
    /// The gateway is asked to map the port.
    pub port_mapping: bool,
    /// Peers are connected to over uTP too.
    pub utp: bool,
    /// Peers are connected to over TCP too.
    pub tcp: bool,
    /// How connections are encrypted, as Transmission calls it: `required`, `preferred` or `tolerated`.
    pub encryption: String,
}

/// Settings of the server.
#[derive(Clone, Debug, Default)]
pub struct TransmissionConfig {
    names: Vec<HostName>,
    requires_password: bool,
    tls: Option<ServerTls>,
    fixed: Fixed,
}

impl TransmissionConfig {
    /// Requests that name these hosts are answered too. Default: those that name the server's address alone.
    #[must_use]
    pub fn host_names(mut self, names: impl IntoIterator<Item = HostName>) -> Self {
        self.names.extend(names);
        self
    }

    /// Whether every request needs a password, which is a token of the daemon. Default: no, and one that is sent must be
    /// right. A server that others reach always needs one.
    #[must_use]
    pub const fn requires_password(mut self, required: bool) -> Self {
        self.requires_password = required;
        self
    }

    /// Encrypts all connections. Default: none is.
    #[must_use]
    pub fn tls(mut self, tls: Option<ServerTls>) -> Self {
        self.tls = tls;
        self
    }

    /// What clients are told of the daemon.
    #[must_use]
    pub fn fixed(mut self, fixed: Fixed) -> Self {
        self.fixed = fixed;
        self
    }
}

/// What all requests share.
pub(super) struct Shared {
    pub(super) control: Control,
    pub(super) hosts: Hosts,
    pub(super) requires_password: bool,
    pub(super) session_id: String,
    pub(super) fixed: Fixed,
    pub(super) remembered: Remembered,
    pub(super) recent: Recent,
    pub(super) at_rest: AtRest,
    /// A client asked for the end of the daemon.
    pub(super) close: Notify,
    bodies: Semaphore,
    pub(super) lists: Semaphore,
}

/// A running server.
pub struct TransmissionServer {
    server: Server,
    shared: Arc<Shared>,
    addr: SocketAddr,
}

impl TransmissionServer {
    /// Serves the RPC to all who connect to `listener`. On any but a loopback address, every request needs a password.
    ///
    /// # Errors
    ///
    /// When the listener has no address, or the system has no random bytes.
    pub fn start(
        listener: TcpListener,
        control: Control,
        config: TransmissionConfig,
    ) -> std::io::Result<Self> {
        let addr = listener.local_addr()?;
        let limits = Limits {
            connections: CONNECTIONS,
            ..Limits::default()
        };
        let hosts = Hosts::of(addr).with_names(&config.names);
        let mut id = [0; SESSION_ID_LEN];
        getrandom::fill(&mut id).map_err(std::io::Error::other)?;
        let is_loopback = addr.ip().to_canonical().is_loopback();
        let shared = Arc::new(Shared {
            control,
            hosts: match config.tls {
                Some(_) => hosts.with_tls(),
                None => hosts,
            },
            requires_password: config.requires_password || !is_loopback,
            session_id: BASE32_NOPAD.encode(&id),
            fixed: config.fixed,
            remembered: Remembered::default(),
            recent: Recent::default(),
            at_rest: AtRest::default(),
            close: Notify::new(),
            bodies: Semaphore::new(LARGE_BODIES),
            lists: Semaphore::new(LISTS_AT_ONCE),
        });
        let handler = Arc::new(Rpc(Arc::clone(&shared)));
        Ok(Self {
            server: Server::serve(listener, handler, limits, config.tls),
            shared,
            addr,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until a client asks for the end of the daemon (`session_close`).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn close_requested(&self) {
        self.shared.close.notified().await;
    }

    /// Ends all connections, and returns when that is done. May be called again.
    pub async fn close(&self) {
        self.server.close().await;
    }
}

struct Rpc(Arc<Shared>);

impl Handler for Rpc {
    type Body = Body;

    async fn handle(&self, mut request: Request<Incoming>, client: &Arc<Client>) -> Response {
        request.extensions_mut().insert(Arc::clone(client));
        let (parts, body) = request.into_parts();
        let mut response = match answer(&self.0, &parts, body).await {
            Ok(response) | Err(response) => response,
        };
        let no_sniff = HeaderValue::from_static("nosniff");
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, no_sniff);
        response
    }
}

async fn answer(shared: &Shared, request: &Parts, body: Incoming) -> Result<Response, Response> {
    let access = admit(shared, request).await?;
    let path = request.uri.path();
    if path.strip_suffix('/').unwrap_or(path) != PATH {
        let found = format!("there is nothing at this address; the RPC is at {PATH}");
        return Err(text(StatusCode::NOT_FOUND, &found));
    }
    if let Some(response) = no_session(shared, &request.headers) {
        return Err(response);
    }
    if request.method != Method::POST {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "send requests with POST");
        let post = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, post);
        return Err(response);
    }
    let (requests, _permit) = read(shared, &request.headers, body).await?;
    match requests {
        Requests::One(call) => Ok(match one(shared, access, call).await {
            Some(answer) => json(answer.to_string()),
            None => nothing(),
        }),
        Requests::Batch(calls) => batch(shared, access, calls).await,
    }
}

/// Answers the requests of a batch one after the other.
async fn batch(
    shared: &Shared,
    access: Access,
    calls: Vec<Result<Call, serde_json::Value>>,
) -> Result<Response, Response> {
    let mut answers: Vec<String> = Vec::new();
    let mut len = 0_usize;
    for call in calls {
        let Some(answer) = one(shared, access, call).await else {
            continue;
        };
        let answer = answer.to_string();
        len = len.saturating_add(answer.len());
        if len > MAX_BATCH_ANSWER {
            let reason = format!("the answers to a batch have at most {MAX_BATCH_ANSWER} bytes");
            return Err(text(StatusCode::PAYLOAD_TOO_LARGE, &reason));
        }
        answers.push(answer);
    }
    Ok(match answers.is_empty() {
        true => nothing(),
        false => json(format!("[{}]", answers.join(","))),
    })
}

async fn one(
    shared: &Shared,
    access: Access,
    call: Result<Call, serde_json::Value>,
) -> Option<serde_json::Value> {
    match call {
        Ok(call) => {
            let outcome = methods::run(shared, access, &call).await;
            call.answer(outcome)
        }
        Err(answer) => Some(answer),
    }
}

/// Reads a body, and what it asks for; a large one has its place until it is answered.
async fn read<'a>(
    shared: &'a Shared,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<(Requests, Option<SemaphorePermit<'a>>), Response> {
    // Base64 takes four bytes for three.
    let limit = TorrentLimits::default().len / 3 * 4 + AROUND;
    let length = headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let too_long = || {
        let reason = format!("the body is longer than {limit} bytes");
        text(StatusCode::PAYLOAD_TOO_LARGE, &reason)
    };
    if length.is_some_and(|length| length > limit) {
        return Err(too_long());
    }
    let permit = match length.is_some_and(|length| length <= SMALL_BODY) {
        true => None,
        // It is never closed.
        false => shared.bodies.acquire().await.ok(),
    };
    let reading = Limited::new(body, limit).collect();
    let bytes: Bytes = match tokio::time::timeout(BODY_WITHIN, reading).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(too_long()),
        Ok(Err(error)) => {
            let reason = format!("the body: {error}");
            return Err(text(StatusCode::BAD_REQUEST, &reason));
        }
        Err(_) => {
            let reason = "the body did not come in time";
            return Err(text(StatusCode::REQUEST_TIMEOUT, reason));
        }
    };
    Ok((dialects::read(&bytes), permit))
}

fn json(answer: String) -> Response {
    let mut response = Response::new(Body::from(answer));
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The answer to notifications.
fn nothing() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
