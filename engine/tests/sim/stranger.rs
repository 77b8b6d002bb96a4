//! Hosts of the network that follow a script of the hostile kit instead of our machines.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tailwater_engine::torrent::PeerSource;
use tailwater_hostile::Pump;
use tailwater_netsim::{ConnId, Event, HostId, Link};

use super::{MACHINES, Swarm};

/// A host with a script for each of its connections.
pub(crate) struct Stranger {
    host: HostId,
    /// Makes the script of the connection of this number, from 0.
    script: Box<dyn FnMut(u64) -> Pump>,
    lines: BTreeMap<ConnId, Pump>,
    /// Connections that have stood.
    pub(crate) connections: u64,
    /// Connections that the other side has ended or refused.
    pub(crate) ended: u64,
    /// Bytes that the network took from it.
    pub(crate) sent: u64,
}

/// Which stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StrangerId(pub(super) usize);

impl Swarm {
    /// A host that follows a script on each connection, made or accepted. All nodes come before the first stranger.
    pub(crate) fn stranger(
        &mut self,
        link: Link,
        script: impl FnMut(u64) -> Pump + 'static,
    ) -> StrangerId {
        let number = u8::try_from(self.strangers.len() + 1).unwrap();
        let host = self
            .net
            .add_host(SocketAddr::from(([10, 0, 1, number], 6881)), link);
        let stranger = Stranger {
            host,
            script: Box::new(script),
            lines: BTreeMap::new(),
            connections: 0,
            ended: 0,
            sent: 0,
        };
        self.strangers.insert(host.as_usize(), stranger);
        StrangerId(host.as_usize())
    }

    /// A stranger calls a node.
    pub(crate) fn call(&mut self, from: StrangerId, node: usize) {
        let to = self.net.addr(self.nodes[node].host);
        self.net.connect(self.strangers[&from.0].host, to);
    }

    /// Tells a node of a stranger, as a tracker would.
    pub(crate) fn introduce_stranger(&mut self, node: usize, stranger: StrangerId) {
        let addr = self.net.addr(self.strangers[&stranger.0].host);
        let now = self.net.now();
        let engine = &mut self.nodes[node].engine;
        engine.handle_candidates(now, PeerSource::Tracker, &[addr]);
        self.settle(node);
    }

    pub(crate) fn look_at(&self, stranger: StrangerId) -> &Stranger {
        &self.strangers[&stranger.0]
    }

    /// Whether what happened was a stranger's, and has been seen to.
    pub(super) fn is_strangers(&mut self, event: &Event) -> bool {
        let now = self.net.now();
        let Some(stranger) = self.strangers.get_mut(&event.host().as_usize()) else {
            return false;
        };
        match event {
            Event::Connected { conn, .. } | Event::Accepted { conn, .. } => {
                let pump = (stranger.script)(stranger.connections);
                stranger.connections += 1;
                stranger.lines.insert(*conn, pump);
            }
            Event::Refused { .. } => stranger.ended += 1,
            Event::Closed { conn, .. } => {
                stranger.ended += 1;
                stranger.lines.remove(conn);
            }
            Event::Data { conn, bytes, .. } => {
                if let Some(pump) = stranger.lines.get_mut(conn) {
                    pump.handle_bytes(now, bytes);
                }
            }
            // Room to send, or time for more: everything is pumped below.
            _ => {}
        }
        let net = &mut self.net;
        for (conn, pump) in &mut stranger.lines {
            stranger.sent += pump.pump(now, |bytes| net.send(*conn, bytes)) as u64;
        }
        stranger.lines.retain(|conn, pump| {
            if pump.is_over() {
                net.close(*conn);
            }
            !pump.is_over()
        });
        match stranger.lines.values().filter_map(Pump::poll_timeout).min() {
            Some(at) => net.set_timer(stranger.host, at.max(now), MACHINES),
            None => net.cancel_timer(stranger.host, MACHINES),
        }
        true
    }
}
