//! The layer of a file's tree that has one hash for each piece, as far as it is known.

use std::sync::OnceLock;

use super::range::climb;
use super::{HashRange, MAX_HASHES, parent_hash, piece_layer_height, root, zero_hash};
use crate::{BLOCK_LEN, MerkleHash};

/// The hashes of the pieces of one file, in chunks of up to [`MAX_HASHES`]. A chunk becomes known once, when it has been
/// proved, and whoever shares the layer sees it from then on.
///
/// Memory is 32 bytes for each hash that is known, and for each chunk that is known as many as it has layers above it: at
/// most 12 with the most pieces that a torrent may have.
#[derive(Debug)]
pub(crate) struct Layer {
    root: MerkleHash,
    /// The number of pieces. The tree goes on with padding.
    len: u32,
    /// The height of the layer.
    base: u32,
    /// The height of the root.
    top: u32,
    chunks: Box<[OnceLock<Chunk>]>,
}

/// A part of a layer that is proved.
#[derive(Debug, PartialEq, Eq)]
struct Chunk {
    /// The hashes of pieces, without padding.
    hashes: Box<[MerkleHash]>,
    /// The hashes beside the way from the chunk to the root.
    uncles: Box<[MerkleHash]>,
}

impl Layer {
    /// Nothing is known of the layer of a file, which must be longer than a piece.
    pub(crate) fn unknown(root: MerkleHash, file_len: u64, piece_length: u32) -> Self {
        let blocks = file_len.div_ceil(u64::from(BLOCK_LEN)).max(1);
        let pieces = file_len.div_ceil(u64::from(piece_length)).max(1);
        let len = u32::try_from(pieces).unwrap_or(u32::MAX);
        let chunks = len.div_ceil(MAX_HASHES) as usize;
        Self {
            root,
            len,
            base: piece_layer_height(piece_length),
            // Of a file that is longer than a piece, it is above the layer by itself.
            top: blocks
                .next_power_of_two()
                .ilog2()
                .max(piece_layer_height(piece_length) + 1),
            chunks: std::iter::repeat_with(OnceLock::new).take(chunks).collect(),
        }
    }

    /// The whole layer, if these hashes are it.
    pub(crate) fn whole(
        root: MerkleHash,
        file_len: u64,
        piece_length: u32,
        hashes: &[MerkleHash],
    ) -> Option<Self> {
        let layer = Self::unknown(root, file_len, piece_length);
        layer.learn(hashes).then_some(layer)
    }

    /// Takes the whole layer; says whether these hashes are it.
    pub(crate) fn learn(&self, hashes: &[MerkleHash]) -> bool {
        if u32::try_from(hashes.len()) != Ok(self.len) {
            return false;
        }
        let parts = hashes.chunks(MAX_HASHES as usize);
        let subtrees: Vec<_> = parts.clone().map(|part| self.subtree(part)).collect();
        let (found, proofs) = proofs(subtrees, self.chunk_height());
        if found != self.root {
            return false;
        }
        for ((chunk, hashes), uncles) in self.chunks.iter().zip(parts).zip(proofs) {
            let hashes = hashes.into();
            // What is known already says the same: both are proved.
            let _ = chunk.set(Chunk { hashes, uncles });
        }
        true
    }

    /// Whether it is the layer at this height.
    pub(crate) const fn is_at(&self, base: u32) -> bool {
        self.base == base
    }

    /// The height of the root.
    pub(crate) const fn top(&self) -> u32 {
        self.top
    }

    /// The hash of a piece, counted from the beginning of the file.
    pub(crate) fn get(&self, number: u32) -> Option<MerkleHash> {
        let chunk = self.chunks.get((number / MAX_HASHES) as usize)?.get()?;
        chunk.hashes.get((number % MAX_HASHES) as usize).copied()
    }

    /// All its hashes, if they are known.
    pub(crate) fn hashes(&self) -> Option<Vec<MerkleHash>> {
        let chunks: Option<Vec<_>> = self.chunks.iter().map(OnceLock::get).collect();
        let hashes = chunks?.into_iter().flat_map(|chunk| chunk.hashes.iter());
        Some(hashes.copied().collect())
    }

