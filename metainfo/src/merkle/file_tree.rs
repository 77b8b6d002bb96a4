//! The tree of a whole file, from its bytes.

use super::{block_hashes, padded_root, piece_layer_height, root};
use crate::{BLOCK_LEN, MerkleHash};

/// What the tree of a file is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileTree {
    /// Its root, as a torrent has it for the file.
    pub root: MerkleHash,
    /// The hashes of its pieces; none if it is no longer than a piece.
    pub layer: Vec<MerkleHash>,
}

/// Hashes a file as a v2 torrent does (BEP 52), to recognise it by its root.
///
/// Memory is 32 bytes for each piece, and for each block of one piece.
#[derive(Clone, Debug)]
pub struct FileTreeHasher {
    height: u32,
    /// The leaves of the piece under way.
    leaves: Vec<MerkleHash>,
    pieces: Vec<MerkleHash>,
    /// A part that was no multiple of blocks has been the last.
    is_over: bool,
    is_cut: bool,
}

impl FileTreeHasher {
    /// A hasher that has seen no byte. The root of a file does not depend on the length of a piece, the layer does.
    #[must_use]
    pub fn new(piece_length: u32) -> Self {
        Self {
            height: piece_layer_height(piece_length),
            leaves: Vec::new(),
            pieces: Vec::new(),
            is_over: false,
            is_cut: false,
        }
    }

    /// Takes the bytes that follow. All parts but the last are multiples of 16 KiB; 256 KiB and more are the fastest.
    pub fn update(&mut self, part: &[u8]) {
        self.is_cut |= self.is_over && !part.is_empty();
        self.is_over |= !part.len().is_multiple_of(BLOCK_LEN as usize);
        let blocks: Vec<_> = part.chunks(BLOCK_LEN as usize).collect();
        for leaf in block_hashes(&blocks) {
            if self.leaves.len() == 1 << self.height {
                self.end_piece();
            }
            self.leaves.push(leaf);
        }
    }

    fn end_piece(&mut self) {
        self.pieces.push(padded_root(&self.leaves, 0, self.height));
        self.leaves.clear();
    }

    /// The tree; `None` of no bytes, and if a part that was not the last was no multiple of blocks.
    #[must_use]
    pub fn finish(mut self) -> Option<FileTree> {
        if self.is_cut || self.leaves.is_empty() {
            return None;
        }
        if self.pieces.is_empty() {
            // The tree of a short file ends where its blocks do, instead of at the height of a piece.
            return Some(FileTree {
                root: root(self.leaves, 0)?,
                layer: Vec::new(),
            });
        }
        self.end_piece();
        Some(FileTree {
            root: root(self.pieces.iter().copied(), self.height)?,
            layer: self.pieces,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::block_hash;
    use proptest::prelude::*;

    const BLOCK: usize = BLOCK_LEN as usize;

    /// All leaves, padded with zeros to a power of two, hashed in pairs.
    fn naive(bytes: &[u8]) -> MerkleHash {
        let mut layer: Vec<_> = bytes.chunks(BLOCK).map(block_hash).collect();
        layer.resize(layer.len().next_power_of_two(), MerkleHash::new([0; 32]));
        while layer.len() > 1 {
            let pairs = layer.chunks(2);
            layer = pairs
                .map(|pair| super::super::parent_hash(&pair[0], &pair[1]))
                .collect();
        }
        layer[0]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_root_is_that_of_the_whole_tree_however_it_is_cut(
            blocks in 0usize..40, rest in 0usize..BLOCK, height in 0u32..4, part in 1usize..20,
        ) {
            let bytes: Vec<u8> = (0..blocks * BLOCK + rest).map(|at| (at * 7 + (at >> 12)).to_be_bytes()[7]).collect();
            let mut hasher = FileTreeHasher::new(BLOCK_LEN << height);
            bytes.chunks(part * BLOCK).for_each(|part| hasher.update(part));
            let found = hasher.finish();
            prop_assume!(!bytes.is_empty());
            let found = found.unwrap();
            prop_assert_eq!(found.root, naive(&bytes));
            let piece = BLOCK << height;
            let expected = if bytes.len() > piece { bytes.len().div_ceil(piece) } else { 0 };
            prop_assert_eq!(found.layer.len(), expected);
        }
    }

    #[test]
    fn nothing_and_parts_between_blocks_have_no_tree() {
        assert_eq!(FileTreeHasher::new(BLOCK_LEN).finish(), None);
        let mut hasher = FileTreeHasher::new(BLOCK_LEN);
        hasher.update(&[1; 5]);
        hasher.update(&[1; 5]);
        assert_eq!(hasher.finish(), None);
    }
}
