//! The peers that trackers name, and the rule that a private torrent has one tracker at a time (BEP 27).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use crate::torrent::membership::source::can_name;
use crate::torrent::{Engine, PeerSource, Refusal, Space};

/// The address that is assumed for a tracker whose own is not known, because a proxy asks it: far away, so that it can
/// name public addresses only.
const UNKNOWN_TRACKER: IpAddr = IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1));

/// Keeps those of the addresses named by a tracker at `namer` that it can know: one on the internet cannot see our
/// local network or this machine, and would have us connect to services that it cannot reach itself.
pub fn named_by_tracker(namer: Option<IpAddr>, addrs: &[SocketAddr]) -> Vec<SocketAddr> {
    let namer = namer.unwrap_or(UNKNOWN_TRACKER);
    let named = addrs.iter().filter(|addr| can_name(namer, **addr));
    named.copied().collect()
}

impl<S: Space> Engine<S> {
    /// Adds the peers that a tracker at the address `namer` has named; `None` if its address is not known, which counts
    /// as one on the internet. Addresses that it cannot know are not taken: a local or loopback address from a tracker
    /// on the internet.
    ///
    /// When another tracker than before names peers, a private torrent leaves the former's behind: two trackers' peers are
    /// not brought together by us (BEP 27).
    pub fn handle_tracker_peers(
        &mut self,
        now: Instant,
        tracker: &Arc<str>,
        namer: Option<IpAddr>,
        addrs: &[SocketAddr],
    ) {
        let former = self.membership.tracker.replace(Arc::clone(tracker));
        if self.config.private && former.is_some_and(|former| former != *tracker) {
            self.leave_tracker(now);
        }
        self.handle_candidates(now, PeerSource::Tracker, &named_by_tracker(namer, addrs));
    }

    /// Forgets the addresses that the tracker named and disconnects their peers, and those that connected to us: they have our
    /// address from there too.
    fn leave_tracker(&mut self, now: Instant) {
        let is_named = |addr| {
            self.membership
                .candidates
                .source(addr)
                .is_some_and(PeerSource::is_named)
        };
        let theirs: Vec<_> = self
            .peers
            .connected()
            .filter(|(_, peer)| !peer.dial_addr.is_some_and(is_named))
            .map(|(key, _)| key)
            .collect();
        // First, so that none of them is called back as the places come free.
        self.membership
            .candidates
            .forget_source(PeerSource::Tracker);
        for key in theirs {
            self.disconnect(now, key, Refusal::OtherTracker);
        }
    }
}
