//! The memory storage.

use std::hint::black_box;
use std::sync::Arc;

use sha1::{Digest, Sha1};
use tailwater_storage_mem::{Config, Eviction, MemoryStorage, TorrentHandle, Verdict};
use tailwater_types::{Geometry, PieceHash, PieceIndex};

use crate::Run;

const PIECE: u32 = 1 << 20;
const PIECES: u32 = 16;

struct Rig {
    storage: MemoryStorage,
    handle: TorrentHandle,
    geometry: Geometry,
    data: Vec<u8>,
}

impl Rig {
    /// A storage with room for a half of its torrent's pieces, which are all alike.
    fn new() -> Self {
        let data = vec![0x5a; PIECE as usize];
        let hash = PieceHash::new(Sha1::digest(&data).into());
        let hashes: Arc<[PieceHash]> = (0..PIECES).map(|_| hash).collect();
        let total = u64::from(PIECE) * u64::from(PIECES);
        let geometry = Geometry::new(total, PIECE).expect("the sizes are in range");
        let config = Config::new(total / 2)
            .with_free_list_bytes(total)
            .with_eviction(Eviction::LeastRecentlyRequested);
        let storage = MemoryStorage::new(config);
        let handle = storage
            .add_torrent(geometry.clone(), hashes)
            .expect("there is room");
        Self {
            storage,
            handle,
            geometry,
            data,
        }
    }

    fn fill(&self, piece: PieceIndex) {
        let reserved = self.storage.reserve(self.handle, piece);
        let _ = black_box(reserved).expect("others can be evicted");
        for block in self.geometry.blocks(piece) {
            let data = &self.data[..block.len() as usize];
            black_box(self.storage.write_block(self.handle, block, data)).expect("it is reserved");
        }
    }

    fn put(&self, piece: PieceIndex) {
        self.fill(piece);
        assert_eq!(self.storage.verify(self.handle, piece), Ok(Verdict::Valid));
    }
}

/// Reserves a piece, for which another is evicted, and writes its 64 blocks.
pub(crate) fn write() -> Run {
    let rig = Rig::new();
    for piece in rig.geometry.pieces().take(8) {
        rig.put(piece);
    }
    let piece = rig.geometry.piece(8).expect("it is in range");
    Box::new(move || {
        rig.fill(piece);
        Box::new(rig)
    })
}

/// Leases each block of a piece.
pub(crate) fn read() -> Run {
    let rig = Rig::new();
    let piece = rig.geometry.piece(0).expect("it is in range");
    rig.put(piece);
    Box::new(move || {
        for block in rig.geometry.blocks(piece) {
            black_box(rig.storage.read(rig.handle, block)).expect("it is held");
        }
        Box::new(rig)
    })
}
