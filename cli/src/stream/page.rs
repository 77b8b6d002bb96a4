//! `/`: the page that lists the files, plays one, and shows the buffer at work.

use std::fmt::{self, Display};

use super::escape::Html;
use super::library::{Item, Library};
use super::media::Kind;
use crate::progress::count;
use crate::size::Size;

/// What draws the page's picture.
pub(crate) const SCRIPT: &str = include_str!("assets/page.js");
/// How the page looks.
pub(crate) const STYLE: &str = include_str!("assets/page.css");
/// Its icon.
pub(crate) const ICON: &str = include_str!("assets/icon.svg");

/// The page may load what comes from here, and nothing else; nothing in it may run, not even by mistake.
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
                count(library.items().len(), "file"),
                Size(library.total()),
                count(pieces, "piece"),
                Size(library.piece_length.into())
            ),
            info_hash = Html(&library.info_hash),
            piece_length = library.piece_length,
            piece_count = library.piece_count,
            player = Player(library.chosen()),
            rows = Rows(library),
        )
    }
}

struct Player<'a>(&'a Item);

impl Display for Player<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0.url_path();
        // A source is set for what browsers play only; the script shows what to do about the rest.
        let source = match self.0.is_for_browsers() {
            true => format!(" src=\"{}\"", Html(&url)),
            false => String::new(),
        };
        write!(
            f,
            "<video id=\"player\" controls preload=\"metadata\" playsinline data-file=\"{}\"{source}></video>",
            self.0.index
        )
    }
}

struct Rows<'a>(&'a Library);

impl Display for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chosen = self.0.chosen().index;
        self.0
            .items()
            .iter()
            .try_for_each(|item| row(f, item, item.index == chosen))
    }
}

fn row(f: &mut fmt::Formatter<'_>, item: &Item, is_chosen: bool) -> fmt::Result {
    let url = item.url_path();
    let (url, name) = (Html(&url), Html(item.name()));
    let folder = item.path.strip_suffix(item.name()).unwrap_or_default();
    write!(
        f,
        "<tr data-file=\"{}\" data-offset=\"{}\" data-length=\"{}\"{}{}><td class=\"number\">{}</td><th scope=\"row\">",
        item.index,
        item.offset,
        item.length,
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
    if !folder.is_empty() {
        write!(f, "<bdi class=\"folder\">{}</bdi>", Html(folder))?;
    }
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

const fn kind(item: &Item) -> &'static str {
    match item.media.kind {
        Kind::Film | Kind::ForeignFilm => "video",
        Kind::Sound | Kind::ForeignSound => "audio",
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
        assert!(page.contains("src=\"/0/a.mp4\""));
    }

    #[test]
    fn what_browsers_do_not_play_is_not_put_into_the_player() {
        let page = render(&library(&[("t/b.avi", 2)], None));
        assert!(page.contains("data-file=\"0\"></video>"), "{page}");
    }
}
