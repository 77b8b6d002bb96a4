//! `tailwater scrape`

use serde::Serialize;
use tailwater_tracker::{Client, ScrapeStats, TrackerError};

use super::Context;
use super::trackers::{Name, Question};
use crate::args::Scrape;
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::words::count;

#[derive(Serialize)]
struct Said<'a> {
    tracker: &'a str,
    info_hash: String,
    error: Option<String>,
    /// Whether the tracker knows the torrent.
    known: Option<bool>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    completed: Option<u32>,
}

pub(super) async fn run(context: &Context, args: &Scrape) -> Result<(), CliError> {
    let question = Question::new(&args.asked, context).await?;
    let ask = |client: Client, url: String, name: Name| async move {
        let answer = client.scrape(&url, &[name.info_hash]).await;
        (url, name, answer.map(|answer| answer.get(&name.info_hash)))
    };
    let show = |url: &str, name: Name, answer: Result<_, TrackerError>| {
        let answer = answer.map_err(|error| error.to_string());
        match context.common.json() {
            true => out::json(&said(url, name, answer)),
            false => context.progress.say(human(url, name, answer)),
        }
    };
    question.ask(context, ask, show).await
}

fn human(url: &str, name: Name, answer: Result<Option<ScrapeStats>, String>) -> String {
    let url = name.heading(url);
    let number =
        |number: u32, what: &str| count(usize::try_from(number).unwrap_or(usize::MAX), what);
    match answer {
        Err(error) => format!("{url}\n  failed: {}", Harmless(&error)),
        Ok(None) => format!("{url}\n  does not know the torrent"),
        Ok(Some(stats)) => format!(
            "{url}\n  {}, {}, completed {}",
            number(stats.seeders, "seeder"),
            number(stats.leechers, "leecher"),
            number(stats.completed, "time")
        ),
    }
}

fn said(url: &str, name: Name, answer: Result<Option<ScrapeStats>, String>) -> Said<'_> {
    let (stats, error) = match answer {
        Ok(stats) => (Some(stats), None),
        Err(error) => (None, Some(error)),
    };
    let known = stats.map(|stats| stats.is_some());
    let stats = stats.flatten();
    Said {
        tracker: url,
        info_hash: name.info_hash.to_string(),
        error,
        known,
        seeders: stats.map(|stats| stats.seeders),
        leechers: stats.map(|stats| stats.leechers),
        completed: stats.map(|stats| stats.completed),
    }
}
