//! Extension handshakes (BEP 10, BEP 21): what peers say of themselves, and of us.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::peer::{Command, Hello};
use crate::torrent::membership::source::can_name;
use crate::torrent::peers::Connected;
use crate::torrent::{Engine, PeerKey, PeerSource, Refusal, Space};

impl<S: Space> Engine<S> {
    /// Handles a peer's extension handshake. What it leaves out is unchanged.
    pub(crate) fn handle_hello(&mut self, now: Instant, key: PeerKey, hello: Hello) {
        if let (Some(limit), Some(peer)) = (hello.request_queue, self.peers.get_mut(key)) {
            let limit = limit.min(self.config.max_requests);
            peer.supply.pipeline.set_limit(limit);
        }
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        if let Some(upload_only) = hello.upload_only {
            peer.upload_only = upload_only;
        }
        if hello.client.is_some() {
            peer.client = hello.client;
        }
        peer.exchange.set_speaks(hello.pex);
        peer.punching.set_speaks(hello.holepunch);
        if let (None, Some(port)) = (peer.dial_addr, hello.listen_port) {
            let addr = SocketAddr::new(peer.addr.ip(), port);
            peer.dial_addr = Some(addr);
            self.note_caller(now, addr);
        }
        self.note_other_door(key, hello.other_ip);
        self.part_with_second_door(now, key);
        self.note_vote(key, hello.your_ip);
    }

    /// Adds the listening address of a peer that connected to us as a candidate.
    fn note_caller(&mut self, now: Instant, addr: SocketAddr) {
        if self.membership.is_allowed(PeerSource::Incoming) {
            self.membership
                .candidates
                .add(now, addr, PeerSource::Incoming);
            self.membership.candidates.handle_connected(addr);
        }
    }

    /// Notes the peer's address in the other family: it can be reached there when this connection has ended.
    fn note_other_door(&mut self, key: PeerKey, ip: Option<IpAddr>) {
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        if let (Some(ip), Some(known)) = (ip, peer.dial_addr) {
            let door = SocketAddr::new(ip, known.port());
            peer.other_family_addr = Some(door).filter(|&door| can_name(known.ip(), door));
        }
    }

    /// Ends one of two connections with a peer of both address families. Each of the two says that the other address is
    /// its own too: one side's word alone, or the id, would let a stranger part us from another peer. The one in use
    /// stays.
    fn part_with_second_door(&mut self, now: Instant, key: PeerKey) {
        let Some((peer, door)) = self
            .peers
            .connection(key)
            .and_then(|p| Some((p, p.other_family_addr?)))
        else {
            return;
        };
        let vouches = |other: &Connected<'_>| {
            let door = other.other_family_addr;
            other.id == peer.id && door.is_some_and(|door| peer.is_at_host_of(door.ip()))
        };
        let is_second = |other: &Connected<'_>| other.is_at_host_of(door.ip()) && vouches(other);
        let second = self.peers.connected().find(|(_, other)| is_second(other));
        let Some((other_key, other)) = second else {
            return;
        };
        // The same on both sides: neither has moved anything, or both know which has.
        let merit = |peer: &Connected<'_>| (peer.moved() > 0, peer.addr.is_ipv4());
        let worse = match merit(&peer) < merit(&other) {
            true => key,
            false => other_key,
        };
        self.disconnect(now, worse, Refusal::Duplicate);
    }

    /// Counts the vote of a connection. Only its first one counts: one that changes its mind tells nothing.
    fn note_vote(&mut self, key: PeerKey, your_ip: Option<IpAddr>) {
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        if let (None, Some(ip)) = (peer.sees_us_at, your_ip) {
            peer.sees_us_at = Some(ip);
            self.membership.external.handle_vote(peer.addr.ip(), ip);
            self.membership.rank_anew();
        }
    }

    /// A trusted source knows our address as others see it: a tracker (BEP 24), the DHT's nodes together
    /// (BEP 42), the router. Peers' own words are counted without being asked.
    pub fn handle_external_ip(&mut self, ip: IpAddr) {
        self.membership.external.handle_told(ip);
        self.membership.rank_anew();
    }

    /// Our address as others of the same family as `peer` see it.
    #[must_use]
    pub fn external_ip(&self, peer: IpAddr) -> Option<IpAddr> {
        self.membership.external_ip(peer)
    }

    /// Our address in the other family than `peer`'s, if peers may know it (`ipv4` and `ipv6` of BEP 10): those of a
    /// private torrent learn addresses from the tracker alone.
    #[must_use]
    pub fn other_ip(&self, peer: IpAddr) -> Option<IpAddr> {
        self.membership.other_ip(peer)
    }

    /// Whether a new peer is to be told that we want nothing (BEP 21). Not while super-seeding: peers would leave, because
    /// we seem to have nothing either (BEP 16).
    #[must_use]
    pub const fn is_upload_only(&self) -> bool {
        self.supply.completed && !self.super_seeding.is_active()
    }

    /// Tells connected peers when we begin or cease to want anything (BEP 21); candidates that are of no use meanwhile
    /// are parked.
    pub(crate) fn tell_upload_only(&mut self, now: Instant) {
        let upload_only = self.is_upload_only();
        if self.membership.told_upload_only == upload_only {
            return;
        }
        self.membership.told_upload_only = upload_only;
        for key in self.peers.connected_keys() {
            self.command(key, Command::UploadOnly(upload_only));
        }
        if !self.supply.completed {
            self.membership.candidates.unpark(now);
            self.connect_more(now);
        }
    }
}
