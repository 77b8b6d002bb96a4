//! Stalled peers: they owe us blocks and send none.
//!
//! The blocks that such a peer owes are requested from others: while a reader is open as soon as a few round trips have
//! passed, else when another peer has nothing left to do, at the latest after [`REQUEST_TIMEOUT`]. It may still
//! deliver, and is then as good as before; until then it is asked for little, and for nothing that is needed soon.

use std::time::{Duration, Instant};

use tailwater_metainfo::BLOCK_LEN;
use tailwater_types::pacing::Backoff;

use crate::torrent::peers::{Peer, Pending, Supplier};
use crate::torrent::{Engine, Space};

/// A request that has waited this long is late, whatever else goes on.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// While another peer has nothing to do, a request that has waited this long, and much longer than it should, is late.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);
/// A peer that is silent for this long, and four times what a block should take, has stopped.
const PATIENCE: Duration = Duration::from_millis(250);
/// The back-off: a peer that has stopped is asked for nothing for this long, until it delivers.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(160));

/// How often a peer has stopped since it last delivered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stall {
    count: u32,
    rests_until: Option<Instant>,
}

impl Stall {
    pub(crate) const fn new() -> Self {
        Self {
            count: 0,
            rests_until: None,
        }
    }

    /// Whether the peer is asked for nothing at all.
    pub(crate) const fn rests(&self) -> bool {
        self.rests_until.is_some()
    }
}

impl Supplier {
    /// How long the peer has sent nothing although it owes us a block that is not late yet.
    pub(crate) fn silent_for(&self, now: Instant) -> Duration {
        let first = self.pending.iter().find(|pending| !pending.late);
        let since = first.map(|first| first.asked_at.max(self.last_delivery));
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Whether it owes a block for much longer than it should, by its own pace.
    pub(crate) fn has_stopped(&self, now: Instant) -> bool {
        self.silent_for(now) > self.pipeline.time_for(BLOCK_LEN) * 4 + PATIENCE
    }

    /// A block came from it.
    pub(crate) fn handle_delivery(&mut self) {
        self.snubbed = false;
        self.stall = Stall::default();
    }

    /// Its requests are late: returns the blocks that others may be asked for now.
    pub(crate) fn handle_stall(&mut self, now: Instant) -> Vec<Pending> {
        self.stall.count += 1;
        self.stall.rests_until = Some(now + BACKOFF.after(self.stall.count));
        self.snubbed = true;
        self.pipeline.handle_stall();
        self.has_late = true;
        let on_time = self.pending.iter_mut().filter(|pending| !pending.late);
        on_time
            .map(|pending| {
                pending.late = true;
                *pending
            })
            .collect()
    }

    /// Says whether it has just rested enough from refusing or from stopping.
    fn has_rested(&mut self, now: Instant) -> bool {
        let is_over = |until: &mut Option<Instant>| until.take_if(|until| *until <= now).is_some();
        let refused = is_over(&mut self.rests_until);
        let stopped = is_over(&mut self.stall.rests_until);
        refused || stopped
    }
}

impl<S: Space> Engine<S> {
    /// Finds late requests, whose blocks are free again and whose peers are snubbed, and peers that have rested.
    pub(crate) fn expire_requests(&mut self, now: Instant) {
        let mut rested = Vec::new();
        for (key, peer) in self.peers.iter_mut() {
            if peer.supply.has_rested(now) {
                rested.push(key);
            }
        }
        for key in rested {
            self.fill(now, key);
        }
        let timeout = match self.has_idle_peer(now) {
            true => IDLE_TIMEOUT,
            false => REQUEST_TIMEOUT,
        };
        if self.release_late(now, timeout) {
            self.fill_all(now);
        }
    }

    /// Whether a peer that delivers could be asked for more if there were anything to ask it for.
    fn has_idle_peer(&self, now: Instant) -> bool {
        let idles =
            |peer: &Peer| peer.has_room() && !peer.supply.snubbed && !peer.supply.has_stopped(now);
        self.peers.len() > 1 && self.peers.iter().any(|(_, peer)| idles(peer))
    }

    /// Frees the blocks that stopped peers owe, after at least `timeout`; says whether there were any.
    pub(crate) fn release_late(&mut self, now: Instant, timeout: Duration) -> bool {
        let is_late = |peer: &Peer| {
            let silent = peer.supply.silent_for(now);
            silent >= REQUEST_TIMEOUT || (silent >= timeout && peer.supply.has_stopped(now))
        };
        let late = self.peers.iter().filter(|(_, peer)| is_late(peer));
        let late: Vec<_> = late.map(|(key, _)| key).collect();
        for key in &late {
            if let Some(peer) = self.peers.get_mut(*key) {
                self.supply.stall(now, &mut peer.supply);
            }
        }
        !late.is_empty()
    }
}
