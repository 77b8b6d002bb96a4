//! Turnover: which peers are useful, and which one makes room when the torrent is full.
//!
//! A connection costs a stranger nothing, so being connected is no merit. A peer is useful while bytes move, one way or
//! the other. A full torrent admits a newcomer in place of a useless peer; a peer with no interest on either side is
//! disconnected after a while in any case.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::torrent::membership::host::Host;
use crate::torrent::peers::Connected;
use crate::torrent::{Engine, Halt, NewPeer, PeerKey, Refusal, Space};

/// A newcomer has this long to be of use before, in a full torrent, another may take its place: time for a bitfield, an
/// unchoke and a first block on a slow line.
const PROBATION: Duration = Duration::from_secs(5);
/// A peer that delivered or was served within this time is useful: a choker's round and an optimistic unchoke (BEP 3).
const RECENTLY: Duration = Duration::from_secs(30);
/// A peer that has been asked for blocks, or may ask for them, has this long to let bytes move; then it counts as idle.
const CHANCE: Duration = Duration::from_secs(60);
/// A peer is disconnected after this long without a byte and without interest on either side; libtorrent's
/// `inactivity_timeout`.
const INACTIVITY: Duration = Duration::from_secs(600);
/// A host with more connections than these, and than a quarter of all, is a crowd: its idle connections make room first,
/// and without probation. Only a loopback address may have more than the first.
const CROWD: usize = 8;
// The divisor of that second limit: a quarter of the torrent's peers.
const CROWD_SHARE: usize = 4;
/// Addresses dialled a second by a full torrent most of whose peers are useless.
const DIALS_WHEN_FULL: usize = 4;

/// The record of how useful one peer has been.
#[derive(Debug)]
pub(crate) struct Usage {
    /// Its host's connections are counted, and this is one of them: it was not named by hand.
    pub(crate) is_counted: bool,
    /// The bytes that had moved when we looked last.
    moved: u64,
    /// When bytes were last seen to move.
    used_at: Option<Instant>,
    /// Since when bytes could move, if they can.
    chance_since: Option<Instant>,
    /// Since when neither side wants anything.
    idle_since: Instant,
}

impl Usage {
    pub(crate) const fn new(now: Instant, is_counted: bool) -> Self {
        Self {
            is_counted,
            moved: 0,
            used_at: None,
            chance_since: None,
            idle_since: now,
        }
    }

    /// Looks at what has happened since the last time: the bytes that have moved in all, whether more could, and
    /// whether either side wants any.
    fn look(&mut self, now: Instant, moved: u64, has_chance: bool, is_wanted: bool) {
        let has_moved = moved != self.moved;
        if has_moved {
            self.moved = moved;
            self.used_at = Some(now);
        }
        let since = self.chance_since.filter(|_| !has_moved);
        self.chance_since = has_chance.then(|| since.unwrap_or(now));
        if has_moved || is_wanted {
            self.idle_since = now;
        }
    }
}

/// The state of turnover in a torrent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turnover {
    /// Connections that may still be opened before we look again, although there is no room.
    dials: usize,
}

/// The merit of a peer that delivers nothing just now; the least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Neither side wants anything.
    Idle,
    /// One side wants something, and nothing has ever come of it.
    Untried,
    /// It has been useful.
    Proven,
}

impl Connected<'_> {
    /// Bytes of blocks, in both directions.
    pub(crate) fn moved(&self) -> u64 {
        self.supply.down.total() + self.up.total()
    }

    fn is_wanted(&self) -> bool {
        self.am_interested || self.peer_interested
    }

    /// Whether blocks can be on their way.
    fn has_chance(&self) -> bool {
        !self.supply.pending.is_empty() || (!self.am_choking && self.peer_interested)
    }

    /// Whether bytes have moved recently.
    pub(crate) fn is_of_use(&self, now: Instant) -> bool {
        let is_recent = |at| now.saturating_duration_since(at) < RECENTLY;
        self.moved() != self.usage.moved || self.usage.used_at.is_some_and(is_recent)
    }

    /// Whether bytes have moved recently, or the peer must be given time for that.
    fn is_promising(&self, now: Instant) -> bool {
        let is_fresh = |at| now.saturating_duration_since(at) < CHANCE;
        self.is_of_use(now) || (self.has_chance() && self.usage.chance_since.is_none_or(is_fresh))
    }

    fn standing(&self) -> Standing {
        match (self.is_wanted(), self.moved()) {
            (false, _) => Standing::Idle,
            (true, 0) => Standing::Untried,
            (true, _) => Standing::Proven,
        }
    }
}

