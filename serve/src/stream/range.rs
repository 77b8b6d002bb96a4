//! The `Range` header (RFC 9110, section 14): which bytes of a file are asked for.
//!
//! Where the RFC leaves the choice, the answer is nginx's: what is not a list of ranges is refused with 416, another
//! unit is ignored, ranges are answered in the order asked for and never merged, and ranges that together are longer
//! than the file get the whole file. Three things that nginx refuses are understood, because the RFC says that they must
//! be: empty list elements, tabs, and positions too large for a machine's integer.

use std::ops::Range;

/// The most ranges that are answered in one response; for more, the whole file is sent instead.
pub(crate) const MAX_RANGES: usize = 64;

const UNIT: &[u8] = b"bytes=";

/// The part of a file that a request selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All of it.
    Whole,
    /// This part of it, which is not empty.
    One(Range<u64>),
    /// These parts of it: more than one, none of them empty, together no longer than the file.
    Several(Vec<Range<u64>>),
    /// Nothing that it has.
    Unsatisfiable,
}

/// The bytes that a `Range` header selects from a file of `len` bytes.
pub(crate) fn select(header: &[u8], len: u64) -> Selection {
    let Some((unit, list)) = header.split_at_checked(UNIT.len()) else {
        return Selection::Whole;
    };
    if list.is_empty() || !unit.eq_ignore_ascii_case(UNIT) {
        return Selection::Whole;
    }
    let mut ranges = Vec::new();
    let mut total = 0_u64;
    for spec in list.split(|&byte| byte == b',').map(trim) {
        if spec.is_empty() {
            continue;
        }
        let Some(spec) = parse(spec) else {
            return Selection::Unsatisfiable;
        };
        let range = spec.of(len);
        if range.start < range.end {
            total = total.saturating_add(range.end - range.start);
            if ranges.len() == MAX_RANGES {
                return Selection::Whole;
            }
            ranges.push(range);
        } else if range.start == 0 {
            // Only an empty file has nothing at its start.
            return Selection::Whole;
        }
    }
    match ranges.len() {
        0 => Selection::Unsatisfiable,
        _ if total > len => Selection::Whole,
        1 => ranges
            .pop()
            .map_or(Selection::Unsatisfiable, Selection::One),
        _ => Selection::Several(ranges),
    }
}

/// One range as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    /// `first-` or `first-last`.
    From { first: u64, last: Option<u64> },
    /// `-count`.
    Last(u64),
}

impl Spec {
    /// The bytes of a file of `len` bytes; the range is empty if it has none of them.
    fn of(self, len: u64) -> Range<u64> {
        match self {
            Self::Last(count) => len.saturating_sub(count)..len,
            Self::From { first, last } => {
                let end = last.map_or(len, |last| last.saturating_add(1).min(len));
                first..end.max(first)
            }
        }
    }
}

fn parse(spec: &[u8]) -> Option<Spec> {
    let dash = spec.iter().position(|&byte| byte == b'-')?;
    let (first, last) = (trim(&spec[..dash]), &spec[dash + 1..]);
    if first.is_empty() {
        // nginx takes no space between the dash and the number here.
        return Some(Spec::Last(number(last)?));
    }
    let last = match trim(last) {
        [] => None,
        digits => Some(number(digits)?),
    };
    let first = number(first)?;
    Some(Spec::From { first, last })
}

