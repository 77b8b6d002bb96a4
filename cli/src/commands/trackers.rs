//! Asking all trackers of a torrent side by side.

use std::collections::HashSet;
use std::time::Duration;

use tailwater_metainfo::InfoHash;
use tailwater_tracker::{Client, ClientConfig, TrackerError, UdpRoute};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use url::Url;

use super::Context;
use crate::args::{Asked, Wait, tracker_key};
use crate::error::CliError;
use crate::input::authorities;
use crate::input::link::Link;
use crate::input::source::Given;
use crate::input::source::Via;
use crate::out::Harmless;
use crate::progress::Meter;
use crate::words::count;

/// Trackers of a magnet link that are asked.
const MAX_TRACKERS: usize = 256;
/// How often the awaited trackers are printed.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// The most awaited trackers that are named.
const NAMED: usize = 2;

/// A torrent, and the trackers to ask about it.
pub(super) struct Question {
    /// Bytes of the torrent, if more than a link is known.
    pub(super) total: Option<u64>,
    pub(super) info_hash: InfoHash,
    pub(super) client: Client,
    urls: Vec<String>,
}

/// A tracker and its answer.
pub(super) type Answer<T> = (String, Result<T, TrackerError>);

impl Question {
    pub(super) async fn new(asked: &Asked, context: &Context) -> Result<Self, CliError> {
        // A link has all that trackers need to know.
        let via = Via::through(asked.proxy.as_ref(), asked.interface.as_ref());
        let given = asked.source.open(via, &context.progress);
        let given = context.interrupt.guard(given).await?;
        let (name, hashes, total, trackers) = match given {
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
        // A tracker typed by the user may be at any address, one from a torrent may not.
        let client = client(asked)?;
        let (client, mut urls): (_, Vec<String>) = match asked.tracker.is_empty() {
            true => (client, trackers),
            false => (
                client.for_named_urls(),
                asked.tracker.iter().map(ToString::to_string).collect(),
            ),
        };
        let mut seen = HashSet::new();
        urls.retain(|url| seen.insert(tracker_key(url)));
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

    /// Asks each in a task of its own, and shows each answer as it comes; an error unless one of them is good.
    ///
    /// When the user interrupts, the questions are dropped.
    pub(super) async fn ask<T, F>(
        &self,
        context: &Context,
        ask: impl Fn(Client, String) -> F,
        mut show: impl FnMut(&str, Result<T, TrackerError>) -> Result<(), CliError>,
    ) -> Result<(), CliError>
    where
        T: Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let asked = self.urls.iter();
        let mut answers: JoinSet<_> = asked
            .map(|url| ask(self.client.clone(), url.clone()))
            .collect();
        let mut waiting = Waiting::new(context, &self.urls);
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        waiting.show();
        loop {
            let answer = tokio::select! {
                biased;
                () = context.interrupt.requested() => return Err(CliError::Interrupted),
                answer = answers.join_next() => answer,
                _ = ticks.tick() => {
                    waiting.show();
                    continue;
                }
            };
            match answer {
                Some(Ok((url, answer))) => {
                    waiting.on_answer(&url, answer.is_ok());
                    waiting.show();
                    show(&url, answer)?;
                }
                // A task that panicked has printed its message.
                Some(Err(_)) => {}
                None => return waiting.end(context),
            }
        }
    }
}

fn client(asked: &Asked) -> Result<Client, CliError> {
    let Wait(timeout) = asked.timeout;
    let mut config = ClientConfig::default();
    config.add_root_certificates(&authorities::read()?);
    config.http_timeout = timeout;
    config.udp_timeout = timeout;
    config.interface = asked.interface.clone();
    if let Some(proxy) = &asked.proxy {
        config.proxy = proxy.into();
        config.udp_route = UdpRoute::Off;
    }
    Ok(Client::new(config))
}

/// The trackers that have answered, and those that are awaited.
struct Waiting {
    meter: Meter,
    asked: usize,
    answered: usize,
    failed: usize,
    urls: Vec<String>,
}

impl Waiting {
    fn new(context: &Context, urls: &[String]) -> Self {
        let meter = context.progress.meter("trackers", 0, TELL_EVERY);
        meter.without_bar();
        Self {
            meter,
            asked: urls.len(),
            answered: 0,
            failed: 0,
            urls: urls.to_vec(),
        }
    }

    fn on_answer(&mut self, url: &str, is_good: bool) {
        self.urls.retain(|waiting| waiting != url);
        match is_good {
            true => self.answered += 1,
            false => self.failed += 1,
        }
    }

    fn show(&self) {
        if !self.urls.is_empty() {
            let (counts, waiting) = (self.counts(), waiting_for(&self.urls));
            self.meter
                .set(0, format_args!("{counts}, waiting for {waiting}"));
        }
    }

    fn counts(&self) -> String {
        let Self {
            asked,
            answered,
            failed,
            ..
        } = self;
        format!("{asked} asked, {answered} answered, {failed} failed")
    }

    /// Sums up.
    fn end(self, context: &Context) -> Result<(), CliError> {
        if self.asked > 1 && !context.common.json() {
            let counts = self.counts();
            drop(self.meter);
            context.progress.say(format_args!("trackers: {counts}"))?;
        }
        match self.answered {
            0 => Err(CliError::Reported),
            _ => Ok(()),
        }
    }
}

/// The first trackers by host and port, and how many there are beside them.
fn waiting_for(urls: &[String]) -> String {
    let mut named: Vec<_> = urls.iter().take(NAMED).map(|url| host(url)).collect();
    if let Some(more) = urls.len().checked_sub(NAMED).filter(|&more| more > 0) {
        named.push(count(more, "other"));
    }
    let last = named.pop().unwrap_or_default();
    match named.is_empty() {
        true => last,
        false => format!("{} and {last}", named.join(", ")),
    }
}

fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        let port = url.port().map(|port| format!(":{port}"));
        Some(host + &port.unwrap_or_default())
    });
    Harmless(&host.unwrap_or_else(|| url.to_owned())).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trackers_that_are_waited_for_are_named_briefly() {
        let urls = [
            "http://a.example/announce?key=secret",
            "udp://b.example:6969",
            "https://c.example/",
            "not a url",
        ];
        let urls = urls.map(str::to_owned);
        assert_eq!(waiting_for(&urls[..1]), "a.example");
        assert_eq!(waiting_for(&urls[..2]), "a.example and b.example:6969");
        assert_eq!(
            waiting_for(&urls[..3]),
            "a.example, b.example:6969 and 1 other"
        );
        assert_eq!(waiting_for(&urls), "a.example, b.example:6969 and 2 others");
        assert_eq!(waiting_for(&urls[3..]), "not a url");
    }
}
