//! The hash trees of BEP 52: SHA-256 over blocks of 16 KiB, two children a node, padded with zero leaves.
//!
//! | question | file |
//! |---|---|
//! | What is the root of a layer? | here, [`root`] |
//! | Which hashes does a hash request name, and which prove them? | `range.rs`: [`HashRange`] |
//! | What is known of the layer of a file's pieces? | `layer.rs` |
//! | What is known of the hashes of single blocks? | `leaves.rs` |
//! | And of those of all files of a torrent? | `layers.rs`: [`PieceLayers`] |
//! | What is the tree of a file that is there? | `file_tree.rs`: [`FileTreeHasher`] |
//!
//! Height 0 is the leaves, one for each block. The piece layer is as high as makes one hash cover one piece. A file's root
//! is at the height at which one hash covers all its blocks.

mod file_tree;
mod layer;
mod layers;
mod leaves;
mod range;

pub use crate::hash_many::{block_hash, block_hashes};
pub use file_tree::{FileTree, FileTreeHasher};
pub(crate) use layer::{Layer, padded_root};
pub use layers::{HashesError, LayerChunk, PieceLayers, Proved};
pub use leaves::LEAVES_AT_ONCE;
pub(crate) use leaves::TreeFile;
pub use range::{HashRange, MAX_HASHES};

use crate::{BLOCK_LEN, MerkleHash};
use sha2::{Digest, Sha256};
use tailwater_types::MerkleRoot;

/// The hash of a node with two children.
#[must_use]
pub fn parent_hash(left: &MerkleHash, right: &MerkleHash) -> MerkleHash {
    let mut hasher = Sha256::new();
    hasher.update(left.as_bytes());
    hasher.update(right.as_bytes());
    MerkleHash::new(hasher.finalize().into())
}

/// The root of a subtree of `height` layers above leaves that are all zero: the padding of a tree.
#[must_use]
pub fn zero_hash(height: u32) -> MerkleHash {
    (0..height).fold(MerkleHash::new([0; 32]), |hash, _| {
        parent_hash(&hash, &hash)
    })
}

/// The height of the piece layer: how many layers it is above the leaves. A piece is a power of two of at least one
/// block.
#[must_use]
pub fn piece_layer_height(piece_length: u32) -> u32 {
    (piece_length / BLOCK_LEN).max(1).ilog2()
}

/// The root of the tree that has `layer` at `height` layers above the leaves; `None` for an empty layer.
///
/// Memory is one hash for each layer of the tree, however long `layer` is.
pub fn root(layer: impl IntoIterator<Item = MerkleHash>, height: u32) -> Option<MerkleHash> {
    // One finished subtree for each set bit of the number of hashes so far, largest first.
    let mut pending: Vec<(u32, MerkleHash)> = Vec::new();
    for hash in layer {
        let (mut level, mut hash) = (height, hash);
        while let Some((_, left)) = pending.pop_if(|(at, _)| *at == level) {
            hash = parent_hash(&left, &hash);
            level += 1;
        }
        pending.push((level, hash));
    }
    let (mut level, mut right) = pending.pop()?;
    let mut filler = zero_hash(level);
    while let Some((target, left)) = pending.pop() {
        while level < target {
            right = parent_hash(&right, &filler);
            filler = parent_hash(&filler, &filler);
            level += 1;
        }
        right = parent_hash(&left, &right);
        filler = parent_hash(&filler, &filler);
        level += 1;
    }
    Some(right)
}

/// Whether these are all leaves of a tree.
#[must_use]
pub fn is_tree_of(tree: &MerkleRoot, leaves: &[MerkleHash]) -> bool {
    leaves.len() == tree.len.div_ceil(BLOCK_LEN) as usize
        && padded_root(leaves, 0, tree.height) == tree.root
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(mut layer: Vec<MerkleHash>, height: u32) -> MerkleHash {
        layer.resize(layer.len().next_power_of_two(), zero_hash(height));
        while layer.len() > 1 {
            layer = layer
                .chunks(2)
                .map(|pair| parent_hash(&pair[0], &pair[1]))
                .collect();
        }
        layer[0]
    }

    #[test]
    fn pieces_are_some_layers_up() {
        assert_eq!(piece_layer_height(16 * 1024), 0);
        assert_eq!(piece_layer_height(128 * 1024), 3);
    }

    #[test]
    fn nothing_has_no_root() {
        assert_eq!(root([], 0), None);
    }

    proptest! {
        #[test]
        fn agrees_with_the_whole_tree(count in 1u8..70, height in 0u32..4) {
            let layer: Vec<_> = (0..count).map(|seed| MerkleHash::new([seed; 32])).collect();
            prop_assert_eq!(root(layer.clone(), height), Some(naive(layer, height)));
        }

        #[test]
        fn a_piece_layer_has_the_root_of_its_blocks(blocks in 1usize..70, height in 0u32..4) {
            let leaves: Vec<_> = (0..blocks).map(|seed| block_hash(&[u8::try_from(seed).unwrap()])).collect();
            let pieces = leaves.chunks(1 << height).map(|piece| {
                let mut piece = piece.to_vec();
                // Short trees are not filled up to a piece, so a file of one piece has no layer.
                piece.resize(1 << height, MerkleHash::new([0; 32]));
                naive(piece, 0)
            });
            prop_assume!(blocks > 1 << height);
            prop_assert_eq!(root(pieces, height), Some(naive(leaves.clone(), 0)));
        }
    }
}
