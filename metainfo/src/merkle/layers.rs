//! The piece layers of all files of a torrent, and the leaves of its pieces.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::leaves::{Branch, Leaves};
use super::{HashRange, Layer, TreeFile, block_hash, padded_root};
use crate::{BLOCK_LEN, MerkleHash};

/// The piece layers of a v2 torrent's files, by the file's root: those that came with the .torrent file, and those that
/// peers have proved since (BEP 52). Clones share what they know.
///
/// Files with the same content have the same root and share a layer.
///
/// Memory: less than 33 bytes for each piece whose hash is known, with the proofs, and at most 5 MB of leaves. A torrent of
/// 100 GiB has 5.7 MB of both with pieces of 1 MiB, 16.2 MB with pieces of 256 KiB.
///
/// Beside the layers it keeps *leaves*, the hashes of single blocks, of the pieces of up to 1 GiB: those that were asked for
/// last. A piece whose leaves are known is judged block by block.
#[derive(Clone, Debug, Default)]
pub struct PieceLayers(pub(super) Arc<Known>);

#[derive(Debug, Default)]
pub(super) struct Known {
    layers: HashMap<MerkleHash, FileLayer>,
    pub(super) leaves: Leaves,
}

/// They are alike if they are of the same files; what is known of each does not count.
impl PartialEq for PieceLayers {
    fn eq(&self, other: &Self) -> bool {
        self.0.layers == other.0.layers
    }
}

impl Eq for PieceLayers {}

#[derive(Debug, PartialEq, Eq)]
struct FileLayer {
    layer: Layer,
    /// The first piece of each file with this root.
    first_pieces: Vec<u32>,
}

/// Hashes that are not known: a part of a piece layer, or of the leaves of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerChunk {
    /// The root of the file's tree.
    pub root: MerkleHash,
    /// The request whose answer it is, with the proof up to the root.
    pub range: HashRange,
    /// The pieces whose hashes it has: one range for each file with this root.
    pub pieces: Vec<Range<u32>>,
}

/// What an answer to a hash request has proved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a torrent that ignored hashes would wait for them"
)]
pub enum Proved {
    /// The hashes of these pieces.
    Pieces(Vec<Range<u32>>),
    /// Leaves of these pieces: one, unless several files have the same content.
    Leaves(Vec<Range<u32>>),
}

/// Hashes that are not those of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashesError;

impl std::fmt::Display for HashesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the hashes do not lead to the root of the file")
    }
}

impl std::error::Error for HashesError {}

impl PieceLayers {
    /// `layer` makes the layer of each root, of files that are longer than a piece.
    pub(crate) fn new(
        files: impl IntoIterator<Item = TreeFile>,
        piece_length: u32,
        mut layer: impl FnMut(&TreeFile) -> Layer,
    ) -> Self {
        let files: Vec<_> = files.into_iter().collect();
        let mut layers: HashMap<MerkleHash, FileLayer> = HashMap::new();
        // The root of a shorter file is its only hash.
        for file in files.iter().filter(|file| file.len > piece_length.into()) {
            let known = layers.entry(file.root).or_insert_with(|| FileLayer {
                layer: layer(file),
                first_pieces: Vec::new(),
            });
            known.first_pieces.push(file.first_piece);
        }
        Self(Arc::new(Known {
            layers,
            leaves: Leaves::new(files, piece_length),
        }))
    }

    /// The hash of a piece of a file, counted from the beginning of the file.
    pub(crate) fn get(&self, root: &MerkleHash, number: u32) -> Option<MerkleHash> {
        self.0.layers.get(root)?.layer.get(number)
    }

    /// All hashes of a file's layer, if they are known.
    pub(crate) fn hashes(&self, root: &MerkleHash) -> Option<Vec<MerkleHash>> {
        self.0.layers.get(root)?.layer.hashes()
    }

