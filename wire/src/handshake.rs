//! The 68 bytes with which each side of a connection begins (BEP 3).

use bytes::{Buf, BytesMut};
use tailwater_types::{InfoHash, PeerId};

use crate::Reserved;
use crate::limits::HANDSHAKE_LEN;

/// The first bytes of every handshake: the length of the protocol's name, and the name.
const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";
/// Bytes up to and with the info-hash.
const PREFIX_LEN: usize = PROTOCOL.len() + 8 + 20;

/// The handshake of BEP 3: the torrent, the sender's peer id, and its features.
///
/// ```
/// use bytes::BytesMut;
/// use tailwater_types::{InfoHash, PeerId};
/// use tailwater_wire::{Handshake, Reserved};
///
/// let ours = Handshake {
///     reserved: Reserved::FAST,
///     info_hash: InfoHash::new([1; 20]),
///     peer_id: PeerId::new([2; 20]),
/// };
/// let mut received = BytesMut::from(&ours.to_bytes()[..]);
/// assert_eq!(Handshake::decode(&mut received), Ok(Some(ours)));
/// ```
// Not `#[non_exhaustive]`: the layout is fixed for ever by BEP 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handshake {
    /// The reserved bytes.
    pub reserved: Reserved,
    /// The torrent (for v2 the truncated hash, BEP 52).
    pub info_hash: InfoHash,
    /// The sender.
    pub peer_id: PeerId,
}

/// Bytes that are no BitTorrent handshake. The connection is of no use: the peer may speak MSE or another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The protocol's name differs.
    #[error("not a BitTorrent handshake: byte {offset} is {found:#04x}, not {expected:#04x}")]
    Protocol {
        /// Offset of the first byte that differs.
        offset: usize,
        /// The byte that came.
        found: u8,
        /// The byte that was due.
        expected: u8,
    },
}

impl Handshake {
    /// The bytes to send.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HANDSHAKE_LEN] {
        let mut bytes = [0; HANDSHAKE_LEN];
        bytes[..20].copy_from_slice(&PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved.to_bytes());
        bytes[28..48].copy_from_slice(self.info_hash.as_bytes());
        bytes[48..].copy_from_slice(self.peer_id.as_bytes());
        bytes
    }

    /// Appends the bytes to send.
    pub fn encode(&self, dst: &mut BytesMut) {
        dst.extend_from_slice(&self.to_bytes());
    }

    /// Takes a handshake off the front of `buf`; `None`, and nothing taken, while it is incomplete.
    ///
    /// Call it with every byte that arrives: a wrong protocol is found at its first wrong byte.
    ///
    /// # Errors
    ///
    /// When the bytes so far cannot become a handshake. Nothing is taken from `buf`.
    pub fn decode(buf: &mut BytesMut) -> Result<Option<Self>, HandshakeError> {
        let Some((reserved, info_hash)) = Self::decode_prefix(buf)? else {
            return Ok(None);
        };
        let Some(bytes) = buf.first_chunk::<HANDSHAKE_LEN>() else {
            return Ok(None);
        };
        let handshake = Self {
            reserved,
            info_hash,
            peer_id: PeerId::new(chunk(bytes, PREFIX_LEN)),
        };
        buf.advance(HANDSHAKE_LEN);
        Ok(Some(handshake))
    }

    /// Reads all but the peer id, which some peers send only after they got an answer; takes nothing.
    ///
    /// `None` while fewer than 48 bytes are there.
    ///
    /// # Errors
    ///
    /// When the bytes so far cannot become a handshake.
    pub fn decode_prefix(bytes: &[u8]) -> Result<Option<(Reserved, InfoHash)>, HandshakeError> {
        for (offset, (&found, &expected)) in bytes.iter().zip(&PROTOCOL).enumerate() {
            if found != expected {
                return Err(HandshakeError::Protocol {
                    offset,
                    found,
                    expected,
                });
            }
        }
        let Some(prefix) = bytes.first_chunk::<PREFIX_LEN>() else {
            return Ok(None);
        };
        let reserved = Reserved::from_bytes(chunk(prefix, 20));
        let info_hash = InfoHash::new(chunk(prefix, 28));
        Ok(Some((reserved, info_hash)))
    }

    /// How many bytes a handshake still needs when `received` bytes are there.
    #[must_use]
    pub const fn missing(received: usize) -> usize {
        HANDSHAKE_LEN.saturating_sub(received)
    }
}

/// Copies `N` bytes from `at`, which every caller has inside the array it passes.
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Handshake {
        Handshake {
            reserved: Reserved::EXTENSION_PROTOCOL | Reserved::FAST,
            info_hash: InfoHash::new(*b"aaaaaaaaaaaaaaaaaaaa"),
            peer_id: PeerId::new(*b"-TW0100-bbbbbbbbbbbb"),
        }
    }

    #[test]
    fn the_layout_is_that_of_bep_3() {
        let mut expected = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\x04".to_vec();
        expected.extend_from_slice(b"aaaaaaaaaaaaaaaaaaaa-TW0100-bbbbbbbbbbbb");
        assert_eq!(sample().to_bytes()[..], expected);
    }

    #[test]
    fn it_decodes_only_when_complete_and_leaves_what_follows() {
        let mut wire = sample().to_bytes().to_vec();
        wire.extend_from_slice(b"\0\0\0\0");
        let mut buf = BytesMut::new();
        for (received, byte) in wire[..HANDSHAKE_LEN].iter().enumerate() {
            assert_eq!(Handshake::decode(&mut buf), Ok(None));
            assert_eq!(Handshake::missing(buf.len()), HANDSHAKE_LEN - received);
            buf.extend_from_slice(&[*byte]);
        }
        buf.extend_from_slice(&wire[HANDSHAKE_LEN..]);
        assert_eq!(Handshake::missing(buf.len()), 0);
        assert_eq!(Handshake::decode(&mut buf), Ok(Some(sample())));
        assert_eq!(&buf[..], b"\0\0\0\0");
    }

    #[test]
    fn the_info_hash_is_known_before_the_peer_id() {
        let bytes = sample().to_bytes();
        assert_eq!(Handshake::decode_prefix(&bytes[..47]), Ok(None));
        assert_eq!(
            Handshake::decode_prefix(&bytes[..48]),
            Ok(Some((sample().reserved, sample().info_hash)))
        );
    }

    #[test]
    fn a_wrong_protocol_is_found_at_its_first_wrong_byte() {
        for wrong in 0..PROTOCOL.len() {
            let mut bytes = sample().to_bytes();
            bytes[wrong] ^= 0x20;
            let before = &bytes[..wrong];
            assert_eq!(Handshake::decode(&mut BytesMut::from(before)), Ok(None));
            let mut buf = BytesMut::from(&bytes[..=wrong]);
            let error = HandshakeError::Protocol {
                offset: wrong,
                found: bytes[wrong],
                expected: bytes[wrong] ^ 0x20,
            };
            assert_eq!(Handshake::decode(&mut buf), Err(error));
            assert_eq!(buf.len(), wrong + 1);
        }
    }
}
