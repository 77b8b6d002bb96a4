//! Asking all trackers of a torrent side by side.

use std::collections::HashSet;
use std::time::Duration;

use tailwater_metainfo::{InfoHash, InfoHashes};
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
    pub(super) client: Client,
    urls: Vec<String>,
    names: Vec<Name>,
}

/// One of the names under which a tracker may know the torrent: a hybrid has two, with other peers under each (BEP 52).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) info_hash: InfoHash,
    /// What tells it from the other one.
    version: Option<&'static str>,
}

impl Name {
    fn all(hashes: InfoHashes, is_private: bool) -> Vec<Self> {
        // The members of a private tracker are to be counted once: the session announces it under its v1 hash alone, too.
        let asked = if is_private { 1 } else { usize::MAX };
        let is_hybrid = hashes.upgrade().is_some() && !is_private;
        let named = |info_hash| Self {
            info_hash,
            version: is_hybrid.then_some(match hashes.is_v2(info_hash) {
                true => "v2",
                false => "v1",
            }),
        };
        hashes.names().take(asked).map(named).collect()
    }

    /// A tracker as it is shown above its answer.
    pub(super) fn heading(self, url: &str) -> String {
        let url = Harmless(url);
        match self.version {
            None => url.to_string(),
            Some(version) => format!("{url} ({version})"),
        }
    }
}

/// A tracker, the name under which it was asked, and its answer.
pub(super) type Answer<T> = (String, Name, Result<T, TrackerError>);

impl Question {
    pub(super) async fn new(asked: &Asked, context: &Context) -> Result<Self, CliError> {
        // A link has all that trackers need to know.
        let via = Via::through(asked.proxy.as_ref(), asked.interface.as_ref());
        let given = asked.source.open(via, &context.progress);
        let given = context.interrupt.guard(given).await?;
        let (name, names, total, trackers) = match given {
            Given::Torrent(metainfo) => {
                let info = metainfo.info();
                let (name, total) = (info.name().to_owned(), info.geometry().total());
                let trackers = metainfo.trackers().concat();
                let names = Name::all(info.info_hashes(), info.is_private());
                (name, names, Some(total), trackers)
            }
            Given::Link(Link::Published(_)) => return Err(CliError::NeedsDht),
            Given::Link(Link::Torrent(magnet)) => {
                let trackers = magnet.trackers.into_iter().take(MAX_TRACKERS).collect();
                let names = Name::all(magnet.hashes, false);
                ("the magnet link".to_owned(), names, None, trackers)
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
        if urls.is_empty() {
            return Err(CliError::NoTrackers(name));
        }
        Ok(Self {
            total,
            client,
            urls,
            names,
        })
    }

    /// Asks each under each name in a task of its own, and shows each answer as it comes; an error unless one of them is good.
    ///
    /// When the user interrupts, the questions are dropped.
    pub(super) async fn ask<T, F>(
        &self,
        context: &Context,
        ask: impl Fn(Client, String, Name) -> F,
        mut show: impl FnMut(&str, Name, Result<T, TrackerError>) -> Result<(), CliError>,
    ) -> Result<(), CliError>
    where
        T: Send + 'static,
        F: Future<Output = Answer<T>> + Send + 'static,
    {
        let urls = self.urls.iter();
        let questions = urls.flat_map(|url| self.names.iter().map(move |name| (url, *name)));
        let mut answers: JoinSet<_> = questions
            .map(|(url, name)| ask(self.client.clone(), url.clone(), name))
            .collect();
        let mut waiting = Waiting::new(context, &self.urls, self.names.len());
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
                Some(Ok((url, name, answer))) => {
                    waiting.on_answer(&url, answer.is_ok());
                    waiting.show();
                    show(&url, name, answer)?;
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
    awaited: Vec<Awaited>,
}

/// A tracker that has not given all its answers.
struct Awaited {
    url: String,
    answers: usize,
    has_answered: bool,
}

impl Waiting {
    fn new(context: &Context, urls: &[String], names: usize) -> Self {
        let meter = context.progress.meter("trackers", 0, TELL_EVERY);
        meter.without_bar();
        let awaited = urls.iter().map(|url| Awaited {
            url: url.clone(),
            answers: names,
            has_answered: false,
        });
        Self {
            meter,
            asked: urls.len(),
            answered: 0,
            failed: 0,
            awaited: awaited.collect(),
        }
    }

    fn on_answer(&mut self, url: &str, is_good: bool) {
        let Some(place) = self.awaited.iter().position(|it| it.url == url) else {
            return;
        };
        let tracker = &mut self.awaited[place];
        tracker.answers = tracker.answers.saturating_sub(1);
        tracker.has_answered |= is_good;
        if tracker.answers == 0 {
            match self.awaited.remove(place).has_answered {
                true => self.answered += 1,
                false => self.failed += 1,
            }
        }
    }

    fn show(&self) {
        if !self.awaited.is_empty() {
            let urls: Vec<_> = self.awaited.iter().map(|it| it.url.as_str()).collect();
            let (counts, waiting) = (self.counts(), waiting_for(&urls));
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
fn waiting_for(urls: &[&str]) -> String {
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
    use tailwater_metainfo::InfoHashV2;

    use super::*;

    #[test]
    fn a_hybrid_is_asked_for_under_both_names_unless_it_is_private() {
        let v1: InfoHash = "1".repeat(40).parse().unwrap();
        let v2: InfoHashV2 = "2".repeat(64).parse().unwrap();
        let names = |v1, v2, is_private| {
            let names = Name::all(InfoHashes { v1, v2 }, is_private).into_iter();
            let names = names.map(|name| (name.info_hash.to_string(), name.heading("udp://a")));
            names.collect::<Vec<_>>()
        };
        let name = |digit: &str, heading: &str| (digit.repeat(40), heading.to_owned());
        let both = [name("1", "udp://a (v1)"), name("2", "udp://a (v2)")];
        assert_eq!(names(Some(v1), Some(v2), false), both);
        assert_eq!(names(Some(v1), Some(v2), true), [name("1", "udp://a")]);
        assert_eq!(names(Some(v1), None, false), [name("1", "udp://a")]);
        assert_eq!(names(None, Some(v2), true), [name("2", "udp://a")]);
    }

    #[test]
    fn trackers_that_are_waited_for_are_named_briefly() {
        let urls = [
            "http://a.example/announce?key=secret",
            "udp://b.example:6969",
            "https://c.example/",
            "not a url",
        ];
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
