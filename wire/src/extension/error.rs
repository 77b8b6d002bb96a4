//! Protocol violations inside an extension message.

use tailwater_bencode::DecodeError;

/// An extension payload that violates its BEP. The frame around it is intact: ignore the message, or drop a peer that
/// does it repeatedly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// The payload is not bencoded, or beyond the limits.
    #[error("{message}: {error}")]
    Bencode {
        /// Name of the message.
        message: &'static str,
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// The payload is bencoded, but no dictionary.
    #[error("{message}: not a dictionary")]
    NotADictionary {
        /// Name of the message.
        message: &'static str,
    },
    /// A field without which the message says nothing is absent, of the wrong type or out of range.
    #[error("{message}: no valid {field:?}")]
    Field {
        /// Name of the message.
        message: &'static str,
        /// Key of the dictionary, or name of the binary field in its BEP.
        field: &'static str,
    },
    /// A binary payload has the wrong length.
    #[error("{message}: {len} bytes")]
    Length {
        /// Name of the message.
        message: &'static str,
        /// Bytes that came.
        len: usize,
    },
}
