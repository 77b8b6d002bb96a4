//! Peer exchange (BEP 11): addresses that peers send us, and those that we send them.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_wire::limits::MAX_SENT_PEX_PEERS;
use tailwater_wire::{PexFlags, PexMessage, PexPeer};

use crate::peer::{Command, Direction};
use crate::torrent::membership::host::Host;
use crate::torrent::membership::source::can_name;
use crate::torrent::peers::Connected;
use crate::torrent::{Encrypted, Engine, PeerKey, PeerSource, Space, Transport};
use tailwater_types::BoundedMap;

/// A peer is told of the others this often (BEP 11: at most once a minute).
const EVERY: Duration = Duration::from_secs(60);
/// A quota: how many addresses a peer may add to the list while it is connected, so that it cannot fill it. The peers
/// of one host share it, as connections cost nothing and a new one is no new peer; but those of a loopback address do
/// not, which may be a whole swarm.
const QUOTA: usize = 200;
/// The quota of a host that has named no address for this long starts anew. One that comes back by then names the same
/// ones.
const QUOTA_FORGOTTEN: Duration = Duration::from_secs(3_600);
/// Hosts whose count is remembered; the one that named addresses longest ago is forgotten first.
const MAX_NAMERS: usize = 1_000;

/// What one peer has sent and been sent.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    speaks: bool,
    told: BTreeSet<SocketAddr>,
    last: Option<Instant>,
    /// Addresses taken from it.
    taken: Taken,
}

/// Addresses taken, and when the last were named.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    count: usize,
    last: Option<Instant>,
}

impl Taken {
    /// How many of `wanted` addresses may be taken now; they count as taken.
    fn take(&mut self, now: Instant, wanted: usize) -> usize {
        let is_forgotten = |last| now.saturating_duration_since(last) >= QUOTA_FORGOTTEN;
        if self.last.replace(now).is_some_and(is_forgotten) {
            self.count = 0;
        }
        let taken = wanted.min(QUOTA.saturating_sub(self.count));
        self.count += taken;
        taken
    }
}

/// The addresses taken from each host, which outlast its connections.
#[derive(Debug)]
pub(crate) struct NamedBy {
    hosts: BoundedMap<Host, Taken>,
}

impl Default for NamedBy {
    fn default() -> Self {
        Self {
            hosts: BoundedMap::new(MAX_NAMERS),
        }
    }
}

impl NamedBy {
    fn take(&mut self, now: Instant, host: Host, wanted: usize) -> usize {
        let mut taken = self.hosts.remove(&host).unwrap_or_default();
        let may = taken.take(now, wanted);
        self.hosts.insert(host, taken);
        may
    }
}

impl Exchange {
    pub(crate) const fn set_speaks(&mut self, speaks: bool) {
        self.speaks = speaks;
    }

    fn is_due(&self, now: Instant) -> bool {
        let rested = |last| now.saturating_duration_since(last) >= EVERY;
        self.speaks && self.last.is_none_or(rested)
    }

    /// The next message: what has changed since the last one. Remembers that it was sent.
    fn next_message(
        &mut self,
        now: Instant,
        connected: &[PexPeer],
        own: SocketAddr,
    ) -> Option<PexMessage> {
        let others = connected.iter().filter(|peer| peer.addr != own);
        let fresh = others.filter(|peer| !self.told.contains(&peer.addr));
        let added: Vec<_> = fresh.take(MAX_SENT_PEX_PEERS).copied().collect();
        let is_gone = |addr: &&SocketAddr| !connected.iter().any(|peer| peer.addr == **addr);
        let gone = self.told.iter().filter(is_gone);
        let dropped: Vec<_> = gone.take(MAX_SENT_PEX_PEERS).copied().collect();
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.last = Some(now);
        self.told.retain(|addr| !dropped.contains(addr));
        self.told.extend(added.iter().map(|peer| peer.addr));
        Some(PexMessage { added, dropped })
    }
}

