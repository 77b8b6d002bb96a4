//! Fetches what is looked at, and nothing else: a side of a torrent, or a graph.

use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::watch::Receiver;
use tokio::time::timeout;

use super::super::model::parts::{Rates, Span, Tab};
use super::super::update::order::{News, Seen, Watch};
use super::{Line, plain};

/// How often it is fetched.
const EVERY: Duration = Duration::from_secs(1);
/// The same for what is long, or changes slowly.
const SELDOM: Duration = Duration::from_secs(2);
const RARELY: Duration = Duration::from_secs(10);
/// From so many files on, they are fetched rarely.
const MANY_FILES: usize = 2_000;

/// Fetches again and again, until no one listens.
pub(super) async fn run(line: Line, mut watched: Receiver<Watch>) {
    let mut shown = None;
    loop {
        let watch = watched.borrow_and_update().clone();
        let (news, every) = match &watch {
            Watch::Nothing => {
                shown = None;
                if watched.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Watch::Rates(span) => (rates(&line, *span).await, EVERY),
            Watch::Torrent { id, tab, span } => side(&line, id, *tab, *span).await,
        };
        // What has not changed is not drawn again.
        if shown.as_ref() != Some(&news) {
            shown = Some(news.clone());
            if !line.say(news).await {
                return;
            }
        }
        let waited = async {
            tokio::select! {
                changed = watched.changed() => changed.is_ok(),
                () = line.changed.parts.notified() => true,
            }
        };
        if timeout(every, waited).await == Ok(false) {
            return;
        }
    }
}

async fn rates(line: &Line, span: Span) -> News {
    let path = format!("/api/v1/stats/rates?step={}", span.step());
    let found: Result<Rates, _> = line.get(&path).await;
    News::Rates(found.map_err(|failure| plain(&failure)))
}

async fn side(
    line: &Line,
    id: &super::super::model::torrent::Id,
    tab: Tab,
    span: Span,
) -> (News, Duration) {
    let torrent = format!("/api/v1/torrents/{id}");
    let (seen, every) = match tab {
        Tab::Overview => (Seen::Info(part(line, &torrent).await), SELDOM),
        Tab::Files => {
            let files = part(line, &format!("{torrent}/files")).await;
            let every = match &files {
                Ok(files) if Vec::len(files) >= MANY_FILES => RARELY,
                _ => SELDOM,
            };
            (Seen::Files(files), every)
        }
        Tab::Peers => (
            Seen::Peers(part(line, &format!("{torrent}/peers")).await),
            EVERY,
        ),
        Tab::Trackers => {
            let trackers = part(line, &format!("{torrent}/trackers")).await;
            (Seen::Trackers(trackers), SELDOM)
        }
        Tab::Pieces => (
            Seen::Pieces(part(line, &format!("{torrent}/pieces")).await),
            SELDOM,
        ),
        Tab::Rates => {
            let path = format!("{torrent}/rates?step={}", span.step());
            (Seen::Rates(part(line, &path).await), EVERY)
        }
    };
    (News::Seen(id.clone(), seen), every)
}

async fn part<T: DeserializeOwned>(line: &Line, path: &str) -> Result<T, String> {
    let found = line.get(path).await;
    found.map_err(|failure| plain(&failure))
}
