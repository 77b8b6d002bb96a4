//! The settings of a session.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use tailwater_http::{AddressPolicy, Client as HttpClient, RootCertificates};
use tailwater_types::interface::Interface;
use tailwater_wire::own_peer_id;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Inner, Session, random};
use crate::driver::accept::Reception;
use crate::driver::announce::ClientConfig;
use crate::driver::discovery::dht::{self, DhtOptions};
use crate::driver::discovery::local;
use crate::driver::discovery::nat::{self, PortMapStatus, Wanted};
use crate::driver::discovery::own_port::OwnPort;
use crate::driver::handshake::{HandshakeSettings, PeerDialer, reserved};
use crate::driver::peer_limits::PeerLimits;
use crate::driver::permits::{self, ConnectionPermits, DialLimit};
use crate::driver::rate_limits::RateLimits;
use crate::driver::registry::Registry;
use crate::driver::torrent::Shared;
use crate::encryption::Encryption;
use crate::error::StartError;
use crate::events::EventSender;
use crate::ip_filter::{IpFilter, SharedFilter};
use crate::limits::{DEFAULT_MAX_PEERS, DEFAULT_MEMORY_BUDGET, DEFAULT_UPLOAD_SLOTS};
use crate::proxy::Proxy;
use crate::storage::{DiskStorage, IoConfig, MemoryStorage, Storages};
use crate::transport::{Dialer, Listener, Network, ProxyDialer, UdpPort};
use crate::transports::Transports;
#[cfg(feature = "trackers")]
use tailwater_tracker::UdpRoute;
use tailwater_utp::driver::UtpSocket;

/// The memory by which the buffers of all connections over uTP together may grow, in bytes: ten connections at full speed
/// over a long path. Unlike those of TCP they are this process's memory.
const UTP_BUFFER_MEMORY: usize = 64 * 1024 * 1024;

/// Settings of a session; see [`Session::builder`].
#[derive(Clone, Debug)]
pub struct SessionBuilder {
    pub(super) network: Network,
    pub(super) listen: Option<SocketAddr>,
    pub(super) dial_from: Option<IpAddr>,
    pub(super) proxy: Option<Proxy>,
    pub(super) interface: Option<Interface>,
    pub(super) accept_incoming: bool,
    pub(super) encryption: Encryption,
    pub(super) ip_filter: IpFilter,
    pub(super) transports: Transports,
    pub(super) memory_budget: u64,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) download_limit: Option<u64>,
    pub(super) upload_limit: Option<u64>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_peers: usize,
    pub(super) upload_slots: usize,
    pub(super) io: IoConfig,
    pub(super) tracker: ClientConfig,
    pub(super) root_certificates: RootCertificates,
    pub(super) dht: Option<DhtOptions>,
    pub(super) local_discovery: bool,
    pub(super) port_mapping: bool,
}

impl SessionBuilder {
    /// Where to listen. Default: the first free port from 6881, on all interfaces, IPv4 and IPv6.
    #[must_use]
    pub const fn listen(mut self, addr: SocketAddr) -> Self {
        self.listen = Some(addr);
        self
    }

    /// The address that connections to peers are made from, such as that of a tunnel; peers of the other address family are
    /// not dialled then. Default: the system's choice for each peer.
    #[must_use]
    pub const fn dial_from(mut self, ip: IpAddr) -> Self {
        self.dial_from = Some(ip);
        self
    }

