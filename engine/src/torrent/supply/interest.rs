//! The pieces that suppliers have, and interest on both sides (BEP 3).

use std::time::Instant;

use tailwater_metainfo::{Bitfield, PieceIndex};
use tailwater_wire::allowed_fast_set;

use crate::peer::Command;
use crate::torrent::peers::Connected;
use crate::torrent::{Engine, PeerKey, Refusal, Space};

/// How many pieces a beginner may fetch while choked (BEP 6).
const ALLOWED_FAST: usize = 10;

impl<S: Space> Engine<S> {
    /// The peer has these pieces and no others. Costs a step for each piece in which that differs from before.
    pub(crate) fn handle_bitfield(&mut self, key: PeerKey, bits: Bitfield) {
        let Some(peer) = self.peers.get(key) else {
            return;
        };
        let mut interesting = peer.supply.interesting;
        let differing = peer.supply.bits.differences(&bits);
        for piece in differing.filter(|piece| self.supply.is_lacking(*piece)) {
            match bits.has(piece) {
                true => interesting += 1,
                false => interesting -= 1,
            }
        }
        let old = (&peer.supply.bits, peer.supply.counted_as_seed);
        self.supply
            .picker
            .replace_peer(old, (&bits, bits.is_all()), &mut self.supply.rng);
        if let Some(peer) = self.peers.get_mut(key) {
            peer.supply.interesting = interesting;
            peer.supply.counted_as_seed = bits.is_all();
            peer.supply.bits = bits;
        }
        self.allow_fast(key);
    }

    /// Allows a peer that has next to nothing to fetch a few pieces although it is choked, so that it has something to
    /// trade (BEP 6).
    fn allow_fast(&mut self, key: PeerKey) {
        let is_beginner = |peer: &Connected<'_>| {
            let pieces = peer.supply.bits.count() as usize;
            peer.fast && !peer.was_allowed_fast && !peer.is_led() && pieces < ALLOWED_FAST
        };
        if !self
            .peers
            .connection(key)
            .is_some_and(|peer| is_beginner(&peer))
        {
            return;
        }
        let Some(peer) = self.peers.connection_mut(key) else {
            return;
        };
        peer.was_allowed_fast = true;
        let ip = peer.addr.ip();
        let count = self.supply.geometry.piece_count();
        for index in allowed_fast_set(ip, &self.config.info_hash, count, ALLOWED_FAST) {
            match self.supply.geometry.piece(index) {
                Ok(piece) if self.supply.pieces.have().has(piece) => {
                    self.command(key, Command::AllowFast(piece));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn handle_have(&mut self, key: PeerKey, piece: PieceIndex) {
        let lacking = self.supply.is_lacking(piece);
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        if peer.supply.bits.set(piece) {
            peer.supply.interesting += u32::from(lacking);
            self.supply.picker.gained(piece, &mut self.supply.rng);
        }
    }

    /// The peer lost a piece (BEP 54); what was requested of it will not come. Says whether there was any request.
    pub(crate) fn handle_dont_have(&mut self, key: PeerKey, piece: PieceIndex) -> bool {
        let lacking = self.supply.is_lacking(piece);
        let Some(peer) = self.peers.get_mut(key) else {
            return false;
        };
        if !peer.supply.bits.has(piece) {
            return false;
        }
        if std::mem::take(&mut peer.supply.counted_as_seed) {
            let all = Bitfield::all(&self.supply.geometry);
            self.supply
                .picker
                .replace_peer((&all, true), (&all, false), &mut self.supply.rng);
        }
        peer.supply.bits.clear(piece);
        peer.supply.interesting -= u32::from(lacking);
        self.supply.picker.lost(piece, &mut self.supply.rng);
        let gone: Vec<_> = peer.supply.pending_of(piece).collect();
        peer.supply
            .pending
            .retain(|pending| pending.block.piece() != piece);
        self.supply.free_blocks(&gone);
        for pending in &gone {
            self.command(key, Command::Cancel(pending.block));
        }
        !gone.is_empty()
    }

    /// Tells every peer that we have a piece; no supplier's copy of it interests us any more.
    pub(crate) fn announce_have(&mut self, now: Instant, piece: PieceIndex) {
        let wanted = self.supply.picker.is_wanted(piece);
        for key in self.peers.keys() {
            let Some(peer) = self.peers.get_mut(key) else {
                continue;
            };
            let has = peer.supply.bits.has(piece);
            if has && wanted {
                peer.supply.interesting = peer.supply.interesting.saturating_sub(1);
            }
            if peer.connected().is_none() {
                continue;
            }
            self.command(key, Command::Have(piece));
            if has {
                self.update_interest(now, key);
            }
        }
    }

    pub(crate) fn count_interesting(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(key) else {
            return;
        };
        let lacking =
            |piece: &PieceIndex| peer.supply.bits.has(*piece) && self.supply.is_lacking(*piece);
        let count = self.supply.geometry.pieces().filter(lacking).count();
        if let Some(peer) = self.peers.get_mut(key) {
            peer.supply.interesting = u32::try_from(count).unwrap_or(u32::MAX);
        }
    }

    /// Tells a peer whether we want anything of it, and lets it go when neither side ever will.
    pub(crate) fn update_interest(&mut self, now: Instant, key: PeerKey) {
        let seeding = self.supply.wanted == 0;
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let (bits_are_all, interested) = (peer.supply.bits.is_all(), peer.supply.interesting > 0);
        // A web seed is asked without being told that we want something, and wants nothing itself.
        let Some(peer) = peer.connection_mut() else {
            return;
        };
        if interested != peer.am_interested {
            peer.am_interested = interested;
            let command = match interested {
                true => Command::Interested,
                false => Command::NotInterested,
            };
            self.command(key, command);
            return;
        }
        let useless_to_us = seeding && self.supply.completed;
        let wants_nothing = peer.upload_only && !peer.peer_interested && !peer.is_unknown();
        let useless_to_it = bits_are_all || wants_nothing;
        if useless_to_us && useless_to_it {
            self.disconnect(now, key, Refusal::NothingToShare);
        }
    }
}
