//! The torrents that swarms exchange.

use std::ops::Range;

use sha1::{Digest, Sha1};
use tailwater_hostile::Content;
use tailwater_metainfo::{
    BLOCK_LEN, BlockRef, Expected, Geometry, InfoHash, MerkleHash, MerkleRoot, PieceHash,
    PieceHashes, merkle,
};

/// A torrent with its content.
pub(crate) struct Payload {
    pub(crate) geometry: Geometry,
    pub(super) info_hash: InfoHash,
    pub(super) hashes: PieceHashes,
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

    /// A torrent of the hostile kit, so that its peers can serve it.
    pub(crate) fn of(content: &Content) -> Self {
        let geometry = content.geometry();
        let hash = |piece: &[u8]| PieceHash::new(Sha1::digest(piece).into());
        let pieces = content.bytes().chunks(geometry.piece_length() as usize);
        Self {
            geometry: geometry.clone(),
            info_hash: content.info_hash(),
            hashes: pieces.map(hash).collect(),
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
