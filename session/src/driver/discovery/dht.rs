//! The session's DHT node (BEP 5): one for all its torrents.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tailwater_dht::{Config, Dht, Family, SavedTable, load_table};
use tailwater_metainfo::HostPort;
use tailwater_types::pacing::Backoff;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use crate::discovery::DhtOptions;
use crate::error::StartError;
use crate::ip_filter::SharedFilter;
use crate::transport::{BootstrapPings, DhtDatagrams, Names, UdpPort, Uplink};

/// The interval between saves of the routing table: a crash costs no more than that.
const SAVE_EVERY: Duration = Duration::from_secs(600);
/// The time limit for saving at the end: a slow disk must not hold up the session's close.
const SAVE_WITHIN: Duration = Duration::from_millis(500);
/// The pause before bootstrap hosts are asked through the proxy again, while the node knows no other.
const LONELY_BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300));
/// Nodes that one torrent file may name.
const MAX_NAMED_NODES: usize = 16;
/// The time limit for resolving the name of one of them.
const RESOLVE_WITHIN: Duration = Duration::from_secs(10);

/// A handle to the node. Clones lead to the same one.
#[derive(Clone, Debug)]
pub(crate) struct DhtHandle {
    node: watch::Receiver<Option<Dht>>,
    port: u16,
    names: Names,
    link: Uplink,
}

impl DhtHandle {
    /// Where the node receives datagrams, as peers are told (BEP 5).
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// The node, as soon as it runs; `None` if it has ended.
    pub(crate) async fn node(&self) -> Option<Dht> {
        let mut node = self.node.clone();
        let running = node.wait_for(Option::is_some).await.ok()?;
        running.clone()
    }

    /// Waits until the node has ended.
    pub(crate) async fn ended(&self) {
        let mut node = self.node.clone();
        while node.changed().await.is_ok() {}
    }

    /// A peer has said that a node runs beside it (BEP 5, PORT). The node verifies that with a query before it believes
    /// it.
    pub(crate) async fn add_node(&self, addr: SocketAddr) {
        let node = self.node.borrow().clone();
        if let Some(node) = node {
            // A node that has ended needs no others.
            let _ = node.add_node(addr).await;
        }
    }

    /// A torrent file names nodes that may know it (BEP 5).
    pub(crate) async fn add_named(&self, nodes: &[HostPort], closing: CancellationToken) {
        let resolving = async {
            // A node that does not run yet would lose the address.
            if self.node().await.is_none() {
                return;
            }
            for named in nodes.iter().take(MAX_NAMED_NODES) {
                self.link.up().await;
                let looking_up = self.names.look_up(&named.host, named.port);
                if let Ok(Ok(addrs)) = timeout(RESOLVE_WITHIN, looking_up).await {
                    for addr in addrs {
                        self.add_node(addr).await;
                    }
                }
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = resolving => {}
        }
    }
}

/// The address at which the node was asked to receive.
pub(crate) fn listen_addr(options: Option<&DhtOptions>) -> Option<SocketAddr> {
    options?.listen
}

/// Starts the node on the session's UDP port, if there are options for one.
///
/// # Errors
///
/// When the system has no randomness.
pub(crate) fn start(
    options: Option<DhtOptions>,
    port: Option<(&mut UdpPort, SharedFilter)>,
    names: Names,
    tasks: &TaskTracker,
    closing: &CancellationToken,
) -> Result<Option<DhtHandle>, StartError> {
    let (Some(mut options), Some((port, filter))) = (options, port) else {
        return Ok(None);
    };
    let mut named = Vec::new();
    if names == Names::Unresolved {
        let is_named = |host: &mut String| host.parse::<SocketAddr>().is_err();
        named = options.bootstrap.extract_if(.., is_named).collect();
    }
    let addr = options.listen;
    // Its tokens must not be guessed (BEP 5).
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| StartError::Dht {
        addr,
        source: error.into(),
    })?;
    let (sender, node) = watch::channel(None);
    let task = NodeTask {
        datagrams: port.take_dht(filter).into(),
        pings: port.take_bootstrap(),
        named,
        options,
        seed,
        node: sender,
        link: port.link(),
        closing: closing.clone(),
    };
    tasks.spawn(task.run());
    let link = port.link();
    let port = port.local_addr().map_or(0, |addr| addr.port());
    Ok(Some(DhtHandle {
        node,
        port,
        names,
        link,
    }))
}

