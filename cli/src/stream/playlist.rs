//! `/playlist.m3u`: everything that plays, in natural order, with its subtitles.

use std::fmt::Write as _;

use super::escape::Line;
use super::library::Library;

/// The type of a playlist in UTF-8.
pub(crate) const CONTENT_TYPE: &str = "audio/x-mpegurl; charset=utf-8";

/// A playlist for whoever reaches us as `host`.
pub(crate) fn render(library: &Library, host: &str) -> String {
    let mut text = "#EXTM3U\n".to_owned();
    let mut playable: Vec<_> = library.items().filter(|item| item.is_playable()).collect();
    if playable.is_empty() {
        playable.push(library.chosen());
    }
    for item in playable {
        // -1: its duration is not known. Writing to a `String` does not fail.
        let _ = writeln!(text, "#EXTINF:-1,{}", Line(item.name()));
        let subtitles: Vec<_> = library
            .subtitles(item)
            .iter()
            .map(|subtitle| format!("http://{host}{}", subtitle.url_path()))
            .collect();
        if !subtitles.is_empty() {
            // VLC; other players take it for a comment.
            let _ = writeln!(text, "#EXTVLCOPT:input-slave={}", subtitles.join("#"));
        }
        let _ = writeln!(text, "http://{host}{}", item.url_path());
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
        assert_eq!(render(&library, "localhost:1"), expected);
    }

    #[test]
    fn subtitles_are_named_before_their_film() {
        let files = [("t/b.mp4", 1), ("t/b.en.srt", 1), ("t/b.de.vtt", 1)];
        let text = render(&library(&files, None), "h:1");
        let expected = "#EXTM3U\n#EXTINF:-1,b.mp4\n\
            #EXTVLCOPT:input-slave=http://h:1/subtitles/3/b.de.vtt#http://h:1/subtitles/1/b.en.vtt\n\
            http://h:1/0/b.mp4\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn where_nothing_plays_there_is_the_chosen_file() {
        let text = render(&library(&[("t/b.iso", 1)], None), "[::1]:1");
        assert!(text.ends_with("\nhttp://[::1]:1/0/b.iso\n"), "{text}");
    }
}
