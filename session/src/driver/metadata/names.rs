//! Resolves the names in a magnet link (`x.pe`) to addresses.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tailwater_metainfo::HostPort;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::driver::message::TorrentMessage;
use crate::torrent::PeerSource;
use crate::transport::{Names, Uplink};
use tailwater_engine::metadata::named::NamedPeers;

/// Peers of one link that are resolved.
const MAX_NAMED_PEERS: usize = 256;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// The longest time for one name.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(10);
/// A name that has no address may get one: it is asked for again after this time.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(60);

/// Resolves `peers`, those that are written as addresses first. `named` says which of the addresses are believed.
/// Returns the peers that could not be resolved.
pub(super) async fn resolve<'a>(
    peers: &'a [HostPort],
    resolver: (Names, &Uplink),
    named: &mut NamedPeers,
    mut found: impl FnMut(Vec<SocketAddr>),
) -> Vec<&'a HostPort> {
    let mut admit = |mut addrs: Vec<SocketAddr>| {
        addrs.retain(|addr| {
            let is_admitted = named.admits(*addr);
            if !is_admitted {
                tracing::debug!(%addr, "the link may not name this address");
            }
            is_admitted
        });
        addrs
    };
    let mut written = Vec::new();
    let mut names = Vec::new();
    for peer in peers.iter().take(MAX_NAMED_PEERS) {
        match peer.host.parse::<IpAddr>() {
            Ok(ip) => written.push(SocketAddr::new(ip, peer.port)),
            Err(_) => names.push(peer),
        }
    }
    if !written.is_empty() {
        found(admit(written));
    }
    let mut failed = Vec::new();
    for peer in names {
        resolver.1.up().await;
        match look_up(peer, resolver.0).await {
            Some(addrs) => found(admit(addrs)),
            None => failed.push(peer),
        }
    }
    failed
}

/// Resolves all `peers`, for as long as it takes.
pub(super) async fn keep_resolving(
    peers: &[HostPort],
    resolver: (Names, &Uplink),
    mut named: NamedPeers,
    messages: &mpsc::Sender<TorrentMessage>,
) {
    let mut left = peers.to_vec();
    while !left.is_empty() {
        let mut found = Vec::new();
        let failed = resolve(&left, resolver, &mut named, |addrs| found.extend(addrs)).await;
        left = failed.into_iter().cloned().collect();
        let candidates = TorrentMessage::Candidates(PeerSource::Magnet, found);
        if messages.send(candidates).await.is_err() {
            return;
        }
        if !left.is_empty() {
            sleep(LOOK_UP_AGAIN).await;
        }
    }
}

async fn look_up(peer: &HostPort, resolver: Names) -> Option<Vec<SocketAddr>> {
    let looking = timeout(LOOK_UP_WITHIN, resolver.look_up(&peer.host, peer.port)).await;
    match looking {
        Ok(Ok(addrs)) => {
            let addrs: Vec<_> = addrs.into_iter().take(MAX_ADDRESSES).collect();
            Some(addrs).filter(|addrs| !addrs.is_empty())
        }
        Ok(Err(error)) => {
            tracing::debug!(%peer, "looking up a peer of the link: {error}");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "looking up a peer of the link: no answer");
            None
        }
    }
}
