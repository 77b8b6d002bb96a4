//! Does what it is told, one thing after the other; what is in a torrent is found out beside that, as it may take a minute.

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::super::model::dialog::Inspection;
use super::super::model::torrent::Id;
use super::super::update::order::{Deed, Found, News, Order, Watch};
use super::{Line, plain};
use crate::args::Source;
use crate::commands::daemon_client::{self, Api, Method, source_fields};
use crate::error::DaemonFailure;
use crate::home;
use crate::out::Harmless;
use crate::words::count;

const TORRENTS: &str = "/api/v1/torrents";

/// Does what comes, until no one gives orders any more.
pub(super) async fn run(
    line: Line,
    mut orders: mpsc::Receiver<Order>,
    watch: watch::Sender<Watch>,
) {
    // Dropped, it ends what it has begun.
    let mut inspection = JoinSet::new();
    while let Some(order) = orders.recv().await {
        let news = match order {
            Order::Watch(new) => {
                watch.send_replace(new);
                continue;
            }
            Order::EndInspection => {
                inspection.abort_all();
                continue;
            }
            Order::Inspect { number, source } => {
                inspection.abort_all();
                let (api, news) = (line.api.another(), line.news.clone());
                inspection.spawn(async move {
                    let outcome = inspect(&api, &source).await;
                    // No one may listen any more.
                    let _ = news.send(News::Inspected { number, outcome }).await;
                });
                continue;
            }
            order => perform(&line.api, order).await,
        };
        line.changed.tell();
        let news = match news {
            Ok(Some(text)) => News::Done(text),
            Ok(None) => continue,
            Err(reason) => News::Failed(reason),
        };
        if !line.say(news).await {
            return;
        }
    }
}

/// What is said of it, if anything.
async fn perform(api: &Api, order: Order) -> Result<Option<String>, String> {
    match order {
        Order::Do(deed, ids) => each(api, deed, &ids).await.map(Some),
        Order::Patch(ids, patch) => {
            let patch = Value::Object(patch);
            for id in &ids {
                let path = format!("{TORRENTS}/{id}");
                send(api, Method::PATCH, &path, Some(&patch)).await?;
            }
            Ok(Some("changed".to_owned()))
        }
        Order::Move(ids, folder) => {
            for id in &ids {
                let path = format!("{TORRENTS}/{id}/move");
                send(api, Method::POST, &path, Some(&json!({ "folder": folder }))).await?;
            }
            Ok(Some("the files are being moved".to_owned()))
        }
        Order::Rename { id, path, name } => {
            let to = format!("{TORRENTS}/{id}/rename");
            let change = json!({ "path": path, "name": name });
            send(api, Method::POST, &to, Some(&change)).await?;
            Ok(Some("the file has its new name".to_owned()))
        }
        Order::Prioritise {
            id,
            index,
            priority,
        } => {
            let path = format!("{TORRENTS}/{id}/files");
            let change = json!([{ "index": index, "priority": priority }]);
            send(api, Method::PATCH, &path, Some(&change)).await?;
            Ok(None)
        }
        Order::Trackers { id, tiers } => {
            let path = format!("{TORRENTS}/{id}/trackers");
            send(api, Method::PUT, &path, Some(&json!({ "tiers": tiers }))).await?;
            Ok(Some("the trackers are changed".to_owned()))
        }
        Order::Settings(patch) => {
            let patch = Value::Object(patch);
            send(api, Method::PATCH, "/api/v1/settings", Some(&patch)).await?;
            Ok(Some("the limits of the daemon are changed".to_owned()))
        }
        Order::Alternative(is_on) => {
            let (mode, says) = match is_on {
                true => ("on", "the alternative limits hold"),
                false => ("off", "the alternative limits are off"),
            };
            let patch = json!({ "alternative_mode": mode });
            send(api, Method::PATCH, "/api/v1/settings", Some(&patch)).await?;
            Ok(Some(says.to_owned()))
        }
        Order::AddUnseen { source } => {
            let fields = read(&source).await?;
            add(api, fields).await.map(Some)
        }
        Order::Add(fields) => add(api, fields).await.map(Some),
        Order::Inspect { .. } | Order::EndInspection | Order::Watch(_) => Ok(None),
    }
}

async fn each(api: &Api, deed: Deed, ids: &[Id]) -> Result<String, String> {
    for id in ids {
        let torrent = format!("{TORRENTS}/{id}");
        let (method, path) = match deed {
            Deed::Pause => (Method::POST, format!("{torrent}/pause")),
            Deed::Resume => (Method::POST, format!("{torrent}/resume")),
            Deed::Recheck => (Method::POST, format!("{torrent}/recheck")),
            Deed::Reannounce => (Method::POST, format!("{torrent}/reannounce")),
            Deed::Remove { with_files } => (
                Method::DELETE,
                format!("{torrent}?delete_files={with_files}"),
            ),
        };
        send(api, method, &path, None).await?;
    }
    let torrents = count(ids.len(), "torrent");
    Ok(match deed {
        Deed::Pause => format!("paused {torrents}"),
        Deed::Resume => format!("{torrents} resumed"),
        Deed::Recheck => format!("checking the files of {torrents}"),
        Deed::Reannounce => format!("asking the trackers of {torrents}"),
        Deed::Remove { with_files: false } => format!("removed {torrents}; the files stay"),
        Deed::Remove { with_files: true } => format!("removed {torrents} with the files"),
    })
}

async fn send(
    api: &Api,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, String> {
    let content = body.map(daemon_client::json);
    let answer = api.call(method, path, content).await;
    answer.map_err(|failure| plain(&failure))
}

async fn add(api: &Api, fields: Map<String, Value>) -> Result<String, String> {
    let torrent = send(api, Method::POST, TORRENTS, Some(&Value::Object(fields))).await?;
    let name = torrent["name"].as_str().unwrap_or_default();
    Ok(format!("added {}", Harmless(name)))
}

/// What is in the torrent that a text names, and how it is named when it is added.
async fn inspect(api: &Api, source: &str) -> Result<Found, String> {
    let mut content = read(source).await?;
    let body = daemon_client::json(&Value::Object(content.clone()));
    let path = format!("{TORRENTS}/inspect");
    let answer = api.call(Method::POST, &path, Some(body)).await;
    let answer = answer.map_err(|failure| plain(&failure))?;
    let inspection: Inspection = serde_json::from_value(answer).map_err(|error| {
        let reason = error.to_string();
        plain(&DaemonFailure::Strange {
            url: String::new(),
            reason,
        })
    })?;
    if let Some(torrent) = &inspection.torrent {
        // It need not be fetched again.
        content = Map::from_iter([("torrent".to_owned(), json!(torrent))]);
    }
    Ok(Found {
        inspection,
        content,
    })
}

/// How the API names what a person names: a file of this machine is sent to the daemon.
async fn read(text: &str) -> Result<Map<String, Value>, String> {
    let text = home::expand(text)?;
    let source = match text.parse() {
        Ok(Source::Stdin) => Source::File("-".into()),
        Ok(source) => source,
        Err(never) => match never {},
    };
    let reading = tokio::task::spawn_blocking(move || source_fields(&source));
    let read = reading.await.map_err(|error| error.to_string())?;
    read.map_err(|error| error.to_string())
}
