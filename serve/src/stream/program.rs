//! Identifies the program that reads: the page of this server, or a player by its name.

use hyper::header::USER_AGENT;
use hyper::http::request::Parts;
use serde::Serialize;

/// The query that the page puts behind the address of the file that it plays.
pub(crate) const PAGE_QUERY: &str = "page";
/// The longest program name that is kept, in bytes.
const MAX_NAME: usize = 24;
/// Programs whose usual name differs from the one that they send.
const KNOWN: [(&str, &str); 5] = [
    ("Mozilla", "browser"),
    ("libmpv", "mpv"),
    ("Lavf", "ffmpeg"),
    ("LibVLC", "VLC"),
    ("NSPlayer", "Windows Media Player"),
];

/// A program that reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Program {
    /// The page's own player.
    Page,
    /// By the name that it gives itself.
    Named(String),
    /// A program that sends no name.
    #[default]
    Unnamed,
}

impl Program {
    /// The one that sent a request.
    pub fn of(request: &Parts) -> Self {
        if request.uri.query() == Some(PAGE_QUERY) {
            return Self::Page;
        }
        let agent = request.headers.get(USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok()).unwrap_or("");
        let name = agent.split(['/', ' ', '(']).next().unwrap_or_default();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
            return Self::Unnamed;
        }
        let known = KNOWN.iter().find(|(sent, _)| *sent == name);
        Self::Named(known.map_or(name, |(_, name)| name).to_owned())
    }
}

impl From<Program> for String {
    fn from(program: Program) -> Self {
        match program {
            Program::Page => "page".to_owned(),
            Program::Named(name) => name,
            Program::Unnamed => "player".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    #[test]
    fn programs_are_known_by_what_they_send() {
        let of = |uri: &str, agent: &str| {
            let request = Request::builder().uri(uri).header(USER_AGENT, agent);
            String::from(Program::of(&request.body(()).unwrap().into_parts().0))
        };
        let browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36";
        let cases = [
            ("/0/film.mp4", "libmpv", "mpv"),
            ("/0/film.mp4", "VLC/3.0.24 LibVLC/3.0.24", "VLC"),
            ("/0/film.mp4", "Lavf/59.27.100", "ffmpeg"),
            ("/0/film.mp4", "curl/8.5.0", "curl"),
            ("/0/film.mp4", browser, "browser"),
            ("/0/film.mp4?page", browser, "page"),
            ("/0/film.mp4?pages", browser, "browser"),
            ("/0/film.mp4", "", "player"),
            ("/0/film.mp4", "<script>", "player"),
            ("/0/film.mp4", "a-name-that-is-much-too-long", "player"),
        ];
        for (uri, agent, name) in cases {
            assert_eq!(of(uri, agent), name, "{uri} {agent}");
        }
    }
}