    /// The parts that are not known, in the order of their first pieces.
    #[must_use]
    pub fn missing(&self) -> Vec<LayerChunk> {
        let chunks = self.0.layers.iter().flat_map(|(root, file)| {
            file.layer.missing().map(|(range, pieces)| LayerChunk {
                root: *root,
                range,
                pieces: file.pieces(&pieces),
            })
        });
        let mut chunks: Vec<_> = chunks.collect();
        chunks.sort_unstable_by_key(|chunk| chunk.pieces.first().map(|pieces| pieces.start));
        chunks
    }

    /// Takes hashes that are said to be the answer to a request. Says what is known now.
    ///
    /// # Errors
    ///
    /// When they are not what was asked for, by number or by proof.
    pub fn accept(
        &self,
        root: MerkleHash,
        range: HashRange,
        hashes: &[MerkleHash],
    ) -> Result<Proved, HashesError> {
        let file = self.0.layers.get(&root);
        if let Some(file) = file.filter(|file| file.layer.is_at(range.base)) {
            let pieces = file.layer.accept(range, hashes).ok_or(HashesError)?;
            return Ok(Proved::Pieces(file.pieces(&pieces)));
        }
        let branch = self.branch_of(root, range).ok_or(HashesError)?;
        let hash = self.hash_of(&branch).ok_or(HashesError)?;
        match self.0.leaves.accept(&branch, hash, range, hashes) {
            true => Ok(Proved::Leaves(self.pieces_of(&branch))),
            false => Err(HashesError),
        }
    }

    /// Takes the layer of a file that is there. Says whether it is that of the root.
    #[must_use]
    pub fn learn(&self, root: &MerkleHash, hashes: &[MerkleHash]) -> bool {
        let file = self.0.layers.get(root);
        file.is_some_and(|file| file.layer.learn(hashes))
    }

    /// The answer to a peer's request: the hashes, and the uncles that prove them. `None` for what is not known or makes no
    /// sense; leaves may be [asked of the storage](Self::leaves_of) then.
    #[must_use]
    pub fn serve(&self, root: MerkleHash, range: HashRange) -> Option<Vec<MerkleHash>> {
        let file = self.0.layers.get(&root);
        if let Some(file) = file.filter(|file| file.layer.is_at(range.base)) {
            return file.layer.serve(range);
        }
        let branch = self.branch_of(root, range)?;
        self.serve_leaves(root, range, &self.0.leaves.whole(&branch)?)
    }

    /// The piece whose leaves a request asks for, if it can be answered when those are known.
    #[must_use]
    pub fn leaves_of(&self, root: MerkleHash, range: HashRange) -> Option<u32> {
        let branch = self.branch_of(root, range)?;
        let last = (range.index % (1 << branch.height)) + range.length;
        let is_inside = last <= 1 << branch.height;
        let has_proof = range.proof_layers < branch.height || self.above(&branch, range).is_some();
        let has_hash = self.hash_of(&branch).is_some();
        (is_inside && has_proof && has_hash).then(|| self.0.leaves.piece_of(&branch))
    }

    /// As [`serve`](Self::serve), with the leaves of the piece: one for each of its blocks.
    #[must_use]
    pub fn serve_leaves(
        &self,
        root: MerkleHash,
        range: HashRange,
        leaves: &[MerkleHash],
    ) -> Option<Vec<MerkleHash>> {
        let branch = self.branch_of(root, range)?;
        // What the storage holds may have been changed by another program: peers would ban us for its hashes.
        let hash = self.hash_of(&branch)?;
        let mut answer = branch.answer(range, leaves)?;
        if padded_root(leaves, 0, branch.height) != hash {
            return None;
        }
        if range.proof_layers >= branch.height {
            answer.extend(self.above(&branch, range)?);
        }
        Some(answer)
    }

