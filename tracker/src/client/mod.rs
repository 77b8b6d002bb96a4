//! The tokio driver: sockets, clock and randomness for the codecs and state machines.

mod body;
mod config;
mod connect;
mod http;
mod policy;
mod tasks;
mod udp;

use std::sync::Arc;

use tailwater_metainfo::InfoHash;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

pub use config::ClientConfig;
pub use policy::{AddressPolicy, is_public_address};

use self::http::{Answer, Http};
use self::tasks::Tasks;
use self::udp::Udp;
use crate::announce::{AnnounceRequest, AnnounceResponse};
use crate::error::TrackerError;
use crate::http as codec;
use crate::scrape::ScrapeResponse;

/// Asks trackers over HTTP, HTTPS and UDP.
///
/// Clones share connections; cloning costs a reference count. With the last clone, idle sockets
/// are closed and the connections' tasks end. It must be used within a tokio runtime with I/O and
/// time.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Http,
    udp: Udp,
    _ends_tasks: DropGuard,
}

impl Client {
    /// A client. It opens nothing before it is used.
    #[must_use]
    pub fn new(config: ClientConfig) -> Self {
        let config = Arc::new(config);
        let token = CancellationToken::new();
        let shared = Shared {
            http: Http::new(Arc::clone(&config), Tasks::new(token.clone())),
            udp: Udp::new(config),
            _ends_tasks: token.drop_guard(),
        };
        Self {
            shared: Arc::new(shared),
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
            return self.shared.udp.announce(&url, request).await;
        }
        let url = codec::announce_url(url, request)?;
        settle(&self.shared.http.get(&url).await?, codec::parse_announce)
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
            return self.shared.udp.scrape(&url, info_hashes).await;
        }
        let url = codec::scrape_url(url, info_hashes)?;
        let answer = self.shared.http.get(&url).await?;
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
