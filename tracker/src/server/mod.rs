//! A small tracker in memory, over HTTP and UDP.

mod config;
mod connections;
mod cookie;
mod http;
mod listen;
mod page;
mod service;
mod swarm;
mod table;
#[cfg(test)]
mod tests;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use config::{ServerConfig, SwarmLimits};
pub(crate) use service::Service;
pub use swarm::{SwarmAnswer, Swarms, SwarmsFull};

use crate::driver::{now, random_u64};

/// The figures of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Torrents with at least one peer.
    pub torrents: usize,
    /// Peers in all torrents.
    pub peers: usize,
    /// Peers that have all of their torrent.
    pub seeders: usize,
    /// Peers that lack some of it.
    pub leechers: usize,
    /// Announces answered.
    pub announces: u64,
    /// Scrapes answered.
    pub scrapes: u64,
    /// Requests refused or unreadable.
    pub rejected: u64,
}

/// A running tracker.
///
/// Peers are known by the address that they announce from. `/announce` and `/scrape` are the
/// paths over HTTP; over UDP, the path is ignored. `/` is a page for people, `/stats` has its
/// numbers as JSON; other paths are answered with status 404. Dropping the server ends it too, but only
/// [`close`](Self::close) tells when.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    http: Option<SocketAddr>,
    udp: Option<SocketAddr>,
}

#[derive(Debug)]
struct Shared {
    config: ServerConfig,
    /// Where it listens, for HTTP and for UDP.
    addrs: (Option<SocketAddr>, Option<SocketAddr>),
    started: Instant,
    service: Mutex<Service>,
    tasks: TaskTracker,
    token: CancellationToken,
}

impl Shared {
    /// The lock is held for one request at a time, and never across an await.
    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock()
    }

    /// Runs a task until the server closes.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_until(self.token.clone(), task);
    }

    /// Runs a task until `token`, a child of the server's, is cancelled.
    fn spawn_until(
        &self,
        token: CancellationToken,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        drop(self.tasks.spawn(async move {
            token.run_until_cancelled_owned(task).await;
        }));
    }
}

impl Server {
    /// Listens where `config` says, and answers from now on. Needs a tokio runtime with I/O and
    /// time.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] if `config` names neither an HTTP nor a UDP address;
    /// otherwise what the system says, preceded by the address that cannot be had.
    pub async fn bind(config: ServerConfig) -> io::Result<Self> {
        if config.http.is_none() && config.udp.is_none() {
            let message = "a tracker needs an HTTP or a UDP address to listen on";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let listener = match config.http {
            Some(address) => Some(listen::http(address).await?),
            None => None,
        };
        let socket = match config.udp {
            Some(address) => Some(listen::udp(address).await?),
            None => None,
        };
        let http = listener.as_ref().map(|(_, address)| *address);
        let udp = socket.as_ref().map(|(_, address)| *address);

        let started = now();
        let service = Service::new(started, &config, random_u64(), random_secret());
        let shared = Arc::new(Shared {
            config,
            addrs: (http, udp),
            started,
            service: Mutex::new(service),
            tasks: TaskTracker::new(),
            token: CancellationToken::new(),
        });
        if let Some((listener, _)) = listener {
            shared.spawn(http::serve(listener, Arc::clone(&shared)));
        }
        if let Some((socket, _)) = socket {
            shared.spawn(udp::serve(socket, Arc::clone(&shared)));
        }
        Ok(Self { shared, http, udp })
    }

    /// Where it listens for HTTP.
    #[must_use]
    pub const fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where it listens for UDP.
    #[must_use]
    pub const fn udp_addr(&self) -> Option<SocketAddr> {
        self.udp
    }

    /// The figures of the server.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.shared.service().stats()
    }

    /// Ends all connections and returns when every task has ended and the ports are free. Further
    /// calls do nothing.
    pub async fn close(&self) {
        self.shared.token.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.token.cancel();
    }
}

fn random_secret() -> [u8; 32] {
    let mut secret = [0; 32];
    secret
        .chunks_exact_mut(8)
        .for_each(|part| part.copy_from_slice(&random_u64().to_be_bytes()));
    secret
}
