//! The query of `/stream` and `/playlist`: flags, which count if they are named at all, and texts.

use std::collections::HashMap;

/// A query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(HashMap<String, String>);

impl Query {
    /// Reads one. Of values of the same name the first counts.
    pub(super) fn read(query: Option<&str>) -> Self {
        let pairs = serde_urlencoded::from_str(query.unwrap_or_default());
        let pairs: Vec<(String, String)> = pairs.unwrap_or_default();
        let mut values = HashMap::new();
        for (name, value) in pairs {
            values.entry(name).or_insert(value);
        }
        Self(values)
    }

    /// Whether something is named.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// A number, if it is one.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.text(name).parse().ok()
    }
}

/// The first byte that a `Range` header asks for, if it is one plain range from there on.
pub(super) fn position(range: Option<&str>) -> u64 {
    let first = range.and_then(|range| range.trim().strip_prefix("bytes="));
    let first = first.and_then(|range| range.split_once('-'));
    let first = first.filter(|(_, end)| !end.contains(','));
    first
        .and_then(|(start, _)| start.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_count_with_and_without_a_value() {
        let query = Query::read(Some(
            "link=magnet%3A%3Fa%26b&index=2&play&preload=&stat=1&link=x&n=a+b",
        ));
        assert_eq!(query.text("link"), "magnet:?a&b");
        assert_eq!(query.int("index"), Some(2));
        assert!(["play", "preload", "stat"].iter().all(|it| query.has(it)));
        assert!(!query.has("m3u"));
        assert_eq!((query.text("n"), query.text("m3u")), ("a b", ""));
        assert_eq!(Query::read(None), Query::default());
        assert!(Query::read(Some("%ff&&=&%")).int("index").is_none());
    }

    #[test]
    fn a_range_says_where_to_begin() {
        for (range, expected) in [
            (None, 0),
            (Some("bytes=0-"), 0),
            (Some("bytes=500-"), 500),
            (Some("bytes=500-600"), 500),
            (Some("bytes=-500"), 0),
            (Some("bytes=5-6,7-8"), 0),
            (Some("bytes=99999999999999999999-"), 0),
            (Some("items=5-"), 0),
            (Some(""), 0),
        ] {
            assert_eq!(position(range), expected, "{range:?}");
        }
    }
}
