//! The connections of a torrent: dialling candidates, admitting newcomers, and the end of connections.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_metainfo::Bitfield;

use crate::peer::Direction;
use crate::torrent::flow::Flow;
use crate::torrent::membership::exchange::Exchange;
use crate::torrent::membership::holepunch::{INTRODUCED_WITHIN, Punching};
use crate::torrent::membership::turnover::Usage;
use crate::torrent::peers::{Connected, ConnectedPeer, Contact, Peer, RATE_MEMORY};
use crate::torrent::supply::pipeline::Pipeline;
use crate::torrent::upload::unchoke::SlotUse;
use crate::torrent::{
    Engine, HOUSEKEEPING_EVERY, Halt, NewPeer, Notice, Origin, Output, PeerKey, PeerSource,
    Refusal, Space,
};

/// Requests that a peer is trusted to queue before it has said how many it does (`reqq`, BEP 10). Some clients drop
/// requests beyond their queue without an answer.
const UNTOLD_QUEUE: usize = 250;

/// Connections that both sides open at once are completed within this time of each other: the time that a dial and its
/// handshakes may take.
const CROSSING: Duration = Duration::from_secs(20);

impl<S: Space> Engine<S> {
    /// Adds candidates. Those that a private torrent may not use are ignored, whatever source names them.
    pub fn handle_candidates(&mut self, now: Instant, source: PeerSource, addrs: &[SocketAddr]) {
        if !self.membership.is_allowed(source) {
            return;
        }
        for &addr in addrs {
            self.membership.candidates.add(now, addr, source);
        }
        self.connect_more(now);
    }

    /// A dial that [`Output::Connect`] asked for has failed.
    pub fn handle_connect_failed(&mut self, now: Instant, addr: SocketAddr) {
        self.membership.punches.handle_dialled(addr);
        // While it is known: one failure too many, and it is forgotten.
        self.ask_for_introduction(now, addr);
        self.membership.candidates.handle_failed(now, addr);
        self.connect_more(now);
    }

    /// A peer's handshake is done, in either direction.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] says that the connection is to be closed; the machine has forgotten it.
    pub fn handle_connected(&mut self, now: Instant, new: NewPeer) -> Result<PeerKey, Refusal> {
        let outgoing = new.direction == Direction::Outgoing;
        if outgoing {
            self.membership.punches.handle_dialled(new.addr);
        }
        if let Err(refusal) = self.admit(now, &new) {
            if outgoing {
                match refusal {
                    Refusal::Ourselves | Refusal::Duplicate => {
                        self.membership.candidates.forget(new.addr);
                    }
                    _ => self
                        .membership
                        .candidates
                        .handle_closed(now, new.addr, true),
                }
            }
            self.connect_more(now);
            return Err(refusal);
        }
        if outgoing {
            self.membership.candidates.handle_connected(new.addr);
        }
        let is_counted = !self.membership.is_named_newcomer(&new);
        if is_counted {
            self.membership.candidates.handle_joined(new.addr.ip());
        }
        let key = self.insert_peer(
            now,
            UNTOLD_QUEUE,
            Contact::Connection(ConnectedPeer {
                addr: new.addr,
                dial_addr: outgoing.then_some(new.addr),
                other_family_addr: None,
                sees_us_at: None,
                usage: Usage::new(now, is_counted),
                id: new.id,
                direction: new.direction,
                fast: new.fast,
                kind: new.kind,
                upload_only: false,
                client: None,
                was_allowed_fast: false,
                am_choking: true,
                am_interested: false,
                peer_interested: false,
                allowed_fast: Vec::new(),
                slot: SlotUse::default(),
                recipient: None,
                up: Flow::new(RATE_MEMORY),
                exchange: Exchange::default(),
                punching: Punching::default(),
            }),
        );
        self.greet(now, key);
        Ok(key)
    }

    /// Inserts a supplier, of which nothing is known yet; it gets at most `limit` requests at once.
    pub(crate) fn insert_peer(&mut self, now: Instant, limit: usize, contact: Contact) -> PeerKey {
        self.housekeeping.get_or_insert(now + HOUSEKEEPING_EVERY);
        self.choker.start(now);
        let limit = self.config.max_requests.min(limit);
        let mut pipeline = match contact {
            Contact::WebSeed(_) => Pipeline::in_turns(limit),
            Contact::Connection(_) => Pipeline::new(limit),
        };
        pipeline.set_streaming(!self.demand.readers.is_empty());
        let none = Bitfield::none(&self.supply.geometry);
        self.peers.insert(Peer::new(now, none, pipeline, contact))
    }

    /// Decides whether a newcomer is admitted.
    pub(crate) fn admit(&mut self, now: Instant, new: &NewPeer) -> Result<(), Refusal> {
        if self.halted.has(Halt::Contradiction) {
            return Err(Refusal::Contradiction);
        }
        if new.id == self.config.peer_id {
            return Err(Refusal::Ourselves);
        }
        if self.membership.candidates.is_banned(new.addr.ip()) {
            return Err(Refusal::Banned);
        }
        let is_called = new.direction == Direction::Outgoing;
        if self.config.private && is_called && self.membership.candidates.source(new.addr).is_none()
        {
            return Err(Refusal::OtherTracker);
        }
        self.settle_duplicate(now, new)?;
        self.make_room(now, new)
    }

