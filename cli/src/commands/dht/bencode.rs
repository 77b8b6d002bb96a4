//! Formats untrusted bencode values as text that is safe to show.

use std::fmt::{self, Display};

use tailwater_bencode::{Dict, Kind, List, Value};
use tailwater_dht::ItemValue;

use crate::out::Harmless;

/// A value as people read it: `{"ih": 0x5a…, "n": [1, "two"]}`. Texts are quoted, other bytes in hexadecimal.
pub(super) struct Shown<'a>(pub(super) &'a ItemValue);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.decode() {
            Ok(document) => write_value(f, document.root()),
            Err(_) => write_bytes(f, self.0.as_bytes()),
        }
    }
}

/// The depth of an item is limited: it may be walked by recursion.
fn write_value(f: &mut fmt::Formatter<'_>, value: Value<'_, '_>) -> fmt::Result {
    match value.kind() {
        Kind::Int => write!(f, "{}", value.as_int().unwrap_or_default()),
        Kind::Bytes => write_bytes(f, value.as_bytes().unwrap_or_default()),
        Kind::List => {
            f.write_str("[")?;
            for (index, value) in value.as_list().into_iter().flat_map(List::iter).enumerate() {
                separate(f, index)?;
                write_value(f, value)?;
            }
            f.write_str("]")
        }
        Kind::Dict => {
            f.write_str("{")?;
            for (index, (key, value)) in
                value.as_dict().into_iter().flat_map(Dict::iter).enumerate()
            {
                separate(f, index)?;
                write_bytes(f, key)?;
                f.write_str(": ")?;
                write_value(f, value)?;
            }
            f.write_str("}")
        }
    }
}

fn separate(f: &mut fmt::Formatter<'_>, index: usize) -> fmt::Result {
    match index {
        0 => Ok(()),
        _ => f.write_str(", "),
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"");
            write!(f, "\"{}\"", Harmless(&text))
        }
        Err(_) => {
            f.write_str("0x")?;
            bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_without_giving_orders_to_the_terminal() {
        let cases: [(&[u8], &str); 5] = [
            (b"i-5e", "-5"),
            (b"7:a\"b\\\x1b[m", r#""a\"b\\\u{1b}[m""#),
            (b"2:\xff\x00", "0xff00"),
            (b"li1el3:twoee", r#"[1, ["two"]]"#),
            (b"d2:ih2:\x80a1:nlee", r#"{"ih": 0x8061, "n": []}"#),
        ];
        for (bytes, text) in cases {
            let value = ItemValue::new(bytes).unwrap();
            assert_eq!(Shown(&value).to_string(), text);
        }
    }
}
