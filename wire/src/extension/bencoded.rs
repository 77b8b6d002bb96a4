//! Shared decoding and encoding of the bencoded extension messages.

use std::borrow::Cow;

use tailwater_bencode::{Dict, Document, Item, Limits, Options, Value, decode_prefix, encode};

use super::ExtensionError;

/// The deepest nesting of a message: the known fields need two levels, the rest is for fields that are ignored.
const MAX_DEPTH: u32 = 16;
/// The most values of a message, keys included: no known client comes near. Each takes 16 bytes of memory.
const MAX_TOKENS: u32 = 1024;

/// Decodes the value at the front of `payload`, and returns it with its length. Unsorted keys are accepted, as old
/// clients send them.
pub(super) fn document<'a>(
    message: &'static str,
    payload: &'a [u8],
) -> Result<(Document<'a>, usize), ExtensionError> {
    let mut limits = Limits::default();
    limits.depth = MAX_DEPTH;
    limits.tokens = MAX_TOKENS;
    decode_prefix(payload, &Options::lenient().with_limits(limits))
        .map_err(|error| ExtensionError::Bencode { message, error })
}

/// The dictionary that every bencoded message is.
pub(super) fn root<'doc, 'a>(
    message: &'static str,
    document: &'doc Document<'a>,
) -> Result<Dict<'doc, 'a>, ExtensionError> {
    document
        .root()
        .as_dict()
        .ok_or(ExtensionError::NotADictionary { message })
}

/// The number under `key`, if there is one and the type holds it.
pub(super) fn number<T: TryFrom<i64>>(dict: Dict<'_, '_>, key: &str) -> Option<T> {
    T::try_from(dict.get(key).and_then(Value::as_int)?).ok()
}

/// The canonical encoding of a dictionary of the entries that are there.
pub(super) fn dictionary<'a>(
    entries: impl IntoIterator<Item = (&'static str, Option<Item<'a>>)>,
) -> Vec<u8> {
    let entries = entries.into_iter().filter_map(|(key, item)| {
        let key = Cow::Borrowed(key.as_bytes());
        Some((key, item?))
    });
    encode(&Item::Dict(entries.collect()))
}
