//! The HTTP side of the server.

#![expect(clippy::disallowed_types, reason = "the driver owns the sockets")]

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::{Mutex, MutexGuard};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::connections::{ConnectionKey, Connections};
use super::page::{self, View};
use crate::driver::now;

/// What a request's head may take, in bytes: a scrape of 74 torrents has 5 KiB.
const MAX_HEAD_LEN: usize = 16 * 1024;
/// The longest life of a connection, whatever it does: enough for any client, and the end of one that does not read its
/// answers.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(120);
/// How long to wait when the system has no sockets left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Torrents listed where that is allowed: more make a page that no one reads.
const MAX_LISTED: usize = 1000;

const TEXT: &str = "text/plain";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// Nothing is loaded and nothing runs; the page's own style alone applies.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The open connections, each with the token that ends it. The lock is never held across an await.
#[derive(Debug)]
struct Board(Mutex<Connections<CancellationToken>>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, Connections<CancellationToken>> {
        self.0.lock()
    }
}

/// A connection's entry, which goes with it.
#[derive(Debug)]
struct Entry {
    key: ConnectionKey,
    board: Arc<Board>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.board.lock().remove(self.key);
    }
}

/// Accepts connections until the server closes.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let config = &shared.config;
    let connections = Connections::new(config.max_connections, config.connections_per_address);
    let board = Arc::new(Board(Mutex::new(connections)));
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let token = shared.token.child_token();
                let (key, displaced) = board.lock().admit(now(), from.ip(), token.clone());
                if let Some(displaced) = displaced {
                    displaced.cancel();
                }
                let entry = Entry {
                    key,
                    board: Arc::clone(&board),
                };
                let connection = connection(stream, from.ip(), Arc::clone(&shared), entry);
                shared.spawn_until(token, connection);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, from: IpAddr, shared: Arc<Shared>, entry: Entry) {
    let service = service_fn(|request| {
        entry.board.lock().on_request(now(), entry.key);
        let response = answer(&shared, from, &request);
        async { Ok::<_, Infallible>(response) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.config.request_timeout)
        .max_buf_size(MAX_HEAD_LEN)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(MAX_CONNECTION_AGE, serving).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::debug!(%from, %error, "connection ended"),
    }
}

fn answer(shared: &Shared, from: IpAddr, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let page = matches!(path, "/" | "/stats");
    match *request.method() {
        Method::GET => {}
        Method::HEAD if page => {}
        _ => {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, b"only GET\n".to_vec());
            let allowed = HeaderValue::from_static("GET");
            refusal.headers_mut().insert(header::ALLOW, allowed);
            return refusal;
        }
    }
    if page {
        let host = request.headers().get(header::HOST);
        let host = host.and_then(|host| host.to_str().ok());
        let view = view(shared, host);
        return match path {
            "/" => response(StatusCode::OK, HTML, view.html().into_bytes()),
            _ => response(StatusCode::OK, JSON, view.json().into_bytes()),
        };
    }
    let query = request.uri().query().unwrap_or_default();
    let answer = shared.service().handle_http(now(), from, path, query);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    text(status, answer.body)
}

/// The numbers to show, to a visitor who calls this server `host`.
fn view(shared: &Shared, host: Option<&str>) -> View {
    let (http, udp) = shared.addrs;
    let mut announce: Vec<_> = host.and_then(page::announce_url).into_iter().collect();
    if announce.is_empty() {
        announce.extend(http.map(|addr| format!("http://{addr}/announce")));
    }
    // The same machine, on the port for UDP.
    let name = announce.first().and_then(|url| url::Url::parse(url).ok());
    if let (Some(addr), Some(host)) = (udp, name.as_ref().and_then(url::Url::host_str)) {
        announce.push(format!("udp://{host}:{}", addr.port()));
    }
    let service = shared.service();
    let stats = service.stats();
    let list = shared.config.list_torrents.then(|| {
        let list = service.list(MAX_LISTED);
        let more = stats.torrents.saturating_sub(list.len());
        (list, more)
    });
    View {
        stats,
        uptime: now().saturating_duration_since(shared.started),
        announce,
        list,
    }
}

fn text(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    response(status, TEXT, body)
}

fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
