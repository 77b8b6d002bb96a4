//! Packets on the wire: the header of 20 bytes, its extensions, the payload (BEP 29).

mod extension;
mod header;

pub use extension::SelectiveAck;
pub(crate) use extension::{SELECTIVE_ACK, write_padding};
pub use header::{DecodeError, HEADER_LEN, Header, Kind, Packet};