    /// The proxy that everything goes through: connections to peers, trackers, web seeds, .torrent files, and, where it
    /// speaks SOCKS5 and has UDP ASSOCIATE, the datagrams of uTP, the DHT and UDP trackers; otherwise there are none.
    ///
    /// Nothing goes around it: names are not looked up here (the proxy's own is), and no port is listened on unless
    /// [`SessionBuilder::listen`] names one. What goes to the local network is sent only where it is asked for, by
    /// [`SessionBuilder::local_discovery`] and [`SessionBuilder::port_mapping`]. Of the tracker's settings, the proxy is
    /// replaced by this one. Default: none; a .torrent file is then fetched through the proxy of the environment.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// The network interface that every socket is bound to: for peers over TCP and uTP, the DHT, trackers, web seeds, URLs of
    /// .torrent files, and local discovery. Nothing goes by another one. While it is not there, nothing is sent at all
    /// (kill switch): connections end, and all goes on when it is back. [`SessionStats::interface_is_up`] and
    /// [`Event::InterfaceChanged`] tell which.
    ///
    /// - Names of trackers and web seeds are looked up by the system's resolver, which this process cannot bind to an
    ///   interface; none are looked up while the interface is not there. Let the tunnel bring its own name server.
    /// - The router is not asked to forward a port, whatever [`SessionBuilder::port_mapping`] says: it is not at the end of
    ///   a tunnel.
    /// - [`SessionBuilder::listen`], [`SessionBuilder::dial_from`] and the address of the DHT must be addresses of the
    ///   interface, or unspecified.
    ///
    /// Default: none: the system's routes decide.
    ///
    /// [`SessionStats::interface_is_up`]: crate::SessionStats::interface_is_up
    /// [`Event::InterfaceChanged`]: crate::Event::InterfaceChanged
    #[must_use]
    pub fn interface(mut self, interface: Interface) -> Self {
        self.interface = Some(interface);
        self
    }

    /// Uses a host of a network in memory in place of the system's sockets, for connections to peers and for the DHT. Of the
    /// addresses to listen on, the port counts. Default: the system's sockets.
    #[cfg(feature = "memory-network")]
    #[must_use]
    pub fn memory_network(mut self, host: crate::memory_network::MemoryHost) -> Self {
        self.network = Network::Memory(host);
        self
    }

    /// Whether peers can connect to us. Default: yes.
    #[must_use]
    pub const fn accept_incoming(mut self, accept_incoming: bool) -> Self {
        self.accept_incoming = accept_incoming;
        self
    }

    /// Addresses that are neither dialled nor accepted, whatever source names them: peers, nodes of the DHT, and web seeds.
    /// Trackers are still asked.
    /// Default: none.
    #[must_use]
    pub fn ip_filter(mut self, filter: IpFilter) -> Self {
        self.ip_filter = filter;
        self
    }

    /// Which transports connections to peers use. With [`SessionBuilder::dial_from`], TCP alone. Default:
    /// [`Transports::Both`].
    #[must_use]
    pub const fn transports(mut self, transports: Transports) -> Self {
        self.transports = transports;
        self
    }

    /// Whether connections to peers are encrypted. Default: [`Encryption::Prefer`].
    #[must_use]
    pub const fn encryption(mut self, policy: Encryption) -> Self {
        self.encryption = policy;
        self
    }

    /// The most memory, in bytes, for the pieces of all torrents in memory. Default: [`DEFAULT_MEMORY_BUDGET`].
    #[must_use]
    pub const fn memory_budget(mut self, bytes: u64) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// A folder for resume data, and for the metadata of magnet links. Default: none: files are checked at every start,
    /// and metadata is fetched anew.
    ///
    /// When the session starts, it is cleaned in the background: what has not been used for 90 days goes, resume data of
    /// files that are gone, all but the newest 100 000 records of resume data and 1 000 of metadata, and what a killed
    /// process left. Files that are not the session's stay.
    #[cfg(feature = "disk")]
    #[must_use]
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// The download rate limit over all torrents, in bytes a second. Default: no limit.
    #[must_use]
    pub const fn download_limit(mut self, bytes_per_second: u64) -> Self {
        self.download_limit = Some(bytes_per_second);
        self
    }

    /// The upload rate limit over all torrents, in bytes of blocks a second; other messages pass, and ahead of blocks.
    /// Default: no limit.
    #[must_use]
    pub const fn upload_limit(mut self, bytes_per_second: u64) -> Self {
        self.upload_limit = Some(bytes_per_second);
        self
    }

