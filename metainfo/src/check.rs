//! Checks the bytes of pieces against the hashes of the metainfo.

use crate::merkle::PieceLayers;
use crate::{BlockDigest, FileEntry, Info, MerkleHash, PieceHash, PieceIndex, merkle};
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::sync::Arc;
use tailwater_types::{BLOCK_LEN, Expected, MerkleRoot};

/// The expected hashes of a torrent's pieces: SHA-1 (BEP 3), merkle roots (BEP 52), or both. Cheap to clone.
///
/// ```
/// use tailwater_metainfo::{Expected, Geometry, PieceHash, PieceHasher, PieceHashes};
///
/// let geometry = Geometry::new(5, 5)?;
/// let hash: PieceHash = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d".parse()?;
/// let hashes = PieceHashes::from_iter([hash]);
///
/// let expected = hashes.expected(geometry.piece(0)?).expect("it is known");
/// let mut hasher = PieceHasher::new(expected);
/// hasher.update(b"hel");
/// hasher.update(b"lo");
/// assert!(hasher.is_valid());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PieceHashes(Source);

#[derive(Clone, Debug)]
enum Source {
    V1(Arc<[PieceHash]>),
    Any(Arc<[Option<Expected>]>),
    Torrent { info: Info, layers: PieceLayers },
}

impl PieceHashes {
    pub(crate) const fn of_torrent(info: Info, layers: PieceLayers) -> Self {
        Self(Source::Torrent { info, layers })
    }

    /// For how many pieces it is, whether or not their hashes are known yet.
    #[must_use]
    pub fn piece_count(&self) -> usize {
        match &self.0 {
            Source::V1(hashes) => hashes.len(),
            Source::Any(hashes) => hashes.len(),
            Source::Torrent { info, .. } => info.geometry().pieces().len(),
        }
    }

    /// The expected hash of a piece. `None` for a piece that the torrent does not have, and where a v2 torrent came
    /// without the piece layers: they have to be requested first.
    #[must_use]
    pub fn expected(&self, piece: PieceIndex) -> Option<Expected> {
        match &self.0 {
            Source::V1(hashes) => hashes.get(piece.as_usize()).copied().map(Expected::V1),
            Source::Any(hashes) => hashes.get(piece.as_usize()).copied()?,
            Source::Torrent { info, layers } => of_torrent(info, layers, piece),
        }
    }

    /// Whether pieces have SHA-1 hashes (BEP 3): those of a v2-only torrent have none.
    #[must_use]
    pub fn has_v1(&self) -> bool {
        match &self.0 {
            Source::V1(_) => true,
            Source::Any(hashes) => hashes
                .iter()
                .any(|hash| !matches!(hash, None | Some(Expected::V2(_)))),
            Source::Torrent { info, .. } => info.info_hashes().v1.is_some(),
        }
    }

    /// Whether pieces have hash trees (BEP 52), so that blocks may be judged.
    #[must_use]
    pub fn has_trees(&self) -> bool {
        match &self.0 {
            Source::Torrent { info, .. } => info.info_hashes().v2.is_some(),
            Source::V1(_) | Source::Any(_) => false,
        }
    }

    /// Whether a piece of a hybrid torrent can be checked by its SHA-1 alone, as the hash of its tree is not known yet (BEP
    /// 52). When that comes, the piece has to be checked again.
    #[must_use]
    pub fn lacks_tree(&self, piece: PieceIndex) -> bool {
        match &self.0 {
            Source::Torrent { info, layers } => {
                info.info_hashes().v2.is_some()
                    && matches!(of_torrent(info, layers, piece), Some(Expected::V1(_)))
                    && file_of(info, piece).is_some()
            }
            Source::V1(_) | Source::Any(_) => false,
        }
    }

    /// How many bytes of a piece its hash tree covers, from its beginning; `None` if it has none, or it is not known.
    #[must_use]
    pub fn tree_len(&self, piece: PieceIndex) -> Option<u32> {
        match self.expected(piece)? {
            Expected::V1(_) => None,
            Expected::V2(tree) | Expected::Both { v2: tree, .. } => Some(tree.len),
        }
    }

    /// Whether these bytes are block `number` of a piece, by the block's own hash (BEP 52); `None` if that is not known. In
    /// a hybrid torrent the piece has to match its v1 hash besides: a piece of one block is judged by both at once, as a piece.
    #[must_use]
    pub fn judge(&self, piece: PieceIndex, number: u32, bytes: &[u8]) -> Option<bool> {
        match &self.0 {
            Source::Torrent { info, layers } => {
                let is_piece = info.geometry().block_count(piece) == 1;
                // A torrent that contradicts itself is to be found out, and no sender to be blamed.
                let is_enough = !is_piece || info.info_hashes().v1.is_none();
                is_enough.then(|| layers.judge(piece.get(), number, bytes))?
            }
            Source::V1(_) | Source::Any(_) => None,
        }
    }

