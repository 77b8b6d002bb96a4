//! Test content: a torrent of random bytes that the kit generates.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tailwater_metainfo::{Geometry, InfoHash};
use tailwater_wire::BlockRequest;

/// A torrent of one file of random bytes. Equal seed, name, length and piece length give the same torrent.
#[derive(Clone, Debug)]
pub struct Content {
    name: String,
    geometry: Geometry,
    bytes: Bytes,
    /// The info dictionary.
    info: Bytes,
    info_hash: InfoHash,
}

impl Content {
    /// A file of `len` random bytes. Everything is kept in memory and shared by clones.
    ///
    /// # Panics
    ///
    /// When there is no such torrent: no bytes, or a piece length that is no power of two from 16 KiB.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a test that asks for an impossible torrent is wrong"
    )]
    pub fn new(seed: u64, name: &str, len: usize, piece_length: u32) -> Self {
        let geometry = Geometry::new(len as u64, piece_length).expect("there is such a torrent");
        let mut bytes = vec![0; len];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        let mut info = format!(
            "d6:lengthi{len}e4:name{}:{name}12:piece lengthi{piece_length}e6:pieces",
            name.len()
        );
        let _ = write!(info, "{}:", 20 * geometry.piece_count());
        let mut info = info.into_bytes();
        for piece in bytes.chunks(piece_length as usize) {
            info.extend_from_slice(&Sha1::digest(piece));
        }
        info.push(b'e');
        Self {
            name: name.to_owned(),
            geometry,
            bytes: bytes.into(),
            info_hash: InfoHash::new(Sha1::digest(&info).into()),
            info: info.into(),
        }
    }

    /// The .torrent file.
    #[must_use]
    pub fn torrent(&self, tracker: Option<&str>) -> Vec<u8> {
        let announce = tracker.map(|url| format!("8:announce{}:{url}", url.len()));
        let head = format!("d{}4:info", announce.unwrap_or_default());
        [head.as_bytes(), &self.info, b"e"].concat()
    }

    /// The magnet link.
    #[must_use]
    pub fn magnet(&self, tracker: Option<&str>) -> String {
        let tracker = tracker.map(|url| format!("&tr={url}"));
        format!(
            "magnet:?xt=urn:btih:{}{}",
            self.info_hash,
            tracker.unwrap_or_default()
        )
    }

    /// Writes the file into a folder.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write_to(&self, dir: &Path) -> io::Result<()> {
        std::fs::write(dir.join(&self.name), &self.bytes)
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The layout of pieces and blocks.
    #[must_use]
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The torrent's name on the wire.
    #[must_use]
    pub const fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The info dictionary, which `ut_metadata` transfers.
    #[must_use]
    pub const fn info(&self) -> &Bytes {
        &self.info
    }

    /// The file's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes of a block, without a copy; `None` outside of the torrent.
    #[must_use]
    pub fn block(&self, wanted: BlockRequest) -> Option<Bytes> {
        let block = self
            .geometry
            .block(wanted.index, wanted.begin, wanted.length)
            .ok()?;
        let start = usize::try_from(self.geometry.block_start(block)).ok()?;
        Some(self.bytes.slice(start..start + wanted.length as usize))
    }

    /// Every block of the torrent in order, of 16 KiB but the last of a piece.
    pub fn blocks(&self) -> impl Iterator<Item = BlockRequest> + use<> {
        let geometry = self.geometry.clone();
        geometry
            .pieces()
            .flat_map(move |piece| geometry.blocks(piece))
            .map(BlockRequest::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_metainfo::Metainfo;

    #[test]
    fn it_is_a_torrent_that_others_read() {
        let content = Content::new(1, "file", 100_001, 32_768);
        let metainfo =
            Metainfo::from_bytes(&content.torrent(Some("http://127.0.0.1:1/announce"))).unwrap();
        assert_eq!(metainfo.info().info_hashes().v1, Some(content.info_hash()));
        assert_eq!(metainfo.info().geometry(), content.geometry());
        assert_eq!(metainfo.trackers(), [["http://127.0.0.1:1/announce"]]);
        let last = content.blocks().last().unwrap();
        assert_eq!(
            content.block(last).unwrap(),
            content.bytes()[100_001 - 1_697..]
        );
    }
}
