//! Who may ask. A login exchanges a password, which is a token of the daemon, for the cookie `SID`; where no password is
//! needed, none is looked at. Programs may send the token with each request instead (`Bearer`, or `Basic` with any name).

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::Response;

use super::calls::Answer;
use super::failure::Failure;
use super::params::Params;
use super::server::{Shared, written};
use crate::compat::basic;
use crate::control::{Access, TokenError};

/// The name of the cookie.
const COOKIE_NAME: &str = "SID";
/// What the cookie says where no login is needed: programs look whether there is one.
const NO_LOGIN: &str = "none-needed";
/// The longest `Authorization` header that is looked at.
const MAX_LEN: usize = 1_024;
/// What is told to those who were wrong too often.
const BANNED: &str =
    "Your IP address has been banned after too many failed authentication attempts.";

/// What the caller may do; `None` for one who has to log in first.
///
/// # Errors
///
/// When a token that it sent is wrong, or it has to wait.
pub(super) async fn identify(shared: &Shared, request: &Parts) -> Result<Option<Access>, Failure> {
    if let Some(header) = request.headers.get(AUTHORIZATION) {
        let token = token(header).ok_or_else(|| {
            Failure::unauthorized("the Authorization header is neither Bearer nor Basic")
        })?;
        let access = shared.door.check(&token, request).await;
        return access.map(Some).map_err(|error| match error {
            TokenError::Wrong => Failure::unauthorized("the token is wrong"),
            error => refused(&error),
        });
    }
    if !shared.door.requires_password() {
        return Ok(Some(Access::Full));
    }
    let Some(secret) = cookie(&request.headers) else {
        return Ok(None);
    };
    let login = shared.control.logins().find(secret).await;
    let login = login.map_err(|error| refused(&error))?;
    Ok(login.map(|login| login.access))
}

fn refused(error: &TokenError) -> Failure {
    match error {
        TokenError::TooMany(_) => Failure::forbidden(BANNED),
        error => Failure::internal(error.to_string()),
    }
}

/// The token of a header.
fn token(header: &HeaderValue) -> Option<String> {
    let text = header.to_str().ok().filter(|text| text.len() <= MAX_LEN)?;
    let (scheme, value) = text.split_once(' ')?;
    match scheme.eq_ignore_ascii_case("bearer") {
        true => Some(value.trim().to_owned()),
        false => basic(header).map(|(_, password)| password),
    }
}

/// The value of the cookie.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(COOKIE).iter();
    let texts = texts.filter_map(|text| text.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';'));
    pairs.find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

/// `auth/login`
pub(super) async fn log_in(
    shared: &Shared,
    request: &Parts,
    params: &Params,
) -> Result<Response, Failure> {
    let answer = |words: &str| written(Answer::Text(words.to_owned()));
    if identify(shared, request).await?.is_some() {
        let mut response = answer("Ok.");
        if cookie(&request.headers).is_none() {
            set_cookie(shared, &mut response, NO_LOGIN);
        }
        return Ok(response);
    }
    // The user name may be any.
    let password = params.text("password").unwrap_or_default();
    match shared.door.log_in(password, request).await {
        Ok(login) => {
            let mut response = answer("Ok.");
            set_cookie(shared, &mut response, &login.secret);
            Ok(response)
        }
        Err(TokenError::Wrong) => Ok(answer("Fails.")),
        Err(error) => Err(refused(&error)),
    }
}

/// `auth/logout`
pub(super) async fn log_out(shared: &Shared, request: &Parts) -> Response {
    if let Some(secret) = cookie(&request.headers) {
        shared.control.logins().close(secret).await;
    }
    let mut response = written(Answer::Text(String::new()));
    // A browser forgets it at once.
    set_cookie(shared, &mut response, "; Max-Age=0");
    response
}

/// For no script, and for no request that begins on another site.
fn set_cookie(shared: &Shared, response: &mut Response, value: &str) {
    let secure = match shared.door.scheme() {
        "https" => "; Secure",
        _ => "",
    };
    let text = format!("{COOKIE_NAME}={value}; HttpOnly; path=/; SameSite=Strict{secure}");
    // It has letters and digits alone.
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, HeaderValue::from_static(text));
            cookie(&headers).map(str::to_owned)
        };
        assert_eq!(of("a=1; SID=x=y;b=2").as_deref(), Some("x=y"));
        for text in ["", "SIDE=1", "QSID=1", "SID", "sid=1"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_come_as_bearers_or_passwords() {
        let read = |text: &str| token(&HeaderValue::from_str(text).unwrap());
        assert_eq!(read("Bearer tw_1_x").as_deref(), Some("tw_1_x"));
        assert_eq!(read("Basic bWU6dHdfMV94").as_deref(), Some("tw_1_x"));
        let long = format!("Bearer {}", "x".repeat(MAX_LEN));
        for text in ["", "Bearer", "Basic ###", "Digest x", &long] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
