//! The admission of connections to a fetch: which addresses it connects to, and which callers it takes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link::{self, LinkTask, News, What};
use super::names;
use super::running::{Caller, Fetching, Link};
use crate::driver::handshake::{self, Handshaken};
use crate::driver::message::TorrentMessage;
use crate::peer::Direction;
use tailwater_engine::metadata::LinkKey;
use tailwater_engine::metadata::link::LinkConfig;
use tailwater_engine::metadata::named::NamedPeers;
use tailwater_engine::metadata::slots::{Admission, Way, max_links};

/// Callers that may wait for a slot: those of 40 liars at once, and of the honest one behind them, find room.
const MAX_WAITING: usize = 32;
/// How long a caller waits: two turns of the longest usual kind, in which every slot becomes free that is of no use.
const WAIT_WITHIN: Duration = Duration::from_secs(5);

impl Fetching {
    /// Connects to the addresses whose turn it is, as long as there are slots.
    pub(super) fn connect_more(&mut self, now: Instant) {
        // Hosts that accept connections and say nothing would hold up others: a host has a few attempts at once.
        while self.has_others()
            && let Some(key) = self.slots.late_dial(now)
        {
            self.displace(now, key);
        }
        while self.slots.opens(now, Way::Dialled) <= now
            && let Some(addr) = self.known.next(now)
        {
            match self.make_room(now, Way::Dialled, addr) {
                Ok(()) => self.connect(now, addr),
                // Its host has connections enough, until then.
                Err(until) => self.known.defer(addr, until),
            }
        }
    }

    /// Whether there are addresses without a connection.
    pub(super) fn has_others(&self) -> bool {
        self.known.len() > self.slots.count_dialled()
    }

    /// Ends connections that make room for an address; or else says when there is room for it.
    fn make_room(&mut self, now: Instant, way: Way, addr: SocketAddr) -> Result<(), Instant> {
        let is_named = self.known.is_vouched(addr);
        loop {
            match self.slots.admission(now, way, addr, is_named) {
                Admission::Free => return Ok(()),
                Admission::Wait(until) => return Err(until),
                Admission::Displace(key) => self.displace(now, key),
            }
        }
    }

    /// Ends a connection that does not help, because another address waits.
    fn displace(&mut self, now: Instant, key: LinkKey) {
        self.slots.displace(key);
        if let Some((addr, dial)) = self.dials.remove(&key) {
            tracing::debug!(%addr, "no connection for metadata in time; others wait");
            dial.cancel();
            self.known.handle_failed(now, addr);
        }
        if let Some(link) = self.links.get_mut(&key) {
            tracing::debug!(addr = %link.addr, "dropping a peer: it does not help, and others wait");
            // What it has given does not bring it back sooner than those that wait.
            link.has_given = false;
        }
        self.end(now, key);
    }

    fn next_key(&mut self) -> LinkKey {
        self.last_key += 1;
        LinkKey(self.last_key)
    }

    fn connect(&mut self, now: Instant, addr: SocketAddr) {
        let ours = handshake::Ours {
            hashes: self.task.context.hashes,
            peer_id: self.task.registry.peer_id(),
            reserved: self.task.reserved,
        };
        let key = self.next_key();
        self.slots.queue(now, key, addr);
        let ending = self.ending.child_token();
        self.dials.insert(key, (addr, ending.clone()));
        let (messages, news) = (self.task.context.messages.clone(), self.news_in.clone());
        let group = Arc::clone(&self.task.group);
        let dialer = self.task.dialer.tcp_first().without_hashes();
        self.tasks.spawn(async move {
            let dialling = async {
                let permit = group.acquire().await;
                let what = What::Dialling;
                // A fetch that is over needs no news, and no answer either.
                let _ = news.send(News { link: key, what }).await;
                let message = match dialer.dial(addr, ours, permit).await {
                    Ok(peer) => TorrentMessage::Handshaken(Box::new(peer)),
                    Err(error) => {
                        tracing::debug!(%addr, "connecting for metadata: {error}");
                        TorrentMessage::DialFailed(addr)
                    }
                };
                let _ = messages.send(message).await;
            };
            tokio::select! {
                () = ending.cancelled() => {}
                () = dialling => {}
            }
        });
    }

