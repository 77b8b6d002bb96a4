//! Torrents that are generated for the checks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tailwater_metainfo::{MerkleHash, Metainfo, PieceHashes, merkle};
use tailwater_types::{BLOCK_LEN, BlockDigest, BlockRef, Geometry, InfoHash, PieceIndex};

/// A torrent with its content.
#[derive(Clone, Debug)]
pub struct TestTorrent {
    /// The metainfo of the torrent.
    pub metainfo: Arc<Metainfo>,
    /// What each piece has to hash to.
    pub hashes: PieceHashes,
    /// The byte at each position, padding included; zeros where no file has one.
    pub data: Bytes,
}

/// A file: its name, its length, whether it is padding (BEP 47).
type File = (&'static str, usize, bool);

/// Files of torrents with hash trees. Pieces are two blocks: there is a last piece of half a block, of a byte, of two
/// blocks, and twice of one and a half.
const TREES: [File; 7] = [
    ("a-empty", 0, false),
    ("b", 70_000, false),
    ("c", 1, false),
    ("d", 65_536, false),
    ("e", 20_000, false),
    ("f", 150_001, false),
    ("g-empty", 0, false),
];

impl TestTorrent {
    /// One file of seven pieces of three blocks and a short last piece whose last block is short.
    #[must_use]
    pub fn film(seed: u8) -> Self {
        let length = 7 * 3 * block_len() + block_len() + 777;
        Self::new("film", &[("", length, false)], 3 * BLOCK_LEN, seed)
    }

    /// Files whose borders lie in the middle of blocks and pieces, some without bytes, one of padding.
    #[must_use]
    pub fn album(seed: u8) -> Self {
        let files = [
            ("first-empty", 0, false),
            ("a", 70_000, false),
            ("pad", 28_304, true),
            ("b", 1, false),
            ("middle-empty", 0, false),
            ("c", 150_001, false),
            ("last-empty", 0, false),
        ];
        Self::new("album", &files, 2 * BLOCK_LEN, seed)
    }

    /// Files of a v2-only torrent (BEP 52): each begins with a piece of its own, and most end before the next one does.
    /// Some have no bytes, one has a single piece of one byte, one fills its pieces.
    #[must_use]
    pub fn aligned(seed: u8) -> Self {
        Self::with_trees("aligned", &TREES, None, seed)
    }

    /// The same files as a hybrid torrent, with padding up to the next piece (BEP 52, BEP 47): each piece has to match
    /// its SHA-1 and its hash tree.
    #[must_use]
    pub fn hybrid(seed: u8) -> Self {
        Self::with_trees("hybrid", &TREES, Some(".pad"), seed)
    }

    /// As it is when its info dictionary came from peers (BEP 9): nothing is known of the pieces of a v2-only torrent's
    /// longer files.
    #[must_use]
    pub fn without_layers(self) -> Self {
        let info = self.metainfo.info().clone();
        let metainfo = Metainfo::from_info(info, Vec::new(), Vec::new());
        Self {
            hashes: metainfo.piece_hashes(),
            metainfo: Arc::new(metainfo),
            data: self.data,
        }
    }

    /// A v1 torrent. A single file if there is one of the name "", else a folder of files.
    fn new(name: &str, files: &[File], piece_length: u32, seed: u8) -> Self {
        let data = content(files, seed);
        let mut info = b"d".to_vec();
        match files {
            [("", length, _)] => info.extend(format!("6:lengthi{length}e").bytes()),
            files => {
                info.extend(b"5:filesl");
                for (path, length, is_pad) in files {
                    info.extend(list_entry(&[path], *length, *is_pad));
                }
                info.extend(b"e");
            }
        }
        // The seed stands in the name: torrents of different content are different torrents.
        info.extend(
            [
                b"4:name".to_vec(),
                string(format!("{name}-{seed}").as_bytes()),
            ]
            .concat(),
        );
        info.extend(format!("12:piece lengthi{piece_length}e").bytes());
        info.extend(pieces(&data, piece_length));
        info.extend(b"e");
        Self::of(&[b"d4:info".to_vec(), info, b"e".to_vec()].concat(), data)
    }

    /// A torrent with hash trees; a hybrid one if there is a folder for padding. The files are in the order of their
    /// names.
    fn with_trees(name: &str, files: &[File], padding: Option<&str>, seed: u8) -> Self {
        let piece_length = 2 * BLOCK_LEN;
        let piece = usize::try_from(piece_length).unwrap();
        let (mut data, mut tree, mut list) = (Vec::new(), Vec::new(), Vec::new());
        let mut layers = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            let (path, length, _) = *file;
            let bytes = content(&[*file], seed.wrapping_add(u8::try_from(number).unwrap()));
            tree.extend(string(path.as_bytes()));
            tree.extend(format!("d0:d6:lengthi{length}e").bytes());
            if let Some((root, layer)) = hash_tree(&bytes, piece_length) {
                tree.extend([b"11:pieces root".to_vec(), string(root.as_bytes())].concat());
                if length > piece {
                    let layer: Vec<_> = layer.iter().flat_map(|hash| *hash.as_bytes()).collect();
                    layers.insert(*root.as_bytes(), layer);
                }
            }
            tree.extend(b"ee");
            list.extend(list_entry(&[path], length, false));
            data.extend(bytes);
            // The positions up to the next piece: padding, or nothing at all.
            let gap = data.len().next_multiple_of(piece) - data.len();
            if let Some(folder) = padding
                && gap > 0
            {
                list.extend(list_entry(&[folder, path], gap, true));
            }
            data.resize(data.len() + gap, 0);
        }
        let mut info = [b"d9:file treed".to_vec(), tree, b"e".to_vec()].concat();
        if padding.is_some() {
            info.extend([b"5:filesl".to_vec(), list, b"e".to_vec()].concat());
        }
        let name = string(format!("{name}-{seed}").as_bytes());
        info.extend([b"12:meta versioni2e4:name".to_vec(), name].concat());
        info.extend(format!("12:piece lengthi{piece_length}e").bytes());
        if padding.is_some() {
            info.extend(pieces(&data, piece_length));
        }
        let mut file = [b"d4:info".to_vec(), info, b"e12:piece layersd".to_vec()].concat();
        for (root, layer) in layers {
            file.extend([string(&root), string(&layer)].concat());
        }
        file.extend(b"ee");
        Self::of(&file, data)
    }

    fn of(file: &[u8], data: Vec<u8>) -> Self {
        let metainfo = Metainfo::from_bytes(file).unwrap();
        Self {
            hashes: metainfo.piece_hashes(),
            metainfo: Arc::new(metainfo),
            data: data.into(),
        }
    }

    /// The hashes of a piece's blocks, as far as they hold bytes of its file.
    #[must_use]
    pub fn leaves(&self, piece: PieceIndex) -> Vec<MerkleHash> {
        let geometry = self.geometry();
        let range = geometry.piece_range(piece);
        let files = self.metainfo.info().files().iter();
        let mut files = files.filter(|file| !file.is_pad());
        let file = files.find(|file| file.range().contains(&range.start));
        let end = file.unwrap().range().end.min(range.end);
        let bytes = usize::try_from(range.start).unwrap()..usize::try_from(end).unwrap();
        let blocks = self.data[bytes].chunks(block_len());
        blocks.map(merkle::block_hash).collect()
    }

    /// The hashes of a piece's blocks come to be known, as a peer's answer makes them.
    pub fn learn_leaves(&self, piece: PieceIndex) {
        let layers = self.metainfo.piece_layers();
        let missing = layers.missing_leaves(piece.get(), 0).unwrap();
        let (root, range) = (missing.root, missing.range);
        let answer = layers.serve_leaves(root, range, &self.leaves(piece));
        layers.accept(root, range, &answer.unwrap()).unwrap();
        assert!(layers.knows_leaf(piece.get(), 0));
    }

    /// The torrent's name on the wire.
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        self.metainfo.info().info_hashes().wire().unwrap()
    }

    /// How it is cut into pieces.
    #[must_use]
    pub fn geometry(&self) -> Geometry {
        self.metainfo.info().geometry().clone()
    }

    /// A piece by its number.
    #[must_use]
    pub fn piece(&self, index: u32) -> PieceIndex {
        self.geometry().piece(index).unwrap()
    }

    /// A block of a piece, by their numbers.
    #[must_use]
    pub fn block(&self, piece: u32, number: u32) -> BlockRef {
        self.geometry()
            .nth_block(self.piece(piece), number)
            .unwrap()
    }

    /// The right bytes of a range.
    #[must_use]
    pub fn bytes(&self, block: BlockRef) -> Bytes {
        self.data.slice(self.range(block))
    }

    /// The blocks of a piece with their right bytes.
    #[must_use]
    pub fn blocks(&self, piece: PieceIndex) -> Vec<(BlockRef, Bytes)> {
        let blocks = self.geometry().blocks(piece);
        blocks.map(|block| (block, self.bytes(block))).collect()
    }

    /// Wrong bytes for a block.
    #[must_use]
    pub fn wrong(block: BlockRef, fill: u8) -> Bytes {
        vec![fill; usize::try_from(block.len()).unwrap()].into()
    }

    fn range(&self, block: BlockRef) -> Range<usize> {
        let start = self.geometry().piece_start(block.piece()) + u64::from(block.offset());
        let start = usize::try_from(start).unwrap();
        start..start + usize::try_from(block.len()).unwrap()
    }
}

