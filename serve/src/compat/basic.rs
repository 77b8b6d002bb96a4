//! Names and passwords in headers (RFC 7617).

use axum::http::HeaderValue;
use data_encoding::BASE64;

/// The longest `Authorization` header that is looked at.
const MAX_LEN: usize = 1_024;

/// Name and password of an `Authorization` header that is `Basic`.
pub(crate) fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let text = header.to_str().ok()?;
    if text.len() > MAX_LEN {
        return None;
    }
    let (scheme, value) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64.decode(value.trim().as_bytes()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_may_have_colons_and_a_header_ends_somewhere() {
        let read = |text: &str| basic(&HeaderValue::from_str(text).unwrap());
        let of = |name: &str, password: &str| {
            let encoded = BASE64.encode(format!("{name}:{password}").as_bytes());
            read(&format!("bAsIc {encoded}"))
        };
        assert_eq!(of("a", "b:c"), Some(("a".to_owned(), "b:c".to_owned())));
        assert_eq!(of("", ""), Some((String::new(), String::new())));
        assert_eq!(of("a", &"b".repeat(MAX_LEN)), None);
        for wrong in [
            "",
            "Basic",
            "Basic ?",
            "Basic YQ==",
            "Bearer YTpi",
            "Basic /zo=",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
