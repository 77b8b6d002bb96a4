//! Hole punching (BEP 55): a relay, to which two peers behind firewalls are connected, introduces them to each other.
//!
//! The connection itself is made as any other, over uTP and TCP. Over uTP both datagrams that begin it leave at about the same
//! moment, from the port of all other datagrams: each opens the sender's address translation to the other. Some
//! translations keep that port for others once a stranger's datagram has come to it. Hence a peer that most likely cannot
//! be reached is not tried before the introduction.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};
use tailwater_wire::{Holepunch, HolepunchError};

use crate::peer::Command;
use crate::torrent::membership::source::{can_name, is_usable};
use crate::torrent::peers::Connected;
use crate::torrent::{Engine, Halt, Output, PeerKey, PeerSource, Space, Transport};

/// The most introductions that are asked for and not answered.
const MAX_ASKED: usize = 64;
/// A relay that has not answered after this time is not waited for any longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A peer that most likely cannot be reached is dialled without an introduction after this time: the relay may be silent.
pub(crate) const INTRODUCED_WITHIN: Duration = Duration::from_secs(1);
/// An introduction to one peer is asked for this often at most.
const ASK_AGAIN: Duration = Duration::from_secs(600);
/// The most dials under way that relays caused.
const MAX_CALLS: usize = 8;
/// Strangers that one relay may have us dial: it could name any address.
const CALL_RATE: Rate = Rate::every(Duration::from_secs(15), 4);
/// Peers that one peer is introduced to at its request.
const INTRODUCTION_RATE: Rate = Rate::every(Duration::from_secs(2), 16);
/// Other services listen below it; no peer needs help to be reached there.
const FIRST_PORT: u16 = 1_024;

/// One peer's part in hole punching.
#[derive(Debug, Default)]
pub(crate) struct Punching {
    speaks: bool,
    /// The token bucket for strangers that it may have us dial.
    calls: TokenBucket,
    /// The token bucket for strangers that may have it dialled.
    introductions: TokenBucket,
}

impl Punching {
    pub(crate) const fn speaks(&self) -> bool {
        self.speaks
    }

    pub(crate) const fn set_speaks(&mut self, speaks: bool) {
        self.speaks = speaks;
    }
}

/// A peer that can introduce us to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Introducer {
    pub(crate) relay: PeerKey,
    /// The other one has not been reached by any peer that named it.
    is_needed: bool,
}

/// The hole punching under way in the whole torrent.
#[derive(Debug, Default)]
pub(crate) struct Punches {
    /// The addresses that an introduction to was asked for, with the relay that was asked, and when.
    asked: BTreeMap<SocketAddr, (PeerKey, Instant)>,
    /// Dials under way because a relay said so.
    calls: BTreeSet<SocketAddr>,
}

impl Punches {
    pub(crate) fn handle_dialled(&mut self, addr: SocketAddr) {
        self.calls.remove(&addr);
    }

    fn ask(&mut self, now: Instant, addr: SocketAddr, relay: PeerKey) -> bool {
        let is_fresh = |asked: Instant| now.saturating_duration_since(asked) < ANSWER_WITHIN;
        self.asked.retain(|_, (_, at)| is_fresh(*at));
        let may = self.asked.len() < MAX_ASKED;
        if may {
            self.asked.insert(addr, (relay, now));
        }
        may
    }

    /// Whether that relay was asked for that introduction; then it has answered. It may know the peer at another port than
    /// the one where that listens.
    fn answer(&mut self, now: Instant, addr: SocketAddr, relay: PeerKey) -> bool {
        let [first, last] = [FIRST_PORT, u16::MAX].map(|port| SocketAddr::new(addr.ip(), port));
        let exact = self.asked.range(addr..=addr);
        let of_host = self.asked.range(first..=last);
        let of_host = of_host.filter(|_| addr.port() >= FIRST_PORT);
        let asked = exact.chain(of_host).find(|(_, (asked, at))| {
            *asked == relay && now.saturating_duration_since(*at) < ANSWER_WITHIN
        });
        let asked = asked.map(|(asked, _)| *asked);
        asked.is_some_and(|asked| self.asked.remove(&asked).is_some())
    }
}

/// Two peers that are introduced to each other.
struct Pair {
    other: PeerKey,
    called: SocketAddr,
    caller: SocketAddr,
}

/// Where a peer can be reached while it tries to reach another one. Over uTP that is where its datagrams come from: it
/// sends to all peers from one port, in whose place its address translation may use another.
fn punch_addr(peer: &Connected<'_>) -> SocketAddr {
    match peer.kind.transport {
        Transport::Utp => peer.addr,
        _ => peer.dial_addr.unwrap_or(peer.addr),
    }
}

impl<S: Space> Engine<S> {
    pub(crate) fn handle_holepunch(&mut self, now: Instant, key: PeerKey, message: Holepunch) {
        // Messages of a peer that does not say that it speaks it are ignored (BEP 55).
        let speaks = self
            .peers
            .connection(key)
            .is_some_and(|peer| peer.punching.speaks);
        if self.config.private || !speaks {
            return;
        }
        match message {
            Holepunch::Rendezvous(target) => self.relay(now, key, target),
            Holepunch::Connect(addr) => self.handle_call(now, key, addr),
            Holepunch::Error { addr, error } if self.membership.punches.answer(now, addr, key) => {
                tracing::debug!(%addr, "no introduction: {error}");
                self.membership.candidates.set_introducer(addr, None);
            }
            _ => {}
        }
    }

