//! Payloads of the extension protocol (BEP 10).

mod bencoded;
mod donthave;
mod error;
mod handshake;
mod holepunch;
mod ids;
mod metadata;
mod pex;
mod upload_only;

pub use donthave::DontHave;
pub use error::ExtensionError;
pub use handshake::ExtensionHandshake;
pub use holepunch::{Holepunch, HolepunchError};
pub use ids::{ExtensionId, ExtensionIds};
pub use metadata::MetadataMessage;
pub use pex::{PexFlags, PexMessage, PexPeer};
pub use upload_only::UploadOnly;

use bytes::Bytes;

/// A decoded [`Message::Extended`](crate::Message::Extended) of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionMessage {
    /// What the peer can do; may come again, and then tells what changed (BEP 10).
    Handshake(Box<ExtensionHandshake>),
    /// Metadata exchange (BEP 9).
    Metadata(MetadataMessage),
    /// Peer exchange (BEP 11).
    Pex(PexMessage),
    /// A piece is gone (BEP 54).
    DontHave(DontHave),
    /// Hole punching (BEP 55).
    Holepunch(Holepunch),
    /// The peer wants nothing, or something again (BEP 21).
    UploadOnly(UploadOnly),
    /// An id that we gave to no extension.
    Unknown {
        /// The id.
        id: u8,
    },
}

impl ExtensionMessage {
    /// Decodes the message that a peer sent under `id`, one of *our* numbers ([`ExtensionId`]) or 0 for the handshake.
    ///
    /// # Errors
    ///
    /// When the payload is not what the extension's BEP says. The peer is at fault; its connection can go on, since
    /// frames are intact.
    pub fn decode(id: u8, payload: &Bytes) -> Result<Self, ExtensionError> {
        if id == ExtensionHandshake::ID {
            let handshake = ExtensionHandshake::decode(payload)?;
            return Ok(Self::Handshake(Box::new(handshake)));
        }
        Ok(match ExtensionId::from_u8(id) {
            Some(ExtensionId::UtMetadata) => Self::Metadata(MetadataMessage::decode(payload)?),
            Some(ExtensionId::UtPex) => Self::Pex(PexMessage::decode(payload)?),
            Some(ExtensionId::LtDontHave) => Self::DontHave(DontHave::decode(payload)?),
            Some(ExtensionId::UtHolepunch) => Self::Holepunch(Holepunch::decode(payload)?),
            Some(ExtensionId::UploadOnly) => Self::UploadOnly(UploadOnly::decode(payload)?),
            None => Self::Unknown { id },
        })
    }
}
