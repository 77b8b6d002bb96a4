//! Web seeds of a torrent.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tailwater_http::Url;

use super::{Answer, Outcome, nothing, torrent};
use crate::control::ControlError;
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

pub(super) async fn list(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    let urls = match shared.control.web_seed_urls(view.id).await {
        // Its metadata is not known.
        Err(ControlError::Conflict(_)) => Vec::new(),
        urls => urls?,
    };
    let urls = urls.into_iter().map(|url| json!({ "url": url }));
    Ok(Answer::Json(Value::Array(urls.collect())))
}

pub(super) async fn add(shared: &Shared, params: &Params) -> Outcome {
    params.need(["hash", "urls"])?;
    let view = torrent(shared, params)?;
    let mut urls = shared.control.web_seed_urls(view.id).await?;
    urls.extend(named(params));
    set(shared, params, urls).await
}

pub(super) async fn edit(shared: &Shared, params: &Params) -> Outcome {
    let [_, before, after] = params.need(["hash", "origUrl", "newUrl"])?;
    let view = torrent(shared, params)?;
    let [before, after] = [before, after].map(plain);
    if before == after {
        return nothing();
    }
    let mut urls = shared.control.web_seed_urls(view.id).await?;
    if urls.contains(&after) {
        return Err(Failure::conflict(format!(
            "{after} is already a URL of a web seed"
        )));
    }
    let url = urls.iter_mut().find(|url| is_same(url, &before));
    let url =
        url.ok_or_else(|| Failure::conflict(format!("{before} is not a URL of a web seed")))?;
    *url = after;
    set(shared, params, urls).await
}

pub(super) async fn remove(shared: &Shared, params: &Params) -> Outcome {
    params.need(["hash", "urls"])?;
    let view = torrent(shared, params)?;
    let mut urls = shared.control.web_seed_urls(view.id).await?;
    let gone = named(params);
    urls.retain(|url| !gone.iter().any(|gone| is_same(url, gone)));
    set(shared, params, urls).await
}

async fn set(shared: &Shared, params: &Params, urls: Vec<String>) -> Outcome {
    let view = torrent(shared, params)?;
    match shared.control.set_web_seeds(view.id, urls).await {
        Err(ControlError::Invalid(why)) => Err(Failure::params(why)),
        set => {
            set?;
            nothing()
        }
    }
}

/// The URLs of a list. One that has the separator in it is sent with percents.
fn named(params: &Params) -> Vec<String> {
    let urls = params.list("urls", '|').into_iter();
    urls.map(plain).collect()
}

/// A URL as it is kept, with percents where there have to be any. Some clients send all of it with percents; what is no URL
/// either way is refused later.
fn plain(text: &str) -> String {
    let text = text.trim();
    let url = Url::parse(text).or_else(|_| {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        Url::parse(&decoded)
    });
    url.map_or_else(|_| text.to_owned(), Into::into)
}

/// The URL for several files has got a slash at its end, which its user did not type.
fn is_same(known: &str, named: &str) -> bool {
    let known = plain(known);
    known == named || known.strip_suffix('/') == Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_the_same_however_they_are_written() {
        for (known, named, is_it) in [
            ("http://a/b/", "http://a/b", true),
            ("http://a/b c", "http://a/b%20c", true),
            ("http://a/b%20c", "http%3A%2F%2Fa%2Fb%2520c", true),
            ("http://a/b%7Cc", "http://a/b%7Cc", true),
            ("http://a", "http://a/", true),
            ("http://a/b", "http://a/b/", false),
            ("http://a/b", "http://a/c", false),
        ] {
            assert_eq!(is_same(known, &plain(named)), is_it, "{known} {named}");
        }
        assert_eq!(plain("nonsense"), "nonsense");
    }
}
