//! A network in memory: hosts, byte streams and datagrams without a socket.

mod pipe;
mod ports;
mod stream;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;

pub(crate) use ports::MemoryDatagrams;
pub use ports::MemoryListener;
pub use stream::MemoryStream;

/// Connections that wait to be accepted. Beyond it, `connect` waits.
const BACKLOG: usize = 128;
/// Datagrams that wait at a port; beyond it they are lost.
const DATAGRAM_QUEUE: usize = 1_024;
/// The first port that connections are made from.
const FIRST_OUTGOING_PORT: u16 = 49_152;
/// The default capacity of a stream, in bytes: what a socket of the system might hold.
const DEFAULT_CAPACITY: usize = 256 * 1024;

/// How streams of a [`MemoryNetwork`] behave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct MemoryConfig {
    seed: u64,
    chunk: RangeInclusive<usize>,
    capacity: usize,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            chunk: usize::MAX..=usize::MAX,
            capacity: DEFAULT_CAPACITY,
        }
    }
}

impl MemoryConfig {
    /// Seeds the random choices of the network. Default: 0.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many bytes a stream accepts, and gives, at a time: each time a random number in this range. `1..=1` is one
    /// byte at a time. Default: as many as there are.
    ///
    /// # Panics
    ///
    /// When there is no number in it, or when it begins with 0: such a stream would never accept anything.
    #[must_use]
    pub fn chunk(mut self, bytes: RangeInclusive<usize>) -> Self {
        assert!(!bytes.is_empty() && *bytes.start() > 0, "chunks of nothing");
        self.chunk = bytes;
        self
    }

    /// How many bytes a stream holds in each direction that have not been read; it accepts no more until some have been.
    /// Default: 256 KiB.
    ///
    /// # Panics
    ///
    /// When it is 0.
    #[must_use]
    pub fn capacity(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "a stream without room");
        self.capacity = bytes;
        self
    }
}

/// A network in memory, for tests of programs on top of a session. It replaces sockets for all that a session does with
/// its peers and its DHT node: it takes no ports of the system, and its streams accept as few bytes at a time as the
/// test says. Trackers, web seeds, port mapping and local discovery still use the system's network.
///
/// Clones are handles to the same network. It has no latency: bytes are there at once.
///
/// ```
/// use tailwater_session::Session;
/// use tailwater_session::memory_network::MemoryNetwork;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = MemoryNetwork::default();
/// let first = Session::builder().memory_network(network.host([10, 0, 0, 1])).start()?;
/// let second = Session::builder().memory_network(network.host([10, 0, 0, 2])).start()?;
/// assert_eq!(first.listen_addr(), Some("10.0.0.1:6881".parse()?));
/// # first.close().await;
/// # second.close().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryNetwork {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    config: MemoryConfig,
    rng: fastrand::Rng,
    listeners: HashMap<SocketAddr, mpsc::Sender<MemoryStream>>,
    ports: HashMap<SocketAddr, mpsc::Sender<(SocketAddr, Bytes)>>,
    /// Hosts that take no connection and refuse none.
    silent: HashSet<IpAddr>,
    outgoing: u16,
}

/// A host of a [`MemoryNetwork`]: what a session, or a peer that a test plays, listens on and connects from.
#[derive(Clone, Debug)]
pub struct MemoryHost {
    network: MemoryNetwork,
    ip: IpAddr,
}

impl Default for MemoryNetwork {
    fn default() -> Self {
        Self::new(MemoryConfig::default())
    }
}

impl MemoryNetwork {
    /// A network without hosts.
    #[must_use]
    pub fn new(config: MemoryConfig) -> Self {
        let state = State {
            rng: fastrand::Rng::with_seed(config.seed),
            config,
            listeners: HashMap::new(),
            ports: HashMap::new(),
            silent: HashSet::new(),
            outgoing: FIRST_OUTGOING_PORT,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The host at an address. The same address again is the same host.
    #[must_use]
    pub fn host(&self, ip: impl Into<IpAddr>) -> MemoryHost {
        MemoryHost {
            network: self.clone(),
            ip: ip.into(),
        }
    }

    /// Makes connections to an address time out, as behind a firewall. Returns the address.
    pub fn silent_host(&self, ip: impl Into<IpAddr>) -> IpAddr {
        let ip = ip.into();
        self.state.lock().silent.insert(ip);
        ip
    }

    /// Changes how streams behave that are made from now on.
    pub fn set_config(&self, config: MemoryConfig) {
        self.state.lock().config = config;
    }
}

impl MemoryHost {
    /// Its address.
    #[must_use]
    pub const fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Listens on a port; `None` for the first free one from 6881, 0 for any.
    ///
    /// # Errors
    ///
    /// [`AddrInUse`](io::ErrorKind::AddrInUse) when the port is taken.
    pub fn listen(&self, port: Option<u16>) -> io::Result<MemoryListener> {
        let mut state = self.network.state.lock();
        let addr = self.free_port(port, |addr| state.listeners.contains_key(addr))?;
        let (sender, inbox) = mpsc::channel(BACKLOG);
        state.listeners.insert(addr, sender);
        drop(state);
        Ok(MemoryListener::new(self.network.clone(), addr, inbox))
    }

    /// Connects to a port of another host, or of this one.
    ///
    /// # Errors
    ///
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when nothing listens there.
    ///
    /// # Cancel safety
    ///
    /// There is no connection when the future is dropped.
    pub async fn connect(&self, addr: SocketAddr) -> io::Result<MemoryStream> {
        if self.network.state.lock().silent.contains(&addr.ip()) {
            return std::future::pending().await;
        }
        let (listener, ours, theirs) = self.begin(addr)?;
        let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
        listener.send(theirs).await.map_err(refused)?;
        Ok(ours)
    }

    fn begin(
        &self,
        addr: SocketAddr,
    ) -> io::Result<(mpsc::Sender<MemoryStream>, MemoryStream, MemoryStream)> {
        let mut state = self.network.state.lock();
        let state = &mut *state;
        let listener = state.listeners.get(&addr).cloned();
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let port = state.outgoing;
        state.outgoing = port.checked_add(1).unwrap_or(FIRST_OUTGOING_PORT);
        let from = SocketAddr::new(self.ip, port);
        let (ours, theirs) = stream::pair(&state.config, &mut state.rng, from, addr);
        Ok((listener, ours, theirs))
    }

    /// A port for datagrams; `None` for the first free one from 6881, 0 for any.
    pub(crate) fn datagrams(&self, port: Option<u16>) -> io::Result<MemoryDatagrams> {
        let mut state = self.network.state.lock();
        let addr = self.free_port(port, |addr| state.ports.contains_key(addr))?;
        let (sender, inbox) = mpsc::channel(DATAGRAM_QUEUE);
        state.ports.insert(addr, sender);
        drop(state);
        Ok(MemoryDatagrams::new(self.network.clone(), addr, inbox))
    }

    fn free_port(
        &self,
        port: Option<u16>,
        is_taken: impl Fn(&SocketAddr) -> bool,
    ) -> io::Result<SocketAddr> {
        let mut candidates = match port {
            None | Some(0) => tailwater_types::ports::FIRST..=u16::MAX,
            Some(port) => port..=port,
        };
        let free = candidates.find(|&port| !is_taken(&SocketAddr::new(self.ip, port)));
        let port = free.ok_or(io::ErrorKind::AddrInUse)?;
        Ok(SocketAddr::new(self.ip, port))
    }
}