impl<S: Space> Engine<S> {
    /// Peers that have had some time, with no interest on either side.
    pub(crate) fn idle_peers(&self, now: Instant) -> usize {
        let is_old = |peer: &Connected<'_>| now.saturating_duration_since(peer.since) >= RECENTLY;
        let peers = self.peers.connected();
        let idle = peers.filter(|(_, peer)| is_old(peer) && !peer.is_wanted());
        idle.count()
    }

    /// Looks once a second at how useful peers are; inactive ones are disconnected.
    pub(crate) fn tend_peers(&mut self, now: Instant) {
        for (_, peer) in self.peers.iter_mut() {
            let Some(seen) = peer.connected() else {
                continue;
            };
            let (moved, has_chance, is_wanted) =
                (seen.moved(), seen.has_chance(), seen.is_wanted());
            if let Some(peer) = peer.connection_mut() {
                peer.usage.look(now, moved, has_chance, is_wanted);
            }
        }
        let is_inactive = |peer: &Connected<'_>| {
            now.saturating_duration_since(peer.usage.idle_since) >= INACTIVITY
        };
        if !self.halted.has(Halt::Paused) {
            let peers = self.peers.connected();
            let inactive =
                peers.filter(|(_, peer)| is_inactive(peer) && !self.membership.is_named(peer));
            let inactive: Vec<_> = inactive.map(|(key, _)| key).collect();
            for key in inactive {
                self.disconnect(now, key, Refusal::Inactive);
            }
        }
        self.membership.turnover.dials = self.dials_when_full(now);
    }

    /// How many addresses a full torrent may dial: it goes on looking for peers while most that it has are useless.
    fn dials_when_full(&self, now: Instant) -> usize {
        if self.supply.wanted == 0 || self.peers.connections() < self.config.max_peers {
            return 0;
        }
        let of_use = self
            .peers
            .connected()
            .filter(|(_, peer)| peer.is_of_use(now));
        let is_enough = of_use.count() * 2 >= self.peers.connections();
        let mut peers = self.peers.connected();
        match !is_enough && peers.any(|(_, peer)| self.is_dispensable(now, &peer)) {
            true => DIALS_WHEN_FULL,
            false => 0,
        }
    }

    /// How many more connections may be opened, within the limit of peers.
    pub(crate) fn dials_left(&self) -> usize {
        let connecting = self.membership.candidates.connecting();
        let free = self
            .config
            .max_peers
            .saturating_sub(self.peers.connections());
        let at_once = match free {
            0 => DIALS_WHEN_FULL.min(connecting + self.membership.turnover.dials),
            _ => free,
        };
        let at_once = at_once.min(self.config.max_connecting);
        at_once.saturating_sub(connecting)
    }

    pub(crate) fn handle_dial(&mut self) {
        if self.peers.connections() >= self.config.max_peers {
            self.membership.turnover.dials = self.membership.turnover.dials.saturating_sub(1);
        }
    }

    /// Makes room for a newcomer, if need be.
    ///
    /// # Errors
    ///
    /// When its host has its share of connections, or the torrent of peers, and none of them is worth less.
    pub(crate) fn make_room(&mut self, now: Instant, new: &NewPeer) -> Result<(), Refusal> {
        let (ip, is_named) = (new.addr.ip(), self.membership.is_named_newcomer(new));
        if !is_named && self.membership.candidates.is_crowded(ip) {
            let idle = self.idle_of_host(now, ip);
            self.disconnect(
                now,
                idle.ok_or(Refusal::TooManyOfAddress)?,
                Refusal::Outranked,
            );
        }
        if self.peers.connections() >= self.config.max_peers {
            let least = self.least_useful(now, new.addr, is_named);
            self.disconnect(now, least.ok_or(Refusal::TooManyPeers)?, Refusal::Outranked);
        }
        Ok(())
    }

    /// One of a host's connections with no interest on either side: perhaps it is dead, and its peer connects again.
    fn idle_of_host(&self, now: Instant, ip: IpAddr) -> Option<PeerKey> {
        let is_idle = |peer: &Connected<'_>| {
            peer.usage.is_counted
                && peer.is_at_host_of(ip)
                && peer.standing() == Standing::Idle
                && self.is_dispensable(now, peer)
        };
        let mut peers = self.peers.connected();
        let (key, _) = peers.find(|(_, peer)| is_idle(peer))?;
        Some(key)
    }

    /// The peer that a newcomer displaces in a full torrent, if any: a useless one of a crowd, else one with no
    /// interest on either side, else the one with the lowest priority (BEP 40), if that is lower than the newcomer's.
    fn least_useful(&self, now: Instant, new: SocketAddr, is_named: bool) -> Option<PeerKey> {
        let ranking = self.membership.ranking();
        let others = self.membership.candidates.connections(new.ip());
        let (key, peer) = self
            .peers
            .connected()
            .filter(|(_, peer)| self.is_dispensable(now, peer))
            .min_by_key(|(_, peer)| self.merit(peer))?;
        let crowd = self.membership.candidates.connections(peer.addr.ip());
        let may = is_named
            || crowd > CROWD.max(others + 1)
            || peer.standing() == Standing::Idle
            || ranking.priority(peer.dial_addr.unwrap_or(peer.addr)) < ranking.priority(new);
        may.then_some(key)
    }

    /// The merit of a peer that is dispensable; the least goes first.
    fn merit(&self, peer: &Connected<'_>) -> impl Ord + use<S> {
        let crowd = match peer.usage.is_counted {
            true => self.membership.candidates.connections(peer.addr.ip()),
            false => 0,
        };
        let priority = self
            .membership
            .ranking()
            .priority(peer.dial_addr.unwrap_or(peer.addr));
        let excess = crowd.saturating_sub(CROWD);
        (Reverse(excess), peer.standing(), Reverse(crowd), priority)
    }

    /// Whether a peer neither delivers nor is being served, has had the time to, and was not named by hand.
    pub(crate) fn is_dispensable(&self, now: Instant, peer: &Connected<'_>) -> bool {
        if self.membership.is_named(peer) || peer.is_of_use(now) {
            return false;
        }
        let share = self.config.max_peers / CROWD_SHARE;
        let crowd = self.membership.candidates.connections(peer.addr.ip());
        if peer.usage.is_counted && crowd > CROWD.max(share) {
            return true;
        }
        let age = now.saturating_duration_since(peer.since);
        age >= PROBATION && !peer.is_promising(now)
    }

    /// Whether it is one of many connections of its host.
    pub(crate) fn is_in_crowd(&self, peer: &Connected<'_>) -> bool {
        peer.usage.is_counted && self.membership.candidates.connections(peer.addr.ip()) > CROWD
    }

    /// Disconnects one peer, because connections are needed elsewhere: the least of those that are useless just now, or
    /// else the slowest. The last one stays.
    pub fn shed(&mut self, now: Instant) {
        if self.peers.connections() < 2 {
            return;
        }
        let usefulness = |peer: &Connected<'_>| {
            let [down, up] = [peer.supply.down, peer.up].map(|rate| rate.bytes_per_second(now));
            let is_kept = !self.is_dispensable(now, peer);
            let merit = self.merit(peer);
            (
                is_kept,
                down.saturating_add(up),
                self.membership.is_named(peer),
                merit,
            )
        };
        let least = self
            .peers
            .connected()
            .map(|(key, peer)| (usefulness(&peer), key));
        if let Some((_, key)) = least.min() {
            self.disconnect(now, key, Refusal::TooManyPeers);
        }
    }

    /// Panics if an invariant does not hold: hosts' connections are counted right, and within their limits.
    pub(crate) fn check_hosts(&self) {
        let mut hosts = BTreeMap::<Host, usize>::new();
        for (_, peer) in self
            .peers
            .connected()
            .filter(|(_, peer)| peer.usage.is_counted)
        {
            *hosts.entry(Host::of(peer.addr.ip())).or_default() += 1;
        }
        self.membership.candidates.check_connections(&hosts);
    }

    /// Disconnects up to `count` peers that are useless just now, because others are shut out of the session.
    pub fn shed_useless(&mut self, now: Instant, count: usize) {
        let peers = self.peers.connected();
        let useless = peers.filter(|(_, peer)| self.is_dispensable(now, peer));
        let mut useless: Vec<_> = useless
            .map(|(key, peer)| (self.merit(&peer), key))
            .collect();
        useless.sort_unstable();
        for (_, key) in useless.into_iter().take(count) {
            self.disconnect(now, key, Refusal::TooManyPeers);
        }
    }
}
