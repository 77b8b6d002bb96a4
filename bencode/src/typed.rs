//! Typed access through serde, by way of `serde_bencode`.
//!
//! `serde_bencode` recurses without a limit, so nothing reaches it that [`decode_prefix`] has not accepted.

use crate::{DecodeError, DecodeErrorKind, Options, decode_prefix};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::fmt;

/// Why bytes and a type do not fit each other.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypedError {
    /// The bytes are not acceptable bencode.
    Malformed(DecodeError),
    /// The bytes are bencode, but not of the type asked for; the text is serde's.
    Shape(String),
    /// The type has no bencode form (a float, a map with a key twice or one that is no string); the text is serde's.
    NotEncodable(String),
}

impl fmt::Display for TypedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Shape(text) => write!(f, "not the expected shape: {text}"),
            Self::NotEncodable(text) => write!(f, "no bencode form: {text}"),
        }
    }
}

impl Error for TypedError {}

impl From<DecodeError> for TypedError {
    fn from(error: DecodeError) -> Self {
        Self::Malformed(error)
    }
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
