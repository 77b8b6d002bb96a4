//! A torrent's metainfo as a .torrent file.

use tailwater_metainfo::Metainfo;

/// The .torrent file of a torrent: its info dictionary byte for byte, and what is known around it. Keys that
/// [`Metainfo`] does not know are not in it.
#[must_use]
pub fn torrent_file(metainfo: &Metainfo) -> Vec<u8> {
    metainfo.to_bytes()
}
