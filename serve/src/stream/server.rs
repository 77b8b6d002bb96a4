//! The HTTP server: accepts connections, enforces their limits, closes them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::RANGE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::{Answer, Client};
use super::limits::Limits;
use super::places::{Place, Places};
use super::site::Site;
use super::source::Source;
use super::watched::Watched;

/// The read buffer of a request's head, and the write buffer of a connection, in bytes: four blocks of a file, which
/// count against the memory budget as long as the client does not take them.
const BUFFER_LEN: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long to pause after `accept` failed: the system lacks a resource that others must release first.
const PAUSE: Duration = Duration::from_millis(100);

/// A running server.
pub struct Server {
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Serves a site to all who connect to `listener`.
    pub fn start<S: Source>(listener: TcpListener, site: Arc<Site<S>>, limits: Limits) -> Self {
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let doors = Doors {
            site,
            limits,
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
struct Doors<S> {
    site: Arc<Site<S>>,
    limits: Limits,
    places: Places,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl<S: Source> Doors<S> {
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
                place,
                head_within,
                stuck_for: self.limits.stuck_for,
            };
            let serving = connection.serve(Arc::clone(&self.site));
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
    place: Place,
    head_within: Duration,
    stuck_for: Duration,
}

impl Connection {
    /// Until the client goes, or is displaced.
    async fn serve<S: Source>(self, site: Arc<Site<S>>) {
        // Without TCP_NODELAY the last bytes of an answer may wait for an acknowledgement; failing to set it is
        // harmless.
        let _ = self.stream.set_nodelay(true);
        let client = &self.client;
        let answer = |request: Request<Incoming>| {
            let answering = client.on_request();
            let (site, client) = (Arc::clone(&site), Arc::clone(client));
            async move {
                // No request here has a body; what comes anyway is not read, and ends the connection.
                let (parts, _) = request.into_parts();
                let response = site.answer(&parts, &client).await;
                let (path, range) = (parts.uri.path(), parts.headers.get(RANGE));
                tracing::debug!(method = %parts.method, path, ?range, status = %response.status(), "asked");
                Ok::<_, Infallible>(response.map(|body| Answer::new(body, answering)))
            }
        };
        let watched = Watched::new(self.stream, Arc::clone(client), self.stuck_for);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_within)
            .max_buf_size(BUFFER_LEN)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(watched), service_fn(answer));
        let serving = async {
            // Clients disconnect at any time: not an error of ours.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        };
        client.serve(serving).await;
        drop(self.place);
    }
}
