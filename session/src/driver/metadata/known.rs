//! The addresses of a fetch: which to try, which are banned, and with which the download can begin.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use tailwater_types::address::{AddressGroup, Scope};

use crate::torrent::{Candidates, PeerSource};
use tailwater_engine::metadata::LinkKey;
use tailwater_engine::metadata::slots::max_links;

/// Addresses remembered, of each kind.
const MAX_KNOWN: usize = 3_000;
/// Addresses handed on to the torrent.
const MAX_HANDED_ON: usize = 100;
/// Hosts that are banned for false metadata. Each had to send a whole of it.
const MAX_BANNED: usize = 1_000;

#[derive(Debug)]
pub(super) struct Known {
    candidates: Candidates,
    /// Peers that cannot help, or lied and share their address with others.
    shunned: BTreeSet<SocketAddr>,
    /// Hosts that sent false metadata, all of it their own: every port of theirs, by the address that did.
    banned: BTreeMap<AddressGroup, IpAddr>,
    /// Named by the user: a private torrent begins with these (BEP 27). Its trackers' peers do not mix, so it asks one
    /// of them anew.
    vouched: BTreeSet<SocketAddr>,
    /// Named by the link.
    named: BTreeSet<SocketAddr>,
    /// Peers that sent blocks, and may have lied.
    senders: BTreeMap<LinkKey, SocketAddr>,
    /// Peers that sent metadata that is right.
    gave: BTreeSet<SocketAddr>,
    /// Peers that were connected at the end.
    present: BTreeSet<SocketAddr>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            candidates: Candidates::new(MAX_KNOWN),
            shunned: BTreeSet::new(),
            banned: BTreeMap::new(),
            senders: BTreeMap::new(),
            vouched: BTreeSet::new(),
            named: BTreeSet::new(),
            gave: BTreeSet::new(),
            present: BTreeSet::new(),
        }
    }
}

impl Known {
    pub(super) fn add(&mut self, now: Instant, source: PeerSource, addrs: &[SocketAddr]) {
        for &addr in addrs {
            if self.is_shunned(addr) {
                continue;
            }
            self.candidates.add(now, addr, source);
            match source {
                PeerSource::User => remember(&mut self.vouched, addr),
                PeerSource::Magnet => remember(&mut self.named, addr),
                _ => {}
            }
        }
    }

