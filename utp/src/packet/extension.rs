//! The chain of extensions behind a header, and the selective acknowledgement.

use super::header::{DecodeError, HEADER_LEN};
use crate::limits::{MAX_EXTENSIONS, MAX_SELECTIVE_ACK_LEN};

/// The type of a selective acknowledgement.
pub(crate) const SELECTIVE_ACK: u8 = 1;

/// The type of padding: not defined by anyone, so every receiver skips it, as BEP 29 asks. 2 and 3 are in use.
const PADDING: u8 = 0x70;

/// The type and length before an extension's content.
const EXTENSION_HEADER: usize = 2;

/// Which packets have arrived behind a gap: bit `i` stands for packet `ack_nr + 2 + i`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SelectiveAck<'a>(&'a [u8]);

impl std::fmt::Debug for SelectiveAck<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.arrived()).finish()
    }
}

impl<'a> SelectiveAck<'a> {
    /// The packets that have arrived, in ascending order: how far each is behind `ack_nr`, so 2 at least.
    pub fn arrived(&self) -> impl Iterator<Item = u16> + use<'a> {
        let bytes = self.0.iter().zip((2u16..).step_by(8));
        bytes.flat_map(|(&byte, begin)| {
            let bits = (0..8u16).filter(move |bit| byte >> bit & 1 == 1);
            bits.map(move |bit| begin + bit)
        })
    }
}

/// Reads the chain whose first extension has the type `kind`, and returns where it ends.
///
/// BEP 29 wants a bitmask in multiples of four bytes; libtorrent sends any length, so any is taken.
pub(super) fn decode(
    datagram: &[u8],
    mut kind: u8,
) -> Result<(Option<SelectiveAck<'_>>, usize), DecodeError> {
    let len = datagram.len();
    let mut selective_ack = None;
    let mut at = HEADER_LEN;
    let mut count = 0;
    while kind != 0 {
        count += 1;
        if count > MAX_EXTENSIONS {
            return Err(DecodeError::TooManyExtensions);
        }
        let begin = at + EXTENSION_HEADER;
        let Some(&[next, length]) = datagram.get(at..begin) else {
            return Err(DecodeError::Extension { end: begin, len });
        };
        let end = begin + usize::from(length);
        let Some(content) = datagram.get(begin..end) else {
            return Err(DecodeError::Extension { end, len });
        };
        if kind == SELECTIVE_ACK && selective_ack.is_none() {
            let content = content.get(..MAX_SELECTIVE_ACK_LEN).unwrap_or(content);
            selective_ack = Some(SelectiveAck(content));
        }
        kind = next;
        at = end;
    }
    Ok((selective_ack, at))
}

/// Appends `len` bytes of extensions that mean nothing, two at least, and returns the type of the first.
pub(crate) fn write_padding(out: &mut Vec<u8>, len: usize) -> u8 {
    const LONGEST: usize = EXTENSION_HEADER + 255;
    let mut left = len;
    while left > 0 {
        let mut whole = left.min(LONGEST);
        if left - whole == 1 {
            // One byte alone is no extension.
            whole -= 1;
        }
        left -= whole;
        let content = whole.saturating_sub(EXTENSION_HEADER);
        let next = if left > 0 { PADDING } else { 0 };
        out.extend([next, u8::try_from(content).unwrap_or(u8::MAX)]);
        out.resize(out.len() + content, 0);
    }
    PADDING
}

#[cfg(test)]
mod tests {
    use super::super::{Header, Kind, Packet};
    use super::*;

    fn with_extensions(first: u8, chain: &[u8]) -> Vec<u8> {
        let header = Header {
            kind: Kind::State,
            connection_id: 1,
            timestamp: 2,
            timestamp_difference: 3,
            window: 4,
            seq_nr: 5,
            ack_nr: 6,
        };
        let mut bytes = header.encode(first).to_vec();
        bytes.extend(chain);
        bytes
    }

    #[test]
    fn the_first_bit_is_two_behind_the_acknowledged_packet() {
        let bytes = with_extensions(1, &[0, 4, 0b1000_0001, 0, 0, 0b0000_0010]);
        let packet = Packet::decode(&bytes).unwrap();
        let arrived: Vec<u16> = packet.selective_ack.unwrap().arrived().collect();
        assert_eq!(arrived, [2, 9, 27]);
        assert_eq!(packet.payload, b"");
    }

    #[test]
    fn unknown_extensions_are_skipped() {
        let bytes = with_extensions(9, &[1, 2, 7, 7, 0, 4, 1, 0, 0, 0, b'x']);
        let packet = Packet::decode(&bytes).unwrap();
        assert_eq!(packet.selective_ack, Some(SelectiveAck(&[1, 0, 0, 0])));
        assert_eq!(packet.payload, b"x");
    }

    #[test]
    fn a_chain_that_ends_behind_the_packet_is_refused() {
        let refused = |first, chain: &[u8]| Packet::decode(&with_extensions(first, chain)).err();
        let extension = |end, len| Some(DecodeError::Extension { end, len });
        assert_eq!(refused(1, &[]), extension(22, 20));
        assert_eq!(refused(1, &[0]), extension(22, 21));
        assert_eq!(refused(1, &[0, 4, 1, 2, 3]), extension(26, 25));
        assert_eq!(refused(7, &[7, 0, 7, 0]), extension(26, 24));
        let endless = [7, 0].repeat(40);
        assert_eq!(refused(7, &endless), Some(DecodeError::TooManyExtensions));
    }

    #[test]
    fn padding_has_the_length_that_was_asked_for_and_is_skipped() {
        for len in 2..1_500 {
            let mut chain = Vec::new();
            let first = write_padding(&mut chain, len);
            assert_eq!(chain.len(), len);
            chain.extend(b"payload");
            let bytes = with_extensions(first, &chain);
            assert_eq!(Packet::decode(&bytes).unwrap().payload, b"payload");
        }
    }
}
