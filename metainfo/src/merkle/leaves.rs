//! The leaves of pieces: the hashes of their blocks, of those pieces that are asked for. With them a block is judged by
//! itself.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::range::climb;
use super::{HashRange, padded_root, piece_layer_height, zero_hash};
use crate::{BLOCK_LEN, MerkleHash};

/// How many leaves are asked for at once: those of 2 MiB. A reader that jumps waits for them, 4 KiB on the wire.
pub const LEAVES_AT_ONCE: u32 = 128;
/// The most leaves that are kept of a torrent: those of 1 GiB, in 2 MiB of memory and at most 5 MB with the tables (pieces of
/// 32 KiB; 2.3 MB with pieces of 1 MiB). The pieces that were asked for longest ago go first, and are checked as wholes.
const MAX_LEAVES: usize = 1 << 16;

/// A file that has a hash tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TreeFile {
    pub(crate) root: MerkleHash,
    /// In bytes; not 0.
    pub(crate) len: u64,
    /// Its first piece in the torrent.
    pub(crate) first_piece: u32,
}

/// Where a piece stands in the tree of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Branch {
    /// The root of the file.
    pub(super) root: MerkleHash,
    /// Which piece of the file it is.
    pub(super) number: u32,
    /// The height of the piece's hash above the leaves.
    pub(super) height: u32,
    /// Whether the piece is the whole file, whose root is its hash.
    pub(super) is_root: bool,
    /// The bytes of the piece that the tree covers; the rest is padding.
    pub(super) len: u32,
    /// The piece under which its leaves are kept: files of one content share them.
    key: u32,
}

/// The trees of all files, and the leaves that are known of them.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    piece_length: u32,
    /// In the order of their pieces.
    files: Vec<TreeFile>,
    /// The first file of each root, as a position in `files`.
    by_root: HashMap<MerkleHash, usize>,
    /// How many are kept, so that nothing is locked while there are none.
    kept: AtomicUsize,
    cache: Mutex<Cache>,
}

/// Up to [`LEAVES_AT_ONCE`] leaves.
type Chunk = Box<[MerkleHash]>;

/// The leaves of pieces, in chunks.
#[derive(Debug, Default)]
struct Cache {
    pieces: HashMap<u32, Box<[Option<Chunk>]>>,
    /// Which came first.
    order: VecDeque<u32>,
    kept: usize,
}

