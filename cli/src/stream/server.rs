//! The server: connections, their limits, and their end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::RANGE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::patience::Patience;
use super::site::Site;
use super::source::Source;

/// The most that is read of a request's head, and that waits in a connection to be written, in bytes: four blocks of a
/// file, which count against the memory budget as long as the client does not take them.
const BUFFER_LEN: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 64;
/// How long nothing is accepted after the system refused: it lacks something that others have to give back.
const PAUSE: Duration = Duration::from_millis(100);

/// What clients can have of us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections at once; more are closed as soon as they are made.
    pub(crate) connections: usize,
    /// Files that are read at once; more get 503.
    pub(crate) streams: usize,
    /// A request's head arrives within this time, and the next one on the same connection.
    pub(crate) head_within: Duration,
    /// A client that takes nothing for so long is dropped.
    pub(crate) stuck_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            streams: 16,
            head_within: Duration::from_secs(20),
            // A player that was paused asks again.
            stuck_for: Duration::from_secs(300),
        }
    }
}

/// A server that runs.
pub(crate) struct Server {
    addr: SocketAddr,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Serves a site to whoever connects to `listener`, which listens at `addr`.
    pub(crate) fn start<S: Source>(
        listener: TcpListener,
        addr: SocketAddr,
        site: Site<S>,
        limits: Limits,
    ) -> Self {
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let doors = Doors {
            site: Arc::new(site),
            limits,
            places: Arc::new(Semaphore::new(
                limits.connections.min(Semaphore::MAX_PERMITS),
            )),
            closing: closing.clone(),
            tasks: tasks.clone(),
        };
        let stopped = closing.clone();
        tasks.spawn(async move { stopped.run_until_cancelled(doors.open(listener)).await });
        Self {
            addr,
            closing,
            tasks,
        }
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Accepts nobody any more, ends what is being sent, and returns when all of that is done. May be called again.
    pub(crate) async fn close(&self) {
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

/// Where clients come in.
struct Doors<S> {
    site: Arc<Site<S>>,
    limits: Limits,
    places: Arc<Semaphore>,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl<S: Source> Doors<S> {
    async fn open(self, listener: TcpListener) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "cannot accept");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
                tracing::debug!("one client too many");
                continue;
            };
            let serving = serve(stream, Arc::clone(&self.site), self.limits, place);
            let closing = self.closing.clone();
            self.tasks
                .spawn(async move { closing.run_until_cancelled(serving).await });
        }
    }
}

async fn serve<S: Source>(
    stream: TcpStream,
    site: Arc<Site<S>>,
    limits: Limits,
    place: OwnedSemaphorePermit,
) {
    // Without it the last bytes of an answer may wait for an acknowledgement; it is no loss if it cannot be had.
    let _ = stream.set_nodelay(true);
    let answer = move |request: Request<Incoming>| {
        let site = Arc::clone(&site);
        async move {
            // No request here has a body; what comes anyway is not read, and ends the connection.
            let (parts, _) = request.into_parts();
            let response = site.answer(&parts).await;
            let (path, range) = (parts.uri.path(), parts.headers.get(RANGE));
            tracing::debug!(method = %parts.method, path, ?range, status = %response.status(), "asked");
            Ok::<_, Infallible>(response)
        }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(BUFFER_LEN)
        .max_headers(MAX_HEADERS)
        .serve_connection(
            TokioIo::new(Patience::new(stream, limits.stuck_for)),
            service_fn(answer),
        );
    // Clients go when they like.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
    drop(place);
}
