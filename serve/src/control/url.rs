//! Fetches a .torrent file from a URL that a caller names.

use std::time::Duration;

use tailwater_http::{AddressPolicy, Client, ClientConfig, UrlTrust};
use tailwater_metainfo::Limits;

use super::config::{ControlConfig, UrlPolicy};
use super::error::ControlError;

/// The longest URL that is fetched, in bytes.
pub(super) const MAX_URL_LEN: usize = 8_192;
/// The longest time for all of it: a caller waits.
const FETCH_WITHIN: Duration = Duration::from_secs(60);
/// The longest time to connect.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// How many redirects in a row are followed.
const MAX_REDIRECTS: usize = 5;

/// Whether a text is the URL of something to fetch.
pub(super) fn is_url(text: &str) -> bool {
    let begins = |scheme: &str| {
        let start = text.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins("http://") || begins("https://")
}

/// The bytes at a URL, to public addresses unless the daemon was told otherwise: a caller cannot have it ask services of
/// its own network.
pub(super) async fn fetch(url: &str, config: &ControlConfig) -> Result<Vec<u8>, ControlError> {
    let failed = |reason: String| ControlError::Fetch {
        url: url.chars().take(MAX_URL_LEN).collect(),
        reason,
    };
    if url.len() > MAX_URL_LEN {
        return Err(failed(format!("it is longer than {MAX_URL_LEN} bytes")));
    }
    let (policy, trust) = match config.urls {
        UrlPolicy::Public => (AddressPolicy::public_only(), UrlTrust::Composed),
        UrlPolicy::Any => (AddressPolicy::any(), UrlTrust::Named),
    };
    let mut http = ClientConfig::default()
        .timeout(FETCH_WITHIN)
        .connect_timeout(CONNECT_WITHIN)
        .max_body_len(Limits::default().len)
        .max_redirects(MAX_REDIRECTS)
        .address_policy(policy);
    if let Some(proxy) = &config.proxy {
        http = http.proxy(proxy.clone());
    }
    if let Some(interface) = config.session.interface() {
        http = http.interface(interface);
    }
    let response = Client::new(http).get(url).trust(trust).send().await;
    let response = response.map_err(|error| failed(error.to_string()))?;
    if !response.status().is_success() {
        return Err(failed(format!("the server answered {}", response.status())));
    }
    let bytes = response.bytes().await;
    bytes.map_err(|error| failed(error.to_string()))
}
