//! A password in the path: `http://HOST:8090/TOKEN/…`. Clients that can name an address, and no password for what they play, can
//! have one in it.

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, HeaderValue};
use axum::http::{HeaderMap, Request, Uri};
use data_encoding::BASE64;

use crate::compat::basic;
use crate::control::TOKEN_PREFIX;
use crate::stream::segment;

/// The password that stood in the path of a request, among its extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

/// Takes a password out of the path, and puts it where passwords are looked for.
pub(super) async fn take_secret(mut request: Request<Body>) -> Request<Body> {
    let Some((secret, uri)) = split(request.uri()) else {
        return request;
    };
    let basic = BASE64.encode(format!("path:{secret}").as_bytes());
    if let Ok(header) = HeaderValue::from_str(&format!("Basic {basic}")) {
        request.headers_mut().insert(AUTHORIZATION, header);
        *request.uri_mut() = uri;
        request.extensions_mut().insert(Secret(secret));
    }
    request
}

/// What stands in front of the paths of URLs that a client is given: the password that it sent, as what plays them may know none.
pub(super) fn in_urls(secret: Option<&Secret>, headers: &HeaderMap) -> String {
    let of_header = || {
        let (_, password) = basic(headers.get(AUTHORIZATION)?)?;
        password.starts_with(TOKEN_PREFIX).then_some(password)
    };
    let password = secret
        .map(|Secret(secret)| secret.clone())
        .or_else(of_header);
    password.map_or_else(String::new, |password| format!("/{}", segment(&password)))
}

/// The password, and what follows it.
fn split(uri: &Uri) -> Option<(String, Uri)> {
    let path = uri.path().strip_prefix('/')?;
    let (secret, rest) = path.split_once('/').unwrap_or((path, ""));
    if !secret.starts_with(TOKEN_PREFIX) {
        return None;
    }
    let target = match uri.query() {
        Some(query) => format!("/{rest}?{query}"),
        None => format!("/{rest}"),
    };
    Some((secret.to_owned(), target.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_front_of_the_path_is_the_password() {
        let of = |uri: &str| {
            let found = split(&uri.parse().unwrap());
            found.map(|(secret, uri)| (secret, uri.to_string()))
        };
        let found = |secret: &str, uri: &str| Some((secret.to_owned(), uri.to_owned()));
        assert_eq!(
            of("/tw_1_ab/stream/a?b=c"),
            found("tw_1_ab", "/stream/a?b=c")
        );
        assert_eq!(of("/tw_1_ab"), found("tw_1_ab", "/"));
        assert_eq!(of("/tw_1_ab/"), found("tw_1_ab", "/"));
        assert_eq!(of("/tw_1_ab/tw_2_cd/x"), found("tw_1_ab", "/tw_2_cd/x"));
        for uri in ["/", "/stream/tw_1_ab", "/atw_1/x", "/?tw_1_ab"] {
            assert_eq!(of(uri), None, "{uri}");
        }
    }
}
