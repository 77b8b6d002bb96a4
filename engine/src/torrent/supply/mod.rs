//! Supply: what is held, what is missing, which block is requested from which supplier, and the sender of each block.

pub(crate) mod blame;
pub(crate) mod interest;
pub(crate) mod outcomes;
pub(crate) mod picker;
pub(crate) mod pieces;
pub(crate) mod pipeline;
pub(crate) mod requests;
pub(crate) mod stall;
pub(crate) mod verifying;

use std::collections::BTreeSet;

use tailwater_metainfo::{Bitfield, BlockRef, Geometry, PieceIndex};

use crate::torrent::{BlockDigest, Config, Origin};
use blame::Blame;
use picker::Picker;
use pieces::Pieces;
use verifying::Verifying;

/// What is held, what is wanted, and which block is requested from which supplier.
#[derive(Debug)]
pub(crate) struct Supply {
    pub(crate) geometry: Geometry,
    pub(crate) pieces: Pieces,
    pub(crate) picker: Picker,
    pub(crate) verifying: Verifying,
    pub(crate) blame: Blame,
    /// Blocks that some supplier was late with: when they come, others may have been asked for them.
    pub(crate) late: BTreeSet<BlockRef>,
    /// Wanted pieces that are not held.
    pub(crate) wanted: u32,
    /// Their bytes.
    pub(crate) wanted_bytes: u64,
    /// Every wanted piece is held, and users know.
    pub(crate) completed: bool,
    pub(crate) rng: fastrand::Rng,
}

impl Supply {
    pub(crate) fn new(config: &Config, geometry: Geometry, have: Bitfield) -> Self {
        let mut rng = fastrand::Rng::with_seed(config.seed);
        let mut picker = Picker::new(&geometry, config.sequential);
        for piece in geometry.pieces().filter(|&piece| !have.has(piece)) {
            picker.insert(piece, &mut rng);
        }
        let mut supply = Self {
            pieces: Pieces::new(geometry.clone(), have),
            picker,
            verifying: Verifying::default(),
            blame: Blame::default(),
            late: BTreeSet::new(),
            wanted: 0,
            wanted_bytes: 0,
            completed: false,
            rng,
            geometry,
        };
        supply.count_wanted();
        supply.completed = supply.wanted == 0;
        supply
    }

    /// Whether a piece is wanted and not held.
    pub(crate) fn is_lacking(&self, piece: PieceIndex) -> bool {
        self.picker.is_wanted(piece) && !self.pieces.have().has(piece)
    }

    /// The pieces that are wanted and not held, and their bytes.
    fn lacking(&self) -> (u32, u64) {
        let pieces = self.geometry.pieces();
        let lacking = pieces.filter(|&piece| self.is_lacking(piece));
        let lens = lacking.map(|piece| u64::from(self.geometry.piece_len(piece)));
        lens.fold((0, 0), |(pieces, bytes), len| (pieces + 1, bytes + len))
    }

    /// Counts anew what is wanted and not held.
    pub(crate) fn count_wanted(&mut self) {
        (self.wanted, self.wanted_bytes) = self.lacking();
    }

    /// A piece is valid and held. Says whether the digests of its blocks would convict a sender.
    pub(crate) fn handle_valid(&mut self, piece: PieceIndex) -> bool {
        self.pieces.verified(piece);
        if self.picker.is_wanted(piece) {
            self.wanted -= 1;
            self.wanted_bytes -= u64::from(self.geometry.piece_len(piece));
        }
        self.blame.is_suspect(piece)
    }

    /// A piece is invalid, and is fetched again. Returns its sender, if there was only one.
    pub(crate) fn handle_invalid(
        &mut self,
        piece: PieceIndex,
        digests: &[BlockDigest],
    ) -> Option<Origin> {
        let origins = self.pieces.failed(piece);
        self.picker.insert(piece, &mut self.rng);
        self.blame.handle_failed(piece, &origins, digests)
    }

    /// A piece was evicted. Says whether it was held, and if so, whether it is wanted.
    pub(crate) fn handle_evicted(&mut self, piece: PieceIndex) -> Option<bool> {
        if !self.pieces.evicted(piece) {
            return None;
        }
        let is_wanted = self.picker.is_wanted(piece);
        if is_wanted {
            self.wanted += 1;
            self.wanted_bytes += u64::from(self.geometry.piece_len(piece));
            self.completed = false;
        }
        self.picker.insert(piece, &mut self.rng);
        Some(is_wanted)
    }

    /// Panics if an invariant does not hold; tests and simulations call it after every step.
    pub(crate) fn check_invariants(&self) {
        self.pieces.check_invariants();
        self.picker.check_invariants();
        let counted = (self.wanted, self.wanted_bytes);
        assert_eq!(counted, self.lacking(), "wanted pieces");
    }
}
