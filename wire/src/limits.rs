//! Limits on what peers send and on what is sent to them, and the lengths that the protocol fixes; [`Limits`] on the length
//! of each kind of frame.

use tailwater_types::BLOCK_LEN;
use tailwater_types::limits::MAX_PIECES;

use crate::hashes::{HASH_LEN_U32, HASH_REQUEST_LEN};
use crate::message::id;
use crate::{BlockRequest, WireError};

/// The longest block that [`Limits::with_max_block_len`] can allow, in bytes: 128 KiB, which old clients requested.
pub const MAX_BLOCK_LEN: u32 = 128 * 1024;
/// The longest block that is accepted by default, in bytes: 16 KiB, which all clients request (BEP 3).
pub const DEFAULT_MAX_BLOCK_LEN: u32 = BLOCK_LEN;
/// The longest bitfield while the piece count is unknown, in bytes: that of the largest torrent that can be loaded.
pub const DEFAULT_MAX_BITFIELD_LEN: u32 = MAX_PIECES.div_ceil(8);
/// The longest payload of an extension message, in bytes: a metadata block is 16 KiB and a header (BEP 9); a peer list
/// of some thousand peers, which is the most that a first `ut_pex` holds in practice, fits as well.
pub const DEFAULT_MAX_EXTENDED_LEN: u32 = 128 * 1024;
/// The most hashes in a `hashes` message: BEP 52 allows requests for 512 at most, and a proof needs one for each layer.
pub const DEFAULT_MAX_HASHES: u32 = 1024;
/// The longest payload of an unknown message, in bytes. It is thrown away as it arrives, so this bounds wasted traffic,
/// not memory.
pub const DEFAULT_MAX_UNKNOWN_LEN: u32 = 1024 * 1024;
/// Bytes of a handshake.
pub const HANDSHAKE_LEN: usize = 68;
/// Bytes of a `piece` frame before its block.
pub const PIECE_HEADER_LEN: usize = 13;
/// Bytes of a node of a merkle tree: a SHA-256.
pub const HASH_LEN: usize = 32;
/// Bytes of a block of metadata; only the last one may be shorter (BEP 9).
pub const METADATA_BLOCK_LEN: u32 = 16 * 1024;
/// How many bytes of a peer's client name are kept.
pub const MAX_CLIENT_LEN: usize = 64;
/// The most peers of one list that are read; the rest is ignored. A conforming first message may have more than the 50
/// of later ones, and BEP 11 names no number.
pub const MAX_PEX_PEERS: usize = 200;
/// The most peers that a message after the first may add, and drop (BEP 11).
pub const MAX_SENT_PEX_PEERS: usize = 50;
/// The largest set that [`allowed_fast_set`](crate::allowed_fast_set) makes; BEP 6 uses 10.
pub const MAX_ALLOWED_FAST: usize = 128;
/// The longest datagram that is read, in bytes: what one Ethernet frame holds, as not all clients keep to 1400. It
/// bounds headers and info-hashes as well.
pub const MAX_LSD_LEN: usize = 1500;
/// The longest datagram that is sent, in bytes: what BEP 14 allows, so that it is not fragmented.
pub const MAX_LSD_SENT_LEN: usize = 1400;
/// The longest cookie, in bytes. The clients in use send 8 to 40.
pub const MAX_LSD_COOKIE_LEN: usize = 64;
/// Info-hashes that fit into a datagram that is sent, whatever its group, port and cookie.
pub const MAX_LSD_SENT_HASHES: usize = 24;

/// The longest payload that each kind of message may have.
///
/// A decoder checks a frame as soon as it knows length and id, before anything is reserved for it. So a peer can make
/// the receive buffer hold at most [`Limits::max_frame_len`] and what was read beyond the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    block_len: u32,
    bitfield_len: u32,
    extended_len: u32,
    hashes: u32,
    unknown_len: u32,
}

/// A limit that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitsError {
    /// The block limit is below what BEP 3 needs or above [`MAX_BLOCK_LEN`].
    #[error("a block limit of {found} bytes: it must lie between {BLOCK_LEN} and {MAX_BLOCK_LEN}")]
    Block {
        /// The limit that was asked for.
        found: u32,
    },
    /// The piece count is zero or above what metainfo loads.
    #[error("a piece count of {found}: it must lie between 1 and {MAX_PIECES}")]
    PieceCount {
        /// The count that was given.
        found: u32,
    },
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block_len: DEFAULT_MAX_BLOCK_LEN,
            bitfield_len: DEFAULT_MAX_BITFIELD_LEN,
            extended_len: DEFAULT_MAX_EXTENDED_LEN,
            hashes: DEFAULT_MAX_HASHES,
            unknown_len: DEFAULT_MAX_UNKNOWN_LEN,
        }
    }
}

