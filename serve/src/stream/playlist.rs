//! `/playlist.m3u`: everything that plays, in natural order.
//!
//! It names no subtitles: VLC 3 refuses `input-slave` from a playlist, and takes `sub-file` for the path of a local file;
//! others know neither. `--open` and the page give them to players by their options.

use std::fmt::Write as _;

use super::escape::Line;
use super::library::Library;

/// The type of a playlist in UTF-8.
pub(crate) const CONTENT_TYPE: &str = "audio/x-mpegurl; charset=utf-8";

/// A playlist for a client that reaches us at `base`: scheme, host and what stands before the paths of files.
pub(crate) fn render(library: &Library, base: &str) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    let mut playable: Vec<_> = library.items().filter(|item| item.is_playable()).collect();
    if playable.is_empty() {
        playable.push(library.chosen());
    }
    for item in playable {
        // -1: its duration is not known. Writing to a `String` does not fail.
        let _ = writeln!(text, "#EXTINF:-1,{}", Line(item.name()));
        let _ = writeln!(text, "{base}{}", item.url_path());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::library::tests::library;
    use super::*;

    #[test]
    fn what_plays_is_listed() {
        let library = library(
            &[
                ("t/b.mp4", 1),
                ("t/x.txt", 1),
                ("t/a\nb.mkv", 9),
                ("t/c.mp4", 0),
            ],
            None,
        );
        let expected = "#EXTM3U\n#EXTINF:-1,ab.mkv\nhttp://localhost:1/3/a%0Ab.mkv\n\
            #EXTINF:-1,b.mp4\nhttp://localhost:1/0/b.mp4\n";
        assert_eq!(render(&library, "http://localhost:1"), expected);
    }

    #[test]
    fn where_nothing_plays_there_is_the_chosen_file() {
        let text = render(&library(&[("t/b.iso", 1)], None), "http://[::1]:1");
        assert!(text.ends_with("\nhttp://[::1]:1/0/b.iso\n"), "{text}");
    }
}
