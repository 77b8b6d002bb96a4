//! The decoder: takes messages out of a receive buffer.

use bytes::{Buf, BytesMut};

use crate::hashes::HASH_REQUEST_LEN;
use crate::limits::HASH_LEN;
use crate::message::id;
use crate::{BlockRequest, HashRequest, Hashes, Limits, Message, WireError};

/// Bytes of the length prefix.
const PREFIX_LEN: usize = 4;
/// How many bytes to read at a time while an unknown message is thrown away.
const SKIP_STEP: u32 = 16 * 1024;

/// Takes messages off the front of a growing receive buffer.
///
/// It keeps no bytes of its own. A block comes out as a slice of the buffer, not copied; the buffer's memory is free
/// again when the last such slice is dropped.
///
/// ```
/// use bytes::BytesMut;
/// use tailwater_wire::{Decoder, Limits, Message};
///
/// let mut decoder = Decoder::new(Limits::default());
/// let mut received = BytesMut::from(&b"\0\0\0\x01\x01\0\0\0\x05\x04\0\0"[..]);
/// assert_eq!(decoder.decode(&mut received), Ok(Some(Message::Unchoke)));
/// assert_eq!(decoder.decode(&mut received), Ok(None));
/// assert_eq!(decoder.missing(), 2);
/// received.extend_from_slice(b"\0\x2a");
/// assert_eq!(decoder.decode(&mut received), Ok(Some(Message::Have(42))));
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    missing: usize,
    skipping: Option<Skipping>,
}

/// An unknown message that is being thrown away.
#[derive(Clone, Copy, Debug)]
struct Skipping {
    id: u8,
    len: u32,
    left: u32,
}

impl Decoder {
    /// A decoder at the start of the stream of messages, that is after the handshake.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            missing: PREFIX_LEN,
            skipping: None,
        }
    }

    /// The limits in force.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Replaces the limits, from the frame after an unfinished unknown one on: when the metadata of a magnet link tells
    /// the piece count.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// How many bytes are still missing until the next message is whole, as far as the last [`decode`](Self::decode)
    /// could see; 0 when it returned a message, because the next one has not been examined yet.
    ///
    /// It is safe to reserve this much: the frame is within its limit, and for an unknown message, which needs no room,
    /// it is at most 16 KiB at a time.
    #[must_use]
    pub const fn missing(&self) -> usize {
        self.missing
    }

    /// Takes the next message off `buf`; `None` when it is not whole yet.
    ///
    /// # Errors
    ///
    /// When the peer begins a frame that it must not send. The stream cannot go on: nothing more is taken, and every
    /// further call gives the same error.
    pub fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Message>, WireError> {
        if let Some(skipping) = self.skipping {
            return Ok(self.skip(skipping, buf));
        }
        let Some(prefix) = buf.first_chunk::<PREFIX_LEN>() else {
            return Ok(self.wait_for(PREFIX_LEN - buf.len()));
        };
        let len = u32::from_be_bytes(*prefix);
        if len == 0 {
            buf.advance(PREFIX_LEN);
            self.missing = 0;
            return Ok(Some(Message::KeepAlive));
        }
        // A peer that claims 4 GiB and sends no more is detected at once.
        self.limits.check_prefix(len)?;
        let Some(&id) = buf.get(PREFIX_LEN) else {
            return Ok(self.wait_for(1));
        };
        self.limits.check(id, len)?;
        if !is_known(id) {
            buf.advance(PREFIX_LEN + 1);
            let len = len - 1;
            return Ok(self.skip(Skipping { id, len, left: len }, buf));
        }
        let frame_len = PREFIX_LEN + len as usize;
        if buf.len() < frame_len {
            return Ok(self.wait_for(frame_len - buf.len()));
        }
        self.missing = 0;
        buf.advance(PREFIX_LEN + 1);
        Ok(Some(take(id, len as usize - 1, buf)))
    }

    const fn wait_for(&mut self, missing: usize) -> Option<Message> {
        self.missing = missing;
        None
    }

    fn skip(&mut self, skipping: Skipping, buf: &mut BytesMut) -> Option<Message> {
        let Skipping { id, len, left } = skipping;
        let here = u32::try_from(buf.len()).map_or(left, |here| here.min(left));
        buf.advance(here as usize);
        let left = left - here;
        if left > 0 {
            self.skipping = Some(Skipping { id, len, left });
            return self.wait_for(left.min(SKIP_STEP) as usize);
        }
        self.skipping = None;
        self.missing = 0;
        Some(Message::Unknown { id, len })
    }
}

const fn is_known(id: u8) -> bool {
    matches!(id, id::CHOKE..=id::PORT | id::SUGGEST_PIECE..=id::ALLOWED_FAST | id::EXTENDED..=id::HASH_REJECT)
}

/// Takes the payload of a known message, of which `buf` holds all `len` bytes.
///
/// [`Limits::check`] has made sure that `len` fits the message, so that no read here can run out of bytes.
fn take(id: u8, len: usize, buf: &mut BytesMut) -> Message {
    match id {
        id::PIECE => {
            let index = buf.get_u32();
            let begin = buf.get_u32();
            let data = buf.split_to(len - 8).freeze();
            Message::Piece { index, begin, data }
        }
        id::REQUEST => Message::Request(take_block(buf)),
        id::HAVE => Message::Have(buf.get_u32()),
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::BITFIELD => Message::Bitfield(buf.split_to(len).freeze()),
        id::CANCEL => Message::Cancel(take_block(buf)),
        id::PORT => Message::Port(buf.get_u16()),
        id::SUGGEST_PIECE => Message::SuggestPiece(buf.get_u32()),
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT_REQUEST => Message::RejectRequest(take_block(buf)),
        id::ALLOWED_FAST => Message::AllowedFast(buf.get_u32()),
        id::EXTENDED => {
            let id = buf.get_u8();
            let payload = buf.split_to(len - 1).freeze();
            Message::Extended { id, payload }
        }
        id::HASH_REQUEST => Message::HashRequest(Box::new(take_hash_request(buf))),
        id::HASHES => {
            let request = take_hash_request(buf);
            let hashes = buf.split_to(len - HASH_REQUEST_LEN as usize).freeze();
            Message::Hashes(Box::new(Hashes { request, hashes }))
        }
        id::HASH_REJECT => Message::HashReject(Box::new(take_hash_request(buf))),
        // Unreachable, as `is_known` admits no other id; if it did, the frame would still be consumed whole.
        _ => {
            buf.advance(len);
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            Message::Unknown { id, len }
        }
    }
}

fn take_block(buf: &mut BytesMut) -> BlockRequest {
    BlockRequest {
        index: buf.get_u32(),
        begin: buf.get_u32(),
        length: buf.get_u32(),
    }
}

fn take_hash_request(buf: &mut BytesMut) -> HashRequest {
    let mut pieces_root = [0; HASH_LEN];
    buf.copy_to_slice(&mut pieces_root);
    HashRequest {
        pieces_root,
        base_layer: buf.get_u32(),
        index: buf.get_u32(),
        length: buf.get_u32(),
        proof_layers: buf.get_u32(),
    }
}
