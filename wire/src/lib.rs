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
mod limits;
mod lsd;
mod message;
pub mod mse;
mod peer_id;
mod reserved;

pub use decoder::Decoder;
pub use encode::{PIECE_HEADER_LEN, piece_header};
pub use error::WireError;
pub use extension::{
    DontHave, ExtensionError, ExtensionHandshake, ExtensionId, ExtensionIds, ExtensionMessage,
    Holepunch, HolepunchError, MAX_CLIENT_LEN, MAX_PEX_PEERS, MAX_SENT_PEX_PEERS,
    METADATA_BLOCK_LEN, MetadataMessage, PexFlags, PexMessage, PexPeer, UploadOnly,
};
pub use fast::{MAX_ALLOWED_FAST, allowed_fast_set};
pub use handshake::{HANDSHAKE_LEN, Handshake, HandshakeError};
pub use hashes::{HASH_LEN, HashRequest, Hashes};
pub use limits::{
    DEFAULT_MAX_BITFIELD_LEN, DEFAULT_MAX_BLOCK_LEN, DEFAULT_MAX_EXTENDED_LEN, DEFAULT_MAX_HASHES,
    DEFAULT_MAX_UNKNOWN_LEN, Limits, LimitsError, MAX_BLOCK_LEN,
};
pub use lsd::{
    LocalAnnounce, LsdCookie, LsdError, LsdGroup, MAX_LSD_COOKIE_LEN, MAX_LSD_LEN,
    MAX_LSD_SENT_HASHES, MAX_LSD_SENT_LEN,
};
pub use message::{BlockRequest, Message};
pub use peer_id::{client_name, own_peer_id};
pub use reserved::Reserved;
