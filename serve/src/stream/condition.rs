//! Conditional requests (RFC 9110, section 13): entity tags, dates, `If-Range`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::HeaderMap;
use hyper::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
};

/// The validators of a file: its entity tag and date, which identify a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validators {
    etag: String,
    modified: Option<SystemTime>,
}

/// The outcome of a request's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Proceed,
    /// 304
    NotModified,
    /// 412
    Failed,
}

impl Validators {
    /// `tag` is what stands in the quotes of a strong entity tag; `modified` is a Unix time, and believed only if it is
    /// in the past.
    pub(crate) fn new(tag: &str, modified: Option<i64>) -> Self {
        let past = |seconds: i64| {
            let since = Duration::from_secs(u64::try_from(seconds).ok()?);
            // A second of distance makes a date a strong validator (section 8.8.2.2).
            let latest = SystemTime::now().checked_sub(Duration::from_secs(1))?;
            UNIX_EPOCH.checked_add(since).filter(|time| *time <= latest)
        };
        Self {
            etag: format!("\"{tag}\""),
            modified: modified.and_then(past),
        }
    }

    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    pub(crate) fn last_modified(&self) -> Option<String> {
        self.modified.map(httpdate::fmt_http_date)
    }

    /// The conditions in their order (section 13.2.2).
    pub(crate) fn check(&self, headers: &HeaderMap) -> Verdict {
        if headers.contains_key(IF_MATCH) {
            if !self.is_listed(headers, &IF_MATCH, Compare::Strongly) {
                return Verdict::Failed;
            }
        } else if let (Some(since), Some(modified)) =
            (date(headers, &IF_UNMODIFIED_SINCE), self.modified)
            && modified > since
        {
            return Verdict::Failed;
        }
        if headers.contains_key(IF_NONE_MATCH) {
            if self.is_listed(headers, &IF_NONE_MATCH, Compare::Weakly) {
                return Verdict::NotModified;
            }
        } else if let (Some(since), Some(modified)) =
            (date(headers, &IF_MODIFIED_SINCE), self.modified)
            && modified <= since
        {
            return Verdict::NotModified;
        }
        Verdict::Proceed
    }

    /// Whether ranges may be answered: there is no `If-Range`, or it names exactly this version.
    pub(crate) fn allow_range(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(IF_RANGE) else {
            return true;
        };
        if value.as_bytes().ends_with(b"\"") {
            return value.as_bytes() == self.etag.as_bytes();
        }
        let date = date(headers, &IF_RANGE);
        date.is_some() && date == self.modified
    }

    fn is_listed(&self, headers: &HeaderMap, name: &HeaderName, compare: Compare) -> bool {
        let mut values = headers.get_all(name).iter();
        values.any(|value| {
            value.as_bytes().trim_ascii() == b"*"
                || tags(value.as_bytes()).any(|tag| {
                    let is_allowed = compare == Compare::Weakly || !tag.is_weak;
                    is_allowed && tag.quoted == self.etag.as_bytes()
                })
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strongly,
    Weakly,
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    let text = headers.get(name)?.to_str().ok()?;
    httpdate::parse_http_date(text).ok()
}

struct Tag<'a> {
    is_weak: bool,
    quoted: &'a [u8],
}

/// The entity tags of a list, up to the first thing that is none.
fn tags(mut list: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', rest @ ..] = list {
            list = rest;
        }
        let (is_weak, tag) = match list.strip_prefix(b"W/") {
            Some(tag) => (true, tag),
            None => (false, list),
        };
        let inside = tag.strip_prefix(b"\"")?;
        let end = inside.iter().position(|&byte| byte == b'"')?;
        let (quoted, rest) = tag.split_at(end + 2);
        list = rest;
        Some(Tag { is_weak, quoted })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: &str = "Tue, 15 Nov 1994 12:45:26 GMT";
    const EXACTLY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sat, 05 Nov 1994 08:49:37 GMT";

    fn ours() -> Validators {
        Validators::new("ab-0", Some(784_111_777))
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn tags_decide_before_dates() {
        use Verdict::{Failed, NotModified, Proceed};
        let cases: [(&[(HeaderName, &str)], Verdict); 17] = [
            (&[], Proceed),
            (&[(IF_NONE_MATCH, "\"ab-0\"")], NotModified),
            (&[(IF_NONE_MATCH, "W/\"ab-0\"")], NotModified),
            (&[(IF_NONE_MATCH, "\"x,\", \"ab-0\"")], NotModified),
            (&[(IF_NONE_MATCH, "*")], NotModified),
            (&[(IF_NONE_MATCH, "\"ab-1\"")], Proceed),
            (&[(IF_NONE_MATCH, "\"x\"ab-0\"")], Proceed),
            (&[(IF_NONE_MATCH, "ab-0")], Proceed),
            (&[(IF_MODIFIED_SINCE, EXACTLY)], NotModified),
            (&[(IF_MODIFIED_SINCE, LATER)], NotModified),
            (&[(IF_MODIFIED_SINCE, EARLIER)], Proceed),
            (
                &[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, LATER)],
                Proceed,
            ),
            (&[(IF_MATCH, "\"ab-0\"")], Proceed),
            (&[(IF_MATCH, "W/\"ab-0\"")], Failed),
            (&[(IF_MATCH, "\"x\""), (IF_UNMODIFIED_SINCE, LATER)], Failed),
            (&[(IF_UNMODIFIED_SINCE, EARLIER)], Failed),
            (&[(IF_UNMODIFIED_SINCE, "yesterday")], Proceed),
        ];
        for (pairs, verdict) in cases {
            assert_eq!(ours().check(&headers(pairs)), verdict, "{pairs:?}");
        }
    }

    #[test]
    fn if_range_wants_exactly_this_version() {
        let cases = [
            ("\"ab-0\"", true),
            (EXACTLY, true),
            ("W/\"ab-0\"", false),
            ("\"ab-1\"", false),
            ("ab-0", false),
            (LATER, false),
            (EARLIER, false),
        ];
        for (value, allowed) in cases {
            assert_eq!(
                ours().allow_range(&headers(&[(IF_RANGE, value)])),
                allowed,
                "{value}"
            );
        }
        assert!(ours().allow_range(&HeaderMap::new()));
        let undated = Validators::new("ab-0", None);
        assert!(!undated.allow_range(&headers(&[(IF_RANGE, EXACTLY)])));
    }

    #[test]
    fn dates_that_cannot_be_true_are_not_told() {
        for seconds in [-1, i64::MAX] {
            assert_eq!(Validators::new("a", Some(seconds)).last_modified(), None);
        }
        assert_eq!(ours().last_modified().as_deref(), Some(EXACTLY));
    }
}
