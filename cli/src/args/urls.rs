//! URLs as arguments.

use std::str::FromStr;

use url::Url;

/// The schemes that trackers speak.
const TRACKER_SCHEMES: [&str; 3] = ["http", "https", "udp"];

/// Trackers of one tier (BEP 12): a URL, or several with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tier(pub(crate) Vec<Url>);

impl FromStr for Tier {
    type Err = String;

    /// A comma separates two URLs only where another URL begins after it: URLs may contain commas.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut urls: Vec<String> = Vec::new();
        for part in text.split(',') {
            let begins = |scheme: &&str| part.trim_start().starts_with(&format!("{scheme}://"));
            match urls.last_mut() {
                Some(last) if !TRACKER_SCHEMES.iter().any(begins) => {
                    last.push(',');
                    last.push_str(part);
                }
                _ => urls.push(part.to_owned()),
            }
        }
        let urls = urls.iter().map(|url| tracker_url(url.trim()));
        Ok(Self(urls.collect::<Result<_, _>>()?))
    }
}

/// The normalised URL of a tracker: two that mean the same tracker are equal.
pub(crate) fn tracker_key(text: &str) -> String {
    let Ok(url) = Url::parse(text.trim()) else {
        return text.trim().to_owned();
    };
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let port = url.port_or_known_default();
    let path = url.path().trim_end_matches('/');
    // A query or a user name identifies the user to the tracker.
    let query = url.query().unwrap_or_default();
    let user = (url.username(), url.password());
    format!("{}://{user:?}{host}:{port:?}{path}?{query}", url.scheme())
}

pub(super) fn tracker_url(text: &str) -> Result<Url, String> {
    url_of(text, &TRACKER_SCHEMES)
}

pub(super) fn web_url(text: &str) -> Result<Url, String> {
    url_of(text, &["http", "https"])
}

fn url_of(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let wrong = || {
        let begins: Vec<_> = schemes
            .iter()
            .map(|scheme| format!("{scheme}://"))
            .collect();
        format!(
            "not a URL that begins with {} and a host",
            begins.join(", ")
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    match schemes.contains(&url.scheme()) && url.has_host() {
        true => Ok(url),
        false => Err(wrong()),
    }
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

    #[test]
    fn a_tier_is_one_url_or_several() {
        let tier = |text: &str| -> Result<Vec<String>, String> {
            let Tier(urls) = text.parse()?;
            Ok(urls.iter().map(ToString::to_string).collect())
        };
        let expect = |urls: &[&str]| Ok(urls.iter().map(ToString::to_string).collect());
        assert_eq!(tier("udp://a:1"), expect(&["udp://a:1"]));
        assert_eq!(
            tier("udp://a:1, http://b/x,y"),
            expect(&["udp://a:1", "http://b/x,y"])
        );
        for text in ["", ",", "udp://a:1,http://", "ftp://a,udp://b:1"] {
            assert!(tier(text).is_err(), "{text}");
        }
    }

    #[test]
    fn urls_that_mean_the_same_tracker_have_one_key() {
        let same = [
            ("http://T.example/announce", "http://t.example:80/announce"),
            ("http://t.example", "http://t.example/"),
            ("udp://T.example:1", "UDP://t.EXAMPLE:1/"),
            ("http://t/a/../announce", " http://t/announce/"),
        ];
        for (one, other) in same {
            assert_eq!(tracker_key(one), tracker_key(other));
        }
        let different = [
            ("http://t/announce", "https://t/announce"),
            ("http://t/a?key=1", "http://t/a?key=2"),
            ("udp://t:1", "udp://t:2"),
            ("http://t/A", "http://t/a"),
            ("not a url", "nor this"),
        ];
        for (one, other) in different {
            assert_ne!(tracker_key(one), tracker_key(other));
        }
    }
}
