//! `/`: the page that lists the files, plays one, and shows the buffer at work.

use std::fmt::{self, Display};

use serde::Serialize;

use super::escape::Html;
use super::item::Item;
use super::library::Library;
use super::media::Kind;
use super::program::PAGE_QUERY;
use super::subtitles::is_subtitles;
use crate::size::Size;
use crate::words::count;

/// The script that shows the numbers and the state.
pub(crate) const SCRIPT: &str = include_str!("assets/page.js");
/// The script of the player: the file, its subtitles, the next file, the progress.
pub(crate) const FILM_SCRIPT: &str = include_str!("assets/film.js");
/// The script that draws the picture of the buffer.
pub(crate) const PICTURE_SCRIPT: &str = include_str!("assets/picture.js");
/// The style sheet.
pub(crate) const STYLE: &str = include_str!("assets/page.css");
/// Its icon.
pub(crate) const ICON: &str = include_str!("assets/icon.svg");

/// The content security policy: the page may load only from this server, and no inline script may run.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The whole page.
pub(crate) fn render(library: &Library) -> String {
    Page(library).to_string()
}

struct Page<'a>(&'a Library);

impl Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(library) = *self;
        let title = Html(&library.title);
        let pieces = usize::try_from(library.piece_count).unwrap_or(usize::MAX);
        write!(
            f,
            include_str!("assets/page.html"),
            title = title,
            summary = format_args!(
                "{} · {} · {} of {}",
                count(library.file_count(), "file"),
                Size(library.total()),
                count(pieces, "piece"),
                Size(library.piece_length.into())
            ),
            info_hash = Html(&library.info_hash),
            piece_length = library.piece_length,
            piece_count = library.piece_count,
            player = Player(library),
            groups = Groups(library),
        )
    }
}

struct Player<'a>(&'a Library);

impl Display for Player<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let item = self.0.chosen();
        let url = item.url_path();
        // A source is set for what browsers play only; the script shows what to do about the rest. The query marks the
        // page's own reader, so that the page can tell it from those of other players.
        let source = match item.is_for_browsers() {
            true => format!(" src=\"{}?{PAGE_QUERY}\"", Html(&url)),
            false => String::new(),
        };
        write!(
            f,
            "<video id=\"player\" controls preload=\"metadata\" playsinline data-file=\"{}\"{source}>",
            item.index
        )?;
        for subtitle in self.0.subtitles(item) {
            write!(
                f,
                "<track kind=\"subtitles\" src=\"{}?{PAGE_QUERY}\" label=\"{}\"",
                Html(&subtitle.url_path()),
                Html(&subtitle.label),
            )?;
            if let Some(language) = subtitle.language {
                write!(f, " srclang=\"{language}\"")?;
            }
            f.write_str(">")?;
        }
        f.write_str("</video>")
    }
}

/// The files, folder by folder; a folder has a heading if there is more than one.
struct Groups<'a>(&'a Library);

impl Display for Groups<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<_> = self.0.items().collect();
        let groups = || items.chunk_by(|a, b| a.folder() == b.folder());
        let has_headings = groups().nth(1).is_some();
        for group in groups() {
            f.write_str("<tbody>\n")?;
            if has_headings && let Some(first) = group.first() {
                writeln!(
                    f,
                    "<tr class=\"folder\"><th colspan=\"5\" scope=\"rowgroup\"><bdi>{}</bdi></th></tr>",
                    Html(first.folder())
                )?;
            }
            for item in group {
                row(f, self.0, item)?;
            }
            f.write_str("</tbody>\n")?;
        }
        Ok(())
    }
}

/// A subtitle as the script reads it.
#[derive(Serialize)]
struct Track {
    src: String,
    label: String,
    srclang: Option<&'static str>,
}

fn tracks(library: &Library, item: &Item) -> String {
    let tracks = library.subtitles(item).into_iter().map(|subtitle| Track {
        src: subtitle.url_path(),
        label: subtitle.label,
        srclang: subtitle.language,
    });
    // It is text and nothing else, which cannot fail.
    serde_json::to_string(&tracks.collect::<Vec<_>>()).unwrap_or_default()
}