impl<S: Space> Engine<S> {
    /// A peer named others. They become candidates like any address, within a quota.
    pub(crate) fn handle_exchange(&mut self, now: Instant, key: PeerKey, message: &PexMessage) {
        if self.config.private {
            return;
        }
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        let (namer, introduces) = (peer.addr.ip(), peer.punching.speaks());
        let (host, wanted) = (Host::of(namer), message.added.len());
        let is_shared = host.by_scope(true, true, false);
        let taken = match is_shared {
            true => self.membership.named_by.take(now, host, wanted),
            false => peer.exchange.taken.take(now, wanted),
        };
        let named = message.added.iter().take(taken);
        let named = named.filter(|other| can_name(namer, other.addr));
        for other in named {
            self.membership
                .candidates
                .add(now, other.addr, PeerSource::Exchange);
            if introduces && other.flags.contains(PexFlags::HOLEPUNCH) {
                let is_reachable = other.flags.contains(PexFlags::REACHABLE);
                self.note_introducer(key, other.addr, is_reachable);
            }
        }
        self.connect_more(now);
    }

    /// Sends peers each other's addresses.
    pub(crate) fn exchange_peers(&mut self, now: Instant) {
        if self.config.private
            || !self
                .peers
                .connected()
                .any(|(_, peer)| peer.exchange.is_due(now))
        {
            return;
        }
        let connected: Vec<_> = self
            .peers
            .connected()
            .filter_map(|(_, peer)| introduce(&peer))
            .collect();
        let mut messages = Vec::new();
        for (key, peer) in self.peers.connected_mut() {
            if peer.exchange.is_due(now) {
                let own = peer.dial_addr.unwrap_or(peer.addr);
                let message = peer.exchange.next_message(now, &connected, own);
                messages.extend(message.map(|message| (key, message)));
            }
        }
        for (key, message) in messages {
            self.command(key, Command::Pex(message));
        }
    }
}

/// A peer's address and flags as we send them to others, if they could reach it.
fn introduce(peer: &Connected<'_>) -> Option<PexPeer> {
    let mut flags = PexFlags::NONE;
    if peer.supply.bits.is_all() || peer.upload_only {
        flags |= PexFlags::UPLOAD_ONLY;
    }
    if peer.direction == Direction::Outgoing {
        flags |= PexFlags::REACHABLE;
    }
    if peer.punching.speaks() {
        flags |= PexFlags::HOLEPUNCH;
    }
    if peer.kind.encrypted != Encrypted::Nothing {
        flags |= PexFlags::PREFERS_ENCRYPTION;
    }
    if peer.kind.transport == Transport::Utp {
        flags |= PexFlags::UTP;
    }
    let addr = peer.dial_addr?;
    Some(PexPeer { addr, flags })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(numbers: std::ops::Range<u16>) -> Vec<PexPeer> {
        numbers
            .map(|number| PexPeer {
                addr: SocketAddr::from(([10, 0, 0, 1], 1_000 + number)),
                flags: PexFlags::NONE,
            })
            .collect()
    }

    #[test]
    fn a_peer_hears_of_each_other_once_and_of_those_who_left() {
        let now = crate::testing::epoch();
        let mut exchange = Exchange::default();
        assert!(!exchange.is_due(now), "it does not speak it");
        exchange.set_speaks(true);
        assert!(exchange.is_due(now));
        let all = peers(0..60);
        let own = all[0].addr;
        let first = exchange.next_message(now, &all, own).unwrap();
        assert_eq!(first.added, all[1..51]);
        assert!(!exchange.is_due(now + Duration::from_secs(59)));
        assert!(exchange.is_due(now + EVERY));
        let second = exchange.next_message(now + EVERY, &all, own).unwrap();
        assert_eq!(second.added, all[51..]);
        assert_eq!(exchange.next_message(now + EVERY, &all, own), None);
        let third = exchange.next_message(now + EVERY, &all[..30], own).unwrap();
        assert_eq!((third.added.len(), third.dropped.len()), (0, 30));
    }
}
