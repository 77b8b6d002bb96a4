//! `tailwater scrape`

use serde::Serialize;
use tailwater_tracker::ScrapeStats;

use super::Context;
use super::trackers::{Question, show};
use crate::args::Scrape;
use crate::error::CliError;
use crate::out::{self, Harmless};

#[derive(Serialize)]
struct Said<'a> {
    tracker: &'a str,
    error: Option<String>,
    /// Whether the tracker knows the torrent.
    known: Option<bool>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    completed: Option<u32>,
}

pub(super) async fn run(context: &Context, args: &Scrape) -> Result<(), CliError> {
    let question = Question::new(&args.asked, &context.progress).await?;
    let info_hash = question.info_hash;
    let answers = question.ask(|client, url| async move {
        let answer = client.scrape(&url, &[info_hash]).await;
        (url, answer.map(|answer| answer.get(&info_hash)))
    });
    let json = context.common.json();
    show(answers, |url, answer| {
        let answer = answer.map_err(|error| error.to_string());
        match json {
            true => out::json(&said(url, answer)),
            false => human(url, answer),
        }
    })
    .await
}

fn human(url: &str, answer: Result<Option<ScrapeStats>, String>) -> Result<(), CliError> {
    let url = Harmless(url);
    match answer {
        Err(error) => out::line(format_args!("{url}\n  failed: {}", Harmless(&error))),
        Ok(None) => out::line(format_args!("{url}\n  does not know the torrent")),
        Ok(Some(ScrapeStats {
            seeders,
            leechers,
            completed,
        })) => out::line(format_args!(
            "{url}\n  {seeders} seeders, {leechers} leechers, completed {completed} times"
        )),
    }
}

fn said(url: &str, answer: Result<Option<ScrapeStats>, String>) -> Said<'_> {
    let (stats, error) = match answer {
        Ok(stats) => (Some(stats), None),
        Err(error) => (None, Some(error)),
    };
    let known = stats.map(|stats| stats.is_some());
    let stats = stats.flatten();
    Said {
        tracker: url,
        error,
        known,
        seeders: stats.map(|stats| stats.seeders),
        leechers: stats.map(|stats| stats.leechers),
        completed: stats.map(|stats| stats.completed),
    }
}
