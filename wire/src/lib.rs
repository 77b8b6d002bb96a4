#![doc = include_str!("../README.md")]

mod decoder;
mod encode;
mod error;
mod extension;
mod fast;
#[cfg(feature = "__fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod handshake;
mod hashes;
pub mod limits;
mod lsd;
mod message;
pub mod mse;
mod peer_id;
mod reserved;

pub use decoder::Decoder;
pub use encode::piece_header;
pub use error::WireError;
pub use extension::{
    DontHave, ExtensionError, ExtensionHandshake, ExtensionId, ExtensionIds, ExtensionMessage,
    Holepunch, HolepunchError, MetadataMessage, PexFlags, PexMessage, PexPeer, UploadOnly,
};
pub use fast::allowed_fast_set;
pub use handshake::{Handshake, HandshakeError};
pub use hashes::{HashRequest, Hashes};
pub use limits::{Limits, LimitsError};
pub use lsd::{LocalAnnounce, LsdCookie, LsdError, LsdGroup};
pub use message::{BlockRequest, Message};
pub use peer_id::{client_name, own_peer_id};
pub use reserved::Reserved;
