//! The unchoke slots: carries out the choker's decisions.

use std::time::{Duration, Instant};

use crate::peer::Command;
use crate::torrent::peers::{Connected, ConnectedPeer};
use crate::torrent::upload::choker::Contender;
use crate::torrent::{Engine, PeerKey, Space};

/// A peer that has a slot for this long and asks for nothing holds it in vain. Clients ask as soon as they are
/// unchoked.
const ASKS_WITHIN: Duration = Duration::from_secs(5);
/// The same for a peer of a host with many connections: it is more likely a crowd of one person than many people.
const CROWD_ASKS_WITHIN: Duration = Duration::from_secs(1);

/// What one peer has made of its unchoke slots.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotUse {
    /// Since when it has had one, and the bytes that it had been sent before.
    since: Option<(Instant, u64)>,
    /// It asked for nothing the last time.
    in_vain: bool,
}

impl ConnectedPeer {
    /// Whether it wants a slot and has not had one in vain.
    fn waits_for_slot(&self) -> bool {
        self.is_choked_contender() && !self.slot.in_vain
    }

    /// Whether it wants a slot of the choker's.
    fn is_choked_contender(&self) -> bool {
        self.am_choking && self.peer_interested && !self.is_led()
    }

    /// Blocks were sent to it.
    pub(crate) const fn handle_uploaded(&mut self) {
        self.slot.in_vain = false;
    }

    /// Judges whether the peer makes use of its slot.
    fn judge_slot(&mut self, now: Instant, is_crowded: bool) {
        let within = match is_crowded {
            true => CROWD_ASKS_WITHIN,
            false => ASKS_WITHIN,
        };
        if let Some((since, before)) = self.slot.since
            && now.saturating_duration_since(since) >= within
        {
            self.slot.in_vain = self.up.total() == before;
        }
    }
}

impl<S: Space> Engine<S> {
    /// Deals the unchoke slots out anew.
    pub(crate) fn rechoke(&mut self, now: Instant) {
        let seeding = self.supply.wanted == 0;
        let led = self.contenders(now, ConnectedPeer::is_fetching_revealed);
        if !led.is_empty() {
            // Super-seeding: it decides which of these peers fetch, and the choker how many.
            self.choker.fit_slots(&led, true);
        }
        let contenders = self.contenders(now, |peer| peer.peer_interested && !peer.is_led());
        if contenders.is_empty() && !led.is_empty() {
            return;
        }
        let chosen = self
            .choker
            .choose(&contenders, seeding, &mut self.supply.rng);
        for contender in contenders {
            let stays = chosen.contains(&contender.key);
            if contender.unchoked && !stays {
                self.choke(contender.key);
            } else if !contender.unchoked && stays {
                self.unchoke(now, contender.key);
            }
        }
    }

    /// The peers that the choker is to compare.
    fn contenders(&self, now: Instant, is_one: impl Fn(&ConnectedPeer) -> bool) -> Vec<Contender> {
        let seeding = self.supply.wanted == 0;
        self.peers
            .connected()
            .filter(|(_, peer)| is_one(peer.contact))
            .map(|(key, peer)| Contender {
                key,
                rate: match seeding {
                    true => peer.up.bytes_per_second(now),
                    false => peer.supply.down.bytes_per_second(now),
                },
                unchoked: !peer.am_choking,
                snubbed: peer.supply.snubbed,
                in_vain: peer.slot.in_vain,
                crowded: self.is_in_crowd(&peer),
            })
            .collect()
    }

    /// Takes slots back that are held in vain while others wait, between the choker's rounds: else a crowd that asks for
    /// nothing would hold them all.
    pub(crate) fn reclaim_slots(&mut self, now: Instant) {
        let crowded: Vec<_> = self
            .peers
            .connected()
            .map(|(_, peer)| self.is_in_crowd(&peer))
            .collect();
        for ((_, peer), is_crowded) in self.peers.connected_mut().zip(crowded) {
            peer.judge_slot(now, is_crowded);
        }
        let peers = || self.peers.connected();
        let waiting = peers().filter(|(_, peer)| peer.waits_for_slot()).count();
        let in_vain =
            peers().filter(|(_, peer)| !peer.am_choking && peer.slot.in_vain && !peer.is_led());
        let in_vain: Vec<_> = in_vain.map(|(key, _)| key).take(waiting).collect();
        if in_vain.is_empty() {
            return;
        }
        for key in in_vain {
            self.choke(key);
        }
        self.unchoke_waiting(now);
    }

    /// A peer has become interested: it gets a free slot at once, or that of an idle member of a crowd.
    pub(crate) fn handle_interested(&mut self, now: Instant, key: PeerKey) {
        self.unchoke_waiting(now);
        self.unchoke_led(now, key);
        let newcomer = self.peers.connection(key);
        let waits = newcomer.is_some_and(|peer| peer.waits_for_slot() && !self.is_in_crowd(&peer));
        if !waits {
            return;
        }
        let is_idle = |peer: &Connected<'_>| {
            let before = peer.slot.since.map(|(_, before)| before);
            before == Some(peer.up.total()) && self.is_in_crowd(peer)
        };
        let idle = self.peers.connected().find(|(_, peer)| is_idle(peer));
        if let Some((idle, _)) = idle {
            self.choke(idle);
            self.unchoke(now, key);
        }
    }

    /// Gives a free slot away at once rather than in the next round.
    pub(crate) fn unchoke_waiting(&mut self, now: Instant) {
        let used = self
            .peers
            .connected()
            .filter(|(_, peer)| !peer.am_choking && !peer.is_led())
            .count();
        let wants_one = |peer: &Connected<'_>| peer.is_choked_contender();
        let waiting = self.peers.connected().filter(|(_, peer)| wants_one(peer));
        let mut waiting: Vec<_> = waiting
            .map(|(key, peer)| ((peer.slot.in_vain, self.is_in_crowd(&peer)), key))
            .collect();
        waiting.sort_by_key(|(last, _)| *last);
        let free = self.choker.slots().saturating_sub(used);
        for (_, key) in waiting.into_iter().take(free) {
            self.unchoke(now, key);
        }
    }

    pub(crate) fn choke(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.connection_mut(key) {
            peer.am_choking = true;
            peer.slot.since = None;
            self.command(key, Command::Choke);
        }
    }

    pub(crate) fn unchoke(&mut self, now: Instant, key: PeerKey) {
        if let Some(peer) = self.peers.connection_mut(key) {
            peer.am_choking = false;
            peer.slot.since = Some((now, peer.up.total()));
            self.command(key, Command::Unchoke);
        }
    }
}
