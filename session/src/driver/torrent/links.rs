//! The torrent's connections: those that are made, those that peers made, and their end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tailwater_wire::Reserved;
use tokio::sync::Semaphore;

use super::Running;
use crate::driver::discovery::dht::DhtHandle;
use crate::driver::handshake::{self, Handshaken};
use crate::driver::message::{BATCHES_IN_FLIGHT, End, TorrentMessage};
use crate::driver::peer::PeerTask;
use crate::mailbox::Mailbox;
use crate::peer::{self, Command, Connection, Consequence, Direction};
use crate::torrent::{NewPeer, PeerKey};

/// Commands that may be queued for one connection before it counts as stuck.
pub(super) const COMMAND_LIMIT: usize = 1 << 17;

/// The torrent's end of one connection.
pub(super) struct Link {
    pub(super) mailbox: Arc<Mailbox<Command>>,
    /// Commands of this round, handed over together.
    pub(super) commands: Vec<Command>,
    pub(super) who: Who,
}

/// A supplier's name for logs.
pub(super) enum Who {
    /// A peer: its address, and its client's name.
    Peer(SocketAddr, Option<String>),
    /// A web seed: its URL for people.
    WebSeed(String),
}

impl Who {
    pub(super) const fn is_web_seed(&self) -> bool {
        matches!(self, Self::WebSeed(_))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(addr, Some(client)) => write!(f, "peer {addr} ({client})"),
            Self::Peer(addr, None) => write!(f, "peer {addr}"),
            Self::WebSeed(url) => write!(f, "web seed {url}"),
        }
    }
}

impl Running {
    /// Ends the connections with addresses that the filter has now.
    pub(super) fn disconnect_filtered(&mut self, now: Instant) {
        let filter = self.task.shared.filter.get();
        self.engine
            .disconnect_filtered(now, |ip| filter.contains(ip));
    }

    /// A peer has completed its handshake: it gets a task of its own, unless the torrent refuses it.
    pub(super) fn take_in(&mut self, now: Instant, mut peer: Handshaken) {
        self.group.adopt(&mut peer.permit);
        let new = NewPeer {
            addr: peer.addr,
            id: peer.id,
            direction: peer.direction,
            fast: peer.agreed.fast(),
            kind: peer.kind(),
        };
        let key = match self.engine.handle_connected(now, new) {
            Ok(key) => key,
            Err(refusal) => {
                tracing::debug!(addr = %peer.addr, ?refusal, "peer refused");
                return;
            }
        };
        if peer.v2 {
            self.engine.handle_speaks_v2(now, key);
        }
        let mut connection = Connection::new(
            now,
            peer::Config {
                geometry: self.task.geometry.clone(),
                fast: peer.agreed.fast(),
                extensions: peer.agreed.extension_protocol(),
                listen_port: self.task.shared.port.seen_by(peer.addr.ip()),
                addr: Some(peer.addr.ip()),
                other_ip: self.engine.other_ip(peer.addr.ip()),
                upload_only: self.engine.is_upload_only(),
                metadata: self.task.metadata.clone(),
                private: self.task.config.private,
                dht_port: self.dht_port(peer.agreed),
                hashes: peer.v2.then(|| self.task.metainfo.piece_layers().clone()),
            },
        );
        let who = Who::Peer(peer.addr, tailwater_wire::client_name(&peer.id));
        match peer.direction {
            Direction::Outgoing => tracing::info!(
                "{who} is connected ({}, {})",
                new.kind.transport,
                new.kind.encrypted
            ),
            Direction::Incoming => tracing::info!(
                "{who} has connected to us ({}, {})",
                new.kind.transport,
                new.kind.encrypted
            ),
        }
        let early = connection.handle_bytes(now, &mut peer.received);
        let mailbox = Arc::new(Mailbox::new(COMMAND_LIMIT));
        self.links.insert(
            key,
            Link {
                mailbox: Arc::clone(&mailbox),
                commands: Vec::new(),
                who,
            },
        );
        let task = PeerTask {
            key,
            ip: peer.addr.ip(),
            stream: peer.stream,
            connection,
            storage: Arc::clone(&self.task.storage),
            mailbox,
            messages: self.task.messages_in.clone(),
            in_flight: Arc::new(Semaphore::new(BATCHES_IN_FLIGHT)),
            buffers: Arc::clone(&self.buffers),
            hashing: Arc::clone(&self.hashing),
            down_limit: self.task.shared.down_limit.clone(),
            up_limit: self.task.shared.up_limit.clone(),
            dht: self.task.shared.dht.clone(),
            _permit: peer.permit,
        };
        self.tasks.spawn(task.run(peer.received, early));
    }

    pub(super) fn handle_ended(&mut self, now: Instant, key: PeerKey, end: &End) {
        // The end of a connection that we closed has been reported already.
        if let Some(link) = self.links.remove(&key) {
            tracing::info!("{} is gone: {end}", link.who);
        }
        if let End::Violation(violation) = end
            && violation.consequence() == Consequence::Ban
        {
            self.engine.handle_misbehaviour(now, key);
        }
        self.engine.handle_closed(now, key);
        // It may have been a web seed, in whose place another one is used.
        self.start_web_seeds(now);
    }

    pub(super) fn connect(&self, addr: SocketAddr) {
        let ours = handshake::Ours {
            hashes: self.task.metainfo.info().info_hashes(),
            peer_id: self.task.config.peer_id,
            reserved: self.task.shared.reserved(),
        };
        let messages = self.task.messages_in.clone();
        let closing = self.ending.clone();
        let group = Arc::clone(&self.group);
        let dialer = match self.task.config.on_demand {
            true => self.task.shared.dialer.tcp_first(),
            false => self.task.shared.dialer.clone(),
        };
        self.tasks.spawn(async move {
            let dialling = async { dialer.dial(addr, ours, group.acquire().await).await };
            let dialled = tokio::select! {
                () = closing.cancelled() => return,
                dialled = dialling => dialled,
            };
            let message = match dialled {
                Ok(peer) => TorrentMessage::Handshaken(Box::new(peer)),
                Err(error) => {
                    tracing::debug!(%addr, "connecting: {error}");
                    TorrentMessage::DialFailed(addr)
                }
            };
            // A torrent that closes meanwhile needs no answer.
            let _ = messages.send(message).await;
        });
    }

    /// Tells connections to give back the blocks that wait for sockets, because those pin their pieces.
    pub(super) fn yield_blocks(&mut self) {
        for (&key, link) in &mut self.links {
            if link.commands.is_empty() {
                self.dirty.push(key);
            }
            link.commands.push(Command::YieldBlocks);
        }
    }

    /// The port of our DHT node, for a peer that has one too. Peers of a private torrent need not know it (BEP 27).
    pub(super) fn dht_port(&self, agreed: Reserved) -> Option<u16> {
        let dht = self.task.shared.dht.as_ref();
        let told = dht.filter(|_| agreed.dht() && !self.task.config.private);
        // Through a proxy, none is known.
        told.map(DhtHandle::port).filter(|&port| port > 0)
    }
}
