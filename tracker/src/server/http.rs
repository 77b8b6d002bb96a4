//! The HTTP side of the server.

#![expect(clippy::disallowed_types, reason = "the driver owns the sockets")]

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::connections::{ConnectionKey, Connections};
use crate::driver::now;

/// What a request's head may take, in bytes: a scrape of 74 torrents has 5 KiB.
const MAX_HEAD_LEN: usize = 16 * 1024;
/// No connection lives longer, whatever it does: enough for any client, and the end of one that
/// does not read its answers.
const MAX_CONNECTION_AGE: Duration = Duration::from_secs(120);
/// How long to wait when the system has no sockets left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The open connections, each with the token that ends it. The lock is never held across an await.
#[derive(Debug)]
struct Board(Mutex<Connections<CancellationToken>>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, Connections<CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    if request.method() != Method::GET {
        return response(StatusCode::METHOD_NOT_ALLOWED, b"only GET\n".to_vec());
    }
    let query = request.uri().query().unwrap_or_default();
    let answer = shared
        .service()
        .handle_http(now(), from, request.uri().path(), query);
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, answer.body)
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}
