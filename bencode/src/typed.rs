//! Typed access through serde, by way of `serde_bencode`.
//!
//! `serde_bencode` recurses without a limit, so nothing reaches it that [`decode_prefix`] has not accepted.

use crate::{DecodeError, DecodeErrorKind, Options, decode_prefix};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why bytes and a type do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypedError {
    /// The bytes are not acceptable bencode.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// The bytes are bencode, but not of the type asked for; the text is serde's.
    #[error("not the expected shape: {0}")]
    Shape(String),
    /// The type has no bencode form (a float, a map with a key twice or one that is no string); the text is serde's.
    #[error("no bencode form: {0}")]
    NotEncodable(String),
}

/// Reads a `T` from canonical bencode, within the default limits.
///
/// # Errors
///
/// When the bytes are not canonical bencode, exceed a limit, or are not a `T`.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, TypedError> {
    from_bytes_with(bytes, &Options::strict())
}

/// Reads a `T` from bencode as strict as `options` say.
///
/// What serde makes of a duplicate key is up to `T`: derived structs refuse it, maps keep the last.
///
/// # Errors
///
/// When the bytes are not such bencode, exceed a limit, or are not a `T`.
pub fn from_bytes_with<T: DeserializeOwned>(
    bytes: &[u8],
    options: &Options,
) -> Result<T, TypedError> {
    let (_, consumed) = decode_prefix(bytes, options)?;
    if consumed != bytes.len() && !options.trailing_bytes {
        return Err(TypedError::Malformed(DecodeError {
            offset: consumed,
            kind: DecodeErrorKind::TrailingBytes,
        }));
    }
    serde_bencode::from_bytes(&bytes[..consumed])
        .map_err(|error| TypedError::Shape(error.to_string()))
}

/// Writes a value as canonical bencode; absent options are left out.
///
/// # Errors
///
/// When the type has no bencode form.
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, TypedError> {
    let not_encodable = |text: String| TypedError::NotEncodable(text);
    let bytes = serde_bencode::to_bytes(value).map_err(|error| not_encodable(error.to_string()))?;
    // A hand-written `Serialize` may emit a key twice; `serde_bencode` would write both.
    crate::decode(&bytes).map_err(|error| not_encodable(error.to_string()))?;
    Ok(bytes)
}
