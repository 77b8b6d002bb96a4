//! The value of an item, checked on construction.

use std::fmt;

use sha1::{Digest, Sha1};
use tailwater_bencode::{DecodeError, Document, Encoded, Limits, Options, decode_with};

use crate::NodeId;
use crate::limits::{MAX_BENCODE_DEPTH, MAX_BENCODE_TOKENS, MAX_ITEM_VALUE_LEN};

/// Any value in canonical bencode, of at most [`MAX_ITEM_VALUE_LEN`] bytes (BEP 44).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ItemValue(Box<[u8]>);

/// Why bytes are not an [`ItemValue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ItemValueError {
    /// More than [`MAX_ITEM_VALUE_LEN`].
    #[error("a value of {len} bytes, of which {MAX_ITEM_VALUE_LEN} are allowed")]
    TooLong {
        /// How many bytes there are.
        len: usize,
    },
    /// Not one value in canonical bencode.
    #[error(transparent)]
    Bencode(#[from] DecodeError),
}

impl ItemValue {
    /// Copies one encoded value.
    ///
    /// # Errors
    ///
    /// When it is too long, or not canonical: storing nodes must refuse it then (BEP 44).
    pub fn new(encoded: &[u8]) -> Result<Self, ItemValueError> {
        let len = encoded.len();
        if len > MAX_ITEM_VALUE_LEN {
            return Err(ItemValueError::TooLong { len });
        }
        Encoded::new(encoded, &options())?;
        Ok(Self(encoded.into()))
    }

    /// A string, encoded.
    ///
    /// # Errors
    ///
    /// When it is too long.
    pub fn from_text(text: &[u8]) -> Result<Self, ItemValueError> {
        Self::new(&tailwater_bencode::encode(&text.into()))
    }

    /// The encoded value.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The decoded value.
    ///
    /// # Errors
    ///
    /// Never: it was decoded on construction.
    pub fn decode(&self) -> Result<Document<'_>, DecodeError> {
        decode_with(&self.0, &options())
    }

    /// The id under which it is stored as an immutable item: its SHA-1.
    #[must_use]
    pub fn target(&self) -> NodeId {
        let hash: [u8; 20] = Sha1::digest(&self.0).into();
        hash.into()
    }
}

fn options() -> Options {
    let mut limits = Limits::default();
    limits.depth = MAX_BENCODE_DEPTH;
    limits.tokens = MAX_BENCODE_TOKENS;
    Options::strict().with_limits(limits)
}

impl fmt::Debug for ItemValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemValue(\"{}\")", self.0.escape_ascii())
    }
}
