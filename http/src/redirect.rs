//! Redirects: where they lead, and how far their URLs are trusted.

use hyper::body::Incoming;
use hyper::{Response, StatusCode, header};
use url::Url;

use crate::error::ErrorKind;
use crate::policy::UrlTrust;

/// The target of a redirect.
pub(crate) fn location(response: &Response<Incoming>) -> Option<&str> {
    match response.status() {
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => response.headers().get(header::LOCATION)?.to_str().ok(),
        _ => None,
    }
}

/// The URL that a redirect from `url` leads to, if that is allowed.
pub(crate) fn next_url(url: &Url, location: &str, allow_downgrade: bool) -> Result<Url, ErrorKind> {
    let next = url.join(location)?;
    match (url.scheme(), next.scheme()) {
        // Secrets in the URL would travel in clear.
        ("https", "http") if !allow_downgrade => Err(ErrorKind::InsecureRedirect {
            host: next.host_str().unwrap_or_default().to_owned(),
        }),
        (_, "http" | "https") => Ok(next),
        (_, other) => Err(ErrorKind::UnsupportedScheme {
            scheme: other.to_owned(),
        }),
    }
}

/// The trust in a redirect's URL. It is a stranger's, also where the user named the first one; it may repeat the query that
/// was sent.
pub(crate) fn trust(url: &Url, first: &Url, is_expected: fn(&str) -> bool) -> UrlTrust {
    let mut own = url.clone();
    if own.query() == first.query() {
        own.set_query(None);
    }
    UrlTrust::of_stranger(&own, is_expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_redirect_stays_with_http_and_does_not_give_up_tls() {
        let from = url("https://a/b");
        assert_eq!(next_url(&from, "/c", false), Ok(url("https://a/c")));
        let host = "a".to_owned();
        let insecure = Err(ErrorKind::InsecureRedirect { host });
        assert_eq!(next_url(&from, "http://a/c", false), insecure);
        assert_eq!(next_url(&from, "http://a/c", true), Ok(url("http://a/c")));
        let scheme = "file".to_owned();
        let unsupported = Err(ErrorKind::UnsupportedScheme { scheme });
        assert_eq!(next_url(&from, "file:///etc/passwd", true), unsupported);
        assert!(next_url(&from, "https://", false).is_err());
    }

    #[test]
    fn a_redirect_may_repeat_our_query() {
        let is_expected: fn(&str) -> bool = |path| path == "/announce";
        let trust_in = |text| trust(&url(text), &url("http://a/announce?x=1"), is_expected);
        assert_eq!(trust_in("http://b/announce?x=1"), UrlTrust::Plain);
        assert_eq!(trust_in("http://b/announce"), UrlTrust::Plain);
        assert_eq!(trust_in("http://b/announce?y=1"), UrlTrust::Composed);
        assert_eq!(trust_in("http://b/admin?x=1"), UrlTrust::Composed);
    }
}
