//! The encoder: appends messages to a send buffer.

use bytes::{BufMut, BytesMut};

use crate::hashes::{HASH_LEN_U32, HASH_REQUEST_LEN};
use crate::limits::PIECE_HEADER_LEN;
use crate::message::id;
use crate::{BlockRequest, HashRequest, Message};

/// Bytes of the length prefix.
const PREFIX_LEN: usize = 4;

/// The 13 header bytes of a `piece` message with a block of `data_len` bytes; write both by one vectored write.
///
/// `data_len` is that of a block, which no peer takes longer than [`MAX_BLOCK_LEN`](crate::limits::MAX_BLOCK_LEN).
#[must_use]
pub const fn piece_header(index: u32, begin: u32, data_len: u32) -> [u8; PIECE_HEADER_LEN] {
    let [l0, l1, l2, l3] = data_len.saturating_add(9).to_be_bytes();
    let [i0, i1, i2, i3] = index.to_be_bytes();
    let [b0, b1, b2, b3] = begin.to_be_bytes();
    [l0, l1, l2, l3, id::PIECE, i0, i1, i2, i3, b0, b1, b2, b3]
}

impl Message {
    /// Appends the message's frame to `dst`; any number of messages can go into one buffer.
    ///
    /// Exactly [`encoded_len`](Self::encoded_len) bytes are appended: none for a message that has no frame.
    pub fn encode(&self, dst: &mut BytesMut) {
        let Some(len) = self.frame_len() else { return };
        match self {
            Self::KeepAlive => dst.put_u32(0),
            Self::Choke => empty(dst, id::CHOKE),
            Self::Unchoke => empty(dst, id::UNCHOKE),
            Self::Interested => empty(dst, id::INTERESTED),
            Self::NotInterested => empty(dst, id::NOT_INTERESTED),
            Self::Have(index) => number(dst, id::HAVE, *index),
            Self::Bitfield(bits) => payload(dst, len, &[id::BITFIELD], bits),
            Self::Request(request) => block(dst, id::REQUEST, request),
            Self::Piece { index, begin, data } => {
                // `frame_len` has the header in it and fits, so the difference is the block's length.
                let header = piece_header(*index, *begin, len.saturating_sub(9));
                dst.reserve(header.len() + data.len());
                dst.extend_from_slice(&header);
                dst.extend_from_slice(data);
            }
            Self::Cancel(request) => block(dst, id::CANCEL, request),
            Self::Port(port) => {
                let [high, low] = port.to_be_bytes();
                dst.extend_from_slice(&[0, 0, 0, 3, id::PORT, high, low]);
            }
            Self::SuggestPiece(index) => number(dst, id::SUGGEST_PIECE, *index),
            Self::HaveAll => empty(dst, id::HAVE_ALL),
            Self::HaveNone => empty(dst, id::HAVE_NONE),
            Self::RejectRequest(request) => block(dst, id::REJECT_REQUEST, request),
            Self::AllowedFast(index) => number(dst, id::ALLOWED_FAST, *index),
            Self::Extended {
                id: extension,
                payload: bytes,
            } => payload(dst, len, &[id::EXTENDED, *extension], bytes),
            Self::HashRequest(request) => hash_request(dst, len, id::HASH_REQUEST, request),
            Self::Hashes(answer) => {
                hash_request(dst, len, id::HASHES, &answer.request);
                dst.extend_from_slice(&answer.hashes);
            }
            Self::HashReject(request) => hash_request(dst, len, id::HASH_REJECT, request),
            Self::Unknown { .. } => {}
        }
    }

    /// Bytes of the message's frame, with its length prefix; 0 for a message that has none.
    ///
    /// That is [`Message::Unknown`], whose payload is gone; a list of hashes that does not end with a whole one; and a
    /// payload that does not fit the 32 bits of a length prefix.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.frame_len().map_or(0, |len| PREFIX_LEN + len as usize)
    }

    /// The value of the length prefix; `None` for a message without a frame.
    fn frame_len(&self) -> Option<u32> {
        let (fixed, variable) = match self {
            Self::KeepAlive => (0, 0),
            Self::Choke
            | Self::Unchoke
            | Self::Interested
            | Self::NotInterested
            | Self::HaveAll
            | Self::HaveNone => (1, 0),
            Self::Port(_) => (3, 0),
            Self::Have(_) | Self::SuggestPiece(_) | Self::AllowedFast(_) => (5, 0),
            Self::Request(_) | Self::Cancel(_) | Self::RejectRequest(_) => {
                (1 + BlockRequest::WIRE_LEN, 0)
            }
            Self::Piece { data, .. } => (9, data.len()),
            Self::Bitfield(bits) => (1, bits.len()),
            Self::Extended { payload, .. } => (2, payload.len()),
            Self::HashRequest(_) | Self::HashReject(_) => (1 + HASH_REQUEST_LEN, 0),
            Self::Hashes(answer) => (1 + HASH_REQUEST_LEN, answer.hashes.len()),
            Self::Unknown { .. } => return None,
        };
        let variable = u32::try_from(variable).ok()?;
        if matches!(self, Self::Hashes(_)) && !variable.is_multiple_of(HASH_LEN_U32) {
            return None;
        }
        variable.checked_add(fixed)
    }
}

fn empty(dst: &mut BytesMut, id: u8) {
    dst.extend_from_slice(&[0, 0, 0, 1, id]);
}

fn number(dst: &mut BytesMut, id: u8, number: u32) {
    let [n0, n1, n2, n3] = number.to_be_bytes();
    dst.extend_from_slice(&[0, 0, 0, 5, id, n0, n1, n2, n3]);
}

fn block(dst: &mut BytesMut, id: u8, request: &BlockRequest) {
    let mut frame = [0; 17];
    frame[3] = 13;
    frame[4] = id;
    frame[5..9].copy_from_slice(&request.index.to_be_bytes());
    frame[9..13].copy_from_slice(&request.begin.to_be_bytes());
    frame[13..].copy_from_slice(&request.length.to_be_bytes());
    dst.extend_from_slice(&frame);
}

fn payload(dst: &mut BytesMut, len: u32, ids: &[u8], payload: &[u8]) {
    dst.reserve(PREFIX_LEN + ids.len() + payload.len());
    dst.put_u32(len);
    dst.extend_from_slice(ids);
    dst.extend_from_slice(payload);
}

fn hash_request(dst: &mut BytesMut, len: u32, id: u8, request: &HashRequest) {
    dst.reserve(PREFIX_LEN + len as usize);
    dst.put_u32(len);
    dst.put_u8(id);
    dst.extend_from_slice(&request.to_bytes());
}
