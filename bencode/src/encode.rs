//! The canonical encoder.

use crate::{DecodeError, Document, Kind, Options, Value, decode_with};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

/// A value to encode, owned or borrowed.
///
/// Equal items have equal encodings: dictionaries are sorted and cannot hold a key twice. Encoding recurses as deeply
/// as the item is nested; items come from the program itself, and those from [`Item::from`] a [`Value`] are as deep as
/// the decoder's limit at most.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A number.
    Int(i64),
    /// A string.
    Bytes(Cow<'a, [u8]>),
    /// A list.
    List(Vec<Self>),
    /// A dictionary.
    Dict(BTreeMap<Cow<'a, [u8]>, Self>),
    /// A value that is encoded already, such as an info dictionary, whose bytes must not change.
    Raw(Encoded<'a>),
}

/// One encoded value, kept byte for byte as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded<'a>(Cow<'a, [u8]>);

impl<'a> Encoded<'a> {
    /// Checks that `bytes` are exactly one value.
    ///
    /// # Errors
    ///
    /// When they are not, as strictly as `options` say; bytes after the value are an error even where `options` allow
    /// them.
    pub fn new(bytes: &'a [u8], options: &Options) -> Result<Self, DecodeError> {
        let options = Options {
            trailing_bytes: false,
            ..*options
        };
        decode_with(bytes, &options)?;
        Ok(Self(Cow::Borrowed(bytes)))
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, without the borrow.
    #[must_use]
    pub fn into_owned(self) -> Encoded<'static> {
        Encoded(Cow::Owned(self.0.into_owned()))
    }
}

/// The value's bytes as received.
impl<'a> From<Value<'_, 'a>> for Encoded<'a> {
    fn from(value: Value<'_, 'a>) -> Self {
        Self(Cow::Borrowed(value.raw()))
    }
}

/// A dictionary was given a key that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateKeyError {
    /// The key.
    pub key: Vec<u8>,
}

impl fmt::Display for DuplicateKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "duplicate key {:?}", String::from_utf8_lossy(&self.key))
    }
}

impl std::error::Error for DuplicateKeyError {}

impl<'a> Item<'a> {
    /// A string.
    #[must_use]
    pub fn bytes(bytes: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self::Bytes(Cow::Borrowed(bytes.as_ref()))
    }

    /// A list.
    #[must_use]
    pub fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    /// A dictionary of entries in any order.
    ///
    /// # Errors
    ///
    /// When a key comes twice.
    pub fn dict<K: Into<Cow<'a, [u8]>>>(
        entries: impl IntoIterator<Item = (K, Self)>,
    ) -> Result<Self, DuplicateKeyError> {
        let mut dict = BTreeMap::new();
        for (key, item) in entries {
            match dict.entry(key.into()) {
                Entry::Vacant(vacant) => vacant.insert(item),
                Entry::Occupied(taken) => {
                    return Err(DuplicateKeyError {
                        key: taken.key().to_vec(),
                    });
                }
            };
        }
        Ok(Self::Dict(dict))
    }

    /// The canonical encoding, appended to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Int(value) => {
                out.push(b'i');
                out.extend_from_slice(value.to_string().as_bytes());
                out.push(b'e');
            }
            Self::Bytes(bytes) => encode_bytes(bytes, out),
            Self::List(items) => {
                out.push(b'l');
                for item in items {
                    item.encode_into(out);
                }
                out.push(b'e');
            }
            Self::Dict(entries) => {
                out.push(b'd');
                for (key, item) in entries {
                    encode_bytes(key, out);
                    item.encode_into(out);
                }
                out.push(b'e');
            }
            Self::Raw(encoded) => out.extend_from_slice(encoded.as_bytes()),
        }
    }
}

/// The canonical encoding of `item`.
#[must_use]
pub fn encode(item: &Item<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    item.encode_into(&mut out);
    out
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Borrows the strings. Of several entries with one key the first stays, as [`Dict::get`](crate::Dict::get) finds it.
impl<'a> From<Value<'_, 'a>> for Item<'a> {
    fn from(value: Value<'_, 'a>) -> Self {
        match value.kind() {
            Kind::Int => Self::Int(value.as_int().unwrap_or_default()),
            Kind::Bytes => Self::Bytes(Cow::Borrowed(value.as_bytes().unwrap_or_default())),
            Kind::List => Self::List(
                value
                    .as_list()
                    .into_iter()
                    .flatten()
                    .map(Self::from)
                    .collect(),
            ),
            Kind::Dict => {
                let mut dict = BTreeMap::new();
                for (key, item) in value.as_dict().into_iter().flatten() {
                    dict.entry(Cow::Borrowed(key))
                        .or_insert_with(|| Self::from(item));
                }
                Self::Dict(dict)
            }
        }
    }
}

impl<'a> From<&Document<'a>> for Item<'a> {
    fn from(document: &Document<'a>) -> Self {
        Self::from(document.root())
    }
}

impl From<i64> for Item<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl<'a> From<&'a [u8]> for Item<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(Cow::Borrowed(bytes))
    }
}

impl<'a> From<&'a str> for Item<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(Cow::Borrowed(text.as_bytes()))
    }
}

impl From<Vec<u8>> for Item<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Cow::Owned(bytes))
    }
}

impl From<String> for Item<'_> {
    fn from(text: String) -> Self {
        Self::Bytes(Cow::Owned(text.into_bytes()))
    }
}

impl<'a> From<Encoded<'a>> for Item<'a> {
    fn from(encoded: Encoded<'a>) -> Self {
        Self::Raw(encoded)
    }
}