fn row(f: &mut fmt::Formatter<'_>, library: &Library, item: &Item) -> fmt::Result {
    let url = item.url_path();
    let (url, name) = (Html(&url), Html(item.name()));
    let is_chosen = item.index == library.chosen().index;
    write!(
        f,
        "<tr data-file=\"{}\" data-offset=\"{}\" data-length=\"{}\" data-kind=\"{}\"",
        item.index,
        item.offset,
        item.length,
        kind(item)
    )?;
    if item.is_playable() && !library.subtitles(item).is_empty() {
        write!(f, " data-tracks=\"{}\"", Html(&tracks(library, item)))?;
    }
    write!(
        f,
        "{}{}><td class=\"number\">{}</td><th scope=\"row\">",
        if item.is_for_browsers() {
            " data-browser"
        } else {
            ""
        },
        if is_chosen {
            " aria-current=\"true\""
        } else {
            ""
        },
        item.index,
    )?;
    write!(
        f,
        "<a href=\"{url}\"><bdi>{name}</bdi></a></th><td class=\"kind\">{}</td><td class=\"size\">{}</td><td class=\"act\">",
        kind(item),
        Size(item.length),
    )?;
    if item.is_playable() {
        write!(
            f,
            "<button type=\"button\" class=\"play\" aria-label=\"Play {name}\">Play</button>"
        )?;
    }
    writeln!(f, "</td></tr>")
}

fn kind(item: &Item) -> &'static str {
    match item.media.kind {
        Kind::Film | Kind::ForeignFilm => "video",
        Kind::Sound | Kind::ForeignSound => "audio",
        Kind::Other if is_subtitles(item) => "subtitles",
        Kind::Other => "file",
    }
}

#[cfg(test)]
mod tests {
    use super::super::library::tests::library;
    use super::*;

    #[test]
    fn names_are_text_and_not_markup() {
        let files = [("t/<script>alert(1)<b>.mp4", 1), ("t/\"><img>.mkv", 2)];
        let page = render(&library(&files, None));
        assert!(
            !page.contains("<script>alert") && !page.contains("<img>"),
            "{page}"
        );
        assert!(page.contains("<bdi>&lt;script&gt;alert(1)&lt;"), "{page}");
        assert!(page.contains("<title>A &lt;torrent&gt;"), "{page}");
    }

    #[test]
    fn the_policy_lets_the_page_do_what_it_needs_and_no_more() {
        let page = render(&library(&[("t/a.mp4", 1)], None));
        let inline = [
            "<style",
            "style=",
            "onclick",
            "javascript:",
            "<script>",
            "http://",
            "https://",
        ];
        for text in inline {
            assert!(!page.contains(text), "{text}");
        }
        for text in [
            "src=\"/page.js\"",
            "src=\"/film.js\"",
            "src=\"/picture.js\"",
            "href=\"/page.css\"",
            "href=\"/icon.svg\"",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(!POLICY.contains("unsafe"));
    }

    #[test]
    fn every_file_has_a_link_and_what_plays_a_button() {
        let files = [
            ("t/a.mp4", 1),
            ("t/s/b.avi", 2),
            ("t/c.txt", 3),
            ("t/d.mp4", 0),
        ];
        let page = render(&library(&files, Some(0)));
        for link in ["/0/a.mp4", "/1/b.avi", "/3/c.txt", "/4/d.mp4"] {
            assert!(page.contains(&format!("<a href=\"{link}\">")), "{link}");
        }
        assert_eq!(page.matches("class=\"play\"").count(), 2);
        assert_eq!(page.matches(" data-browser").count(), 1);
        assert_eq!(page.matches("aria-current").count(), 1);
        assert!(page.contains("src=\"/0/a.mp4?page\""));
    }

    #[test]
    fn folders_are_groups_and_episodes_are_counted_as_people_do() {
        let files = [
            ("t/s/e10.mkv", 1),
            ("t/s/e2.mkv", 1),
            ("t/extra & more/a.mkv", 1),
        ];
        let page = render(&library(&files, None));
        let at = |text: &str| page.find(text).unwrap();
        assert!(at("/1/e2.mkv\"><bdi>") < at("/0/e10.mkv\"><bdi>"), "{page}");
        assert!(page.contains("<bdi>t/extra &amp; more</bdi>"), "{page}");
        assert_eq!(page.matches("<tr class=\"folder\">").count(), 2);
        let flat = render(&library(&[("t/a.mkv", 1), ("t/b.mkv", 1)], None));
        assert!(!flat.contains("class=\"folder\""));
    }

    #[test]
    fn subtitles_are_offered_with_their_language() {
        let files = [("t/a.mp4", 9), ("t/a.en.srt", 1), ("t/a.\"><img>.srt", 1)];
        let page = render(&library(&files, None));
        let track = "<track kind=\"subtitles\" src=\"/subtitles/1/a.en.vtt?page\" label=\"English\" srclang=\"en\">";
        assert!(page.contains(track), "{page}");
        assert_eq!(page.matches("<track ").count(), 2, "{page}");
        assert!(
            page.contains("data-tracks=\"[{&quot;src&quot;:&quot;/subtitles/"),
            "{page}"
        );
        assert!(!page.contains("<img>"), "{page}");
    }

    #[test]
    fn what_browsers_do_not_play_is_not_put_into_the_player() {
        let page = render(&library(&[("t/b.avi", 2)], None));
        assert!(page.contains("data-file=\"0\"></video>"), "{page}");
    }
}
