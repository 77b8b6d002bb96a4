//! `ut_metadata`: the info dictionary, in blocks, from peers (BEP 9).

use bytes::Bytes;
use tailwater_bencode::Item;

use super::ExtensionError;
use super::bencoded::{dictionary, document, number, root};
use crate::limits::METADATA_BLOCK_LEN;

const MESSAGE: &str = "ut_metadata";
// The values of `msg_type` (BEP 9).
const REQUEST: u8 = 0;
const DATA: u8 = 1;
const REJECT: u8 = 2;

/// A message of the metadata exchange. BEP 9 calls a block a piece; here it is a block of 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetadataMessage {
    /// The sender wants a block.
    Request {
        /// Block, from 0.
        piece: u32,
    },
    /// A block.
    Data {
        /// Block, from 0.
        piece: u32,
        /// Bytes of the whole info dictionary, as the peer claims; absent in some clients' messages.
        total_size: Option<u32>,
        /// At most [`METADATA_BLOCK_LEN`] bytes: a slice of the payload.
        data: Bytes,
    },
    /// The sender has no such block, or will not send it.
    Reject {
        /// Block, from 0.
        piece: u32,
    },
    /// A message of a later version, to be ignored (BEP 9).
    Unknown {
        /// `msg_type`.
        msg_type: i64,
    },
}

impl MetadataMessage {
    /// The payload to send; empty for [`MetadataMessage::Unknown`], which cannot be sent.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (msg_type, piece, total_size, data) = match self {
            Self::Request { piece } => (REQUEST, *piece, None, &[][..]),
            Self::Data {
                piece,
                total_size,
                data,
            } => (DATA, *piece, *total_size, &data[..]),
            Self::Reject { piece } => (REJECT, *piece, None, &[][..]),
            Self::Unknown { .. } => return Vec::new(),
        };
        let mut payload = dictionary([
            ("msg_type", Some(Item::Int(msg_type.into()))),
            ("piece", Some(Item::Int(piece.into()))),
            ("total_size", total_size.map(|size| Item::Int(size.into()))),
        ]);
        payload.extend_from_slice(data);
        payload
    }

    /// Reads a payload; a block's bytes are a slice of it, not copied.
    ///
    /// # Errors
    ///
    /// When the payload does not begin with a bencoded dictionary, names no type or block, or has more than
    /// [`METADATA_BLOCK_LEN`] bytes of data.
    pub fn decode(payload: &Bytes) -> Result<Self, ExtensionError> {
        let (document, header_len) = document(MESSAGE, payload)?;
        let dict = root(MESSAGE, &document)?;
        let field = |field| ExtensionError::Field {
            message: MESSAGE,
            field,
        };
        let msg_type = dict.get_int("msg_type").ok_or(field("msg_type"))?;
        let known = u8::try_from(msg_type).ok().filter(|known| *known <= REJECT);
        let Some(known) = known else {
            return Ok(Self::Unknown { msg_type });
        };
        let piece = number(dict, "piece").ok_or(field("piece"))?;
        match known {
            REQUEST => Ok(Self::Request { piece }),
            REJECT => Ok(Self::Reject { piece }),
            _ => {
                let data = payload.slice(header_len..);
                if data.len() > METADATA_BLOCK_LEN as usize {
                    let (message, len) = (MESSAGE, data.len());
                    return Err(ExtensionError::Length { message, len });
                }
                let total_size = number(dict, "total_size");
                Ok(Self::Data {
                    piece,
                    total_size,
                    data,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(payload: &'static [u8]) -> Result<MetadataMessage, ExtensionError> {
        MetadataMessage::decode(&Bytes::from_static(payload))
    }

    #[test]
    fn the_examples_of_bep_9() {
        let piece = 0;
        assert_eq!(
            decode(b"d8:msg_typei0e5:piecei0ee"),
            Ok(MetadataMessage::Request { piece })
        );
        assert_eq!(
            decode(b"d8:msg_typei1e5:piecei0e10:total_sizei3425eexxxxxxxx"),
            Ok(MetadataMessage::Data {
                piece,
                total_size: Some(3425),
                data: Bytes::from_static(b"xxxxxxxx"),
            })
        );
        assert_eq!(
            decode(b"d8:msg_typei2e5:piecei0ee"),
            Ok(MetadataMessage::Reject { piece })
        );
    }

    #[test]
    fn types_of_later_versions_are_not_an_error() {
        for msg_type in [3, -1, 256, i64::MAX] {
            let payload = Bytes::from(format!("d8:msg_typei{msg_type}ee"));
            let unknown = MetadataMessage::Unknown { msg_type };
            assert_eq!(MetadataMessage::decode(&payload), Ok(unknown));
        }
    }

    #[test]
    fn a_message_that_says_nothing_is_refused() {
        let message = MESSAGE;
        for (payload, field) in [
            (&b"de"[..], "msg_type"),
            (b"d8:msg_type1:0e", "msg_type"),
            (b"d8:msg_typei0ee", "piece"),
            (b"d8:msg_typei0e5:piecei-1ee", "piece"),
            (b"d8:msg_typei1e5:piecei4294967296ee", "piece"),
        ] {
            assert_eq!(
                decode(payload),
                Err(ExtensionError::Field { message, field })
            );
        }
    }

    #[test]
    fn a_block_has_at_most_16_kib() {
        let header = b"d8:msg_typei1e5:piecei0ee";
        for (len, fits) in [(0, true), (16_384, true), (16_385, false)] {
            let payload = Bytes::from([&header[..], &vec![0; len]].concat());
            assert_eq!(MetadataMessage::decode(&payload).is_ok(), fits, "{len}");
        }
    }

    proptest! {
        #[test]
        fn decode_reverses_encode(
            kind in 0..3,
            piece in any::<u32>(),
            total_size in any::<Option<u32>>(),
            data in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let message = match kind {
                0 => MetadataMessage::Request { piece },
                1 => MetadataMessage::Data { piece, total_size, data: data.into() },
                _ => MetadataMessage::Reject { piece },
            };
            let payload = Bytes::from(message.encode());
            prop_assert_eq!(MetadataMessage::decode(&payload), Ok(message));
        }
    }
}