    /// When two connections to one peer cross, both sides keep the same one, which the larger peer id opened.
    ///
    /// A peer id is no secret, so it proves nothing of a connection from another host: both stay. From the same host too, a
    /// connection over which data moves is not given up for one that is opened much later.
    fn settle_duplicate(&mut self, now: Instant, new: &NewPeer) -> Result<(), Refusal> {
        let is_same = |peer: &Connected<'_>| peer.id == new.id && peer.is_at_host_of(new.addr.ip());
        let Some((old, peer)) = self.peers.connected().find(|(_, peer)| is_same(peer)) else {
            return Ok(());
        };
        let opened_by_larger = |direction| match direction {
            Direction::Outgoing => self.config.peer_id > new.id,
            Direction::Incoming => self.config.peer_id < new.id,
        };
        let crosses = now.saturating_duration_since(peer.since) < CROSSING;
        let is_proven = !crosses && peer.is_of_use(now);
        let same_way = peer.direction == new.direction;
        if same_way || is_proven || !opened_by_larger(new.direction) {
            return Err(Refusal::Duplicate);
        }
        self.disconnect(now, old, Refusal::Duplicate);
        Ok(())
    }

    /// A connection ended, or a web seed is given up, for whatever reason.
    pub fn handle_closed(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.remove(key) else {
            return;
        };
        let pending: Vec<_> = peer.supply.pending.iter().copied().collect();
        self.supply.free_blocks(&pending);
        self.supply.pieces.unreserve(key);
        self.forget_hash_peer(now, key);
        let bits = &peer.supply.bits;
        self.supply
            .picker
            .remove_peer(bits, peer.supply.counted_as_seed, &mut self.supply.rng);
        if let Some(peer) = peer.connected() {
            if peer.usage.is_counted {
                self.membership.candidates.handle_left(peer.addr.ip());
            }
            self.release_addr(now, &peer);
            if !peer.am_choking {
                self.unchoke_waiting(now);
            }
        }
        self.fill_all(now);
        self.connect_more(now);
    }

    /// A peer has gone: it may be dialled again, after a while or when we want something again.
    fn release_addr(&mut self, now: Instant, peer: &Connected<'_>) {
        let Some(addr) = peer.dial_addr else {
            return;
        };
        let useful = peer.supply.down.total() + peer.up.total() > 0;
        let is_seed = peer.supply.bits.is_all() || peer.upload_only;
        // A seed hangs up on who asks for nothing, as often as it connects: that is no failure of a torrent that is paused.
        let is_left = match self.supply.completed {
            true => is_seed,
            false => self.halted.has(Halt::Paused),
        };
        if is_left {
            self.membership.candidates.park(addr);
            return;
        }
        self.membership.candidates.handle_closed(now, addr, useful);
        let door = peer
            .other_family_addr
            .filter(|_| useful && self.membership.is_allowed(PeerSource::Exchange));
        if let Some(door) = door {
            self.membership
                .candidates
                .add(now, door, PeerSource::Exchange);
        }
    }

    /// A supplier broke the rules in a way that no honest client does.
    pub fn handle_misbehaviour(&mut self, now: Instant, key: PeerKey) {
        if let Some(peer) = self.peers.get(key) {
            let origin = peer.origin();
            self.ban_origin(now, origin);
        }
    }

    /// Bans an origin.
    pub(crate) fn ban_origin(&mut self, now: Instant, origin: Origin) {
        match origin {
            Origin::Ip(ip) => self.ban(now, ip),
            Origin::WebSeed(id) => self.ban_web_seed(now, id),
        }
    }

    /// Bans a host (an IPv4 address or an IPv6 /64), and ends the connections with it.
    pub fn ban(&mut self, now: Instant, ip: IpAddr) {
        if !self.membership.candidates.ban(ip) {
            return;
        }
        self.outputs
            .push_back(Output::Notice(Notice::Banned(ip.into())));
        let theirs: Vec<_> = self
            .peers
            .connected()
            .filter(|(_, peer)| peer.is_at_host_of(ip))
            .map(|(key, _)| key)
            .collect();
        for key in theirs {
            self.disconnect(now, key, Refusal::Banned);
        }
    }

    /// Ends the connections with addresses that may not be connected with any more.
    pub fn disconnect_filtered(&mut self, now: Instant, is_filtered: impl Fn(IpAddr) -> bool) {
        let theirs: Vec<_> = self
            .peers
            .connected()
            .filter(|(_, peer)| is_filtered(peer.addr.ip()))
            .map(|(key, _)| key)
            .collect();
        for key in theirs {
            self.disconnect(now, key, Refusal::Banned);
        }
    }

    pub(crate) fn disconnect(&mut self, now: Instant, key: PeerKey, reason: Refusal) {
        self.outputs
            .push_back(Output::Disconnect { peer: key, reason });
        self.handle_closed(now, key);
    }

    pub(crate) fn may_connect(&self) -> bool {
        !self.halted.has(Halt::Paused)
            && !self.halted.has(Halt::Contradiction)
            && self.dials_left() > 0
            // A seed waits: peers that want data connect to it.
            && (self.supply.wanted > 0 || self.peers.connections() == 0)
    }

    pub(crate) fn connect_more(&mut self, now: Instant) {
        while self.may_connect() {
            let Some(addr) = self.membership.candidates.next(now) else {
                break;
            };
            if self.ask_first(now, addr) {
                let at = now + INTRODUCED_WITHIN;
                self.membership.candidates.defer(addr, at);
                continue;
            }
            self.handle_dial();
            self.outputs.push_back(Output::Connect(addr));
        }
    }
}