    /// Whether these bytes, in order, are the piece. `None` where [`expected`](Self::expected) is.
    pub fn is_valid<'a>(
        &self,
        piece: PieceIndex,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<bool> {
        let mut hasher = PieceHasher::new(self.expected(piece)?);
        hasher.update_all(&parts.into_iter().collect::<Vec<_>>());
        Some(hasher.is_valid())
    }
}

/// Of a v1 torrent, in the order of its pieces.
impl From<Arc<[PieceHash]>> for PieceHashes {
    fn from(hashes: Arc<[PieceHash]>) -> Self {
        Self(Source::V1(hashes))
    }
}

impl FromIterator<PieceHash> for PieceHashes {
    fn from_iter<I: IntoIterator<Item = PieceHash>>(hashes: I) -> Self {
        Self(Source::V1(hashes.into_iter().collect()))
    }
}

impl FromIterator<Option<Expected>> for PieceHashes {
    fn from_iter<I: IntoIterator<Item = Option<Expected>>>(hashes: I) -> Self {
        Self(Source::Any(hashes.into_iter().collect()))
    }
}

fn of_torrent(info: &Info, layers: &PieceLayers, piece: PieceIndex) -> Option<Expected> {
    let v1 = info.piece_hash(piece);
    if info.info_hashes().v2.is_none() {
        return v1.map(Expected::V1);
    }
    match (v1, file_of(info, piece)) {
        // Only padding, which has no v2 hash.
        (Some(v1), None) => Some(Expected::V1(v1)),
        (v1, Some(file)) => match (v1, merkle_root(info, layers, piece, file)) {
            (Some(v1), Some(v2)) => Some(Expected::Both { v1, v2 }),
            // A hybrid torrent without its piece layers is checked as a v1 torrent.
            (Some(v1), None) => Some(Expected::V1(v1)),
            (None, v2) => v2.map(Expected::V2),
        },
        (None, None) => None,
    }
}

/// The file with a hash tree whose bytes a piece begins with. There is at most one: no two such files share a piece.
fn file_of(info: &Info, piece: PieceIndex) -> Option<&FileEntry> {
    let start = info.geometry().piece_start(piece);
    let files = info.files();
    let first = files.partition_point(|file| file.range().end <= start);
    let file = files[first..].iter().find(|file| file.length() > 0)?;
    (file.range().contains(&start) && file.pieces_root().is_some()).then_some(file)
}

fn merkle_root(
    info: &Info,
    layers: &PieceLayers,
    piece: PieceIndex,
    file: &FileEntry,
) -> Option<MerkleRoot> {
    let geometry = info.geometry();
    let start = geometry.piece_start(piece);
    let left = file.range().end.checked_sub(start)?;
    let len = u32::try_from(left).map_or(geometry.piece_length(), |left| {
        left.min(geometry.piece_length())
    });
    let root = file.pieces_root()?;
    if file.length() <= u64::from(geometry.piece_length()) {
        // The tree of a short file ends where its blocks do, instead of at the height of a piece.
        let height = len.div_ceil(BLOCK_LEN).next_power_of_two().ilog2();
        return Some(MerkleRoot { root, height, len });
    }
    let number = piece.get() - geometry.number_at(file.offset());
    Some(MerkleRoot {
        root: layers.get(&root, number)?,
        height: merkle::piece_layer_height(geometry.piece_length()),
        len,
    })
}

/// Checks one piece incrementally: its bytes in order, in parts of any length.
#[derive(Clone, Debug)]
pub struct PieceHasher {
    expected: Expected,
    v1: Option<Sha1>,
    v2: Option<TreeHasher>,
}

impl PieceHasher {
    /// A hasher that has seen no byte.
    #[must_use]
    pub fn new(expected: Expected) -> Self {
        let (v1, v2) = match expected {
            Expected::V1(_) => (true, None),
            Expected::V2(root) => (false, Some(root.len)),
            Expected::Both { v2, .. } => (true, Some(v2.len)),
        };
        Self {
            expected,
            v1: v1.then(Sha1::new),
            v2: v2.map(TreeHasher::new),
        }
    }

