//! The errors of decoding a datagram.

use tailwater_bencode::DecodeError;

use super::ErrorCode;
use crate::short::TransactionId;

/// A datagram that is not a KRPC message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
#[non_exhaustive]
pub struct KrpcError {
    /// Set when the datagram was meant as a query: it can be answered with
    /// [`ErrorCode::PROTOCOL`](crate::ErrorCode::PROTOCOL). Nothing else must be answered, or two nodes could go on for
    /// ever.
    pub query: Option<TransactionId>,
    /// What is wrong.
    pub kind: KrpcErrorKind,
}

/// The kinds of [`KrpcError`]. Fields are named by their path: `a.token` is `token` in the dictionary `a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KrpcErrorKind {
    /// More than [`MAX_DATAGRAM_LEN`](crate::MAX_DATAGRAM_LEN).
    #[error("a datagram of {len} bytes")]
    DatagramTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// Not bencode, or more deeply nested or of more values than the limits allow.
    #[error(transparent)]
    Bencode(#[from] DecodeError),
    /// Bencode, but not a dictionary.
    #[error("not a dictionary")]
    NotADictionary,
    /// A required field is absent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A required field has the wrong type, length or range.
    #[error("`{0}` is invalid")]
    Invalid(&'static str),
    /// An item of more than [`MAX_ITEM_VALUE_LEN`](crate::MAX_ITEM_VALUE_LEN).
    #[error("`a.v` is too long")]
    ValueTooLong,
    /// A salt of more than [`MAX_SALT_LEN`](crate::MAX_SALT_LEN).
    #[error("`a.salt` is too long")]
    SaltTooLong,
}

impl KrpcErrorKind {
    /// The error code with which a query of this kind is answered.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::ValueTooLong => ErrorCode::VALUE_TOO_LONG,
            Self::SaltTooLong => ErrorCode::SALT_TOO_LONG,
            _ => ErrorCode::PROTOCOL,
        }
    }
}

impl From<KrpcErrorKind> for KrpcError {
    fn from(kind: KrpcErrorKind) -> Self {
        Self { query: None, kind }
    }
}
