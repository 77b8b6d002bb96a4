//! Smart ban: finds the sender of the corrupt block of a piece that failed its hash.
//!
//! A single contributor is guilty at once. Of several, the digest of each one's blocks is kept; when the piece is valid
//! at last, those that sent something else are guilty, and no others.

use std::collections::BTreeSet;

use tailwater_types::{BlockDigest, PieceIndex};

use crate::torrent::Origin;
use tailwater_types::BoundedMap;

/// The most failed pieces whose blocks are remembered; the one that began to fail longest ago goes first.
const MAX_SUSPECT_PIECES: usize = 64;

#[derive(Debug)]
pub(crate) struct Blame {
    /// By piece: block number, sender, digest of what it sent.
    suspects: BoundedMap<PieceIndex, BTreeSet<(usize, Origin, BlockDigest)>>,
}

impl Default for Blame {
    fn default() -> Self {
        Self {
            suspects: BoundedMap::new(MAX_SUSPECT_PIECES),
        }
    }
}

impl Blame {
    /// A piece failed. Returns its sender, if there was only one.
    pub(crate) fn handle_failed(
        &mut self,
        piece: PieceIndex,
        sources: &[Origin],
        digests: &[BlockDigest],
    ) -> Option<Origin> {
        let first = sources.first()?;
        if sources.iter().all(|origin| origin == first) {
            return Some(*first);
        }
        let blocks = sources.iter().copied().zip(digests.iter().copied());
        let blocks = blocks.enumerate();
        let blocks = blocks.map(|(number, (origin, digest))| (number, origin, digest));
        match self.suspects.get_mut(&piece) {
            Some(known) => known.extend(blocks),
            None => self.suspects.insert(piece, blocks.collect()),
        }
        None
    }

    /// Whether the digests of this piece would convict anyone, now that it is valid.
    ///
    /// Until then only one peer at a time should fetch it, so that a second failure has one contributor.
    pub(crate) fn is_suspect(&self, piece: PieceIndex) -> bool {
        self.suspects.contains(&piece)
    }

    /// Compares the true digests of a piece that failed before. Returns the guilty senders.
    pub(crate) fn handle_digests(
        &mut self,
        piece: PieceIndex,
        digests: &[BlockDigest],
    ) -> BTreeSet<Origin> {
        let sent = self.suspects.remove(&piece).unwrap_or_default();
        sent.into_iter()
            .filter(|(number, _, digest)| digests.get(*number).is_some_and(|good| good != digest))
            .map(|(_, origin, _)| origin)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};
    use tailwater_metainfo::Geometry;

    const ALICE: Origin = Origin::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)));
    const BOB: Origin = Origin::Ip(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)));

    fn digests(contents: &[u8]) -> Vec<BlockDigest> {
        contents
            .iter()
            .map(|content| BlockDigest::new([*content; 8]))
            .collect()
    }

    fn piece(index: u32) -> PieceIndex {
        Geometry::new(1_000, 1).unwrap().piece(index).unwrap()
    }

    #[test]
    fn a_single_contributor_is_guilty_at_once() {
        let mut blame = Blame::default();
        assert_eq!(
            blame.handle_failed(piece(0), &[BOB, BOB], &digests(&[1, 2])),
            Some(BOB)
        );
        assert!(!blame.is_suspect(piece(0)));
    }

    #[test]
    fn of_several_only_the_liar_is_guilty() {
        let mut blame = Blame::default();
        assert_eq!(
            blame.handle_failed(piece(0), &[ALICE, BOB, ALICE], &digests(&[1, 66, 3])),
            None
        );
        assert!(blame.is_suspect(piece(0)));
        assert_eq!(
            blame.handle_digests(piece(0), &digests(&[1, 2, 3])),
            BTreeSet::from([BOB])
        );
        assert!(!blame.is_suspect(piece(0)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut blame = Blame::default();
        for index in 0..1_000 {
            blame.handle_failed(piece(index), &[ALICE, BOB], &digests(&[1, 2]));
        }
        assert_eq!(blame.suspects.len(), MAX_SUSPECT_PIECES);
    }

    #[test]
    fn the_piece_that_failed_longest_ago_is_forgotten_first() {
        let mut blame = Blame::default();
        for index in (0..1_000).rev() {
            blame.handle_failed(piece(index), &[ALICE, BOB], &digests(&[1, 2]));
        }
        assert!((0..64).all(|index| blame.is_suspect(piece(index))));
        assert!(!blame.is_suspect(piece(64)));
    }
}
