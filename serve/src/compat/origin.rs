//! Origins of web pages: those that the user allows.

use std::str::FromStr;

use axum::http::header::{ORIGIN, REFERER};
use axum::http::{HeaderMap, HeaderName};

use crate::stream::Hosts;

/// The longest origin, in bytes: a host name has at most 253.
const MAX_LEN: usize = 300;

/// Where a web page comes from, as browsers write it: `https://films.example`, `http://nas.local:8080`, or
/// `moz-extension://ID` for an add-on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// A text that is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an origin; write scheme, host and port as in http://films.example:8080, without a path"
)]
pub struct ParseOriginError;

impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Self, ParseOriginError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let (scheme, host) = text.split_once("://").ok_or(ParseOriginError)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
        if !is_scheme || !is_host || text.len() > MAX_LEN {
            return Err(ParseOriginError);
        }
        let text = text.to_ascii_lowercase();
        // Browsers leave out the usual port.
        let usual = match scheme.to_ascii_lowercase().as_str() {
            "http" => ":80",
            "https" => ":443",
            _ => return Ok(Self(text)),
        };
        Ok(Self(text.strip_suffix(usual).unwrap_or(&text).to_owned()))
    }
}

impl Origin {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The host and port of a page on the web.
    fn host(&self) -> Option<&str> {
        let plain = self.0.strip_prefix("http://");
        plain.or_else(|| self.0.strip_prefix("https://"))
    }
}

/// The page behind a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// None, or one of ours.
    Own,
    /// One that the user allows.
    Allowed(Origin),
    /// Another one says that it is.
    Foreign,
}

/// Which page sent a request, by what its browser says.
pub(super) fn page(headers: &HeaderMap, hosts: &Hosts, allowed: &[Origin]) -> Page {
    let mut named = headers.get_all(ORIGIN).iter();
    let first = named.next();
    if named.next().is_some() {
        return Page::Foreign;
    }
    let Some(first) = first else {
        // Films and pictures are loaded without an origin, but with the page that shows them.
        let from = referer(headers, &REFERER).filter(|from| allowed.contains(from));
        return from.map_or(Page::Own, Page::Allowed);
    };
    let origin = first
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Origin>().ok());
    match origin {
        Some(origin) if allowed.contains(&origin) => Page::Allowed(origin),
        Some(origin) if origin.host().is_some_and(|host| hosts.allow(host)) => Page::Own,
        _ => Page::Foreign,
    }
}

/// The origin of the page that a request comes from.
fn referer(headers: &HeaderMap, name: &HeaderName) -> Option<Origin> {
    let text = headers.get(name)?.to_str().ok()?;
    let (scheme, rest) = text.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    format!("{scheme}://{host}").parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        let cases = [
            ("http://films.example", "http://films.example"),
            ("HTTPS://Films.Example:443/", "https://films.example"),
            ("http://films.example:80", "http://films.example"),
            ("https://films.example:80", "https://films.example:80"),
            ("http://[fd00::2]:8080", "http://[fd00::2]:8080"),
            ("moz-extension://0a-b", "moz-extension://0a-b"),
        ];
        for (text, origin) in cases {
            assert_eq!(text.parse::<Origin>().unwrap().as_str(), origin);
        }
        let long = format!("http://{}", "a".repeat(MAX_LEN));
        for wrong in [
            "",
            "*",
            "null",
            "films.example",
            "http://",
            "http://a/b",
            "http://a b",
            "http://*",
            "1a://b",
            &long,
        ] {
            assert_eq!(wrong.parse::<Origin>(), Err(ParseOriginError), "{wrong}");
        }
    }

    #[test]
    fn a_page_is_ours_or_allowed_or_foreign() {
        let hosts = Hosts::of("127.0.0.1:9091".parse().unwrap());
        let allowed = ["http://films.example", "moz-extension://a"].map(|it| it.parse().unwrap());
        let of = |headers: &[(HeaderName, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name, HeaderValue::from_static(value));
            }
            page(&map, &hosts, &allowed)
        };
        let films = || Page::Allowed("http://films.example".parse().unwrap());
        let cases = [
            (vec![], Page::Own),
            (vec![(ORIGIN, "http://127.0.0.1:9091")], Page::Own),
            (vec![(ORIGIN, "http://localhost:9091")], Page::Own),
            (vec![(ORIGIN, "http://127.0.0.1:9092")], Page::Foreign),
            (vec![(ORIGIN, "http://films.example")], films()),
            (vec![(ORIGIN, "https://films.example")], Page::Foreign),
            (vec![(ORIGIN, "http://films.example.evil")], Page::Foreign),
            (vec![(ORIGIN, "null")], Page::Foreign),
            (
                vec![
                    (ORIGIN, "http://films.example"),
                    (ORIGIN, "http://evil.example"),
                ],
                Page::Foreign,
            ),
            (
                vec![(ORIGIN, "moz-extension://a")],
                Page::Allowed("moz-extension://a".parse().unwrap()),
            ),
            (
                vec![(ORIGIN, "moz-extension://127.0.0.1:9091")],
                Page::Foreign,
            ),
            (
                vec![(REFERER, "http://films.example/a?b=http://evil.example")],
                films(),
            ),
            (
                vec![(REFERER, "http://evil.example/?http://films.example")],
                Page::Own,
            ),
            (
                vec![
                    (ORIGIN, "http://evil.example"),
                    (REFERER, "http://films.example/"),
                ],
                Page::Foreign,
            ),
        ];
        for (headers, expected) in cases {
            assert_eq!(of(&headers), expected, "{headers:?}");
        }
    }
}