    /// The most connections to peers, over all torrents: half-open ones, handshakes, and those that only fetch the
    /// metadata of a magnet link included. At the limit, torrents with few connections come before torrents with many,
    /// which disconnect the peers that they have least use for, and further incoming connections are closed at once. A
    /// torrent may be left without any where there are fewer connections than torrents.
    ///
    /// Default: 1000, but no more than the process has files to open. Of its soft limit (`RLIMIT_NOFILE`, as it is when the
    /// session starts) a quarter and 128 more are kept for files, trackers and everything else; at least 16 connections
    /// are made in any case. Where there is no such limit: 1000.
    #[must_use]
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// The most connected peers of one torrent, within [`SessionBuilder::max_connections`]. Default: 200.
    #[must_use]
    pub const fn max_peers(mut self, peers: usize) -> Self {
        self.max_peers = peers;
        self
    }

    /// The upload slots of one torrent: the most peers that are uploaded to at once; four times as many by one that is
    /// complete, while nearly all of them take 32 KiB a second or more. Default: 8.
    #[must_use]
    pub const fn upload_slots(mut self, slots: usize) -> Self {
        self.upload_slots = slots;
        self
    }

    /// The file I/O settings.
    #[cfg(feature = "disk")]
    #[must_use]
    pub const fn io(mut self, io: IoConfig) -> Self {
        self.io = io;
        self
    }

    /// The settings of the tracker client.
    #[cfg(feature = "trackers")]
    #[must_use]
    pub fn tracker(mut self, config: ClientConfig) -> Self {
        self.tracker = config;
        self
    }

    /// Authorities that web seeds and trackers over HTTPS may be certified by, beside those of Mozilla. Default: none.
    #[must_use]
    pub fn root_certificates(mut self, more: RootCertificates) -> Self {
        self.root_certificates = more;
        self
    }

    /// Finds peers in the DHT (BEP 5), and announces the session's torrents there; private ones never (BEP 27).
    /// Default: no.
    #[cfg(feature = "dht")]
    #[must_use]
    pub fn dht(mut self, options: DhtOptions) -> Self {
        self.dht = Some(options);
        self
    }

    /// Whether peers of the local network are found by multicast, and find us (BEP 14); private torrents never (BEP 27).
    /// Default: no.
    #[must_use]
    pub const fn local_discovery(mut self, on: bool) -> Self {
        self.local_discovery = on;
        self
    }

    /// Whether the router is asked to forward the listening port to us, by PCP, NAT-PMP or UPnP. Default: no.
    #[cfg(feature = "port-mapping")]
    #[must_use]
    pub const fn port_mapping(mut self, on: bool) -> Self {
        self.port_mapping = on;
        self
    }

