//! Rejects requests with a foreign `Host` (DNS rebinding) and requests from foreign web pages.

use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::{StatusCode, Version};

use super::host::Hosts;

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It does not name one host.
    NoHost,
    /// It names another server.
    NotOurs,
    /// A web page of another origin sent it.
    Foreign,
}

impl Refused {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::NotOurs => StatusCode::MISDIRECTED_REQUEST,
            Self::Foreign => StatusCode::FORBIDDEN,
        }
    }

    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::NoHost => "the request needs one Host header",
            Self::NotOurs => {
                "this server answers to its own addresses only; use the one that it printed, or start it with --allow-host NAME"
            }
            Self::Foreign => "other web sites may not use this server",
        }
    }
}

/// The host and port as which the client knows us.
pub(crate) fn host(request: &Parts, hosts: &Hosts) -> Result<String, Refused> {
    let mut named = request.headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => Some(host.to_str().map_err(|_| Refused::NotOurs)?),
        // No browser speaks HTTP/1.0, so no browser can be abused with it (RFC 9112, section 3.2).
        (None, _) if request.version < Version::HTTP_11 => None,
        _ => return Err(Refused::NoHost),
    };
    // A request to a proxy has it in its target too, and there it counts.
    let target = request
        .uri
        .authority()
        .map(hyper::http::uri::Authority::as_str);
    if [host, target]
        .into_iter()
        .flatten()
        .any(|host| !hosts.allow(host))
    {
        return Err(Refused::NotOurs);
    }
    let ours = || hosts.reachable().to_string();
    Ok(target.or(host).map_or_else(ours, str::to_owned))
}

/// Refuses what a page of another origin loads into itself: it could not read our answer, but it could make us stream.
/// A link to us is welcome. Browsers say so themselves (Fetch Metadata); a client that says nothing is no browser.
pub(crate) fn origin(request: &Parts) -> Result<(), Refused> {
    let says = |name: &str| {
        let value = request.headers.get(name)?;
        value.to_str().ok()
    };
    let is_foreign = matches!(says("sec-fetch-site"), Some("cross-site" | "same-site"));
    let is_link =
        says("sec-fetch-mode") == Some("navigate") && says("sec-fetch-dest") == Some("document");
    match is_foreign && !is_link {
        true => Err(Refused::Foreign),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn request(target: &str, version: Version, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri(target).version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_names_one_host_and_it_is_ours() {
        use Refused::{NoHost, NotOurs};
        const NEW: Version = Version::HTTP_11;
        let hosts = Hosts::of("127.0.0.1:8000".parse().unwrap());
        let ok = |host: &str| Ok(host.to_owned());
        let ours = ("host", "localhost:8000");
        let theirs = ("host", "evil.example:8000");
        let cases = [
            ("/", NEW, vec![ours], ok("localhost:8000")),
            ("/", NEW, vec![theirs], Err(NotOurs)),
            ("/", NEW, vec![], Err(NoHost)),
            ("/", NEW, vec![ours, ours], Err(NoHost)),
            ("/", NEW, vec![("host", "")], Err(NotOurs)),
            ("/", NEW, vec![("host", "é:8000")], Err(NotOurs)),
            ("/", Version::HTTP_10, vec![], ok("127.0.0.1:8000")),
            ("/", Version::HTTP_10, vec![theirs], Err(NotOurs)),
            (
                "http://127.0.0.1:8000/",
                NEW,
                vec![ours],
                ok("127.0.0.1:8000"),
            ),
            ("http://evil.example:8000/", NEW, vec![ours], Err(NotOurs)),
            ("http://127.0.0.1:8000/", NEW, vec![theirs], Err(NotOurs)),
            ("http://a@127.0.0.1:8000/", NEW, vec![ours], Err(NotOurs)),
        ];
        for (target, version, headers, expected) in cases {
            let request = request(target, version, &headers);
            assert_eq!(host(&request, &hosts), expected, "{target} {headers:?}");
        }
    }

    #[test]
    fn foreign_pages_may_link_here_and_no_more() {
        let cases = [
            (vec![], true),
            (
                vec![
                    ("sec-fetch-site", "same-origin"),
                    ("sec-fetch-mode", "no-cors"),
                ],
                true,
            ),
            (
                vec![("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")],
                true,
            ),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
                false,
            ),
            (
                vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")],
                false,
            ),
            (vec![("sec-fetch-site", "cross-site")], false),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                true,
            ),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "iframe"),
                ],
                false,
            ),
        ];
        for (headers, allowed) in cases {
            let request = request("/0", Version::HTTP_11, &headers);
            assert_eq!(origin(&request).is_ok(), allowed, "{headers:?}");
        }
    }
}
