//! The outcomes of pieces: verified, failed, lost, evicted; and of the torrent: complete.

use std::time::Instant;

use tailwater_metainfo::{BlockRef, PieceIndex};

use crate::peer::Command;
use crate::torrent::{
    BlockDigest, Engine, Notice, Origin, Output, PeerKey, PieceState, Space, SupplierKey, Verdict,
};

impl<S: Space> Engine<S> {
    /// A piece's hash has been checked.
    pub fn handle_verdict(&mut self, now: Instant, piece: PieceIndex, verdict: &Verdict) {
        if self.supply.pieces.state(piece) != PieceState::Verifying {
            return;
        }
        match verdict {
            Verdict::Valid => {
                let is_suspect = self.supply.handle_valid(piece);
                self.outputs
                    .push_back(Output::Notice(Notice::PieceVerified(piece)));
                if is_suspect {
                    self.outputs.push_back(Output::Digest(piece));
                }
                self.recheck_if_early(piece);
                self.announce_have(now, piece);
                self.check_complete(now);
            }
            Verdict::Invalid { block_digests } => {
                let guilty = self.supply.handle_invalid(piece, block_digests);
                self.traffic.wasted += u64::from(self.supply.geometry.piece_len(piece));
                self.space.release(piece);
                self.outputs
                    .push_back(Output::Notice(Notice::PieceFailed(piece)));
                if let Some(guilty) = guilty {
                    self.ban_origin(now, guilty);
                }
                self.fill_all(now);
            }
        }
    }

    /// The block digests of a valid piece, which [`Output::Digest`] asked for.
    pub fn handle_digests(&mut self, now: Instant, piece: PieceIndex, digests: &[BlockDigest]) {
        for guilty in self.supply.blame.handle_digests(piece, digests) {
            self.ban_origin(now, guilty);
        }
    }

    /// The storage made room and a held piece is gone (announced as BEP 54 says).
    pub fn handle_evicted(&mut self, now: Instant, piece: PieceIndex) {
        self.demand.prefetch.handle_lost();
        if self.supply.pieces.state(piece) == PieceState::Verifying {
            // It was verified and evicted before the verdict came. No peer has been told of it.
            self.supply.pieces.abandon(piece);
            self.supply.picker.insert(piece, &mut self.supply.rng);
            return;
        }
        let Some(wanted) = self.supply.handle_evicted(piece) else {
            return;
        };
        for (_, peer) in self.peers.iter_mut() {
            peer.supply.interesting += u32::from(wanted && peer.supply.bits.has(piece));
        }
        for key in self.peers.connected_keys() {
            self.command(key, Command::DontHave(piece));
            self.update_interest(now, key);
        }
        self.outputs
            .push_back(Output::Notice(Notice::PieceEvicted(piece)));
        self.tell_upload_only(now);
    }

    /// A block came that is not what its hash promises; it has not been stored. Its sender is banned at once, and only
    /// this block is asked for again.
    pub(crate) fn handle_wrong_block(
        &mut self,
        now: Instant,
        key: PeerKey,
        from: Origin,
        block: BlockRef,
    ) {
        self.traffic.down.add(now, block.len().into());
        self.traffic.wasted += u64::from(block.len());
        self.handle_returned(key, block);
        self.ban_origin(now, from);
    }

    /// Blocks that were stored before their hashes were known are not what those promise: the storage has given them up, and
    /// tells whose they were. Their senders are banned, and the blocks alone are fetched again.
    pub fn handle_wrong(&mut self, now: Instant, blocks: &[(BlockRef, SupplierKey)]) {
        for (block, supplier) in blocks {
            let sender = self.supply.pieces.sender(*block, *supplier);
            let of_peers = || {
                let mut peers = self.peers.iter();
                let peer = peers.find(|(key, _)| SupplierKey::from(*key) == *supplier);
                peer.map(|(_, peer)| peer.origin())
            };
            let sender = sender.or_else(of_peers);
            self.traffic.wasted += u64::from(block.len());
            self.supply.pieces.lose_of(*block, *supplier);
            if let Some(sender) = sender {
                self.ban_origin(now, sender);
            }
        }
        self.fill_all(now);
    }

    /// Blocks that were reported as stored are lost; they are fetched again.
    pub fn handle_lost(&mut self, blocks: &[BlockRef]) {
        for &block in blocks {
            self.supply.pieces.lose(block);
        }
    }

    pub(crate) fn check_complete(&mut self, now: Instant) {
        if self.supply.wanted > 0 || self.supply.completed {
            return;
        }
        self.supply.completed = true;
        self.outputs.push_back(Output::Notice(Notice::Completed));
        for key in self.peers.keys() {
            self.update_interest(now, key);
        }
        self.weigh_super_seeding(now);
        self.tell_upload_only(now);
    }
}