    /// Starts the session, inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the listening port, an address asked for the DHT, or the I/O threads cannot be had, the address to dial from is
    /// not one of the network interface, or there is a proxy beside the interface.
    pub fn start(mut self) -> Result<Session, StartError> {
        let control = self.bind_to_interface()?;
        let proxy = self.prepare_proxy();
        let dialer = Dialer::new(self.network.clone(), self.dial_from).with_proxy(proxy.clone());
        let peer_id = own_peer_id(random());
        let registry = Arc::new(Registry::new(peer_id));
        let closing = CancellationToken::new();
        let tasks = TaskTracker::new();
        let handshakes = HandshakeSettings::new(self.encryption);
        let filter = SharedFilter::new(self.ip_filter.clone());
        let limit = self.max_connections;
        let limit = limit.unwrap_or_else(permits::default_limit);
        let permits = ConnectionPermits::new(limit, DialLimit::default());
        let reception = Reception::new(
            Arc::clone(&registry),
            permits.clone(),
            reserved(self.dht.is_some()),
            handshakes.clone(),
            filter.clone(),
        );
        let (listener, listen_addr) = self.open_listener()?.unzip();
        let mut udp = self.open_udp(listen_addr, proxy)?;
        let filtered_udp = udp.as_mut().map(|port| (port, filter.clone()));
        // With uTP alone, it has only found a port that is free.
        if let Some(listener) = listener.filter(|_| self.transports.has_tcp()) {
            tasks.spawn(reception.clone().listen(listener, closing.clone()));
        }
        let names = dialer.names();
        let dht = dht::start(self.dht.clone(), filtered_udp, names, &tasks, &closing)?;
        let utp = self.start_utp(udp.as_mut());
        let dialer = dialer.with_utp(utp.clone(), udp.as_ref().and_then(UdpPort::relay));
        if let Some(utp) = utp.clone().filter(|_| self.accept_incoming) {
            tasks.spawn(reception.listen(Listener::Utp(utp, self.network.link()), closing.clone()));
        }
        let udp_port = udp.as_ref().and_then(UdpPort::local_addr);
        if let Some(udp) = udp {
            tasks.spawn(udp.run(utp, closing.clone()));
        }
        self.start_local_discovery(&registry, listen_addr, &tasks, &closing);
        let (disk, metadata) = DiskStorage::start(self.io, self.state_dir.clone(), &tasks)?;
        let http = self.web_seed_client(filter.clone());
        let shared = Shared {
            port: self.start_port_map(listen_addr, udp_port, &tasks, &closing),
            permits,
            dialer: PeerDialer::new(dialer, self.transports, handshakes.clone(), filter.clone()),
            handshakes,
            filter,
            down_limit: RateLimits::of_session(self.download_limit),
            up_limit: RateLimits::of_session(self.upload_limit),
            events: EventSender::new(),
            dht,
            http,
            link: self.network.link(),
        };
        let client = self.tracker_client();
        if let Some(control) = control {
            tasks.spawn(control.watch(&shared, &client).run(closing.clone()));
        }
        let inner = Inner {
            storages: Arc::new(Storages {
                disk,
                memory: MemoryStorage::new(self.memory_budget),
            }),
            client,
            http_proxy: self.proxy.as_ref().map(Into::into),
            peer_limits: Arc::new(PeerLimits::new(
                Some(self.max_peers),
                Some(self.upload_slots),
            )),
            ended: Arc::default(),
            listen_addr,
            registry,
            closing,
            tasks,
            metadata,
            shared,
        };
        Ok(Session {
            inner: Arc::new(inner),
        })
    }
}

impl SessionBuilder {
    /// Turns off what would go around the proxy, if there is one.
    fn prepare_proxy(&mut self) -> Option<Arc<ProxyDialer>> {
        let proxy = self.proxy.clone()?;
        self.accept_incoming &= self.listen.is_some();
        #[cfg(feature = "trackers")]
        {
            self.tracker.proxy = (&proxy).into();
            self.tracker.udp_route = UdpRoute::Off;
        }
        if !proxy.may_carry_udp() {
            tracing::warn!("an HTTP proxy carries no UDP: no uTP, no DHT, no UDP trackers");
            self.dht = None;
        }
        Some(Arc::new(ProxyDialer::new(proxy, self.dial_from)))
    }

    /// Opens the listening port, unless incoming connections are not wanted.
    fn open_listener(&self) -> Result<Option<(Listener, SocketAddr)>, StartError> {
        if !self.accept_incoming {
            return Ok(None);
        }
        let refused = |source| StartError::Listen {
            addr: self.listen,
            source,
        };
        let listener = self.network.listen(self.listen).map_err(refused)?;
        let addr = listener.local_addr().map_err(refused)?;
        Ok(Some((listener, addr)))
    }

    /// The client of web seeds, which send long answers: HTTP/2 pays there.
    fn web_seed_client(&self, filter: SharedFilter) -> HttpClient {
        let policy = AddressPolicy::default().without(move |address| filter.contains(address));
        let config = self.http_config().http2(true).address_policy(policy);
        let config = config.root_certificates(&self.root_certificates);
        HttpClient::new(match &self.proxy {
            Some(proxy) => config.proxy(proxy.into()),
            None => config,
        })
    }

    fn start_local_discovery(
        &self,
        registry: &Arc<Registry>,
        listen_addr: Option<SocketAddr>,
        tasks: &TaskTracker,
        closing: &CancellationToken,
    ) {
        if self.local_discovery {
            let (registry, link) = (Arc::clone(registry), self.network.link());
            let seed = u64::from_be_bytes(random());
            let closing = closing.clone();
            tasks.spawn(local::run(registry, listen_addr, seed, link, closing));
        }
    }

