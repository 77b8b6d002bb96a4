//! Limits on untrusted torrents, each with its reason.

use crate::BLOCK_LEN;

/// The longest piece that is accepted, in bytes. It bounds the partial pieces of every peer.
pub const MAX_PIECE_LENGTH: u32 = 512 * 1024 * 1024 - BLOCK_LEN;

/// The most pieces that a torrent may have. It bounds bitfields and tables with an entry for each piece.
pub const MAX_PIECES: u32 = 1 << 21;
