//! Media types by file name: the `Content-Type`, and whether players and browsers play it.

/// The type of files of an unknown kind; browsers offer to save them.
const UNKNOWN: &str = "application/octet-stream";

/// Which programs play a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A film; browsers play it, or may.
    Film,
    /// A film for a player: browsers do not know the container.
    ForeignFilm,
    /// Sound that browsers play.
    Sound,
    /// Sound for a player.
    ForeignSound,
    /// Nothing to play.
    Other,
}

impl Kind {
    /// Whether some player plays it.
    pub(crate) const fn is_playable(self) -> bool {
        !matches!(self, Self::Other)
    }

    /// Whether it is worth a try in a browser.
    pub(crate) const fn is_for_browsers(self) -> bool {
        matches!(self, Self::Film | Self::Sound)
    }
}

/// The type of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Media {
    pub(crate) content_type: &'static str,
    pub(crate) kind: Kind,
}

/// By extension. No type here lets a browser run scripts: a torrent's file must not act with the page's origin.
const TYPES: [(&str, &str, Kind); 53] = [
    ("mp4", "video/mp4", Kind::Film),
    ("m4v", "video/mp4", Kind::Film),
    ("webm", "video/webm", Kind::Film),
    ("mkv", "video/x-matroska", Kind::Film),
    ("ogv", "video/ogg", Kind::Film),
    ("mov", "video/quicktime", Kind::Film),
    ("avi", "video/x-msvideo", Kind::ForeignFilm),
    ("divx", "video/x-msvideo", Kind::ForeignFilm),
    ("wmv", "video/x-ms-wmv", Kind::ForeignFilm),
    ("asf", "video/x-ms-asf", Kind::ForeignFilm),
    ("flv", "video/x-flv", Kind::ForeignFilm),
    ("f4v", "video/x-flv", Kind::ForeignFilm),
    ("mpg", "video/mpeg", Kind::ForeignFilm),
    ("mpeg", "video/mpeg", Kind::ForeignFilm),
    ("vob", "video/mpeg", Kind::ForeignFilm),
    ("ts", "video/mp2t", Kind::ForeignFilm),
    ("m2ts", "video/mp2t", Kind::ForeignFilm),
    ("mts", "video/mp2t", Kind::ForeignFilm),
    ("3gp", "video/3gpp", Kind::ForeignFilm),
    ("mp3", "audio/mpeg", Kind::Sound),
    ("m4a", "audio/mp4", Kind::Sound),
    ("m4b", "audio/mp4", Kind::Sound),
    ("aac", "audio/aac", Kind::Sound),
    ("ogg", "audio/ogg", Kind::Sound),
    ("oga", "audio/ogg", Kind::Sound),
    ("opus", "audio/ogg", Kind::Sound),
    ("flac", "audio/flac", Kind::Sound),
    ("wav", "audio/wav", Kind::Sound),
    ("weba", "audio/webm", Kind::Sound),
    ("mka", "audio/x-matroska", Kind::ForeignSound),
    ("wma", "audio/x-ms-wma", Kind::ForeignSound),
    ("ape", "audio/x-ape", Kind::ForeignSound),
    ("wv", "audio/x-wavpack", Kind::ForeignSound),
    ("ac3", "audio/ac3", Kind::ForeignSound),
    ("dts", "audio/vnd.dts", Kind::ForeignSound),
    ("aif", "audio/aiff", Kind::ForeignSound),
    ("aiff", "audio/aiff", Kind::ForeignSound),
    ("mid", "audio/midi", Kind::ForeignSound),
    ("vtt", "text/vtt; charset=utf-8", Kind::Other),
    ("srt", "text/plain; charset=utf-8", Kind::Other),
    ("ass", "text/plain; charset=utf-8", Kind::Other),
    ("txt", "text/plain; charset=utf-8", Kind::Other),
    ("md", "text/plain; charset=utf-8", Kind::Other),
    ("nfo", "text/plain", Kind::Other),
    ("jpg", "image/jpeg", Kind::Other),
    ("jpeg", "image/jpeg", Kind::Other),
    ("png", "image/png", Kind::Other),
    ("gif", "image/gif", Kind::Other),
    ("webp", "image/webp", Kind::Other),
    ("pdf", "application/pdf", Kind::Other),
    ("epub", "application/epub+zip", Kind::Other),
    ("zip", "application/zip", Kind::Other),
    ("gz", "application/gzip", Kind::Other),
];

/// The media type of a file of this name, in words.
pub(crate) fn media_type(name: &str) -> &'static str {
    of(name).content_type
}

/// Whether some player plays files of such a name.
pub(crate) fn is_playable_name(name: &str) -> bool {
    of(name).kind.is_playable()
}

/// The media type of a file of this name.
pub(crate) fn of(name: &str) -> Media {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let known = TYPES
        .iter()
        .find(|(known, _, _)| known.eq_ignore_ascii_case(extension));
    known.map_or(
        Media {
            content_type: UNKNOWN,
            kind: Kind::Other,
        },
        |&(_, content_type, kind)| Media { content_type, kind },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_by_the_last_extension_in_any_case() {
        let cases = [
            ("film.mp4", "video/mp4"),
            ("Film.MKV", "video/x-matroska"),
            ("a.tar.gz", "application/gzip"),
            ("mp4", UNKNOWN),
            ("film.", UNKNOWN),
            ("film.mp4.exe", UNKNOWN),
            ("", UNKNOWN),
        ];
        for (name, content_type) in cases {
            assert_eq!(of(name).content_type, content_type, "{name:?}");
        }
        assert!(of("a.avi").kind.is_playable() && !of("a.avi").kind.is_for_browsers());
        assert!(!of("a.txt").kind.is_playable());
    }

    #[test]
    fn nothing_that_browsers_run_is_called_by_its_name() {
        for extension in [
            "html", "htm", "xhtml", "svg", "xml", "js", "mjs", "css", "swf",
        ] {
            assert_eq!(of(&format!("a.{extension}")).content_type, UNKNOWN);
        }
    }

    #[test]
    fn each_extension_stands_once() {
        let mut extensions: Vec<_> = TYPES.iter().map(|(extension, _, _)| extension).collect();
        extensions.sort();
        extensions.dedup();
        assert_eq!(extensions.len(), TYPES.len());
    }
}