/// The valid lengths of a message, counted as the length prefix counts.
enum Shape {
    Exact(u32),
    Between { min: u32, max: u32 },
}

impl Limits {
    /// Allows blocks of up to `max` bytes; needed only by a client that requests blocks longer than 16 KiB.
    ///
    /// # Errors
    ///
    /// When `max` is below 16 KiB or above [`MAX_BLOCK_LEN`].
    pub const fn with_max_block_len(mut self, max: u32) -> Result<Self, LimitsError> {
        if max < BLOCK_LEN || max > MAX_BLOCK_LEN {
            return Err(LimitsError::Block { found: max });
        }
        self.block_len = max;
        Ok(self)
    }

    /// Allows no bitfield longer than that of a torrent with `count` pieces.
    ///
    /// # Errors
    ///
    /// When `count` is zero or above `tailwater_types::limits::MAX_PIECES`.
    pub const fn with_piece_count(mut self, count: u32) -> Result<Self, LimitsError> {
        if count == 0 || count > MAX_PIECES {
            return Err(LimitsError::PieceCount { found: count });
        }
        self.bitfield_len = count.div_ceil(8);
        Ok(self)
    }

    /// Bytes of the longest block.
    #[must_use]
    pub const fn max_block_len(&self) -> u32 {
        self.block_len
    }

    /// Bytes of the longest bitfield.
    #[must_use]
    pub const fn max_bitfield_len(&self) -> u32 {
        self.bitfield_len
    }

    /// Bytes of the longest payload of an extension message, without the extension's id.
    #[must_use]
    pub const fn max_extended_len(&self) -> u32 {
        self.extended_len
    }

    /// Hashes in the longest `hashes` message.
    #[must_use]
    pub const fn max_hashes(&self) -> u32 {
        self.hashes
    }

    /// Bytes of the longest payload of an unknown message.
    #[must_use]
    pub const fn max_unknown_len(&self) -> u32 {
        self.unknown_len
    }

    /// Bytes of the longest frame that a receive buffer must hold whole, with its length prefix.
    #[must_use]
    pub fn max_frame_len(&self) -> usize {
        let payload = [
            8 + self.block_len,
            self.bitfield_len,
            1 + self.extended_len,
            HASH_REQUEST_LEN + HASH_LEN_U32 * self.hashes,
        ];
        payload.into_iter().fold(0, u32::max) as usize + 5
    }

    /// Checks a length before the id has come.
    pub(crate) fn check_prefix(&self, len: u32) -> Result<(), WireError> {
        let known = u32::try_from(self.max_frame_len()).unwrap_or(u32::MAX);
        let max = known.max(1 + self.unknown_len);
        match len > max {
            true => Err(WireError::PrefixTooLong { len, max }),
            false => Ok(()),
        }
    }

    /// Checks the length of a frame; what passes decodes without further errors.
    pub(crate) const fn check(&self, id: u8, len: u32) -> Result<(), WireError> {
        match self.shape(id) {
            Shape::Exact(expected) if len != expected => {
                Err(WireError::FrameLength { id, len, expected })
            }
            Shape::Between { min, .. } if len < min => {
                Err(WireError::FrameTooShort { id, len, min })
            }
            Shape::Between { max, .. } if len > max => {
                Err(WireError::FrameTooLong { id, len, max })
            }
            _ if id == id::HASHES && !(len - 1 - HASH_REQUEST_LEN).is_multiple_of(HASH_LEN_U32) => {
                Err(WireError::PartialHash { len })
            }
            _ => Ok(()),
        }
    }

    const fn shape(&self, id: u8) -> Shape {
        match id {
            id::PIECE => Shape::Between {
                min: 9,
                max: 9 + self.block_len,
            },
            id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED => Shape::Exact(1),
            id::HAVE_ALL | id::HAVE_NONE => Shape::Exact(1),
            id::HAVE | id::SUGGEST_PIECE | id::ALLOWED_FAST => Shape::Exact(5),
            id::REQUEST | id::CANCEL | id::REJECT_REQUEST => {
                Shape::Exact(1 + BlockRequest::WIRE_LEN)
            }
            id::PORT => Shape::Exact(3),
            id::BITFIELD => Shape::Between {
                min: 1,
                max: 1 + self.bitfield_len,
            },
            id::EXTENDED => Shape::Between {
                min: 2,
                max: 2 + self.extended_len,
            },
            id::HASH_REQUEST | id::HASH_REJECT => Shape::Exact(1 + HASH_REQUEST_LEN),
            id::HASHES => Shape::Between {
                min: 1 + HASH_REQUEST_LEN,
                max: 1 + HASH_REQUEST_LEN + HASH_LEN_U32 * self.hashes,
            },
            _ => Shape::Between {
                min: 1,
                max: 1 + self.unknown_len,
            },
        }
    }
}
