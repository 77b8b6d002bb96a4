//! Limits on untrusted metainfo and magnet links.

pub use tailwater_types::limits::{MAX_PIECE_LENGTH, MAX_PIECES};

/// The longest magnet link that is read, in bytes. It bounds all that is kept of one.
pub const MAX_MAGNET_LEN: usize = 64 * 1024;

/// Limits on one .torrent file or info dictionary, each checked before memory is allocated for what it counts.
///
/// The number of pieces is bounded by [`MAX_PIECES`], their length by
/// [`MAX_PIECE_LENGTH`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest .torrent file or info dictionary, in bytes. Default 10 000 000, as in libtorrent.
    pub len: usize,
    /// The most bencode values in it. Default 3 000 000; each costs 16 bytes while parsing.
    pub tokens: u32,
    /// The most components of one file's path. Default 100, as in libtorrent.
    pub directory_depth: usize,
    /// The most files that are renamed because their path is taken. Default 500, as in libtorrent.
    pub duplicate_names: usize,
    /// The bytes of all paths together, as they are kept. Default 64 MiB. Without it a v2 file tree of 10 MB, whose
    /// files share their folders' names, could unfold to gigabytes.
    pub path_bytes: usize,
    /// The most warnings that are kept; the rest is counted. Default 100.
    pub warnings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            len: 10_000_000,
            tokens: 3_000_000,
            directory_depth: 100,
            duplicate_names: 500,
            path_bytes: 64 * 1024 * 1024,
            warnings: 100,
        }
    }
}
