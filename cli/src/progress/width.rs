//! Measures and shortens text by the columns that it takes on a terminal.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The mark for omitted text.
const ELLIPSIS: &str = "…";

/// Columns that a text takes at most.
///
/// Terminals disagree about what is made of several characters, such as flags and families: some draw one picture,
/// others each part. The wider way counts, so that no line is longer than it seems.
pub(crate) fn width(text: &str) -> usize {
    text.graphemes(true).map(of_grapheme).sum()
}

fn of_grapheme(grapheme: &str) -> usize {
    let parts: usize = grapheme.chars().filter_map(UnicodeWidthChar::width).sum();
    parts.max(grapheme.width())
}

/// A text shortened in its middle, where names of the same series are alike the least at their end.
pub(crate) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(width(ELLIPSIS)) else {
        return String::new();
    };
    let tail = take(text.graphemes(true).rev(), room / 2);
    let tail: String = tail.into_iter().rev().collect();
    let head: String = take(text.graphemes(true), room - width(&tail))
        .into_iter()
        .collect();
    format!("{head}{ELLIPSIS}{tail}")
}

/// A text of which the part from a grapheme on is shown, and some of its beginning.
pub(crate) fn shortened_to(text: &str, from: usize, columns: usize) -> String {
    let Some(room) = columns.checked_sub(2 * width(ELLIPSIS)) else {
        return shortened(text, columns);
    };
    let head: String = take(text.graphemes(true), room / 3).into_iter().collect();
    let room = room - width(&head);
    let rest: String = text.graphemes(true).skip(from).collect();
    if width(&rest) <= room + width(ELLIPSIS) {
        return format!("{head}{ELLIPSIS}{rest}");
    }
    let rest = take(text.graphemes(true).skip(from), room).concat();
    format!("{head}{ELLIPSIS}{rest}{ELLIPSIS}")
}

/// Takes as many graphemes as fit.
fn take<'a>(graphemes: impl Iterator<Item = &'a str>, columns: usize) -> Vec<&'a str> {
    let mut left = columns;
    graphemes
        .map_while(|grapheme| {
            left = left.checked_sub(of_grapheme(grapheme))?;
            Some(grapheme)
        })
        .collect()
}

/// The parts that fit, with a separator between them; a part is shown whole or not at all. Only a first part that is too
/// long by itself is cut, after a word.
pub(crate) fn fitting(parts: &[&str], separator: &str, columns: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let before = if line.is_empty() { "" } else { separator };
        if width(&line) + width(before) + width(part) > columns {
            break;
        }
        line.push_str(before);
        line.push_str(part);
    }
    match parts.first() {
        Some(first) if line.is_empty() => words(first, columns),
        _ => line,
    }
}

fn words(text: &str, columns: usize) -> String {
    let mut line = String::new();
    for word in text.split(' ') {
        let before = usize::from(!line.is_empty());
        if width(&line) + before + width(word) + 1 + width(ELLIPSIS) > columns {
            break;
        }
        if before > 0 {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.is_empty() {
        // A URL has no words.
        true if !text.contains(' ') => shortened(text, columns),
        true => line,
        false => format!("{line} {ELLIPSIS}"),
    }
}

/// Padded with spaces on the right, to this many columns.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// Padded with spaces on the left, to this many columns.
pub(crate) fn aligned_right(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{}{text}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_shortened_in_the_middle() {
        let cases = [
            ("short.mkv", 12, "short.mkv"),
            ("A.Very.Long.Name.S01E02.mkv", 16, "A.Very.L…E02.mkv"),
            ("日本語の長い名前.mkv", 12, "日本語…e.mkv"),
            ("👨‍👩‍👧‍👦 family 👨‍👩‍👧‍👦 film.mp4", 14, "…ilm.mp4"),
            ("abc", 1, "…"),
            ("abc", 0, ""),
        ];
        for (name, columns, expected) in cases {
            let shown = shortened(name, columns);
            assert!(width(&shown) <= columns, "{shown}");
            if !name.contains('日') && !name.contains('👨') {
                assert_eq!(shown, expected);
            }
        }
        assert_eq!(width("日本"), 4);
        assert_ne!(
            shortened("A.Very.Long.Name.S01E02.mkv", 16),
            shortened("A.Very.Long.Name.S01E03.mkv", 16)
        );
    }

    #[test]
    fn parts_are_shown_whole_or_not_at_all() {
        let parts = ["12 peers", "1.50 MiB held", "3 stalls"];
        assert_eq!(
            fitting(&parts, ", ", 80),
            "12 peers, 1.50 MiB held, 3 stalls"
        );
        assert_eq!(fitting(&parts, ", ", 30), "12 peers, 1.50 MiB held");
        assert_eq!(fitting(&parts, ", ", 20), "12 peers");
        assert_eq!(
            fitting(&["waiting for metadata"], ", ", 15),
            "waiting for …"
        );
        assert_eq!(fitting(&parts, ", ", 3), "");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(text in "(\\PC|[日本👩🇩🇪e\u{301}\u{200d}\u{fe0f}]){0,40}", columns in 0..60_usize) {
            prop_assert!(width(&shortened(&text, columns)) <= columns);
            let parts: Vec<_> = text.split('e').collect();
            prop_assert!(width(&fitting(&parts, ", ", columns)) <= columns);
        }
    }
}
