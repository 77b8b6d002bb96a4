//! The piece layers of all files of a torrent.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{HashRange, Layer};
use crate::MerkleHash;

/// The piece layers of a v2 torrent's files, by the file's root: those that came with the .torrent file, and those that
/// peers have proved since (BEP 52). Clones share what they know.
///
/// Files with the same content have the same root and share a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceLayers(Arc<HashMap<MerkleHash, FileLayer>>);

#[derive(Debug, PartialEq, Eq)]
struct FileLayer {
    layer: Layer,
    /// The first piece of each file with this root.
    first_pieces: Vec<u32>,
}

/// A file that has a piece layer: it is longer than a piece. The root of a shorter one is its only hash.
pub(crate) struct LayeredFile {
    pub(crate) root: MerkleHash,
    /// In bytes.
    pub(crate) len: u64,
    /// Its first piece in the torrent.
    pub(crate) first_piece: u32,
}

/// A part of a piece layer that is not known.
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
    /// One layer for each root.
    pub(crate) fn new(
        files: impl IntoIterator<Item = LayeredFile>,
        mut layer: impl FnMut(&LayeredFile) -> Layer,
    ) -> Self {
        let mut layers: HashMap<MerkleHash, FileLayer> = HashMap::new();
        for file in files {
            let known = layers.entry(file.root).or_insert_with(|| FileLayer {
                layer: layer(&file),
                first_pieces: Vec::new(),
            });
            known.first_pieces.push(file.first_piece);
        }
        Self(Arc::new(layers))
    }

    /// The hash of a piece of a file, counted from the beginning of the file.
    pub(crate) fn get(&self, root: &MerkleHash, number: u32) -> Option<MerkleHash> {
        self.0.get(root)?.layer.get(number)
    }

    /// All hashes of a file's layer, if they are known.
    pub(crate) fn hashes(&self, root: &MerkleHash) -> Option<Vec<MerkleHash>> {
        self.0.get(root)?.layer.hashes()
    }

    /// The parts that are not known, in the order of their first pieces.
    #[must_use]
    pub fn missing(&self) -> Vec<LayerChunk> {
        let chunks = self.0.iter().flat_map(|(root, file)| {
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

    /// Takes hashes that are said to be the answer to a request. Says which pieces have their hashes now.
    ///
    /// # Errors
    ///
    /// When they are not what was asked for, by number or by proof.
    pub fn accept(
        &self,
        root: MerkleHash,
        range: HashRange,
        hashes: &[MerkleHash],
    ) -> Result<Vec<Range<u32>>, HashesError> {
        let file = self.0.get(&root).ok_or(HashesError)?;
        let pieces = file.layer.accept(range, hashes).ok_or(HashesError)?;
        Ok(file.pieces(&pieces))
    }

    /// The answer to a peer's request: the hashes, and the uncles that prove them. `None` for what is not known, is not the
    /// layer of pieces, or makes no sense.
    #[must_use]
    pub fn serve(&self, root: MerkleHash, range: HashRange) -> Option<Vec<MerkleHash>> {
        self.0.get(&root)?.layer.serve(range)
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
