//! Percent coding of arbitrary bytes (RFC 3986).

/// Appends `bytes`; all but the unreserved characters are escaped.
pub(super) fn encode(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// The bytes that `text` stands for. A percent sign that no two digits follow stands for itself,
/// and so does a plus sign: an info-hash is not a form field.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let escaped = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => hex(*high).zip(hex(*low)).map(|pair| (pair, tail)),
            _ => None,
        };
        match escaped {
            Some(((high, low), tail)) => {
                bytes.push(high << 4 | low);
                rest = tail;
            }
            None => bytes.push(first),
        }
    }
    bytes
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
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