/// The root of a file's hash tree and its piece layer, or nothing of an empty file.
fn hash_tree(bytes: &[u8], piece_length: u32) -> Option<(MerkleHash, Vec<MerkleHash>)> {
    let leaves = |bytes: &[u8]| -> Vec<_> {
        let blocks = bytes.chunks(block_len());
        blocks.map(merkle::block_hash).collect()
    };
    let whole = merkle::root(leaves(bytes), 0)?;
    let piece = usize::try_from(piece_length).unwrap();
    let layer = bytes.chunks(piece).map(|piece_bytes| {
        let mut leaves = leaves(piece_bytes);
        leaves.resize(piece / block_len(), merkle::zero_hash(0));
        merkle::root(leaves, 0).unwrap()
    });
    Some((whole, layer.collect()))
}

/// The SHA-1 of each piece, as an info dictionary holds them.
fn pieces(data: &[u8], piece_length: u32) -> Vec<u8> {
    let hashes = data.chunks(usize::try_from(piece_length).unwrap());
    let hashes: Vec<u8> = hashes.flat_map(Sha1::digest).collect();
    [b"6:pieces".to_vec(), string(&hashes)].concat()
}

/// A file in the list of a v1 torrent.
fn list_entry(path: &[&str], length: usize, is_pad: bool) -> Vec<u8> {
    let attr = if is_pad { "4:attr1:p" } else { "" };
    let head = format!("d{attr}6:lengthi{length}e4:pathl").into_bytes();
    let path: Vec<u8> = path
        .iter()
        .flat_map(|part| string(part.as_bytes()))
        .collect();
    [head, path, b"ee".to_vec()].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

/// The digest of a block's bytes.
pub(super) fn digest(data: &[u8]) -> BlockDigest {
    let hash: [u8; 20] = Sha1::digest(data).into();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    BlockDigest::new(first)
}

/// Bytes that differ everywhere and are the same in every run.
fn content(files: &[File], seed: u8) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (u64::from(seed) << 32 | 1);
    let mut data = Vec::new();
    for (_, length, is_pad) in files {
        data.extend((0..*length).map(|_| {
            // xorshift64
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if *is_pad { 0 } else { state.to_be_bytes()[0] }
        }));
    }
    data
}

fn block_len() -> usize {
    usize::try_from(BLOCK_LEN).unwrap()
}