/// A node whose port is bound; [`NodeTask::run`] starts it.
struct NodeTask {
    datagrams: DhtDatagrams,
    /// Finds bootstrap nodes by their names, through a proxy.
    pings: Option<BootstrapPings>,
    /// The bootstrap hosts that only the proxy can resolve.
    named: Vec<String>,
    options: DhtOptions,
    seed: [u8; 32],
    node: watch::Sender<Option<Dht>>,
    link: Uplink,
    closing: CancellationToken,
}

impl NodeTask {
    /// Runs the node until the session closes.
    async fn run(self) {
        let Self {
            datagrams,
            pings,
            named,
            options,
            seed,
            node,
            link,
            closing,
        } = self;
        let mut config = Config::new(seed);
        if let Some(table) = recall(options.table.as_deref()).await {
            config = config.with_saved(table);
        }
        let kept = options.table.filter(|_| options.keep_table);
        tokio::select! {
            () = closing.cancelled() => return,
            () = link.up() => {}
        }
        // Names are looked up by the system, which must not be asked while the interface is not there.
        let (names, addrs) = match link.interface() {
            None => (Vec::new(), options.bootstrap),
            Some(_) => options.bootstrap.into_iter().partition(is_name),
        };
        let started = Dht::start(datagrams, config, addrs);
        let dht = match started {
            Ok(dht) => dht,
            Err(error) => {
                return tracing::warn!("no DHT: {}", tailwater_types::system::message(&error));
            }
        };
        tracing::debug!(v4 = ?dht.local_addr(Family::V4), v6 = ?dht.local_addr(Family::V6), "DHT node runs");
        node.send_replace(Some(dht.clone()));
        let saving = async {
            loop {
                tokio::time::sleep(SAVE_EVERY).await;
                save(&dht, kept.as_deref()).await;
            }
        };
        tokio::select! {
            () = closing.cancelled() => {}
            () = saving => {}
            () = bootstrap(&dht, pings.as_ref(), &named) => {}
            () = keep_resolving(&dht, &names, &link) => {}
        }
        save(&dht, kept.as_deref()).await;
        dht.close().await;
        node.send_replace(None);
    }
}

/// Leads a node that knows no other to the hosts that only the proxy can resolve. Never ends.
async fn bootstrap(dht: &Dht, pings: Option<&BootstrapPings>, named: &[String]) {
    let mut backoff = LONELY_BACKOFF;
    while let Some(pings) = pings {
        let stats = dht.stats().await.unwrap_or_default();
        if stats.nodes.iter().sum::<usize>() == 0 {
            for host in named {
                let Some((host, port)) = split(host) else {
                    continue;
                };
                if let Some(addr) = pings.locate(host, port).await {
                    // A node that has ended needs no others.
                    let _ = dht.add_bootstrap(vec![addr]).await;
                }
            }
        }
        tokio::time::sleep(backoff.next_pause()).await;
    }
    std::future::pending::<()>().await;
}

fn split(host: &str) -> Option<(&str, u16)> {
    let (host, port) = host.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

// By reference, as `partition` gives it.
#[expect(clippy::ptr_arg, reason = "what `partition` calls it with")]
fn is_name(host: &String) -> bool {
    host.parse::<SocketAddr>().is_err()
}

/// Resolves the names of bootstrap nodes while the interface is there: again and again for as long as the node knows no
/// other, as the crate `dht` does it. Never ends.
async fn keep_resolving(dht: &Dht, names: &[String], link: &Uplink) {
    let mut backoff = LONELY_BACKOFF;
    loop {
        link.up().await;
        let stats = dht.stats().await.unwrap_or_default();
        if stats.nodes.iter().sum::<usize>() == 0 {
            for name in names {
                let looking_up = tokio::net::lookup_host(name);
                if let Ok(Ok(addrs)) = timeout(RESOLVE_WITHIN, looking_up).await {
                    // A node that has ended needs no others.
                    let _ = dht.add_bootstrap(addrs.collect()).await;
                }
            }
        }
        tokio::time::sleep(backoff.next_pause()).await;
    }
}

async fn recall(table: Option<&Path>) -> Option<SavedTable> {
    let loaded = load_table(table?).await;
    loaded
        .inspect_err(|error| tracing::warn!("the saved table of the DHT is of no use: {error}"))
        .ok()?
}

/// Failing to save costs a slower start, nothing else.
async fn save(dht: &Dht, table: Option<&Path>) {
    let Some(table) = table else {
        return;
    };
    match timeout(SAVE_WITHIN, dht.save_table(table)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("saving the table of the DHT: {error}"),
        Err(_) => tracing::warn!("saving the table of the DHT takes too long"),
    }
}