/// Digits only; what is too large is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(number.saturating_mul(10).saturating_add(digit))
    })
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a file of `len` bytes answers: `a-b` for each range, `whole` or `none`.
    fn answer(header: &str, len: u64) -> String {
        let shown = |range: &Range<u64>| format!("{}-{}", range.start, range.end - 1);
        match select(header.as_bytes(), len) {
            Selection::Whole => "whole".to_owned(),
            Selection::One(range) => shown(&range),
            Selection::Several(ranges) => ranges.iter().map(shown).collect::<Vec<_>>().join(" "),
            Selection::Unsatisfiable => "none".to_owned(),
        }
    }

    #[test]
    fn ranges_of_a_thousand_bytes() {
        let cases = [
            ("bytes=0-0", "0-0"),
            ("bytes=0-499", "0-499"),
            ("bytes=500-", "500-999"),
            ("bytes=999-", "999-999"),
            ("bytes=-1", "999-999"),
            ("bytes=-500", "500-999"),
            ("BYTES=0-1", "0-1"),
            ("bytes= 0 - 1 ", "0-1"),
            ("bytes=\t0-1\t", "0-1"),
            // Ends beyond the end.
            ("bytes=0-999", "0-999"),
            ("bytes=0-1000", "0-999"),
            ("bytes=990-5000", "990-999"),
            ("bytes=-5000", "0-999"),
            ("bytes=0-18446744073709551615", "0-999"),
            ("bytes=7-99999999999999999999999", "7-999"),
            // Nothing to send.
            ("bytes=1000-", "none"),
            ("bytes=1000-2000", "none"),
            ("bytes=-0", "none"),
            ("bytes=5-2", "none"),
            ("bytes=1-0", "none"),
            ("bytes=99999999999999999999999-", "none"),
            ("bytes=18446744073709551615-", "none"),
            // No list of ranges.
            ("bytes=x", "none"),
            ("bytes=-", "none"),
            ("bytes=1", "none"),
            ("bytes=--1", "none"),
            ("bytes=- 1", "none"),
            ("bytes=1-2-3", "none"),
            ("bytes=+1-2", "none"),
            ("bytes=0x1-2", "none"),
            ("bytes=1-2;", "none"),
            ("bytes=,", "none"),
            ("bytes=0-1,x", "none"),
            // No unit, or another one.
            ("", "whole"),
            ("bytes", "whole"),
            ("bytes=", "whole"),
            ("bytes 0-1", "whole"),
            ("items=0-1", "whole"),
            // Several.
            ("bytes=0-0,-1", "0-0 999-999"),
            ("bytes=5-9, 0-4", "5-9 0-4"),
            ("bytes=0-9,5-14", "0-9 5-14"),
            ("bytes=0-1,,3-4,", "0-1 3-4"),
            ("bytes=0-1,2000-", "0-1"),
            ("bytes=0-1,5-2", "0-1"),
            ("bytes=0-,0-", "whole"),
            ("bytes=0-998,0-1", "whole"),
        ];
        for (header, expected) in cases {
            assert_eq!(answer(header, 1_000), expected, "{header:?}");
        }
    }

    #[test]
    fn an_empty_file_has_no_ranges() {
        let cases = [
            ("bytes=0-", "whole"),
            ("bytes=0-0", "whole"),
            ("bytes=-1", "whole"),
            ("bytes=1-", "none"),
        ];
        for (header, expected) in cases {
            assert_eq!(answer(header, 0), expected, "{header:?}");
        }
    }

    #[test]
    fn too_many_ranges_are_the_whole_file() {
        let header = |count: usize| format!("bytes={}", vec!["0-0"; count].join(","));
        assert!(matches!(
            select(header(MAX_RANGES).as_bytes(), 1_000),
            Selection::Several(ranges) if ranges.len() == MAX_RANGES
        ));
        assert_eq!(
            select(header(MAX_RANGES + 1).as_bytes(), 1_000),
            Selection::Whole
        );
    }

    proptest! {
        #[test]
        fn whatever_is_chosen_lies_in_the_file(header in "bytes=[0-9, \\-]{0,40}|\\PC*", len in 0..200_u64) {
            let ranges = match select(header.as_bytes(), len) {
                Selection::One(range) => vec![range],
                Selection::Several(ranges) => {
                    prop_assert!(ranges.len() > 1 && ranges.len() <= MAX_RANGES);
                    ranges
                }
                Selection::Whole | Selection::Unsatisfiable => Vec::new(),
            };
            prop_assert!(ranges.iter().all(|range| range.start < range.end && range.end <= len));
            prop_assert!(ranges.iter().map(|range| range.end - range.start).sum::<u64>() <= len);
        }

        /// The three forms, against the sentences of the RFC.
        #[test]
        fn a_single_range_is_what_the_rfc_says(first in 0..300_u64, last in 0..300_u64, len in 1..200_u64) {
            let clamped = last.min(len - 1);
            let expected = match first < len && first <= last {
                true => Selection::One(first..clamped + 1),
                false => Selection::Unsatisfiable,
            };
            prop_assert_eq!(select(format!("bytes={first}-{last}").as_bytes(), len), expected);
            let expected = match first < len {
                true => Selection::One(first..len),
                false => Selection::Unsatisfiable,
            };
            prop_assert_eq!(select(format!("bytes={first}-").as_bytes(), len), expected);
            let expected = match last {
                0 => Selection::Unsatisfiable,
                _ => Selection::One(len - last.min(len)..len),
            };
            prop_assert_eq!(select(format!("bytes=-{last}").as_bytes(), len), expected);
        }
    }
}