    /// Keeps the leaves of a piece, one for each of its blocks, so that the next request for them is served at once. Says
    /// whether they are those of its hash.
    #[must_use]
    pub fn learn_leaves(&self, piece: u32, leaves: &[MerkleHash]) -> bool {
        let Some(branch) = self.0.leaves.branch(piece) else {
            return false;
        };
        let are_right = leaves.len() == branch.blocks() as usize
            && self.hash_of(&branch) == Some(padded_root(leaves, 0, branch.height));
        if are_right {
            self.0.leaves.keep_all(&branch, leaves);
        }
        are_right
    }

    /// The request for leaves of a piece, that of `block` among them; `None` if they are known, or cannot be proved yet.
    #[must_use]
    pub fn missing_leaves(&self, piece: u32, block: u32) -> Option<LayerChunk> {
        let branch = self.0.leaves.branch(piece)?;
        self.hash_of(&branch)?;
        if block >= branch.blocks() || self.0.leaves.knows(&branch, block) {
            return None;
        }
        Some(LayerChunk {
            root: branch.root,
            range: branch.request(block)?,
            pieces: self.pieces_of(&branch),
        })
    }

    /// Whether the hash of a block is known.
    #[must_use]
    pub fn knows_leaf(&self, piece: u32, block: u32) -> bool {
        let branch = self.0.leaves.branch(piece);
        branch.is_some_and(|branch| {
            let is_proved = self.hash_of(&branch).is_some();
            is_proved && block < branch.blocks() && self.0.leaves.knows(&branch, block)
        })
    }

    /// Whether these bytes are block `block` of a piece, by its leaf; `None` if that is not known. What is beyond the end of
    /// the file is padding, and counts for nothing.
    pub(crate) fn judge(&self, piece: u32, block: u32, bytes: &[u8]) -> Option<bool> {
        let branch = self.0.leaves.branch(piece)?;
        let leaf = self.0.leaves.get(&branch, block, self.hash_of(&branch)?)?;
        let left = branch.len.checked_sub(block.checked_mul(BLOCK_LEN)?)?;
        let len = left.min(BLOCK_LEN) as usize;
        Some(
            bytes
                .get(..len)
                .is_some_and(|bytes| block_hash(bytes) == leaf),
        )
    }

    /// Where the piece stands whose leaves are asked for.
    fn branch_of(&self, root: MerkleHash, range: HashRange) -> Option<Branch> {
        let first = self.0.leaves.branch_in(&root, 0)?;
        let branch = self
            .0
            .leaves
            .branch_in(&root, range.index >> first.height)?;
        let top = match self.0.layers.get(&root) {
            Some(file) => file.layer.top(),
            None => branch.height,
        };
        (range.base == 0 && range.fits(top)).then_some(branch)
    }

    /// The hash of a piece.
    fn hash_of(&self, branch: &Branch) -> Option<MerkleHash> {
        match branch.is_root {
            true => Some(branch.root),
            false => self.get(&branch.root, branch.number),
        }
    }

    /// The uncles of leaves that are above the hash of their piece.
    fn above(&self, branch: &Branch, range: HashRange) -> Option<impl Iterator<Item = MerkleHash>> {
        let of_piece = HashRange {
            base: branch.height,
            index: branch.number,
            length: 1,
            proof_layers: range.proof_layers.checked_sub(branch.height)?,
        };
        let answer = self.0.layers.get(&branch.root)?.layer.serve(of_piece)?;
        Some(answer.into_iter().skip(1))
    }

    fn pieces_of(&self, branch: &Branch) -> Vec<Range<u32>> {
        match self.0.layers.get(&branch.root) {
            Some(file) => file.pieces(&(branch.number..branch.number + 1)),
            None => self.0.leaves.pieces_with(branch),
        }
    }
}

impl FileLayer {
    /// Pieces of the torrent for pieces of the file.
    fn pieces(&self, of_file: &Range<u32>) -> Vec<Range<u32>> {
        let firsts = self.first_pieces.iter();
        firsts
            .map(|first| first + of_file.start..first + of_file.end)
            .collect()
    }
}
