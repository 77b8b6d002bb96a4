//! Hash requests (BEP 52): which hashes of a file's tree are asked for, and which others prove them.

use super::parent_hash;
use crate::MerkleHash;

/// The most hashes of the base layer that one request may ask for. BEP 52 says that it should not be more.
pub const MAX_HASHES: u32 = 512;

/// A run of hashes in one layer of a file's tree, with the ancestors that are wanted as a proof.
///
/// The answer has the hashes themselves, then one *uncle* for each proof layer: the hash beside the one that can be
/// computed so far. Layers that can be computed from the run alone have none. With an uncle for each layer up to the root
/// the whole is proved.
///
/// ```text
/// height 3          root
/// height 2       o        U2          length 2, proof layers 2:
/// height 1     o   U1   .    .        H H and the uncles U1, U2
/// height 0    H H  . .  . .  . .
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the layout is fixed by BEP 52")]
pub struct HashRange {
    /// The height of the hashes: how many layers they are above the leaves.
    pub base: u32,
    /// The first of them, counted in its layer.
    pub index: u32,
    /// How many: a power of two, of which `index` is a multiple.
    pub length: u32,
    /// How many layers above the base the proof reaches.
    pub proof_layers: u32,
}

impl HashRange {
    /// Whether it can be a part of a tree whose root is at this height.
    ///
    /// A length of 1 is not what BEP 52 allows, and libtorrent asks for a single hash at the end of a layer.
    #[must_use]
    pub fn fits(&self, root_height: u32) -> bool {
        let Some(layers_above @ 1..) = root_height.checked_sub(self.base) else {
            return false;
        };
        // Beyond 32 layers, every index of 32 bits exists.
        let layer_len = 1u64.checked_shl(layers_above).unwrap_or(u64::MAX);
        self.length.is_power_of_two()
            && self.length <= MAX_HASHES
            && self.index.is_multiple_of(self.length)
            && u64::from(self.index) + u64::from(self.length) <= layer_len
            && self.proof_layers < layers_above
    }

    /// The height of the subtree over the hashes.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.base.saturating_add(self.length.max(1).ilog2())
    }

    /// How many uncles the answer has. The one at height `height()` is the first.
    #[must_use]
    pub fn uncles(&self) -> u32 {
        let last = self.base.saturating_add(self.proof_layers);
        last.saturating_add(1).saturating_sub(self.height())
    }

    /// How many hashes the answer has.
    #[must_use]
    pub fn answer_len(&self) -> u32 {
        self.length.saturating_add(self.uncles())
    }

    /// The position of the subtree over the hashes, counted at its height.
    #[must_use]
    pub const fn position(&self) -> u32 {
        self.index / if self.length == 0 { 1 } else { self.length }
    }
}

/// Climbs from a node to the last of these uncles: the hash that is above both.
pub(crate) fn climb(
    node: MerkleHash,
    position: u32,
    uncles: impl IntoIterator<Item = MerkleHash>,
) -> MerkleHash {
    let mut position = position;
    uncles.into_iter().fold(node, |node, uncle| {
        let is_left = position.is_multiple_of(2);
        position /= 2;
        match is_left {
            true => parent_hash(&node, &uncle),
            false => parent_hash(&uncle, &node),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn range(base: u32, index: u32, length: u32, proof_layers: u32) -> HashRange {
        HashRange {
            base,
            index,
            length,
            proof_layers,
        }
    }

    #[test]
    fn what_no_tree_has_does_not_fit() {
        // A tree of 16 leaves.
        for fits in [
            range(0, 0, 2, 3),
            range(0, 14, 2, 0),
            range(1, 0, 8, 2),
            range(3, 0, 2, 0),
            range(2, 3, 1, 1),
        ] {
            assert!(fits.fits(4), "{fits:?}");
        }
        for odd in [
            range(0, 0, 0, 0),
            range(0, 0, 3, 0),
            range(0, 1, 2, 0),
            range(0, 16, 2, 0),
            range(0, 0, 32, 0),
            range(0, 0, 2, 4),
            range(4, 0, 1, 0),
            range(5, 0, 2, 0),
            range(u32::MAX, 0, 2, u32::MAX),
            range(0, u32::MAX - 1, 2, 0),
            range(0, 0, 1 << 31, 0),
        ] {
            assert!(!odd.fits(4), "{odd:?}");
        }
        assert!(
            !range(0, 0, 1024, 0).fits(20),
            "more than a request may ask for"
        );
        assert!(range(0, 1 << 31, 512, 39).fits(40));
    }

    #[test]
    fn layers_that_follow_from_the_hashes_have_no_uncle() {
        for (range, uncles) in [
            (range(0, 0, 2, 3), 3),
            (range(0, 0, 4, 3), 2),
            (range(0, 0, 4, 1), 0),
            (range(0, 0, 8, 0), 0),
            (range(3, 0, 512, 8), 0),
            (range(3, 0, 512, 11), 3),
            // A single hash needs the one beside it.
            (range(0, 3, 1, 2), 3),
        ] {
            assert_eq!(range.uncles(), uncles, "{range:?}");
            assert_eq!(range.answer_len(), range.length + uncles);
        }
    }
}
