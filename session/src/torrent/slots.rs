//! The upload slots: what the choker decides is carried out here.

use std::time::Instant;

use super::choker::Contender;
use super::{Engine, PeerKey, Space};
use crate::peer::Command;

impl<S: Space> Engine<S> {
    /// Deals the upload slots out anew.
    pub(super) fn rechoke(&mut self, now: Instant) {
        let seeding = self.wanted == 0;
        let contenders: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.peer_interested)
            .map(|(key, peer)| Contender {
                key,
                rate: match seeding {
                    true => peer.up.bytes_per_second(now),
                    false => peer.down.bytes_per_second(now),
                },
                unchoked: !peer.am_choking,
                snubbed: peer.snubbed,
            })
            .collect();
        let chosen = self.choker.choose(&contenders, seeding, &mut self.rng);
        for contender in contenders {
            let stays = chosen.contains(&contender.key);
            if contender.unchoked && !stays {
                self.choke(contender.key);
            } else if !contender.unchoked && stays {
                self.unchoke(contender.key);
            }
        }
    }

    /// A free slot is given away at once rather than in the next round.
    pub(super) fn unchoke_waiting(&mut self) {
        let used = self
            .peers
            .iter()
            .filter(|(_, peer)| !peer.am_choking)
            .count();
        let waiting: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.am_choking && peer.peer_interested)
            .map(|(key, _)| key)
            .take(self.choker.slots().saturating_sub(used))
            .collect();
        for key in waiting {
            self.unchoke(key);
        }
    }

    pub(super) fn choke(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.am_choking = true;
            self.command(key, Command::Choke);
        }
    }

    pub(super) fn unchoke(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.am_choking = false;
            self.command(key, Command::Unchoke);
        }
    }
}
