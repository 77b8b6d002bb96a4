//! The torrents that swarms exchange.

use std::ops::Range;

use sha1::{Digest, Sha1};
use tailwater_hostile::Content;
use tailwater_metainfo::{
    BLOCK_LEN, BlockRef, Expected, Geometry, Info, InfoHash, MerkleHash, MerkleRoot, Metainfo,
    PieceHash, PieceHashes, merkle,
};

/// A torrent with its content.
pub(crate) struct Payload {
    pub(crate) geometry: Geometry,
    pub(super) info_hash: InfoHash,
    pub(super) hashes: PieceHashes,
    /// The torrent, if its peers exchange hashes (BEP 52).
    pub(super) v2: Option<Metainfo>,
    /// The byte at each position.
    bytes: Vec<u8>,
}

impl Payload {
    /// Random bytes. Payloads of different seeds are different torrents.
    pub(crate) fn new(seed: u64, total: usize, piece_length: u32) -> Self {
        let geometry = Geometry::new(total as u64, piece_length).unwrap();
        let mut bytes = vec![0; total];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        let hash = |piece: &[u8]| PieceHash::new(Sha1::digest(piece).into());
        let mut info_hash = [7; 20];
        info_hash[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            geometry,
            info_hash: InfoHash::new(info_hash),
            hashes: bytes.chunks(piece_length as usize).map(hash).collect(),
            v2: None,
            bytes,
        }
    }

    /// Files of random bytes that share no pieces, each piece with its hash tree (BEP 52).
    pub(crate) fn aligned(seed: u64, files: &[u64], piece_length: u32) -> Self {
        let geometry = Geometry::aligned(files.iter().copied(), piece_length).unwrap();
        let contiguous = Self::new(seed, geometry.end() as usize, piece_length);
        let height = merkle::piece_layer_height(piece_length);
        let hash = |piece| {
            let bytes = geometry.piece_range(piece);
            let bytes = &contiguous.bytes[bytes.start as usize..bytes.end as usize];
            let blocks = bytes.chunks(BLOCK_LEN as usize);
            let mut leaves: Vec<_> = blocks.map(merkle::block_hash).collect();
            leaves.resize(1 << height, MerkleHash::new([0; 32]));
            Some(Expected::V2(MerkleRoot {
                root: merkle::root(leaves, 0).unwrap(),
                height,
                len: geometry.piece_len(piece),
            }))
        };
        Self {
            hashes: geometry.pieces().map(hash).collect(),
            geometry: geometry.clone(),
            ..contiguous
        }
    }

    /// One file of random bytes, longer than a piece, in a v2 torrent. Nodes that have nothing have no more than a link to it:
    /// the hashes of its pieces come from peers.
    pub(crate) fn v2(seed: u64, total: usize, piece_length: u32) -> Self {
        let payload = Self::aligned(seed, &[total as u64], piece_length);
        let layer: Vec<_> = payload
            .geometry
            .pieces()
            .filter_map(|piece| match payload.hashes.expected(piece) {
                Some(Expected::V2(root)) => Some(root.root),
                _ => None,
            })
            .collect();
        let rest = format!("12:meta versioni2e4:name4:file12:piece lengthi{piece_length}ee");
        payload.with_tree(&layer, total, &rest.into_bytes())
    }

    /// The same as a hybrid torrent. In its v2 half, the pieces of `wrong` are not those of the v1 half: it contradicts itself.
    pub(crate) fn hybrid(seed: u64, total: usize, piece_length: u32, wrong: &[u32]) -> Self {
        let v2 = Self::v2(seed, total, piece_length);
        let v1 = Self::new(seed, total, piece_length);
        let layer = v2
            .geometry
            .pieces()
            .map(|piece| match v2.hashes.expected(piece) {
                Some(Expected::V2(_)) if wrong.contains(&piece.get()) => MerkleHash::new([9; 32]),
                Some(Expected::V2(root)) => root.root,
                other => panic!("{other:?} is no tree"),
            });
        let layer: Vec<_> = layer.collect();
        let mut rest = format!("6:lengthi{total}e12:meta versioni2e4:name4:file").into_bytes();
        rest.extend(format!("12:piece lengthi{piece_length}e").bytes());
        rest.extend(format!("6:pieces{}:", 20 * layer.len()).bytes());
        for piece in v1.geometry.pieces() {
            let Some(Expected::V1(hash)) = v1.hashes.expected(piece) else {
                panic!("{piece:?} has no SHA-1");
            };
            rest.extend(hash.as_bytes());
        }
        rest.push(b'e');
        v1.with_tree(&layer, total, &rest)
    }

    /// One file with this layer; `rest` is what follows its tree in the info dictionary.
    fn with_tree(self, layer: &[MerkleHash], total: usize, rest: &[u8]) -> Self {
        let height = merkle::piece_layer_height(self.geometry.piece_length());
        let root = merkle::root(layer.iter().copied(), height).unwrap();
        let tree = format!("d9:file treed4:filed0:d6:lengthi{total}e11:pieces root32:");
        let info = [tree.as_bytes(), root.as_bytes(), b"eee", rest].concat();
        let hashes: Vec<u8> = layer.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let len = format!("{}:", hashes.len());
        let file = [
            b"d4:info",
            &info[..],
            b"12:piece layersd32:",
            root.as_bytes(),
            len.as_bytes(),
            &hashes,
            b"ee",
        ];
        let metainfo = Metainfo::from_bytes(&file.concat()).unwrap();
        Self {
            info_hash: metainfo.info().info_hash(),
            v2: Some(metainfo),
            ..self
        }
    }

    /// What a node knows of the torrent that has all of it, or nothing.
    pub(super) fn known_to(&self, is_seed: bool) -> Option<Metainfo> {
        let metainfo = self.v2.as_ref()?;
        let from_link = |info: &Info| Metainfo::from_info(info.clone(), Vec::new(), Vec::new());
        Some(match is_seed {
            true => metainfo.clone(),
            false => from_link(metainfo.info()),
        })
    }

    /// A torrent of the hostile kit, so that its peers can serve it.
    pub(crate) fn of(content: &Content) -> Self {
        let geometry = content.geometry();
        let hash = |piece: &[u8]| PieceHash::new(Sha1::digest(piece).into());
        let pieces = content.bytes().chunks(geometry.piece_length() as usize);
        Self {
            geometry: geometry.clone(),
            info_hash: content.info_hash(),
            hashes: pieces.map(hash).collect(),
            v2: None,
            bytes: content.bytes().to_vec(),
        }
    }

    pub(super) fn block(&self, block: BlockRef) -> &[u8] {
        let start = self.geometry.block_start(block);
        self.range(start..start + u64::from(block.len()))
    }

    fn range(&self, bytes: Range<u64>) -> &[u8] {
        &self.bytes[bytes.start as usize..bytes.end as usize]
    }
}
