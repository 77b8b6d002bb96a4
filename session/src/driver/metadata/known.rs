//! The addresses of a fetch: whom to try, whom never again, and with whom the download can begin.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use crate::torrent::{Candidates, Source};

/// Addresses remembered, of each kind.
const MAX_KNOWN: usize = 3_000;
/// Addresses handed on to the torrent.
const MAX_HANDED_ON: usize = 100;

#[derive(Debug)]
pub(super) struct Known {
    candidates: Candidates,
    /// They lied, or cannot help.
    shunned: BTreeSet<SocketAddr>,
    /// By the user's own word: those that a private torrent begins with (BEP 27). Its trackers' peers do not mix, so it
    /// asks one of them anew.
    vouched: BTreeSet<SocketAddr>,
    /// Named by the link.
    named: BTreeSet<SocketAddr>,
    /// They sent metadata.
    gave: BTreeSet<SocketAddr>,
    /// They were there at the end.
    present: BTreeSet<SocketAddr>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            candidates: Candidates::new(MAX_KNOWN),
            shunned: BTreeSet::new(),
            vouched: BTreeSet::new(),
            named: BTreeSet::new(),
            gave: BTreeSet::new(),
            present: BTreeSet::new(),
        }
    }
}

impl Known {
    pub(super) fn add(&mut self, now: Instant, source: Source, addrs: &[SocketAddr]) {
        for &addr in addrs.iter().filter(|addr| !self.shunned.contains(addr)) {
            self.candidates.add(now, addr, source);
            match source {
                Source::User => remember(&mut self.vouched, addr),
                Source::Magnet => remember(&mut self.named, addr),
                _ => {}
            }
        }
    }

    /// Addresses by the link that are not to be tried, only handed on.
    pub(super) fn add_named(&mut self, addrs: Vec<SocketAddr>) {
        for addr in addrs {
            remember(&mut self.named, addr);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.candidates.known()
    }

    pub(super) const fn connecting(&self) -> usize {
        self.candidates.connecting()
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

    pub(super) fn handle_closed(&mut self, now: Instant, addr: SocketAddr, gave: bool) {
        self.candidates.handle_closed(now, addr, gave);
        if gave && !self.shunned.contains(&addr) {
            remember(&mut self.gave, addr);
        }
    }

    /// A peer was there when the metadata was.
    pub(super) fn handle_present(&mut self, addr: SocketAddr, gave: bool) {
        remember(&mut self.present, addr);
        if gave {
            remember(&mut self.gave, addr);
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

    pub(super) fn is_shunned(&self, addr: SocketAddr) -> bool {
        self.shunned.contains(&addr)
    }

    /// With whom the download can begin: those that sent metadata first.
    pub(super) fn hand_on(&self, is_private: bool) -> Vec<SocketAddr> {
        let mut handed_on = Vec::new();
        for addr in [&self.gave, &self.present, &self.named]
            .into_iter()
            .flatten()
        {
            let may = !is_private || self.vouched.contains(addr);
            if may && handed_on.len() < MAX_HANDED_ON && !handed_on.contains(addr) {
                handed_on.push(*addr);
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
        known.add(now, Source::Magnet, &[addr(1), addr(2)]);
        known.add(now, Source::Tracker, &[addr(3), addr(4)]);
        known.handle_closed(now, addr(4), true);
        known.handle_present(addr(3), false);
        known.shun(addr(2));
        assert_eq!(known.hand_on(false), [addr(4), addr(3), addr(1)]);
        // It is not tried again, whoever names it.
        known.add(now, Source::User, &[addr(2)]);
        assert_eq!(known.len(), 3);
        assert!(known.is_shunned(addr(2)));
    }

    #[test]
    fn a_private_torrent_begins_with_those_that_its_user_named() {
        let now = epoch();
        let mut known = Known::default();
        known.add(now, Source::Magnet, &[addr(1), addr(2)]);
        known.add(now, Source::Tracker, &[addr(2), addr(3)]);
        known.add(now, Source::Exchange, &[addr(5)]);
        known.add(now, Source::User, &[addr(6)]);
        for port in [3, 5, 6, 7] {
            known.handle_present(addr(port), true);
        }
        assert_eq!(known.hand_on(true), [addr(6)]);
        assert_eq!(known.hand_on(false).len(), 6);
    }
}
