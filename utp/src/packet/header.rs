//! The header.

use super::extension::{self, SelectiveAck};

/// The length of a header without extensions, in bytes.
pub const HEADER_LEN: usize = 20;

/// The version of the protocol.
const VERSION: u8 = 1;

/// The type of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: a packet of another type is refused.
pub enum Kind {
    /// `ST_DATA`: payload.
    Data,
    /// `ST_FIN`: the last packet of a direction.
    Fin,
    /// `ST_STATE`: an acknowledgement. Its sequence number is that of the next packet, and is not used up.
    State,
    /// `ST_RESET`: the sender does not know the connection, or wants to know no more of it.
    Reset,
    /// `ST_SYN`: begins a connection.
    Syn,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Fin => 1,
            Self::State => 2,
            Self::Reset => 3,
            Self::Syn => 4,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Data,
            1 => Self::Fin,
            2 => Self::State,
            3 => Self::Reset,
            4 => Self::Syn,
            _ => return None,
        })
    }
}

/// The header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// Not `#[non_exhaustive]`: the format is fixed.
pub struct Header {
    /// The type.
    pub kind: Kind,
    /// The receiver's id of the connection; in an `ST_SYN` the sender's own.
    pub connection_id: u16,
    /// When the packet was sent, in microseconds of a clock of the sender; it wraps around.
    pub timestamp: u32,
    /// How long the last packet from the other side was on its way, in microseconds, plus the unknown difference of
    /// the two clocks. 0: unknown.
    pub timestamp_difference: u32,
    /// The room in the sender's receive buffer, in bytes.
    pub window: u32,
    /// The number of this packet, or, for one that has no number of its own, of the next one.
    pub seq_nr: u16,
    /// The last packet up to which the sender has received all.
    pub ack_nr: u16,
}

/// A datagram is no packet of uTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Shorter than a header.
    #[error("{len} bytes are shorter than a header")]
    TooShort {
        /// The length of the datagram, in bytes.
        len: usize,
    },
    /// Another version of the protocol, or another protocol.
    #[error("version {0} is not 1")]
    Version(u8),
    /// A type that BEP 29 does not define.
    #[error("type {0} is not known")]
    Kind(u8),
    /// The chain of extensions is longer than the datagram.
    #[error("an extension ends behind the packet, at byte {end} of {len}")]
    Extension {
        /// Where the extension would end.
        end: usize,
        /// The length of the datagram, in bytes.
        len: usize,
    },
    /// More than [`MAX_EXTENSIONS`](crate::limits::MAX_EXTENSIONS).
    #[error("more than {} extensions", crate::limits::MAX_EXTENSIONS)]
    TooManyExtensions,
}

/// A packet, borrowed from its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Packet<'a> {
    /// The header.
    pub header: Header,
    /// Which packets have arrived behind a gap.
    pub selective_ack: Option<SelectiveAck<'a>>,
    /// What follows the header and its extensions.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a packet. Extensions that are not known are skipped.
    ///
    /// # Errors
    ///
    /// When the datagram is no packet of version 1, or its extensions are malformed.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let (header, first) = Header::decode(datagram)?;
        let (selective_ack, begin) = extension::decode(datagram, first)?;
        Ok(Self {
            header,
            selective_ack,
            payload: datagram.get(begin..).unwrap_or_default(),
        })
    }
}

impl Header {
    /// The header, and the type of the first extension.
    fn decode(datagram: &[u8]) -> Result<(Self, u8), DecodeError> {
        let len = datagram.len();
        let Some(bytes) = datagram.first_chunk::<HEADER_LEN>() else {
            return Err(DecodeError::TooShort { len });
        };
        let [first, extension, c0, c1, t0, t1, t2, t3, rest @ ..] = *bytes;
        let [d0, d1, d2, d3, w0, w1, w2, w3, s0, s1, a0, a1] = rest;
        if first & 0x0f != VERSION {
            return Err(DecodeError::Version(first & 0x0f));
        }
        let kind = Kind::from_number(first >> 4).ok_or(DecodeError::Kind(first >> 4))?;
        let header = Self {
            kind,
            connection_id: u16::from_be_bytes([c0, c1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            timestamp_difference: u32::from_be_bytes([d0, d1, d2, d3]),
            window: u32::from_be_bytes([w0, w1, w2, w3]),
            seq_nr: u16::from_be_bytes([s0, s1]),
            ack_nr: u16::from_be_bytes([a0, a1]),
        };
        Ok((header, extension))
    }

    /// The header's bytes; `extension` is the type of the first extension, 0 for none.
    #[must_use]
    pub fn encode(&self, extension: u8) -> [u8; HEADER_LEN] {
        let [c0, c1] = self.connection_id.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [d0, d1, d2, d3] = self.timestamp_difference.to_be_bytes();
        let [w0, w1, w2, w3] = self.window.to_be_bytes();
        let [s0, s1] = self.seq_nr.to_be_bytes();
        let [a0, a1] = self.ack_nr.to_be_bytes();
        let first = self.kind.number() << 4 | VERSION;
        [
            first, extension, c0, c1, t0, t1, t2, t3, d0, d1, d2, d3, w0, w1, w2, w3, s0, s1, a0,
            a1,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: Kind::Syn,
            connection_id: 0x0102,
            timestamp: 0x0304_0506,
            timestamp_difference: 0x0708_090a,
            window: 0x0b0c_0d0e,
            seq_nr: 0x0f10,
            ack_nr: 0x1112,
        }
    }

    #[test]
    fn a_header_has_its_fields_where_bep_29_draws_them() {
        let bytes = header().encode(0);
        let expected: Vec<u8> = [0x41, 0x00].into_iter().chain(1..=0x12).collect();
        assert_eq!(bytes.as_slice(), expected);
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let kinds = [Kind::Data, Kind::Fin, Kind::State, Kind::Reset, Kind::Syn];
        for kind in kinds {
            let header = Header { kind, ..header() };
            let mut bytes = header.encode(0).to_vec();
            bytes.extend(b"payload");
            let packet = Packet::decode(&bytes).unwrap();
            assert_eq!(packet.header, header);
            assert_eq!(packet.payload, b"payload");
            assert_eq!(packet.selective_ack, None);
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let mut bytes = header().encode(0);
        let short = Packet::decode(&bytes[..19]);
        assert_eq!(short, Err(DecodeError::TooShort { len: 19 }));
        bytes[0] = 0x42;
        assert_eq!(Packet::decode(&bytes), Err(DecodeError::Version(2)));
        bytes[0] = 0x51;
        assert_eq!(Packet::decode(&bytes), Err(DecodeError::Kind(5)));
    }
}