    /// Adds addresses of the link that are not to be tried, only handed on.
    pub(super) fn add_named(&mut self, addrs: Vec<SocketAddr>) {
        for addr in addrs {
            remember(&mut self.named, addr);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.candidates.known()
    }

    pub(super) fn next(&mut self, now: Instant) -> Option<SocketAddr> {
        self.candidates.next(now)
    }

    pub(super) fn next_attempt(&self) -> Option<Instant> {
        self.candidates.next_attempt()
    }

    pub(super) fn handle_connected(&mut self, addr: SocketAddr) {
        self.candidates.handle_connected(addr);
    }

    pub(super) fn handle_failed(&mut self, now: Instant, addr: SocketAddr) {
        self.candidates.handle_failed(now, addr);
    }

    /// [`Self::next`] gave this address too early.
    pub(super) fn defer(&mut self, addr: SocketAddr, at: Instant) {
        self.candidates.defer(addr, at);
    }

    /// Whether the user named it.
    pub(super) fn is_vouched(&self, addr: SocketAddr) -> bool {
        self.vouched.contains(&addr)
    }

    pub(super) fn handle_closed(&mut self, now: Instant, addr: SocketAddr, gave: bool) {
        self.candidates.handle_closed(now, addr, gave);
    }

    /// A peer that listens at `addr` has sent a block.
    pub(super) fn handle_sender(&mut self, link: LinkKey, addr: SocketAddr) {
        if self.senders.len() < MAX_KNOWN {
            self.senders.insert(link, addr);
        }
    }

    /// A peer was connected when the metadata was complete.
    pub(super) fn handle_present(&mut self, addr: SocketAddr) {
        remember(&mut self.present, addr);
    }

    /// The metadata is right, and made of the blocks of these links.
    pub(super) fn handle_complete(&mut self, honest: &BTreeSet<LinkKey>) {
        for link in honest {
            if let Some(&addr) = self.senders.get(link) {
                remember(&mut self.gave, addr);
            }
        }
    }

    /// Never tries an address again, nor hands it on.
    pub(super) fn shun(&mut self, addr: SocketAddr) {
        self.candidates.forget(addr);
        remember(&mut self.shunned, addr);
        for good in [&mut self.gave, &mut self.present, &mut self.named] {
            good.remove(&addr);
        }
    }

    /// Bans the address (IPv6: /64) of a peer that has sent false metadata, and no other peer had a part in it. On this
    /// machine, which tests and proxies share, only the port is banned.
    pub(super) fn ban(&mut self, addr: SocketAddr) {
        self.shun(addr);
        if Scope::of(addr.ip()) == Scope::Loopback || self.banned.len() >= MAX_BANNED {
            return;
        }
        self.candidates.ban(addr.ip());
        let group = AddressGroup::of(addr.ip());
        self.banned.entry(group).or_insert(addr.ip());
    }

    pub(super) fn is_shunned(&self, addr: SocketAddr) -> bool {
        let group = AddressGroup::of(addr.ip());
        self.shunned.contains(&addr) || self.banned.contains_key(&group)
    }

    /// The addresses that are banned, for the torrent.
    pub(super) fn banned(&self) -> Vec<IpAddr> {
        self.banned.values().copied().collect()
    }

    /// The addresses with which the download can begin: those that sent metadata first.
    pub(super) fn hand_on(&self, is_private: bool) -> Vec<SocketAddr> {
        let mut handed_on = Vec::new();
        let mut of_host: BTreeMap<AddressGroup, usize> = BTreeMap::new();
        for &addr in [&self.gave, &self.present, &self.named]
            .into_iter()
            .flatten()
        {
            let is_vouched = self.vouched.contains(&addr);
            let may = is_vouched || (!is_private && !self.is_shunned(addr));
            // The torrent treats them as chosen by the user: no host is to get many connections by that.
            let count = of_host.entry(AddressGroup::of(addr.ip())).or_default();
            let has_room = is_vouched || *count < max_links(addr.ip());
            let is_new = !handed_on.contains(&addr);
            if may && has_room && is_new && handed_on.len() < MAX_HANDED_ON {
                handed_on.push(addr);
                *count += usize::from(!is_vouched);
            }
        }
        handed_on
    }
}

fn remember(set: &mut BTreeSet<SocketAddr>, addr: SocketAddr) {
    if set.len() < MAX_KNOWN {
        set.insert(addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::epoch;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn those_that_helped_are_handed_on_first_and_liars_never() {
        let now = epoch();
        let mut known = Known::default();
        known.add(now, PeerSource::Magnet, &[addr(1), addr(2)]);
        known.add(now, PeerSource::Tracker, &[addr(3), addr(4)]);
        for (link, port) in [(4, 4), (5, 5)] {
            known.handle_sender(LinkKey(link), addr(port));
        }
        known.handle_present(addr(3));
        // What the other sent was not right.
        known.handle_complete(&[LinkKey(4)].into());
        known.shun(addr(2));
        assert_eq!(known.hand_on(false), [addr(4), addr(3), addr(1)]);
        // It is not tried again, whatever source names it.
        known.add(now, PeerSource::User, &[addr(2)]);
        assert_eq!(known.len(), 3);
        assert!(known.is_shunned(addr(2)));
    }

    #[test]
    fn a_private_torrent_begins_with_those_that_its_user_named() {
        let now = epoch();
        let mut known = Known::default();
        known.add(now, PeerSource::Magnet, &[addr(1), addr(2)]);
        known.add(now, PeerSource::Tracker, &[addr(2), addr(3)]);
        known.add(now, PeerSource::Exchange, &[addr(5)]);
        known.add(now, PeerSource::User, &[addr(6)]);
        for port in [3, 5, 6, 7] {
            known.handle_present(addr(port));
        }
        assert_eq!(known.hand_on(true), [addr(6)]);
        // Those that no user named are limited to a few for each host.
        let at_most = 1 + max_links(addr(1).ip());
        assert_eq!(known.hand_on(false).len(), at_most);
    }

    #[test]
    fn a_liar_is_banned_with_all_its_ports_and_on_this_machine_with_one() {
        let now = epoch();
        let mut known = Known::default();
        let at = |ip: &str, port| SocketAddr::new(ip.parse().unwrap(), port);
        for (liar, same) in [
            (at("9.9.9.9", 1), at("9.9.9.9", 2)),
            (at("2001:db8::1", 1), at("2001:db8::2", 2)),
            (at("10.0.0.1", 1), at("10.0.0.1", 2)),
        ] {
            known.add(now, PeerSource::Tracker, &[liar, same]);
            known.handle_present(same);
            known.ban(liar);
            assert!(known.is_shunned(liar) && known.is_shunned(same));
            assert!(known.hand_on(false).is_empty());
        }
        assert_eq!(known.banned().len(), 3);
        let (liar, same) = (at("127.0.0.1", 1), at("127.0.0.1", 2));
        known.handle_present(same);
        known.ban(liar);
        assert!(known.is_shunned(liar) && !known.is_shunned(same));
        assert_eq!(known.banned().len(), 3);
        assert_eq!(known.hand_on(false), [same]);
    }
}