    /// Opens the UDP port, if there is a protocol for it; with a proxy, the relay that stands for it.
    fn open_udp(
        &mut self,
        listen_addr: Option<SocketAddr>,
        proxy: Option<Arc<ProxyDialer>>,
    ) -> Result<Option<UdpPort>, StartError> {
        if let (Some(dialer), Some(proxy)) = (proxy, &self.proxy) {
            let port = proxy.may_carry_udp().then(|| UdpPort::relayed(dialer));
            #[cfg(feature = "trackers")]
            if let Some(port) = &port {
                self.tracker.udp_route = UdpRoute::Relay(Arc::new(port.take_trackers()));
            }
            return Ok(port);
        }
        if self.dht.is_none() && !self.transports.has_utp() {
            return Ok(None);
        }
        let addr = dht::listen_addr(self.dht.as_ref());
        let bound = UdpPort::bind(&self.network, addr, listen_addr);
        match bound {
            Ok(port) => Ok(Some(port)),
            Err(source) if self.dht.is_some() => Err(StartError::Dht { addr, source }),
            Err(error) => {
                // TCP goes on without it.
                tracing::warn!("no uTP: {}", tailwater_types::system::message(&error));
                Ok(None)
            }
        }
    }

    /// Connections over uTP, unless they are not wanted.
    fn start_utp(&self, port: Option<&mut UdpPort>) -> Option<Arc<UtpSocket>> {
        // It would dial from any address.
        let is_wanted =
            self.transports.has_utp() && (self.dial_from.is_none() || self.proxy.is_some());
        let port = port.filter(|_| is_wanted)?;
        // Its connection ids must not be guessed.
        let mut seed = [0; 8];
        let config = getrandom::fill(&mut seed)
            .map_err(|error| error.to_string())
            .and_then(|()| self.utp_config(u64::from_be_bytes(seed)));
        match config {
            Ok(config) => Some(Arc::new(port.take_utp(config))),
            Err(error) => {
                tracing::warn!("no uTP: {error}");
                None
            }
        }
    }

    fn utp_config(&self, seed: u64) -> Result<tailwater_utp::Config, String> {
        let mut config = tailwater_utp::Config::new(seed);
        if !self.accept_incoming {
            config = config.backlog(0).map_err(|error| error.to_string())?;
        }
        Ok(config.buffer_memory(UTP_BUFFER_MEMORY))
    }

    fn start_port_map(
        &self,
        listen_addr: Option<SocketAddr>,
        udp: Option<SocketAddr>,
        tasks: &TaskTracker,
        closing: &CancellationToken,
    ) -> OwnPort {
        let (found, mapped) = watch::channel(PortMapStatus::default());
        let listened = listen_addr.map(|addr| addr.port());
        let wanted = Wanted {
            tcp: listened,
            udp: udp.map(|addr| addr.port()).filter(|&port| port > 0),
        };
        // The loopback interface cannot be reached from outside.
        let is_reachable = listen_addr.is_some_and(|addr| !addr.ip().is_loopback());
        if self.port_mapping && is_reachable && self.interface.is_none() {
            tasks.spawn(nat::run(wanted, closing.clone(), found));
        }
        OwnPort::new(listened, mapped)
    }
}

impl Default for SessionBuilder {
    fn default() -> Self {
        Self {
            network: Network::default(),
            listen: None,
            dial_from: None,
            proxy: None,
            interface: None,
            accept_incoming: true,
            encryption: Encryption::default(),
            ip_filter: IpFilter::default(),
            transports: Transports::default(),
            memory_budget: DEFAULT_MEMORY_BUDGET,
            state_dir: None,
            download_limit: None,
            upload_limit: None,
            max_connections: None,
            max_peers: DEFAULT_MAX_PEERS,
            upload_slots: DEFAULT_UPLOAD_SLOTS,
            io: IoConfig::default(),
            tracker: ClientConfig::default(),
            root_certificates: RootCertificates::default(),
            dht: None,
            local_discovery: false,
            port_mapping: false,
        }
    }
}
