//! Hole punching (BEP 55): a relay, to which two peers behind firewalls are connected, introduces them to each other.
//!
//! The connection itself is made as any other, over TCP: that reaches a peer as soon as one of the two can be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_types::pacing::{Rate, TokenBucket};
use tailwater_wire::{Holepunch, HolepunchError};

use crate::peer::Command;
use crate::torrent::membership::source::{can_name, is_usable};
use crate::torrent::{Engine, Halt, Output, PeerKey, PeerSource, Space};

/// The most introductions that are asked for and not answered.
const MAX_ASKED: usize = 64;
/// A relay that has not answered after this time is not waited for any longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
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

    /// Whether that relay was asked for that introduction; then it has answered.
    fn answer(&mut self, now: Instant, addr: SocketAddr, relay: PeerKey) -> bool {
        let is_answer = self.asked.get(&addr).is_some_and(|(asked, at)| {
            *asked == relay && now.saturating_duration_since(*at) < ANSWER_WITHIN
        });
        if is_answer {
            self.asked.remove(&addr);
        }
        is_answer
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
            Ok((other, caller)) => {
                let peer = self.peers.connection_mut(other);
                let may = peer.is_some_and(|peer| {
                    let introductions = &mut peer.punching.introductions;
                    introductions.take(now, INTRODUCTION_RATE, 1)
                });
                // What is asked for too often is not answered either: an answer would be the same flood.
                if may {
                    self.punch(other, Holepunch::Connect(caller));
                    self.punch(key, Holepunch::Connect(target));
                }
            }
            Err(error) => {
                let addr = target;
                self.punch(key, Holepunch::Error { addr, error });
            }
        }
    }

    /// Finds the connection to the target, and the address at which that can reach the asking peer.
    fn find_target(
        &self,
        key: PeerKey,
        target: SocketAddr,
    ) -> Result<(PeerKey, SocketAddr), HolepunchError> {
        let asking = self
            .peers
            .connection(key)
            .ok_or(HolepunchError::NoSuchPeer)?;
        let caller = asking.dial_addr.unwrap_or(asking.addr);
        let is_ours = |ip| Some(target) == self.config.listen_port.map(|p| SocketAddr::new(ip, p));
        let ours = [asking.sees_us_at, self.external_ip(target.ip())];
        if ours.into_iter().flatten().any(is_ours) {
            return Err(HolepunchError::NoSelf);
        }
        let is_theirs = target == caller || target == asking.addr;
        // Both have to be able to reach the address that they are sent.
        if is_theirs || !can_name(asking.addr.ip(), target) || !can_name(target.ip(), caller) {
            return Err(HolepunchError::NoSuchPeer);
        }
        let mut peers = self.peers.connected();
        let found = peers.find(|(_, peer)| peer.addr == target || peer.dial_addr == Some(target));
        let (other, peer) = found.ok_or(HolepunchError::NotConnected)?;
        match peer.punching.speaks {
            true => Ok((other, caller)),
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
            self.membership.punches.calls.insert(addr);
            self.outputs.push_back(Output::Connect(addr));
        }
    }

    /// Notes that a peer has named an address, and may introduce us to it.
    pub(crate) fn note_introducer(&mut self, key: PeerKey, addr: SocketAddr) {
        let is_there = |known| self.peers.connection(known).is_some();
        if !self
            .membership
            .candidates
            .introducer(addr)
            .is_some_and(is_there)
        {
            self.membership.candidates.set_introducer(addr, Some(key));
        }
    }

    /// An address could not be reached: asks the peer that named it for an introduction.
    pub(crate) fn ask_for_introduction(&mut self, now: Instant, addr: SocketAddr) {
        if self.config.private || self.supply.wanted == 0 || self.halted.has(Halt::Paused) {
            return;
        }
        let introducer = self.membership.candidates.introducer(addr);
        let Some(relay) = introducer.filter(|key| {
            let relay = self.peers.connection(*key);
            relay.is_some_and(|peer| peer.punching.speaks)
        }) else {
            return;
        };
        if is_usable(addr)
            && self.membership.candidates.may_ask(now, addr, ASK_AGAIN)
            && self.membership.punches.ask(now, addr, relay)
        {
            self.punch(relay, Holepunch::Rendezvous(addr));
        }
    }

    fn punch(&mut self, key: PeerKey, message: Holepunch) {
        self.command(key, Command::Holepunch(message));
    }
}
