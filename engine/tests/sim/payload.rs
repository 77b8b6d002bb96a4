//! The torrents that swarms exchange.

use std::ops::Range;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tailwater_hostile::Content;
use tailwater_metainfo::{BlockRef, Geometry, InfoHash, PieceHash};

/// A torrent with its content.
pub(crate) struct Payload {
    pub(crate) geometry: Geometry,
    pub(super) info_hash: InfoHash,
    pub(super) hashes: Arc<[PieceHash]>,
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
