//! The task that looks up a torrent's peers in the DHT (BEP 5), and announces the torrent there.

use std::time::Duration;

use tailwater_dht::{Announce, Dht, PeerStream};
use tailwater_types::pacing::Backoff;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::dht::DhtHandle;
use crate::driver::message::TorrentMessage;
use crate::driver::swarm::SwarmContext;
use crate::status::{Phase, Status};
use crate::torrent::PeerSource;
use crate::words::count;

/// A torrent is announced again this often: nodes forget it after half an hour (BEP 5).
const ANNOUNCE_EVERY: Duration = Duration::from_secs(15 * 60);
/// A torrent that wants data and has few peers looks again this often.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(15), ANNOUNCE_EVERY);
/// Below this many peers, the DHT is asked again soon.
const FEW_PEERS: usize = 4;
/// How often the number of nodes is updated for a progress display.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// The figures of a search, for a progress display.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchTally {
    /// Nodes in the table.
    pub(crate) nodes: usize,
    /// Addresses that nodes have named.
    pub(crate) peers: usize,
}

/// Everything that the search's task needs.
pub(crate) struct Search {
    pub(crate) dht: DhtHandle,
    pub(crate) context: SwarmContext,
    /// Whether our own port is announced, or peers are only asked for.
    pub(crate) announces: bool,
    /// Takes the figures that a progress display shows.
    pub(crate) tally: Option<watch::Sender<SearchTally>>,
}

impl Search {
    /// Searches until the torrent closes, or the node ends.
    pub(crate) async fn run(mut self) {
        let closing = self.context.closing.clone();
        tokio::select! {
            () = closing.cancelled() => {}
            () = self.search() => {}
        }
    }

    async fn search(&mut self) {
        let Some(node) = self.dht.node().await else {
            return;
        };
        let mut backoff = BACKOFF;
        loop {
            // A torrent that is resumed needs peers at once.
            let runs = |status: &Status| !is_paused(status);
            if self.context.status.wait_for(runs).await.is_err() {
                return;
            }
            self.context.link.up().await;
            let mut link = self.context.link.clone();
            let Ok(stream) = self.begin(&node).await else {
                return;
            };
            let is_heard = self.forward(&node, stream).await;
            let began = Instant::now();
            let retry_at = began + backoff.next_pause();
            tokio::select! {
                is_there = self.rest(began + ANNOUNCE_EVERY, retry_at, is_heard) => if !is_there {
                    return;
                },
                // Peers look for us where we were.
                () = link.changed() => {
                    backoff.reset();
                    continue;
                }
            }
            let rested_long = began.elapsed() >= ANNOUNCE_EVERY;
            if rested_long {
                backoff.reset();
            }
        }
    }

    async fn begin(&self, node: &Dht) -> Result<PeerStream, tailwater_dht::DhtClosed> {
        let stats = self.context.status.borrow().stats;
        let is_seed = stats.bytes_left == 0 && stats.pieces_total > 0;
        let port = self.announces.then(|| self.context.port.outside());
        match port.flatten() {
            Some(port) => {
                let how = Announce {
                    port: Some(port),
                    is_seed,
                };
                node.announce(self.context.name, how).await
            }
            None => node.get_peers(self.context.name).await,
        }
    }

    /// Passes on the peers that nodes name, as they come; says whether the lookup succeeded.
    async fn forward(&self, node: &Dht, mut stream: PeerStream) -> bool {
        let mut tell_at = Instant::now();
        let mut named = 0;
        loop {
            tokio::select! {
                found = stream.next() => {
                    let Some(found) = found else {
                        break;
                    };
                    tracing::debug!(info_hash = %self.context.name, node = %found.from.addr, peers = found.peers.len(), "DHT");
                    self.count(found.peers.len());
                    named += found.peers.len();
                    let message = TorrentMessage::Candidates(PeerSource::Dht, found.peers);
                    if self.context.messages.send(message).await.is_err() {
                        return false;
                    }
                }
                () = sleep_until(tell_at), if self.tally.is_some() => {
                    self.look_at(node).await;
                    tell_at = Instant::now() + TELL_EVERY;
                }
            }
        }
        tracing::info!("the DHT named {}", count(named, "peer"));
        self.look_at(node).await;
        self.tell_external_ip(node).await;
        let report = stream.finish().await;
        // Nodes that were not there yet may be there soon.
        report.is_ok_and(|report| report.stored > 0 || !self.announces && report.answered > 0)
    }

    /// The nodes agree on where they see us (BEP 42).
    async fn tell_external_ip(&self, node: &Dht) {
        let stats = node.stats().await.unwrap_or_default();
        for ip in stats.external_ips.into_iter().flatten() {
            // A torrent that is gone needs no address.
            let _ = self
                .context
                .messages
                .send(TorrentMessage::ExternalIp(ip))
                .await;
        }
    }

    fn count(&self, peers: usize) {
        if let Some(tally) = &self.tally {
            tally.send_modify(|tally| tally.peers += peers);
        }
    }

    async fn look_at(&self, node: &Dht) {
        if let Some(tally) = &self.tally
            && let Ok(stats) = node.stats().await
        {
            let nodes = stats.nodes.iter().sum();
            tally.send_if_modified(|tally| std::mem::replace(&mut tally.nodes, nodes) != nodes);
        }
    }

    /// Waits for the time of the next lookup: `retry_at` if no node has stored our announce (or answered, where we do
    /// not announce), or peers are few; at once if the torrent is paused. False when the torrent has gone.
    async fn rest(&mut self, again_at: Instant, retry_at: Instant, is_heard: bool) -> bool {
        loop {
            let (stats, paused) = {
                let status = self.context.status.borrow_and_update();
                (status.stats, is_paused(&status))
            };
            if paused {
                return true;
            }
            let is_hungry = stats.bytes_left > 0 && stats.promising_peers() < FEW_PEERS;
            let until = match is_hungry || !is_heard {
                true => retry_at,
                false => again_at,
            };
            tokio::select! {
                () = sleep_until(until) => return true,
                changed = self.context.status.changed() => if changed.is_err() {
                    return false;
                }
            }
        }
    }
}

fn is_paused(status: &Status) -> bool {
    status.phase == Phase::Paused
}