    /// Takes the bytes that follow.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.v1 {
            hasher.update(bytes);
        }
        if let Some(hasher) = &mut self.v2 {
            hasher.update(bytes);
        }
    }

    /// As [`update`](Self::update) with each of these parts in turn. Blocks are best given as parts, all at once: those of a
    /// tree are hashed side by side where that is faster.
    pub fn update_all(&mut self, parts: &[&[u8]]) {
        if let Some(hasher) = &mut self.v1 {
            parts.iter().for_each(|part| hasher.update(part));
        }
        if let Some(hasher) = &mut self.v2 {
            hasher.update_all(parts);
        }
    }

    /// Whether all bytes so far are the piece: by both hashes, if it has two.
    #[must_use]
    pub fn is_valid(self) -> bool {
        self.finish() == PieceMatch::Right
    }

    /// What all bytes so far are by the hashes of the piece.
    pub fn finish(self) -> PieceMatch {
        let is_v1 = |hash: PieceHash| {
            let found = self
                .v1
                .map(|hasher| PieceHash::new(hasher.finalize().into()));
            found == Some(hash)
        };
        let is_v2 = |root: MerkleRoot, tree: Option<TreeHasher>| {
            tree.and_then(|tree| tree.finish(root.height)) == Some(root.root)
        };
        let has_more = self.v2.as_ref().is_some_and(|tree| tree.has_more);
        let is_right = match self.expected {
            Expected::V1(hash) => is_v1(hash),
            Expected::V2(root) => !has_more && is_v2(root, self.v2),
            // The rest is padding, which the v1 hash covers.
            Expected::Both { v1, v2 } => match (is_v1(v1), is_v2(v2, self.v2)) {
                (true, true) => true,
                (false, false) => false,
                _ => return PieceMatch::Disagree,
            },
        };
        match is_right {
            true => PieceMatch::Right,
            false => PieceMatch::Wrong,
        }
    }
}

/// What bytes are by the hashes of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "wrong bytes are not to be used"]
#[expect(
    clippy::exhaustive_enums,
    reason = "a storage that ignored an outcome would accept wrong bytes"
)]
pub enum PieceMatch {
    /// The piece.
    Right,
    /// Something else.
    Wrong,
    /// The piece by one hash of a hybrid torrent, and not by the other: the torrent contradicts itself (BEP 52, Upgrade
    /// Path), and no peer is to blame.
    Disagree,
}

/// The hash tree over the first bytes of a piece.
#[derive(Clone, Debug)]
struct TreeHasher {
    /// Bytes that are still to come.
    left: usize,
    has_more: bool,
    /// The hasher of the block under way, and how many bytes it has.
    block: (Sha256, usize),
    leaves: Vec<MerkleHash>,
}

impl TreeHasher {
    fn new(len: u32) -> Self {
        Self {
            left: len as usize,
            has_more: false,
            block: (Sha256::new(), 0),
            leaves: Vec::new(),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        let (mut bytes, rest) = bytes.split_at(bytes.len().min(self.left));
        self.has_more |= !rest.is_empty();
        self.left -= bytes.len();
        if self.block.1 == 0 {
            let (whole, rest) = bytes.as_chunks::<{ BLOCK_LEN as usize }>();
            let whole: Vec<_> = whole.iter().map(<[u8; _]>::as_slice).collect();
            self.leaves.extend(merkle::block_hashes(&whole));
            bytes = rest;
        }
        while !bytes.is_empty() {
            let room = BLOCK_LEN as usize - self.block.1;
            let (part, rest) = bytes.split_at(bytes.len().min(room));
            self.block.0.update(part);
            self.block.1 += part.len();
            bytes = rest;
            if self.block.1 == BLOCK_LEN as usize {
                self.end_block();
            }
        }
    }

    fn update_all(&mut self, parts: &[&[u8]]) {
        let block_len = BLOCK_LEN as usize;
        let is_whole = |part: &&&[u8]| part.len() == block_len;
        let whole = parts.iter().take_while(is_whole).count();
        let (blocks, rest) = parts.split_at(whole.min(self.left / block_len));
        let rest = match self.block.1 {
            0 => {
                self.left -= blocks.len() * block_len;
                self.leaves.extend(merkle::block_hashes(blocks));
                rest
            }
            _ => parts,
        };
        rest.iter().for_each(|part| self.update(part));
    }

    fn end_block(&mut self) {
        self.block.1 = 0;
        let leaf = self.block.0.finalize_reset();
        self.leaves.push(MerkleHash::new(leaf.into()));
    }

    /// The root of a tree of this height; `None` if bytes are missing, or there are more blocks than it has leaves.
    fn finish(mut self, height: u32) -> Option<MerkleHash> {
        if self.block.1 > 0 {
            self.end_block();
        }
        let reached = self.leaves.len().next_power_of_two().ilog2();
        if self.left > 0 || reached > height {
            return None;
        }
        let root = merkle::root(self.leaves, 0)?;
        let filled = (reached..height).fold(root, |root, level| {
            merkle::parent_hash(&root, &merkle::zero_hash(level))
        });
        Some(filled)
    }
}

/// The digest of a block's bytes: equal blocks have equal digests, and a peer cannot make two that share one.
#[must_use]
pub fn block_digest(block: &[u8]) -> BlockDigest {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha1::digest(block)[..8]);
    BlockDigest::new(first)
}

#[cfg(test)]
mod tests;
