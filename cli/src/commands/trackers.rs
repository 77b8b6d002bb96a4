//! Asking all trackers of a torrent at once.

use tailwater_metainfo::InfoHash;
use tailwater_tracker::{Client, ClientConfig, TrackerError};
use tokio::task::JoinSet;

use crate::args::Asked;
use crate::error::CliError;
use crate::link::Link;
use crate::progress::Progress;
use crate::source::Given;

/// Trackers of a magnet link that are asked.
const MAX_TRACKERS: usize = 256;

/// A torrent and whom to ask about it.
pub(super) struct Question {
    /// Bytes of the torrent, if more than a link is known.
    pub(super) total: Option<u64>,
    pub(super) info_hash: InfoHash,
    pub(super) client: Client,
    urls: Vec<String>,
}

/// A tracker and what it said.
pub(super) type Answer<T> = (String, Result<T, TrackerError>);

impl Question {
    pub(super) async fn new(asked: &Asked, progress: &Progress) -> Result<Self, CliError> {
        // A link says all that trackers want to know.
        let (name, hashes, total, trackers) = match asked.source.open(progress).await? {
            Given::Torrent(metainfo) => {
                let info = metainfo.info();
                let (name, total) = (info.name().to_owned(), info.geometry().total());
                let trackers = metainfo.trackers().concat();
                (name, info.info_hashes(), Some(total), trackers)
            }
            Given::Link(Link::Published(_)) => return Err(CliError::NeedsDht),
            Given::Link(Link::Torrent(magnet)) => {
                let trackers = magnet.trackers.into_iter().take(MAX_TRACKERS).collect();
                ("the magnet link".to_owned(), magnet.hashes, None, trackers)
            }
        };
        // What the user named by hand may lead anywhere, what a torrent names may not.
        let client = Client::new(ClientConfig::default());
        let (client, mut urls): (_, Vec<String>) = match asked.tracker.is_empty() {
            true => (client, trackers),
            false => (
                client.for_named_urls(),
                asked.tracker.iter().map(ToString::to_string).collect(),
            ),
        };
        urls.sort_unstable();
        urls.dedup();
        // Every torrent has one of the two.
        let Some(info_hash) = hashes.wire().filter(|_| !urls.is_empty()) else {
            return Err(CliError::NoTrackers(name));
        };
        Ok(Self {
            info_hash,
            client,
            urls,
            total,
        })
    }

    /// Asks each in a task of its own; the answers come as they arrive.
    pub(super) fn ask<T, F>(&self, ask: impl Fn(Client, String) -> F) -> JoinSet<Answer<T>>
    where
        T: Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        self.urls
            .iter()
            .map(|url| ask(self.client.clone(), url.clone()))
            .collect()
    }
}

/// Shows each answer as it comes; an error unless one of them is good.
pub(super) async fn show<T: 'static>(
    mut answers: JoinSet<Answer<T>>,
    show: impl Fn(&str, Result<T, TrackerError>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut answered = false;
    // A task that panicked has said so.
    while let Some(result) = answers.join_next().await {
        if let Ok((url, answer)) = result {
            answered |= answer.is_ok();
            show(&url, answer)?;
        }
    }
    match answered {
        true => Ok(()),
        false => Err(CliError::Reported),
    }
}
