//! The peers that the user named: addresses are known at once, host names are resolved when the session runs.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tailwater_metainfo::HostPort;
use tailwater_session::Torrent;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::args::Network;
use crate::input::source;
use crate::progress::Progress;

/// The longest time for a name. The system's resolver asks a few servers, for some seconds each.
const RESOLVE_WITHIN: Duration = Duration::from_secs(30);
/// Addresses taken of one name: a hundred peers are a swarm, not a host.
const MAX_ADDRS: usize = 16;

impl Network {
    /// The peers named by address.
    pub(crate) fn peers_by_addr(&self) -> impl Iterator<Item = SocketAddr> {
        self.peer.iter().filter_map(addr)
    }

    /// The addresses of the peers that are named by host name. What cannot be resolved is a warning, once.
    ///
    /// # Cancel safety
    ///
    /// The next caller begins again when the future is dropped.
    pub(crate) async fn peers_by_name(&self, progress: &Progress) -> Vec<SocketAddr> {
        let names = self.peer.iter().filter(|peer| addr(peer).is_none());
        let resolving = async {
            if let Some(interface) = &self.interface {
                source::until_there(interface).await;
            }
            if self.proxy.is_none() {
                return resolve(names, progress).await;
            }
            // A query of ours would go around the proxy.
            for name in names {
                let why = "with --proxy, names are not looked up here; name its address";
                progress.note(format_args!("warning: peer {name} is left out: {why}"));
            }
            Vec::new()
        };
        self.resolved.0.get_or_init(|| resolving).await.clone()
    }

    /// Has a torrent connect to the peers that are named by host name, as soon as they are resolved.
    pub(crate) fn add_named_peers(&self, torrent: &Torrent, progress: &Progress) {
        if self.peer.iter().all(|peer| addr(peer).is_some()) {
            return;
        }
        let (network, torrent, progress) = (self.clone(), torrent.clone(), progress.clone());
        tokio::spawn(async move {
            let peers = network.peers_by_name(&progress).await;
            // A torrent that has ended meanwhile needs none.
            let _ = torrent.add_peers(peers).await;
        });
    }
}

/// The address, if it is one and no name.
fn addr(peer: &HostPort) -> Option<SocketAddr> {
    let ip: IpAddr = peer.host.parse().ok()?;
    Some(SocketAddr::new(ip, peer.port))
}

async fn resolve(names: impl Iterator<Item = &HostPort>, progress: &Progress) -> Vec<SocketAddr> {
    let mut resolving = JoinSet::new();
    for name in names.cloned() {
        resolving.spawn(async move {
            let looking = lookup_host((name.host.clone(), name.port));
            let found = match timeout(RESOLVE_WITHIN, looking).await {
                Ok(Ok(addrs)) => Ok(addrs.take(MAX_ADDRS).collect::<Vec<_>>()),
                Ok(Err(_)) => Err("no host of this name was found"),
                Err(_) => Err("its name could not be looked up in time"),
            };
            (name, found)
        });
    }
    let mut found = Vec::new();
    while let Some(resolved) = resolving.join_next().await {
        match resolved {
            Ok((_, Ok(addrs))) => found.extend(addrs),
            Ok((name, Err(reason))) => {
                progress.note(format_args!("warning: peer {name} is left out: {reason}"));
            }
            // A task that panicked has printed its message.
            Err(_) => {}
        }
    }
    found
}
