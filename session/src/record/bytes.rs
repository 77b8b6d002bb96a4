//! Bytes as serde fields: base64 in text formats.

use data_encoding::BASE64;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
pub(super) fn serialize<S: Serializer>(
    bytes: &Option<Vec<u8>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match serializer.is_human_readable() {
        true => bytes
            .as_deref()
            .map(|it| BASE64.encode(it))
            .serialize(serializer),
        false => bytes.serialize(serializer),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<u8>>, D::Error> {
    if !deserializer.is_human_readable() {
        return Option::deserialize(deserializer);
    }
    let text: Option<String> = Option::deserialize(deserializer)?;
    let decode = |text: String| BASE64.decode(text.as_bytes()).map_err(D::Error::custom);
    text.map(decode).transpose()
}
