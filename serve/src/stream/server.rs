//! The HTTP server: accepts connections, enforces their limits, closes them.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, RANGE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::Body;
use super::client::{Answer, Client};
use super::limits::Limits;
use super::places::{Place, Places};
use super::request_body::RequestBody;
use super::site::Site;
use super::source::Source;
use super::watched::Watched;
use crate::control::TOKEN_PREFIX;
use crate::tls::ServerTls;

/// The read buffer of a request's head, and the write buffer of a connection, in bytes: four blocks of a file, which
/// count against the memory budget as long as the client does not take them.
const BUFFER_LEN: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long to pause after `accept` failed: the system lacks a resource that others must release first.
const PAUSE: Duration = Duration::from_millis(100);

/// What answers the requests of a server.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: HttpBody<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>
        + Send
        + Unpin
        + 'static;

    /// Answers a request of a client.
    fn handle(
        &self,
        request: Request<RequestBody>,
        client: &Arc<Client>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

impl<S: Source> Handler for Site<S> {
    type Body = Body<S::Reader>;

    async fn handle(
        &self,
        request: Request<RequestBody>,
        client: &Arc<Client>,
    ) -> Response<Self::Body> {
        // No request here has a body.
        let (parts, _) = request.into_parts();
        self.answer(&parts, client).await
    }
}

/// A running server.
pub struct Server {
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Serves a site to all who connect to `listener`.
    pub fn start<S: Source>(listener: TcpListener, site: Arc<Site<S>>, limits: Limits) -> Self {
        Self::serve(listener, site, limits, None)
    }

    /// Has `handler` answer all who connect to `listener`.
    pub(crate) fn serve<H: Handler>(
        listener: TcpListener,
        handler: Arc<H>,
        limits: Limits,
        tls: Option<ServerTls>,
    ) -> Self {
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let doors = Doors {
            handler,
            limits,
            tls,
            places: Places::new(limits.connections, limits.patience),
            closing: closing.clone(),
            tasks: tasks.clone(),
        };
        let stopped = closing.clone();
        tasks.spawn(async move { stopped.run_until_cancelled(doors.open(listener)).await });
        Self { closing, tasks }
    }

    /// Stops accepting, ends all connections, and returns when that is done. May be called again.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

/// The accept loop and what it needs.
struct Doors<H> {
    handler: Arc<H>,
    limits: Limits,
    tls: Option<ServerTls>,
    places: Places,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl<H: Handler> Doors<H> {
    async fn open(self, listener: TcpListener) {
        loop {
            let (stream, addr) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "cannot accept");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let client = Client::new(addr.ip());
            let Some(place) = self.places.take(&client).await else {
                tracing::debug!(%addr, "one client too many");
                continue;
            };
            let head_within = match self.places.are_short() {
                true => self.limits.head_within_when_short,
                false => self.limits.head_within,
            };
            let connection = Connection {
                stream,
                client,
                tls: self.tls.as_ref().map(ServerTls::acceptor),
                place,
                head_within,
                stuck_for: self.limits.stuck_for,
            };
            let serving = connection.serve(Arc::clone(&self.handler));
            let closing = self.closing.clone();
            self.tasks
                .spawn(async move { closing.run_until_cancelled(serving).await });
        }
    }
}

/// One connection.
struct Connection {
    stream: TcpStream,
    client: Arc<Client>,
    tls: Option<TlsAcceptor>,
    place: Place,
    head_within: Duration,
    stuck_for: Duration,
}

impl Connection {
    /// Until the client goes, or is displaced.
    async fn serve<H: Handler>(self, handler: Arc<H>) {
        // Without TCP_NODELAY the last bytes of an answer may wait for an acknowledgement; failing to set it is
        // harmless.
        let _ = self.stream.set_nodelay(true);
        let client = &self.client;
        let watched = Watched::new(self.stream, Arc::clone(client), self.stuck_for);
        let serving = async {
            let Some(tls) = self.tls else {
                return converse(watched, handler, client, self.head_within).await;
            };
            // A handshake may take as long as the head of a request.
            match timeout(self.head_within, tls.accept(watched)).await {
                Ok(Ok(stream)) => converse(stream, handler, client, self.head_within).await,
                Ok(Err(error)) => tracing::debug!(%error, "a connection did not become TLS"),
                Err(_) => tracing::debug!("a connection did not become TLS in time"),
            }
        };
        client.serve(serving).await;
        drop(self.place);
    }
}

/// A path for the log: a token that stands in it, as in URLs of the listener for TorrServer's clients, is left out.
fn without_tokens(path: &str) -> Cow<'_, str> {
    if !path.contains(TOKEN_PREFIX) && !path.contains('%') {
        return Cow::Borrowed(path);
    }
    let shown = path.split('/').map(|part| {
        let decoded = percent_decode_str(part).decode_utf8_lossy();
        match decoded.contains(TOKEN_PREFIX) {
            true => "(token)",
            false => part,
        }
    });
    Cow::Owned(shown.collect::<Vec<_>>().join("/"))
}

/// Answers requests until the client goes.
async fn converse<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    handler: Arc<H>,
    client: &Arc<Client>,
    head_within: Duration,
) {
    let answer = |request: Request<Incoming>| {
        let answering = client.on_request();
        let (handler, client) = (Arc::clone(&handler), Arc::clone(client));
        async move {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            let range = request.headers().get(RANGE).cloned();
            let (parts, body) = request.into_parts();
            let (body, left) = RequestBody::of(body);
            let request = Request::from_parts(parts, body);
            let mut response = handler.handle(request, &client).await;
            if !left.read_off(head_within).await {
                let headers = response.headers_mut();
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            let path = without_tokens(uri.path());
            tracing::debug!(%method, %path, ?range, status = %response.status(), "asked");
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, answering)))
        }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_within)
        .max_buf_size(BUFFER_LEN)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    // Clients disconnect at any time: not an error of ours.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_a_path_is_not_for_the_log() {
        for (path, shown) in [
            ("/stream/a%20b.mkv", "/stream/a%20b.mkv"),
            ("/tw_1_ab/stream/a.mkv", "/(token)/stream/a.mkv"),
            ("/tw%5F1_ab/stream/a.mkv", "/(token)/stream/a.mkv"),
            ("//tw_1_ab", "//(token)"),
            ("", ""),
        ] {
            assert_eq!(without_tokens(path), shown);
        }
    }
}
