//! Responses before a link's metadata has arrived: a page that shows the progress of the fetch.

use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::answer;
use super::body::Body;
use super::escape::Html;
use crate::fetching::{Attempt, FetchReport, words};

/// Shows the progress, and changes to the film's page when it is ready.
pub(crate) const SCRIPT: &str = include_str!("assets/awaited.js");

/// The whole of `/stats`.
#[derive(Serialize)]
struct Stats<'a> {
    phase: &'static str,
    name: &'a str,
    /// `None` while a publication is looked for.
    info_hash: Option<String>,
    /// In one sentence.
    words: String,
    /// The same in numbers.
    fetch: Option<Event<'a>>,
}

/// The event that the command line prints of a fetch.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Metadata(FetchReport<'a>),
}

impl<'a> Stats<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        let progress = &attempt.progress;
        Self {
            phase: "metadata",
            name: &attempt.name,
            info_hash: attempt.info_hash.map(|hash| hash.to_string()),
            words: match attempt.info_hash {
                Some(_) => words(progress),
                None => "looking for the publication in the DHT".to_owned(),
            },
            fetch: attempt
                .info_hash
                .map(|hash| Event::Metadata(FetchReport::new(hash, progress, None))),
        }
    }
}

/// Answers a request. Addresses that need the files answer that they come later.
pub(crate) fn answer<R>(request: &Parts, attempt: &Attempt) -> Response<Body<R>> {
    let method = &request.method;
    let path = request.uri.path();
    match path {
        "/" => answer::page(method, render(attempt)),
        "/stats" => match serde_json::to_vec(&Stats::of(attempt)) {
            Ok(json) => answer::json(method, json),
            Err(error) => answer::error(
                method,
                StatusCode::INTERNAL_SERVER_ERROR,
                &error.to_string(),
            ),
        },
        _ if is_of_film(path) => {
            answer::later(method, "the torrent's metadata has not arrived yet")
        }
        _ => answer::not_found(method),
    }
}

fn is_of_film(path: &str) -> bool {
    let is_index = |path: &str| {
        let index = path.split('/').next().unwrap_or_default();
        !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit())
    };
    path == "/playlist.m3u"
        || path.starts_with("/subtitles/")
        || path.strip_prefix('/').is_some_and(is_index)
}

fn render(attempt: &Attempt) -> String {
    let stats = Stats::of(attempt);
    let title = match attempt.name.as_str() {
        "" => "A publication",
        name => name,
    };
    format!(
        include_str!("assets/awaited.html"),
        title = Html(title),
        info_hash = Html(stats.info_hash.as_deref().unwrap_or("not known yet")),
        words = Html(&stats.words),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_the_link_as_text() {
        let attempt = Attempt {
            name: "<b>film</b>".to_owned(),
            info_hash: Some("ab".repeat(20).parse().unwrap()),
            ..Attempt::default()
        };
        let page = render(&attempt);
        assert!(page.contains("&lt;b&gt;film&lt;/b&gt;") && !page.contains("<b>film"));
        assert!(page.contains(&"ab".repeat(20)), "{page}");
        assert!(page.contains("waiting for metadata: "), "{page}");
        let page = render(&Attempt::default());
        assert!(page.contains("looking for the publication"), "{page}");
    }

    #[test]
    fn what_needs_the_files_is_told_from_what_is_nowhere() {
        for path in ["/0", "/12/film.mp4", "/playlist.m3u", "/subtitles/1/a.vtt"] {
            assert!(is_of_film(path), "{path}");
        }
        for path in ["/favicon.ico", "/x/0", "/-1", "/0x", "//0"] {
            assert!(!is_of_film(path), "{path}");
        }
    }
}