impl Leaves {
    pub(super) fn new(files: impl IntoIterator<Item = TreeFile>, piece_length: u32) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort_by_key(|file| file.first_piece);
        let mut by_root = HashMap::new();
        for (position, file) in files.iter().enumerate() {
            by_root.entry(file.root).or_insert(position);
        }
        Self {
            piece_length,
            files,
            by_root,
            ..Self::default()
        }
    }

    /// Where a piece of the torrent stands in its tree.
    pub(super) fn branch(&self, piece: u32) -> Option<Branch> {
        let behind = self.files.partition_point(|file| file.first_piece <= piece);
        let file = self.files.get(behind.checked_sub(1)?)?;
        self.branch_of(file, piece - file.first_piece)
    }

    /// Where a piece of the file with this root stands in its tree.
    pub(super) fn branch_in(&self, root: &MerkleHash, number: u32) -> Option<Branch> {
        self.branch_of(self.files.get(*self.by_root.get(root)?)?, number)
    }

    fn branch_of(&self, file: &TreeFile, number: u32) -> Option<Branch> {
        let piece_length = u64::from(self.piece_length);
        let left = file.len.checked_sub(u64::from(number) * piece_length)?;
        let len = u32::try_from(left.min(piece_length))
            .ok()
            .filter(|len| *len > 0)?;
        let is_root = file.len <= piece_length;
        let height = match is_root {
            true => len.div_ceil(BLOCK_LEN).next_power_of_two().ilog2(),
            false => piece_layer_height(self.piece_length),
        };
        let first = self.by_root.get(&file.root)?;
        Some(Branch {
            root: file.root,
            number,
            height,
            is_root,
            len,
            key: self.files.get(*first)?.first_piece + number,
        })
    }

    /// The first piece of the torrent with these leaves.
    pub(super) const fn piece_of(&self, branch: &Branch) -> u32 {
        branch.key
    }

    /// The pieces of the torrent that are whole files of one content.
    pub(super) fn pieces_with(&self, branch: &Branch) -> Vec<Range<u32>> {
        let alike = self.files.iter().filter(|file| file.root == branch.root);
        alike
            .map(|file| file.first_piece..file.first_piece + 1)
            .collect()
    }

    /// The hash of a block, if it is known. `hash` is that of its piece.
    pub(super) fn get(&self, branch: &Branch, block: u32, hash: MerkleHash) -> Option<MerkleHash> {
        if branch.height == 0 {
            return (block == 0).then_some(hash);
        }
        if self.kept.load(Ordering::Acquire) == 0 {
            return None;
        }
        let cache = self.cache();
        let chunk = cache.chunk(branch.key, block)?;
        chunk.get((block % LEAVES_AT_ONCE) as usize).copied()
    }

    /// Whether the leaves of a block's chunk are known.
    pub(super) fn knows(&self, branch: &Branch, block: u32) -> bool {
        branch.height == 0 || self.cache().chunk(branch.key, block).is_some()
    }

    /// Takes the answer to the request for the leaves of a chunk; `hash` is that of the piece. Says whether it is that of
    /// the tree.
    pub(super) fn accept(
        &self,
        branch: &Branch,
        hash: MerkleHash,
        range: HashRange,
        hashes: &[MerkleHash],
    ) -> bool {
        let Some(block) = branch.first_of(range) else {
            return false;
        };
        if Some(range) != branch.request(block)
            || u32::try_from(hashes.len()) != Ok(range.answer_len())
        {
            return false;
        }
        let (run, uncles) = hashes.split_at(range.length as usize);
        let left = branch.blocks().saturating_sub(block) as usize;
        let (known, padding) = run.split_at(left.min(run.len()));
        let subtree = padded_root(known, 0, range.height());
        let is_padded = padding.iter().all(|hash| *hash == zero_hash(0));
        // Below the piece's hash, positions in its tree and in the file's are on the same side.
        let above = climb(subtree, range.position(), uncles.iter().copied());
        let is_right = is_padded && above == hash;
        if is_right {
            self.keep(branch, block, known);
        }
        is_right
    }

    fn keep(&self, branch: &Branch, block: u32, leaves: &[MerkleHash]) {
        let mut cache = self.cache();
        let chunks = branch.blocks().div_ceil(LEAVES_AT_ONCE) as usize;
        cache.insert(
            branch.key,
            chunks,
            (block / LEAVES_AT_ONCE) as usize,
            leaves,
        );
        self.kept.store(cache.kept, Ordering::Release);
    }

    /// Takes all leaves of a piece, which lead to its hash.
    pub(super) fn keep_all(&self, branch: &Branch, leaves: &[MerkleHash]) {
        let firsts = (0..branch.blocks()).step_by(LEAVES_AT_ONCE as usize);
        let chunks = leaves.chunks(LEAVES_AT_ONCE as usize);
        firsts
            .zip(chunks)
            .for_each(|(block, chunk)| self.keep(branch, block, chunk));
    }

    /// The leaves of a piece, if all are known.
    pub(super) fn whole(&self, branch: &Branch) -> Option<Vec<MerkleHash>> {
        let cache = self.cache();
        let chunks = cache.pieces.get(&branch.key)?.iter();
        let chunks: Option<Vec<_>> = chunks.map(Option::as_deref).collect();
        Some(chunks?.concat())
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    fn chunk(&self, piece: u32, block: u32) -> Option<&[MerkleHash]> {
        let chunks = self.pieces.get(&piece)?;
        chunks.get((block / LEAVES_AT_ONCE) as usize)?.as_deref()
    }

    fn insert(&mut self, piece: u32, chunks: usize, number: usize, leaves: &[MerkleHash]) {
        let order = &mut self.order;
        let slots = self.pieces.entry(piece).or_insert_with(|| {
            order.push_back(piece);
            vec![None; chunks].into()
        });
        if let Some(slot @ None) = slots.get_mut(number) {
            *slot = Some(leaves.into());
            self.kept += leaves.len();
        }
        while self.kept > MAX_LEAVES
            && let Some(oldest) = self.order.pop_front()
        {
            let gone = self.pieces.remove(&oldest).unwrap_or_default();
            let lens = gone.iter().flatten().map(|chunk| chunk.len());
            self.kept -= lens.sum::<usize>();
        }
    }
}

impl Branch {
    /// How many blocks the piece has, those of padding apart.
    pub(super) const fn blocks(&self) -> u32 {
        self.len.div_ceil(BLOCK_LEN)
    }

    /// The request for the leaves among which is that of a block, with the proof up to the hash of the piece. `None` beyond
    /// the 64 TiB of a file that a request can name.
    pub(super) fn request(&self, block: u32) -> Option<HashRange> {
        let length = LEAVES_AT_ONCE.min(1 << self.height);
        let first = self.number.checked_mul(1 << self.height)?;
        Some(HashRange {
            base: 0,
            index: first.checked_add(block / length * length)?,
            length,
            proof_layers: self.height.saturating_sub(1),
        })
    }

    /// The block of this piece that a request begins with.
    fn first_of(&self, range: HashRange) -> Option<u32> {
        range
            .index
            .checked_sub(self.number.checked_mul(1 << self.height)?)
    }

    /// The answer to a request for leaves of this piece, given all of them: the leaves, and the uncles up to the hash of the
    /// piece. `None` if it asks for others.
    pub(super) fn answer(
        &self,
        range: HashRange,
        leaves: &[MerkleHash],
    ) -> Option<Vec<MerkleHash>> {
        let first = self.first_of(range)?;
        if first + range.length > 1 << self.height || leaves.len() != self.blocks() as usize {
            return None;
        }
        let part = |start: u32, len: u32| {
            let (start, end) = (start as usize, (start + len) as usize);
            &leaves[start.min(leaves.len())..end.min(leaves.len())]
        };
        let mut answer: Vec<_> = part(first, range.length).to_vec();
        answer.resize(range.length as usize, zero_hash(0));
        let last = self.height.min(range.proof_layers.saturating_add(1));
        for height in range.height()..last {
            let beside = (first >> height) ^ 1;
            answer.push(padded_root(part(beside << height, 1 << height), 0, height));
        }
        Some(answer)
    }
}

#[cfg(test)]
mod tests;
