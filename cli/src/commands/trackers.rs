//! Asking all trackers of a torrent at once.

use tailwater_metainfo::{InfoHash, Metainfo};
use tailwater_tracker::{Client, ClientConfig, TrackerError};
use tokio::task::JoinSet;

use crate::args::Asked;
use crate::error::CliError;
use crate::progress::Progress;

/// A torrent and whom to ask about it.
pub(super) struct Question {
    pub(super) metainfo: Metainfo,
    pub(super) info_hash: InfoHash,
    pub(super) client: Client,
    urls: Vec<String>,
}

/// A tracker and what it said.
pub(super) type Answer<T> = (String, Result<T, TrackerError>);

impl Question {
    pub(super) async fn new(asked: &Asked, progress: &Progress) -> Result<Self, CliError> {
        let metainfo = asked.source.load(progress).await?;
        let name = metainfo.info().name();
        let mut urls: Vec<String> = match asked.tracker.is_empty() {
            true => metainfo.trackers().concat(),
            false => asked.tracker.iter().map(ToString::to_string).collect(),
        };
        urls.sort_unstable();
        urls.dedup();
        // Every torrent has one of the two.
        let Some(info_hash) = metainfo
            .info()
            .info_hashes()
            .wire()
            .filter(|_| !urls.is_empty())
        else {
            return Err(CliError::NoTrackers(name.to_owned()));
        };
        Ok(Self {
            info_hash,
            client: Client::new(ClientConfig::default()),
            urls,
            metainfo,
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