    pub(super) fn handle_dial_failed(&mut self, now: Instant, addr: SocketAddr) {
        // One that made room for others has failed already.
        if let Some(key) = self.slots.dialling(addr) {
            self.slots.remove(key);
            self.dials.remove(&key);
            self.known.handle_failed(now, addr);
        }
    }

    /// A peer has completed its handshake.
    pub(super) fn take_in(&mut self, now: Instant, mut peer: Handshaken) {
        self.task.group.adopt(&mut peer.permit);
        let dial = match peer.direction {
            Direction::Outgoing => self.slots.dialling(peer.addr),
            Direction::Incoming => None,
        };
        if let Some(key) = dial {
            self.dials.remove(&key);
        }
        let can_help = peer.agreed.extension_protocol() && peer.id != self.task.registry.peer_id();
        if !can_help || self.known.is_shunned(peer.addr) {
            // It would say the same the next time.
            self.known.shun(peer.addr);
            dial.into_iter().for_each(|key| self.slots.remove(key));
            return;
        }
        match (peer.direction, dial) {
            (Direction::Outgoing, Some(key)) => {
                self.known.handle_connected(peer.addr);
                self.slots.connected(now, key);
                self.begin(now, key, peer);
            }
            // It made room for another in the last moment.
            (Direction::Outgoing, None) => {}
            (Direction::Incoming, _) => {
                self.let_wait(now, peer);
                self.admit_callers(now);
            }
        }
    }

    /// A caller waits for a slot, if its host has not several that wait already.
    fn let_wait(&mut self, now: Instant, peer: Handshaken) {
        let ip = peer.addr.ip();
        let callers = self.callers.iter();
        let of_host = callers.filter(|caller| caller.peer.addr.ip() == ip).count();
        if self.callers.len() < MAX_WAITING && of_host < max_links(ip) {
            self.callers.push_back(Caller { since: now, peer });
        }
    }

    /// Takes in callers that there are slots for, the first to call first.
    pub(super) fn admit_callers(&mut self, now: Instant) {
        for Caller { since, peer } in std::mem::take(&mut self.callers) {
            if now >= since + WAIT_WITHIN || self.known.is_shunned(peer.addr) {
                continue;
            }
            match self.make_room(now, Way::Called, peer.addr) {
                Ok(()) => {
                    let key = self.next_key();
                    self.slots.call(now, key, peer.addr);
                    self.begin(now, key, peer);
                }
                Err(_) => self.callers.push_back(Caller { since, peer }),
            }
        }
    }

    /// When the callers that wait are to be looked at again.
    pub(super) fn callers_wake(&self, now: Instant) -> Option<Instant> {
        let times = self.callers.iter().map(|Caller { since, peer }| {
            let slot = self.slots.admission(now, Way::Called, peer.addr, false);
            match slot {
                Admission::Wait(until) => until.min(*since + WAIT_WITHIN),
                Admission::Free | Admission::Displace(_) => now,
            }
        });
        times.min()
    }

    fn begin(&mut self, now: Instant, key: LinkKey, peer: Handshaken) {
        let (requests, asked) = link::requests();
        let token = self.ending.child_token();
        let config = LinkConfig {
            fast: peer.agreed.fast(),
            listen_port: self.task.context.port.seen_by(peer.addr.ip()),
        };
        let addr = peer.addr;
        let socket = link::Socket {
            stream: peer.stream,
            _permit: peer.permit,
        };
        let link = LinkTask::new(key, now, config, socket, asked, self.news_in.clone());
        self.tasks.spawn(link.run(peer.received, token.clone()));
        let link = Link {
            addr,
            listens_at: (peer.direction == Direction::Outgoing).then_some(addr),
            requests,
            token,
            has_given: false,
        };
        self.links.insert(key, link);
    }

    /// Finds the addresses of the link's peers.
    pub(super) fn look_up_names(&self) {
        let peers = self.task.peers.clone();
        let named = NamedPeers::new(&self.task.trackers, &peers);
        let context = &self.task.context;
        let (messages, link) = (context.messages.clone(), context.link.clone());
        let (names, ending) = (self.task.dialer.names(), self.ending.clone());
        self.tasks.spawn(async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = names::keep_resolving(&peers, (names, &link), named, &messages) => {}
            }
        });
    }
}
