//! Warns about names that other systems change when the torrent is downloaded.

use tailwater_metainfo::{Metainfo, Warning};

use crate::commands::Context;
use crate::out::Harmless;
use crate::words::count;

/// Names listed; the rest is counted.
const LISTED: usize = 20;
/// Characters of a name that are shown of its beginning, and of its end.
const SHOWN_CHARS: usize = 30;

/// Warns about names that are changed in a download, and about all other defects.
pub(super) fn warn(context: &Context, metainfo: &Metainfo) {
    let mut changed = Vec::new();
    let mut more = 0;
    for warning in metainfo.warnings() {
        match warning {
            Warning::NameChanged { original, safe }
            | Warning::PathChanged { original, safe, .. }
            | Warning::PathTaken { original, safe, .. } => {
                let line = format!("{} becomes {}", shortened(original), shortened(safe));
                changed.push(line);
            }
            // Torrents of our own making have no other warnings by the hundred.
            Warning::More(number) => more += number,
            other => context.progress.note(format_args!("warning: {other}")),
        }
    }
    let windows = refused_by_windows(metainfo);
    list(
        context,
        "that a download changes, because some systems cannot have them, or not beside others",
        &changed,
        more,
    );
    list(context, "that Windows cannot have", &windows, 0);
}

fn list(context: &Context, what: &str, names: &[String], more: usize) {
    let number = names.len() + more;
    if number == 0 {
        return;
    }
    let mut lines = vec![format!("warning: {} {what}:", count(number, "name"))];
    lines.extend(names.iter().take(LISTED).cloned());
    let more = number.saturating_sub(LISTED.min(names.len()));
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    context.progress.note(lines.join("\n  "));
}

/// Names that are changed on Windows alone.
fn refused_by_windows(metainfo: &Metainfo) -> Vec<String> {
    let mut paths: Vec<_> = metainfo
        .info()
        .files()
        .iter()
        .map(|file| file.path().as_str())
        .filter(|path| path.split('/').any(is_refused_by_windows))
        .map(shortened)
        .collect();
    paths.dedup();
    paths
}

/// A name without its middle, where it is long.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= 2 * SHOWN_CHARS + 1 {
        return Harmless(name).to_string();
    }
    let begin: String = name.chars().take(SHOWN_CHARS).collect();
    let end: String = name.chars().skip(length - SHOWN_CHARS).collect();
    format!("{}…{}", Harmless(&begin), Harmless(&end))
}

fn is_refused_by_windows(name: &str) -> bool {
    name.contains(['<', '>', ':', '"', '|', '?', '*']) || name.ends_with(['.', ' '])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_keep_their_ends() {
        assert_eq!(shortened("short\n"), "short\\n");
        let long = format!("{}{}.mkv", "a".repeat(100), "é".repeat(26));
        let shown = format!("{}…{}.mkv", "a".repeat(30), "é".repeat(26));
        assert_eq!(shortened(&long), shown);
    }

    #[test]
    fn windows_refuses_some_characters_and_ends() {
        for name in ["a:b", "what?", "a.", "a ", "<a>"] {
            assert!(is_refused_by_windows(name), "{name}");
        }
        for name in ["a", ".a", " a", "a.b", "ä"] {
            assert!(!is_refused_by_windows(name), "{name}");
        }
    }
}
