//! What ends a handshake.

use super::limits::{MAX_INITIAL_PAYLOAD_LEN, MAX_PADDING_LEN};

/// A handshake that cannot be finished: drop the connection.
///
/// All of these are the peer's doing. A peer that simply does not speak MSE shows as [`MseError::NoSync`], or closes
/// the connection; an initiator may try again in plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MseError {
    /// The public key is 0, 1, or not below the prime minus one: the secret would be known to everyone.
    #[error("the peer's public key is degenerate")]
    PublicKey,
    /// The point where the padding ends was not found: the peer speaks another protocol, or used another info-hash.
    #[error("no synchronisation within {MAX_PADDING_LEN} bytes of padding")]
    NoSync,
    /// The torrent that the peer asks for is not here.
    #[error("the peer asks for a torrent that is not here")]
    UnknownTorrent,
    /// The verification constant is wrong: the peer used another key.
    #[error("the verification constant is wrong")]
    Verification,
    /// The initiator provides no method that is accepted here.
    #[error("no method in common: the peer provides {provided:#x}")]
    NoCommonMethod {
        /// The field `crypto_provide`.
        provided: u32,
    },
    /// The responder selected a method that was not offered, or not exactly one.
    #[error("the peer selected {selected:#x}, which was not offered")]
    NotOffered {
        /// The field `crypto_select`.
        selected: u32,
    },
    /// A padding is longer than [`MAX_PADDING_LEN`].
    #[error("a padding of {len} bytes where at most {MAX_PADDING_LEN} are allowed")]
    PaddingTooLong {
        /// The length that the peer claims, in bytes.
        len: u16,
    },
    /// The initial payload is longer than [`MAX_INITIAL_PAYLOAD_LEN`].
    #[error("an initial payload of {len} bytes where at most {MAX_INITIAL_PAYLOAD_LEN} are taken")]
    InitialPayloadTooLong {
        /// The length that the peer claims, in bytes.
        len: u16,
    },
}