    /// The chunks that are not known, each with the request for it and its proof, and the pieces that it covers.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (HashRange, std::ops::Range<u32>)> + '_ {
        let unknown = (0..).zip(&self.chunks).filter(|(_, it)| it.get().is_none());
        unknown.map(|(number, _)| (self.request(number), self.pieces(number)))
    }

    /// The request for a chunk, with the proof up to the root.
    const fn request(&self, number: u32) -> HashRange {
        let length = 1 << (self.chunk_height() - self.base);
        HashRange {
            base: self.base,
            index: number * length,
            length,
            proof_layers: self.top - self.base - 1,
        }
    }

    fn pieces(&self, number: u32) -> std::ops::Range<u32> {
        let start = number * MAX_HASHES;
        start..self.len.min(start.saturating_add(MAX_HASHES))
    }

    /// The height of a chunk's subtree: that of the root, if there is one chunk.
    const fn chunk_height(&self) -> u32 {
        let full = self.base + MAX_HASHES.ilog2();
        if full < self.top { full } else { self.top }
    }

    /// Takes the answer to the request for a chunk; says which pieces it covers. `None` if it is not that of the tree.
    pub(crate) fn accept(
        &self,
        range: HashRange,
        hashes: &[MerkleHash],
    ) -> Option<std::ops::Range<u32>> {
        let number = range.index / MAX_HASHES;
        let slot = self.chunks.get(number as usize)?;
        if range != self.request(number) || u32::try_from(hashes.len()) != Ok(range.answer_len()) {
            return None;
        }
        let (run, uncles) = hashes.split_at(range.length as usize);
        let pieces = self.pieces(number);
        let count = (pieces.end - pieces.start) as usize;
        let (known, padding) = run.split_at(count);
        let filler = zero_hash(self.base);
        // What is beyond the end of the file is fixed, so that the subtree is computed without it.
        if padding.iter().any(|hash| *hash != filler) {
            return None;
        }
        let above = climb(
            self.subtree(known),
            range.position(),
            uncles.iter().copied(),
        );
        if above != self.root {
            return None;
        }
        // A second answer says the same: both are proved.
        let _ = slot.set(Chunk {
            hashes: known.into(),
            uncles: uncles.into(),
        });
        Some(pieces)
    }

    /// The answer to a request, if it asks for what is known of the layer.
    pub(crate) fn serve(&self, range: HashRange) -> Option<Vec<MerkleHash>> {
        if range.base != self.base || !range.fits(self.top) || range.index >= self.len {
            return None;
        }
        let number = range.index / MAX_HASHES;
        let chunk = self.chunks.get(number as usize)?.get()?;
        let start = range.index % MAX_HASHES;
        let filler = zero_hash(self.base);
        let padded = |at: u32| *chunk.hashes.get(at as usize).unwrap_or(&filler);
        let mut answer: Vec<_> = (start..start + range.length).map(padded).collect();
        let inside = self.chunk_height().saturating_sub(range.height());
        let uncles = range.uncles();
        answer.extend(chunk.inner_uncles(
            self.base,
            start / range.length,
            range,
            inside.min(uncles),
        ));
        let outside = uncles.saturating_sub(inside) as usize;
        answer.extend(chunk.uncles.get(..outside)?);
        Some(answer)
    }

    /// The root of a chunk's subtree, padded to its full height.
    fn subtree(&self, hashes: &[MerkleHash]) -> MerkleHash {
        padded_root(hashes, self.base, self.chunk_height())
    }
}

/// Two layers are alike if they are of the same file; what is known of each does not count.
impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        let facts = |layer: &Self| (layer.root, layer.len, layer.base, layer.top);
        facts(self) == facts(other)
    }
}

impl Eq for Layer {}

impl Chunk {
    /// The uncles of a range that are inside the chunk.
    fn inner_uncles(
        &self,
        base: u32,
        position: u32,
        range: HashRange,
        count: u32,
    ) -> impl Iterator<Item = MerkleHash> + '_ {
        (0..count).map(move |up| {
            let height = range.height() + up;
            let beside = (position >> up) ^ 1;
            let width = 1usize << (height - base);
            let start = (beside as usize * width).min(self.hashes.len());
            let end = (start + width).min(self.hashes.len());
            padded_root(&self.hashes[start..end], base, height)
        })
    }
}

/// The root at `height` of hashes at `base`, padded; that of padding alone, if there are none.
pub(crate) fn padded_root(hashes: &[MerkleHash], base: u32, height: u32) -> MerkleHash {
    let Some(reached) = root(hashes.iter().copied(), base) else {
        return zero_hash(height);
    };
    let reached_height = base + hashes.len().next_power_of_two().ilog2();
    (reached_height..height).fold(reached, |node, level| parent_hash(&node, &zero_hash(level)))
}

/// The root above nodes at `height`, and for each of them the hashes beside its way there.
fn proofs(nodes: Vec<MerkleHash>, height: u32) -> (MerkleHash, Vec<Box<[MerkleHash]>>) {
    let count = nodes.len();
    let mut proofs = vec![Vec::new(); count];
    let (mut level, mut nodes) = (height, nodes);
    while nodes.len() > 1 {
        let filler = zero_hash(level);
        let node = |at: usize| *nodes.get(at).unwrap_or(&filler);
        for (number, proof) in proofs.iter_mut().enumerate() {
            proof.push(node((number >> (level - height)) ^ 1));
        }
        let parents = (0..nodes.len()).step_by(2);
        nodes = parents
            .map(|at| parent_hash(&node(at), &node(at + 1)))
            .collect();
        level += 1;
    }
    let root = nodes.first().copied().unwrap_or_else(|| zero_hash(level));
    (
        root,
        proofs.into_iter().map(Vec::into_boxed_slice).collect(),
    )
}

#[cfg(test)]
mod tests;