    /// Relays: a peer wants to be introduced to another one of ours.
    fn relay(&mut self, now: Instant, key: PeerKey, target: SocketAddr) {
        match self.find_target(key, target) {
            Ok(Pair {
                other,
                called,
                caller,
            }) => {
                let peer = self.peers.connection_mut(other);
                let may = peer.is_some_and(|peer| {
                    let introductions = &mut peer.punching.introductions;
                    introductions.take(now, INTRODUCTION_RATE, 1)
                });
                // What is asked for too often is not answered either: an answer would be the same flood.
                if may {
                    self.punch(other, Holepunch::Connect(caller));
                    self.punch(key, Holepunch::Connect(called));
                }
            }
            Err(error) => {
                let addr = target;
                self.punch(key, Holepunch::Error { addr, error });
            }
        }
    }

    /// Finds the connection to the target, and the addresses at which the two can reach each other.
    fn find_target(&self, key: PeerKey, target: SocketAddr) -> Result<Pair, HolepunchError> {
        let asking = self
            .peers
            .connection(key)
            .ok_or(HolepunchError::NoSuchPeer)?;
        let caller = punch_addr(&asking);
        let is_ours = |ip| Some(target) == self.config.listen_port.map(|p| SocketAddr::new(ip, p));
        let ours = [asking.sees_us_at, self.external_ip(target.ip())];
        if ours.into_iter().flatten().any(is_ours) {
            return Err(HolepunchError::NoSelf);
        }
        let is_theirs = target == asking.addr || Some(target) == asking.dial_addr;
        // Both have to be able to reach the address that they are sent.
        if is_theirs || !can_name(asking.addr.ip(), target) || !can_name(target.ip(), caller) {
            return Err(HolepunchError::NoSuchPeer);
        }
        let mut peers = self.peers.connected();
        let found = peers.find(|(_, peer)| peer.addr == target || peer.dial_addr == Some(target));
        let (other, peer) = found.ok_or(HolepunchError::NotConnected)?;
        match peer.punching.speaks {
            true => Ok(Pair {
                other,
                called: punch_addr(&peer),
                caller,
            }),
            false => Err(HolepunchError::NoSupport),
        }
    }

    /// A relay tells us to connect to a peer that waits for us: we were introduced as we asked, or the peer asked for
    /// us.
    fn handle_call(&mut self, now: Instant, key: PeerKey, addr: SocketAddr) {
        let was_asked = self.membership.punches.answer(now, addr, key);
        let Some(relay) = self.peers.connection_mut(key) else {
            return;
        };
        let is_plausible = can_name(relay.addr.ip(), addr) && addr.port() >= FIRST_PORT;
        let may = was_asked || (is_plausible && relay.punching.calls.take(now, CALL_RATE, 1));
        if !may {
            return;
        }
        let mut peers = self.peers.connected();
        let is_connected = peers.any(|(_, peer)| peer.addr == addr || peer.dial_addr == Some(addr));
        let underway = self.peers.connections() + self.membership.candidates.connecting();
        let is_free = !self.halted.has(Halt::Paused)
            && underway < self.config.max_peers
            && self.membership.punches.calls.len() < MAX_CALLS;
        // A peer that does not want to connect is silent (BEP 55).
        if is_connected || !is_free {
            return;
        }
        if self
            .membership
            .candidates
            .begin(now, addr, PeerSource::Holepunch)
        {
            tracing::debug!(%addr, "introduced by a relay");
            self.membership.punches.calls.insert(addr);
            self.outputs.push_back(Output::Connect(addr));
        }
    }

    /// Notes that a peer has named an address, and may introduce us to it. `is_reachable`: it has connected to it.
    pub(crate) fn note_introducer(&mut self, key: PeerKey, addr: SocketAddr, is_reachable: bool) {
        let known = self.membership.candidates.introducer(addr);
        let there = known.filter(|known| self.peers.connection(known.relay).is_some());
        let introducer = Introducer {
            relay: there.map_or(key, |known| known.relay),
            is_needed: !is_reachable && known.is_none_or(|known| known.is_needed),
        };
        self.membership
            .candidates
            .set_introducer(addr, Some(introducer));
    }

    /// An address is about to be dialled: asks the peer that named it for an introduction, if it most likely is needed.
    /// Says whether it did.
    pub(crate) fn ask_first(&mut self, now: Instant, addr: SocketAddr) -> bool {
        let candidates = &self.membership.candidates;
        let is_named = candidates.source(addr).is_some_and(PeerSource::is_named);
        let introducer = candidates.introducer(addr);
        let is_needed = introducer.is_some_and(|introducer| introducer.is_needed);
        !is_named && is_needed && self.ask_for_introduction(now, addr)
    }

    /// Asks the peer that named an address for an introduction, if there is one and it may be asked. Says whether it did.
    pub(crate) fn ask_for_introduction(&mut self, now: Instant, addr: SocketAddr) -> bool {
        if self.config.private || self.supply.wanted == 0 || self.halted.has(Halt::Paused) {
            return false;
        }
        let introducer = self.membership.candidates.introducer(addr);
        let relay = introducer.map(|introducer| introducer.relay);
        let Some(relay) = relay.filter(|key| {
            let relay = self.peers.connection(*key);
            relay.is_some_and(|peer| peer.punching.speaks)
        }) else {
            return false;
        };
        let may = is_usable(addr)
            && self.membership.candidates.may_ask(now, addr, ASK_AGAIN)
            && self.membership.punches.ask(now, addr, relay);
        if may {
            self.punch(relay, Holepunch::Rendezvous(addr));
        }
        may
    }

    fn punch(&mut self, key: PeerKey, message: Holepunch) {
        self.command(key, Command::Holepunch(message));
    }
}
