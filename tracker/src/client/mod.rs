//! The tracker client: a tokio driver, with the sockets, clock and randomness for the codecs and state machines.

mod body;
mod config;
mod http;
mod route;
mod udp;

use std::sync::Arc;

use tailwater_types::InfoHash;
use url::Url;

pub use config::ClientConfig;
pub use route::{UdpConversation, UdpRelay, UdpRoute, UdpTarget};
pub use tailwater_http::{AddressPolicy, Hop, Proxy, UrlTrust};

use self::http::{Answer, Http, Question};
use self::udp::Udp;
use crate::announce::{AnnounceRequest, AnnounceResponse};
use crate::error::TrackerError;
use crate::http as codec;
use crate::scrape::ScrapeResponse;

/// A tracker client over HTTP, HTTPS and UDP.
///
/// Clones share connections; cloning costs a reference count. With the last clone, idle sockets
/// are closed and the connections' tasks end. It must be used within a tokio runtime with I/O and
/// time.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
    /// Whether the user named the URLs by hand.
    is_named: bool,
}

#[derive(Debug)]
struct Shared {
    http: Http,
    udp: Udp,
}

impl Client {
    /// A client. It opens nothing before it is used.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        let shared = Shared {
            http: Http::new(&config),
            udp: Udp::new(config),
        };
        Self {
            shared: Arc::new(shared),
            is_named: false,
        }
    }

    /// Ends all connections, and forgets what UDP trackers gave for the addresses of before. Requests over HTTP that are
    /// under way fail. For a network that has changed.
    pub fn disconnect(&self) {
        self.shared.http.disconnect();
        self.shared.udp.disconnect();
    }

    /// The same client, for URLs that the user named by hand: the address policy takes them for
    /// [`UrlTrust::Named`] rather than for a stranger's, so that they may lead anywhere.
    #[must_use]
    pub fn for_named_urls(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            is_named: true,
        }
    }

    /// A UDP tracker gets numbers, and a path only when it has answered like a tracker (BEP 15, BEP 41): no URL makes
    /// another service do anything.
    const fn udp_trust(&self) -> UrlTrust {
        match self.is_named {
            true => UrlTrust::Named,
            false => UrlTrust::Plain,
        }
    }

    fn trust(&self, url: &str, is_expected: impl Fn(&str) -> bool) -> UrlTrust {
        match Url::parse(url.trim()) {
            _ if self.is_named => UrlTrust::Named,
            Ok(url) => UrlTrust::of_stranger(&url, is_expected),
            Err(_) => UrlTrust::Composed,
        }
    }

    /// Announces to the tracker at `url` (`http://`, `https://` or `udp://`).
    ///
    /// Over UDP, the announce goes to one address of each family that the host has.
    ///
    /// # Errors
    ///
    /// What can go wrong, all of it bounded in time by [`ClientConfig`]: see [`TrackerError`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the request; whether the tracker counts it is unknown.
    pub async fn announce(
        &self,
        url: &str,
        request: &AnnounceRequest,
    ) -> Result<AnnounceResponse, TrackerError> {
        if let Some(url) = udp_url(url)? {
            let trust = self.udp_trust();
            return self.shared.udp.announce(&url, request, trust).await;
        }
        let question = Question {
            trust: self.trust(url, codec::is_announce_path),
            url: &codec::announce_url(url, request)?,
            is_expected: codec::is_announce_path,
        };
        let answer = self.shared.http.get(&question).await?;
        let mut response = settle(&answer, codec::parse_announce)?;
        response.tracker_ip = answer.from;
        Ok(response)
    }

    /// Asks the tracker at the announce URL `url` how many peers the torrents have, of which
    /// there may be up to [`MAX_SCRAPE_HASHES`](crate::MAX_SCRAPE_HASHES).
    ///
    /// # Errors
    ///
    /// As [`announce`](Self::announce).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the request.
    pub async fn scrape(
        &self,
        url: &str,
        info_hashes: &[InfoHash],
    ) -> Result<ScrapeResponse, TrackerError> {
        if let Some(url) = udp_url(url)? {
            let trust = self.udp_trust();
            return self.shared.udp.scrape(&url, info_hashes, trust).await;
        }
        let question = Question {
            // The path is still the announce's.
            trust: self.trust(url, codec::is_announce_path),
            url: &codec::scrape_url(url, info_hashes)?,
            is_expected: codec::is_scrape_path,
        };
        let answer = self.shared.http.get(&question).await?;
        settle(&answer, |body| codec::parse_scrape(body, info_hashes))
    }
}

fn udp_url(url: &str) -> Result<Option<Url>, TrackerError> {
    let url = Url::parse(url.trim()).map_err(|error| TrackerError::InvalidUrl {
        reason: error.to_string(),
    })?;
    Ok((url.scheme() == "udp").then_some(url))
}

fn settle<T>(
    answer: &Answer,
    parse: impl FnOnce(&[u8]) -> Result<T, TrackerError>,
) -> Result<T, TrackerError> {
    let parsed = parse(&answer.body);
    if answer.status.is_success() {
        return parsed;
    }
    match parsed {
        // Some trackers explain an error status in bencode.
        Err(refused @ TrackerError::Refused { .. }) => Err(refused),
        _ => Err(TrackerError::HttpStatus {
            status: answer.status.as_u16(),
        }),
    }
}
