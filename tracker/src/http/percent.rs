//! Percent coding of arbitrary bytes (RFC 3986).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// All but the unreserved characters (RFC 3986, 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Appends `bytes`; all but the unreserved characters are escaped.
pub(super) fn encode(bytes: &[u8], out: &mut String) {
    out.extend(percent_encode(bytes, RESERVED));
}

/// The bytes that `text` stands for. A percent sign that no two digits follow stands for itself,
/// and so does a plus sign: an info-hash is not a form field.
pub(super) fn decode(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut out = String::new();
        encode(bytes, &mut out);
        out
    }

    #[test]
    fn all_but_unreserved_bytes_are_escaped() {
        assert_eq!(encoded(b"aZ09-._~"), "aZ09-._~");
        assert_eq!(encoded(b"\x00 &=+%/\xff"), "%00%20%26%3D%2B%25%2F%FF");
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        for (text, bytes) in [
            ("%", &b"%"[..]),
            ("%4", b"%4"),
            ("%zz", b"%zz"),
            ("%+1", b"%+1"),
            ("a+b", b"a+b"),
            ("%4a%4A", b"JJ"),
        ] {
            assert_eq!(decode(text), bytes, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encoded(&bytes)), bytes);
        }
    }
}
