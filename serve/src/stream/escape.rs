//! Escapes untrusted names for HTML, URLs, headers and playlists.

use std::fmt::{self, Display, Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986, which are also safe in an `ext-value` of RFC 8187.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One segment of a URL's path, percent-encoded: a slash in it does not divide.
pub(crate) fn segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

/// Text in HTML, between tags or in a quoted attribute. Control characters become spaces.
pub(crate) struct Html<'a>(pub(crate) &'a str);

impl Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Text on one line of a playlist: without control characters and other ends of lines.
pub(crate) struct Line<'a>(pub(crate) &'a str);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        self.0
            .chars()
            .filter(|&c| !ends(c))
            .try_for_each(|c| f.write_char(c))
    }
}

/// The value of a `Content-Disposition` header (RFC 6266) that shows a file and says what to save it as.
pub(crate) fn disposition(name: &str) -> String {
    // A percent sign is decoded by some browsers even here.
    let plain = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%');
    let ascii: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    match ascii == name {
        true => format!("inline; filename=\"{ascii}\""),
        false => format!(
            "inline; filename=\"{ascii}\"; filename*=UTF-8''{}",
            segment(name)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_has_no_markup_from_names() {
        assert_eq!(
            Html("<img src=x onerror='a(\"&\")'>\r\n").to_string(),
            "&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;  "
        );
    }

    #[test]
    fn segments_do_not_divide() {
        assert_eq!(
            segment("a/b c?#%é.mp4").to_string(),
            "a%2Fb%20c%3F%23%25%C3%A9.mp4"
        );
    }

    #[test]
    fn a_plain_name_needs_one_form_and_others_two() {
        assert_eq!(disposition("a b.mp4"), "inline; filename=\"a b.mp4\"");
        assert_eq!(
            disposition("é\"\r\nX: y"),
            "inline; filename=\"____X: y\"; filename*=UTF-8''%C3%A9%22%0D%0AX%3A%20y"
        );
    }

    #[test]
    fn a_playlist_line_is_one_line() {
        assert_eq!(
            Line("a\nhttp://evil\r\u{2028}b").to_string(),
            "ahttp://evilb"
        );
    }

    proptest! {
        #[test]
        fn every_name_makes_a_header(name in "\\PC*|[\\x00-\\xff]{0,20}") {
            let value = disposition(&name);
            prop_assert!(hyper::header::HeaderValue::try_from(&value).is_ok());
            let quoted = value.split("filename*").next().unwrap_or_default();
            prop_assert_eq!(quoted.matches('"').count(), 2);
        }

        #[test]
        fn html_never_leaves_its_place(text in "\\PC*|[<>\"'&\\x00-\\x20]{0,20}") {
            let html = Html(&text).to_string();
            prop_assert!(!html.contains(['<', '>', '"', '\'']));
        }
    }
}
