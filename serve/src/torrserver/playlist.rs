//! Playlists in M3U, in the form that clients look for: a line of `#EXTINF` and one with a URL for each file.

use std::fmt::Write;

use crate::stream::{Line, segment};

use super::files::{self, File};

/// The most files that are named with another one.
const MAX_COMPANIONS: usize = 16;
/// In a torrent of more files none is looked for: each is compared with all others.
const MAX_COMPARED: usize = 1_000;

/// The media type.
pub(super) const CONTENT_TYPE: &str = "audio/x-mpegurl";

/// The playable files of a torrent from one on. `base` is where the server is, with the scheme.
pub(super) fn of_torrent(files: &[File], hash: &str, base: &str, from: usize) -> String {
    let mut list = "#EXTM3U\n".to_owned();
    for file in files.iter().skip(from) {
        if !files::is_playable(file.name()) {
            continue;
        }
        let _ = writeln!(list, "#EXTINF:0,{}", Line(file.name()));
        let mut with = companions(files, file).peekable();
        if with.peek().is_some() {
            list.push_str("#EXTVLCOPT:input-slave=");
            for file in with {
                let _ = write!(list, "{}#", url(file, hash, base));
            }
            list.push('\n');
        }
        let _ = writeln!(list, "{}", url(file, hash, base));
    }
    list
}

/// One torrent in the list of all.
pub(super) struct Torrent<'a> {
    pub(super) hash: &'a str,
    pub(super) title: &'a str,
    pub(super) poster: &'a str,
}

/// The playlists of all torrents.
pub(super) fn of_all<'a>(torrents: impl Iterator<Item = Torrent<'a>>, base: &str) -> String {
    let mut list = "#EXTM3U\n".to_owned();
    for torrent in torrents {
        list.push_str("#EXTINF:0");
        if !torrent.poster.is_empty() {
            let poster = Line(torrent.poster).to_string().replace('"', "%22");
            let _ = write!(list, " tvg-logo=\"{poster}\"");
        }
        let (title, hash) = (torrent.title, torrent.hash);
        let _ = writeln!(list, " type=\"playlist\",{}", Line(title));
        let name = segment(title);
        // Some players want a URL that ends with the name of a playlist.
        let _ = writeln!(list, "{base}/stream/{name}.m3u?link={hash}&m3u&fn=file.m3u");
    }
    list
}

fn url(file: &File, hash: &str, base: &str) -> String {
    let (name, id) = (segment(file.name()), file.id);
    format!("{base}/stream/{name}?link={hash}&index={id}&play")
}

/// Files that belong to another one: their paths have its name, as those of sound and subtitles do.
fn companions<'a>(files: &'a [File], of: &'a File) -> impl Iterator<Item = &'a File> {
    let name = of.name();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let others = files.iter().filter(|file| file.id != of.id);
    let are_looked_for = !stem.is_empty() && files.len() <= MAX_COMPARED;
    let found = others.filter(move |file| are_looked_for && file.path.contains(stem));
    found.take(MAX_COMPANIONS)
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::files;
    use super::*;

    #[test]
    fn a_playlist_has_what_plays_with_its_subtitles() {
        let files = files(&["t/1.mkv", "t/1.en.srt", "t/2 b.mp4", "t/read.txt"]);
        let list = of_torrent(&files, "HASH", "http://a:1", 0);
        let expected = "#EXTM3U\n#EXTINF:0,1.mkv\n\
            #EXTVLCOPT:input-slave=http://a:1/stream/1.en.srt?link=HASH&index=1&play#\n\
            http://a:1/stream/1.mkv?link=HASH&index=2&play\n#EXTINF:0,2 b.mp4\n\
            http://a:1/stream/2%20b.mp4?link=HASH&index=3&play\n";
        assert_eq!(list, expected);
        let last = of_torrent(&files, "HASH", "http://a:1", 2);
        assert_eq!(last.lines().count(), 3, "{last}");
    }

    #[test]
    fn names_cannot_add_lines() {
        let files = files(&["t/a\nhttp://evil/.mkv"]);
        let list = of_torrent(&files, "HASH", "http://a:1", 0);
        assert_eq!(list.lines().count(), 3, "{list}");
        let all = of_all(
            [Torrent {
                hash: "HASH",
                title: "x\r\nhttp://evil/",
                poster: "http://p/\" b=\"\n",
            }]
            .into_iter(),
            "http://a:1",
        );
        let lines: Vec<_> = all.lines().collect();
        assert_eq!(lines.len(), 3, "{all}");
        assert!(
            lines[1].starts_with("#EXTINF:0 tvg-logo=\"http://p/%22 b=%22\" type="),
            "{all}"
        );
    }
}
