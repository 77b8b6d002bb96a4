//! Follows the list of torrents and the events.

use std::time::Duration;

use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::super::model::Stats;
use super::super::model::torrent::{FIELDS, Id, Torrent};
use super::super::update::order::News;
use super::{Line, plain};
use crate::commands::daemon_client::Method;
use crate::commands::daemon_client::events::{Event, Parser};
use crate::error::DaemonFailure;
use crate::out::Harmless;

/// How often the list is asked for what has changed.
const EVERY: Duration = Duration::from_secs(1);
/// Where so many change at once, it is asked for less often: each thousand takes a second more.
const MANY: u64 = 1_000;
const SELDOM: u64 = 5;
/// How soon a daemon that does not answer is asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// An answer that takes longer is said to be missing, and waited for still.
const SILENT_FOR: Duration = Duration::from_secs(5);
/// As many as one answer has.
const AT_ONCE: usize = 5_000;

/// What has changed since a revision.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    revision: u64,
    is_whole: bool,
    has_more: bool,
    removed: Vec<String>,
    torrents: Vec<Torrent>,
}

/// Where a reader of the list is.
#[derive(Debug, Default)]
struct Place {
    revision: u64,
    stats: Option<Stats>,
    /// The daemon answered the last time.
    is_up: bool,
}

/// Follows the torrents and the figures of the daemon, without end.
pub(super) async fn torrents(line: Line) {
    let mut place = Place::default();
    loop {
        let wait = match ask_patiently(&line, &mut place).await {
            Ok(Some(changed)) => {
                let more = (changed / MANY).min(SELDOM);
                EVERY.saturating_add(Duration::from_secs(more))
            }
            Ok(None) => return,
            Err(failure) => {
                place.is_up = false;
                place.stats = None;
                if !line.say(News::Down(plain(&failure))).await {
                    return;
                }
                AGAIN
            }
        };
        // Something was done: its effect is shown at once.
        let _ = timeout(wait, line.changed.torrents.notified()).await;
    }
}

/// As [`ask`]; says so if the answer does not come.
async fn ask_patiently(line: &Line, place: &mut Place) -> Result<Option<u64>, DaemonFailure> {
    let was_silent = {
        let asking = ask(line, place);
        tokio::pin!(asking);
        match timeout(SILENT_FOR, &mut asking).await {
            Ok(answer) => return answer,
            Err(_) => {
                let silent = format!("no answer for {} s", SILENT_FOR.as_secs());
                if !line.say(News::Down(silent)).await {
                    return Ok(None);
                }
                asking.await
            }
        }
    };
    // It answers: that is said with the next changes, if there are none too.
    place.is_up = false;
    was_silent
}

/// Asks once; how many have changed, or nothing if no one listens.
async fn ask(line: &Line, place: &mut Place) -> Result<Option<u64>, DaemonFailure> {
    let mut changed = 0_u64;
    loop {
        let revision = place.revision;
        let path = format!("/api/v1/torrents?since={revision}&limit={AT_ONCE}&fields={FIELDS}");
        let page: Page = line.get(&path).await?;
        place.revision = page.revision;
        let is_news = page.is_whole || !page.torrents.is_empty() || !page.removed.is_empty();
        changed += u64::try_from(page.torrents.len()).unwrap_or(u64::MAX);
        let has_more = page.has_more;
        if is_news || !place.is_up {
            let removed: Vec<Id> = page.removed.into_iter().map(Id::from).collect();
            let news = News::Changes {
                is_whole: page.is_whole,
                torrents: page.torrents,
                removed,
            };
            if !line.say(news).await {
                return Ok(None);
            }
        }
        place.is_up = true;
        if !has_more {
            break;
        }
    }
    let stats: Stats = line.get("/api/v1/stats").await?;
    if place.stats.as_ref() != Some(&stats) {
        place.stats = Some(stats.clone());
        if !line.say(News::Stats(stats)).await {
            return Ok(None);
        }
    }
    Ok(Some(changed))
}

/// Follows the events, without end: each has the list asked at once, and some are worth a word.
pub(super) async fn events(line: Line) {
    let mut last = None;
    loop {
        // That the daemon does not answer is said by the other task.
        let ended = listen(&line, &mut last).await;
        if ended.is_err() {
            tracing::debug!("the events of the daemon ended");
        }
        if line.news.is_closed() {
            return;
        }
        sleep(AGAIN).await;
    }
}

async fn listen(line: &Line, last: &mut Option<u64>) -> Result<(), DaemonFailure> {
    let path = match last {
        Some(last) => format!("/api/v1/events?since={last}"),
        None => "/api/v1/events".to_owned(),
    };
    let response = line.api.open(Method::GET, &path, None).await?;
    let mut body = response.into_body();
    let mut parser = Parser::default();
    while let Some(Ok(frame)) = body.frame().await {
        let Some(bytes) = frame.data_ref() else {
            continue;
        };
        for event in parser.take(bytes) {
            let event = event.map_err(|reason| line.api.strange(reason))?;
            *last = event.id.or(*last);
            line.changed.torrents.notify_one();
            if let Some(news) = worth_saying(&event)
                && !line.say(news).await
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What a person wants to be told of by itself.
fn worth_saying(event: &Event) -> Option<News> {
    let data: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
    let text = |field: &str| Harmless(data[field].as_str().unwrap_or_default()).to_string();
    Some(match event.name.as_str() {
        "failed" => News::Failed(format!("a torrent stopped: {}", text("error"))),
        "save_failed" => News::Failed(format!("the daemon cannot save: {}", text("error"))),
        "warning" => News::Failed(text("warning")),
        "completed" => News::Done("a torrent is complete".to_owned()),
        "rechecked" => News::Done(format!(
            "checked: {} of {} pieces are there",
            data["pieces_have"], data["pieces_total"]
        )),
        "moved" => News::Done(format!("moved to {}", text("folder"))),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_events_are_worth_a_word() {
        let event = |name: &str, data: &str| Event {
            id: Some(1),
            name: name.to_owned(),
            data: data.to_owned(),
        };
        let said = worth_saying(&event("failed", r#"{"error":"disk full\u001b"}"#));
        assert_eq!(
            said,
            Some(News::Failed(
                "a torrent stopped: disk full\\u{1b}".to_owned()
            ))
        );
        assert_eq!(worth_saying(&event("added", "{}")), None);
        assert!(worth_saying(&event("moved", "no json")).is_some());
    }
}
