//! URLs as arguments.

use url::Url;

pub(super) fn tracker_url(text: &str) -> Result<Url, String> {
    url_of(text, &["http", "https", "udp"])
}

pub(super) fn web_url(text: &str) -> Result<Url, String> {
    url_of(text, &["http", "https"])
}

fn url_of(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !schemes.contains(&url.scheme()) || !url.has_host() {
        return Err(format!(
            "not a URL of a host that begins with {}",
            schemes.join(", ")
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trackers_have_a_scheme_that_trackers_speak() {
        assert!(tracker_url("udp://tracker.example.org:6969").is_ok());
        assert!(tracker_url("http://[::1]:6969/announce").is_ok());
        for text in [
            "",
            "tracker.example.org",
            "ftp://a/b",
            "magnet:?xt=urn:btih:00",
            "http://",
        ] {
            assert!(tracker_url(text).is_err(), "{text}");
        }
        assert!(web_url("udp://a:1").is_err());
    }
}
