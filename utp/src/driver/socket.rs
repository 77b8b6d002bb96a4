//! A port that connects and accepts.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::datagrams::Datagrams;
use super::receiver::Receiver;
use super::shared::{Core, Entry, Shared, now};
use super::stream::UtpStream;
use super::udp::UdpDatagrams;
use crate::config::Config;
use crate::connection::Connection;

/// How long [`UtpSocket::close`] waits for connections to deliver what they have accepted.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A port of uTP: connects to others, and accepts their connections.
///
/// Dropped, it ends all its connections at once; [`close`](Self::close) first delivers what has been written.
#[derive(Debug)]
pub struct UtpSocket {
    core: Arc<Core>,
    accepted: Mutex<mpsc::Receiver<UtpStream>>,
    tasks: Vec<JoinHandle<()>>,
    local_addr: Option<SocketAddr>,
}

impl UtpSocket {
    /// Opens a UDP socket. An IPv6 address takes no IPv4 datagrams.
    ///
    /// # Errors
    ///
    /// When the address cannot be had.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn bind(addr: SocketAddr, config: Config) -> io::Result<Self> {
        let datagrams = Arc::new(UdpDatagrams::bind(addr)?);
        let local_addr = datagrams.local_addr()?;
        let sender: Arc<dyn Datagrams> = Arc::clone(&datagrams) as _;
        let (mut socket, receiver) = Self::from_datagrams(sender, config);
        socket.local_addr = Some(local_addr);
        let receiving = socket.core.runtime.spawn(datagrams.run(receiver));
        socket.tasks.push(receiving);
        Ok(socket)
    }

    /// A port whose datagrams are sent and received elsewhere: `datagrams` sends, and what arrives is handed to the
    /// receiver.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn from_datagrams(datagrams: Arc<dyn Datagrams>, config: Config) -> (Self, Receiver) {
        let (sender, accepted) = mpsc::channel(config.backlog.max(1));
        let core = Arc::new(Core::new(config, datagrams));
        let unblocking = core.runtime.spawn(Arc::clone(&core).unblock());
        let receiver = Receiver::new(Arc::clone(&core), sender);
        let socket = Self {
            core,
            accepted: Mutex::new(accepted),
            tasks: vec![unblocking],
            local_addr: None,
        };
        (socket, receiver)
    }

    /// The address that [`bind`](Self::bind) has opened; `None` if the datagrams are received elsewhere.
    #[must_use]
    pub const fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// When there are too many connections, or the peer refuses or does not answer.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the connection is given up.
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<UtpStream> {
        let shared = {
            let mut table = self.core.table.lock();
            let opening = table.open(now(), remote).map_err(io::Error::other)?;
            let connection = Connection::connect(&self.core.config, &opening);
            let shared = Shared::new(Arc::clone(&self.core), connection);
            table.insert(&opening, Entry(Arc::clone(&shared)));
            shared
        };
        self.core.runtime.spawn(Arc::clone(&shared).run());
        shared.with(|_| ());
        let stream = UtpStream::new(shared);
        stream.connected().await?;
        Ok(stream)
    }

    /// Waits for a connection that another has begun, and whose address is proven.
    ///
    /// # Errors
    ///
    /// When the socket is closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn accept(&self) -> io::Result<UtpStream> {
        let accepted = self.accepted.lock().await.recv().await;
        accepted.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// How many connections there are, those included that end.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.core.table.lock().len()
    }

    /// Ends all connections: what has been written is delivered within two seconds, or lost. It may be called again.
    ///
    /// # Cancel safety
    ///
    /// Connections go on ending when the future is dropped.
    pub async fn close(&self) {
        self.accepted.lock().await.close();
        for Entry(shared) in self.all() {
            shared.with(|inner| inner.connection.close(now()));
        }
        let all_delivered = async {
            loop {
                let changed = self.core.finished.notified();
                let is_open = |Entry(shared): &Entry| !shared.lock().connection.is_finished();
                if !self.all().iter().any(is_open) {
                    return;
                }
                changed.await;
            }
        };
        // What is left after this has had its time.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, all_delivered).await;
        self.abort();
    }

    fn all(&self) -> Vec<Entry> {
        self.core.table.lock().all()
    }

    /// Ends everything at once: connections are reset, and nothing is sent or received any more. It may be called again.
    pub fn abort(&self) {
        for Entry(shared) in self.all() {
            shared.with(|inner| inner.connection.abort());
        }
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for UtpSocket {
    fn drop(&mut self) {
        self.abort();
    }
}
