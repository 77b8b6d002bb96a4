//! Torrents that are generated for the checks.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tailwater_metainfo::Metainfo;
use tailwater_types::{
    BLOCK_LEN, BlockDigest, BlockRef, Geometry, InfoHash, PieceHash, PieceIndex,
};

/// A torrent with its content.
#[derive(Clone, Debug)]
pub struct TestTorrent {
    /// The metainfo of the torrent.
    pub metainfo: Arc<Metainfo>,
    /// The hash of each piece.
    pub hashes: Arc<[PieceHash]>,
    /// All bytes of all files, padding included.
    pub data: Bytes,
}

/// A file: its name, its length, whether it is padding (BEP 47).
type File = (&'static str, usize, bool);

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

    /// A single file if there is one of the name "", else a folder of files.
    fn new(name: &str, files: &[File], piece_length: u32, seed: u8) -> Self {
        let data = content(files, seed);
        let hashes: Arc<[PieceHash]> = data
            .chunks(usize::try_from(piece_length).unwrap())
            .map(|piece| PieceHash::new(Sha1::digest(piece).into()))
            .collect();
        let mut info = b"d".to_vec();
        match files {
            [("", length, _)] => info.extend(format!("6:lengthi{length}e").bytes()),
            files => {
                info.extend(b"5:filesl");
                for (path, length, is_pad) in files {
                    let attr = if *is_pad { "4:attr1:p" } else { "" };
                    let path_len = path.len();
                    info.extend(
                        format!("d{attr}6:lengthi{length}e4:pathl{path_len}:{path}ee").bytes(),
                    );
                }
                info.extend(b"e");
            }
        }
        // The seed stands in the name: torrents of different content are different torrents.
        let name = format!("{name}-{seed}");
        info.extend(format!("4:name{}:{name}", name.len()).bytes());
        info.extend(
            format!(
                "12:piece lengthi{piece_length}e6:pieces{}:",
                hashes.len() * 20
            )
            .bytes(),
        );
        hashes.iter().for_each(|hash| info.extend(hash.as_bytes()));
        info.extend(b"e");
        let file = [&b"d4:info"[..], &info, b"e"].concat();
        Self {
            metainfo: Arc::new(Metainfo::from_bytes(&file).unwrap()),
            hashes,
            data: data.into(),
        }
    }

    /// The torrent's name on the wire.
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        self.metainfo.info().info_hashes().v1.unwrap()
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
