//! The messages of a peer connection.

use bytes::Bytes;
use tailwater_types::BlockRef;

use crate::{HashRequest, Hashes};

/// Message ids (BEP 3, 5, 6, 10, 52; assigned in BEP 4).
pub(crate) mod id {
    pub(crate) const CHOKE: u8 = 0;
    pub(crate) const UNCHOKE: u8 = 1;
    pub(crate) const INTERESTED: u8 = 2;
    pub(crate) const NOT_INTERESTED: u8 = 3;
    pub(crate) const HAVE: u8 = 4;
    pub(crate) const BITFIELD: u8 = 5;
    pub(crate) const REQUEST: u8 = 6;
    pub(crate) const PIECE: u8 = 7;
    pub(crate) const CANCEL: u8 = 8;
    pub(crate) const PORT: u8 = 9;
    pub(crate) const SUGGEST_PIECE: u8 = 13;
    pub(crate) const HAVE_ALL: u8 = 14;
    pub(crate) const HAVE_NONE: u8 = 15;
    pub(crate) const REJECT_REQUEST: u8 = 16;
    pub(crate) const ALLOWED_FAST: u8 = 17;
    pub(crate) const EXTENDED: u8 = 20;
    pub(crate) const HASH_REQUEST: u8 = 21;
    pub(crate) const HASHES: u8 = 22;
    pub(crate) const HASH_REJECT: u8 = 23;
}

/// The name of a message id, for error texts.
pub(crate) const fn frame_name(id: u8) -> &'static str {
    match id {
        id::CHOKE => "choke",
        id::UNCHOKE => "unchoke",
        id::INTERESTED => "interested",
        id::NOT_INTERESTED => "not interested",
        id::HAVE => "have",
        id::BITFIELD => "bitfield",
        id::REQUEST => "request",
        id::PIECE => "piece",
        id::CANCEL => "cancel",
        id::PORT => "port",
        id::SUGGEST_PIECE => "suggest piece",
        id::HAVE_ALL => "have all",
        id::HAVE_NONE => "have none",
        id::REJECT_REQUEST => "reject request",
        id::ALLOWED_FAST => "allowed fast",
        id::EXTENDED => "extended",
        id::HASH_REQUEST => "hash request",
        id::HASHES => "hashes",
        id::HASH_REJECT => "hash reject",
        _ => "unknown",
    }
}

/// The block that a `request`, `cancel` or `reject request` names, unchecked against a torrent.
///
/// `tailwater_types::Geometry::block` turns it into a checked reference.
// Not `#[non_exhaustive]`: the layout is fixed by BEP 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockRequest {
    /// Piece.
    pub index: u32,
    /// Bytes from the start of the piece.
    pub begin: u32,
    /// Bytes of the block.
    pub length: u32,
}

impl BlockRequest {
    /// Bytes of the three numbers.
    pub(crate) const WIRE_LEN: u32 = 12;
}

impl From<BlockRef> for BlockRequest {
    fn from(block: BlockRef) -> Self {
        Self {
            index: block.piece().get(),
            begin: block.offset(),
            length: block.len(),
        }
    }
}

/// A message between peers. Its numbers are unchecked against a torrent.
///
/// [`Bytes`] of a decoded message are slices of the receive buffer and keep that buffer's memory alive: keep a block
/// only until it is stored, and copy what must stay longer.
///
/// Exhaustive on purpose: when a message is added, the compiler points at each match that must handle it. Unknown ids
/// are [`Message::Unknown`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// A frame without a message; it only keeps the connection from timing out.
    KeepAlive,
    /// The sender will not answer requests.
    Choke,
    /// The sender will answer requests.
    Unchoke,
    /// The sender wants a piece that the receiver has.
    Interested,
    /// The sender wants nothing.
    NotInterested,
    /// The sender has this piece from now on.
    Have(u32),
    /// The pieces that the sender has; only as the first message.
    Bitfield(Bytes),
    /// The sender wants this block.
    Request(BlockRequest),
    /// A block.
    Piece {
        /// Piece.
        index: u32,
        /// Bytes from the start of the piece.
        begin: u32,
        /// The block's bytes.
        data: Bytes,
    },
    /// The sender no longer wants this block.
    Cancel(BlockRequest),
    /// UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// The sender would like this piece to be asked for (BEP 6).
    SuggestPiece(u32),
    /// The sender has every piece (BEP 6); in place of a bitfield.
    HaveAll,
    /// The sender has no piece (BEP 6); in place of a bitfield.
    HaveNone,
    /// The sender will not send this block (BEP 6).
    RejectRequest(BlockRequest),
    /// The sender answers requests for this piece even while it chokes (BEP 6).
    AllowedFast(u32),
    /// A message of the extension protocol (BEP 10).
    Extended {
        /// 0 for the extension handshake, else the number that the *receiver* gave the extension.
        id: u8,
        /// What follows the id; see [`ExtensionMessage`](crate::ExtensionMessage).
        payload: Bytes,
    },
    /// The sender wants nodes of a merkle tree (BEP 52).
    HashRequest(Box<HashRequest>),
    /// Nodes of a merkle tree (BEP 52).
    Hashes(Box<Hashes>),
    /// The sender will not answer a hash request (BEP 52).
    HashReject(Box<HashRequest>),
    /// A message with an unknown id; its payload was thrown away. It cannot be sent.
    Unknown {
        /// Message id.
        id: u8,
        /// Bytes of the payload, without the id.
        len: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_types::Geometry;

    #[test]
    fn a_message_stays_small_enough_to_be_moved_freely() {
        assert!(size_of::<Message>() <= 48, "{}", size_of::<Message>());
    }

    #[test]
    fn a_checked_block_becomes_a_request() {
        let geometry = Geometry::new(100_000, 32_768).unwrap();
        let block = geometry.block(3, 0, 1_696).unwrap();
        let request = BlockRequest {
            index: 3,
            begin: 0,
            length: 1_696,
        };
        assert_eq!(BlockRequest::from(block), request);
    }
}
