//! What trackers name, and that private torrents have one tracker at a time (BEP 27).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::{Engine, Refusal, Source, Space};

impl<S: Space> Engine<S> {
    /// A tracker has named peers. When another one than before does, a private torrent leaves the former's behind: two
    /// trackers' peers are not brought together by us.
    pub fn handle_tracker_peers(&mut self, now: Instant, tracker: &Arc<str>, addrs: &[SocketAddr]) {
        let former = self.tracker.replace(Arc::clone(tracker));
        if self.config.private && former.is_some_and(|former| former != *tracker) {
            self.leave_tracker(now);
        }
        self.handle_candidates(now, Source::Tracker, addrs);
    }

    /// Forgets whom the tracker named and lets go whom it brought here. Whoever called has our address from there too.
    fn leave_tracker(&mut self, now: Instant) {
        let is_named = |addr| self.candidates.source(addr).is_some_and(Source::is_named);
        let theirs: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.dial_addr.is_some_and(is_named))
            .map(|(key, _)| key)
            .collect();
        // First, so that none of them is called back as the places come free.
        self.candidates.forget_source(Source::Tracker);
        for key in theirs {
            self.disconnect(now, key, Refusal::OtherTracker);
        }
    }

    /// Whether this torrent may connect to what comes from a source.
    pub(super) const fn is_allowed(&self, source: Source) -> bool {
        !self.config.private || source.allowed_in_private()
    }
}
