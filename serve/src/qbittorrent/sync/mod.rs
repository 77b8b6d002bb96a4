//! `sync/maindata`: what has changed since a client asked last, by the number that it was told then (`rid`); and
//! `sync/torrentPeers`.

mod peers;
mod state;
mod table;
mod tracked;

use serde_json::{Map, Value, json};

pub(super) use peers::peers;
pub(super) use table::Table;

use super::calls::Answer;
use super::categories::Labels;
use super::failure::Failure;
use super::params::Params;
use super::server::Shared;
use super::torrent::FIELDS;
use crate::control::TorrentId;

/// So many torrents are looked at before others have their turn.
const BATCH: usize = 200;

/// The torrents that are told, by the numbers of their fields.
type Wanted = Vec<(TorrentId, Vec<usize>)>;

pub(super) async fn maindata(shared: &Shared, params: &Params) -> Result<Answer, Failure> {
    // It is never closed.
    let _permit = shared.lists.acquire().await.ok();
    let since = params.int("rid").and_then(|rid| u32::try_from(rid).ok());
    let labels = Labels::of(&shared.control);
    let (mut answer, wanted, is_whole) = {
        let mut table = shared.table.lock().await;
        if table.is_due(shared) {
            let server = state::server(shared).await;
            table.refresh(shared, &labels, server).await;
        }
        let since = since.filter(|rid| table.knows(*rid));
        let mut answer = Map::from_iter([("rid".to_owned(), table.newest().into())]);
        if since.is_none() {
            answer.insert("full_update".to_owned(), true.into());
        }
        let since = since.unwrap_or(0);
        table.tell(since, &labels, &mut answer);
        (answer, table.torrents_since(since), since == 0)
    };
    let torrents = torrents(shared, labels, &wanted).await;
    if is_whole || !torrents.is_empty() {
        answer.insert("torrents".to_owned(), Value::Object(torrents));
    }
    Ok(Answer::Json(Value::Object(answer)))
}

/// The wanted fields of torrents, as they are now.
async fn torrents(shared: &Shared, labels: Labels, wanted: &Wanted) -> Map<String, Value> {
    let mut told = Map::new();
    if wanted.is_empty() {
        return told;
    }
    let rows = shared.rows(labels);
    for (at, (id, fields)) in wanted.iter().enumerate() {
        if at % BATCH == BATCH - 1 {
            tokio::task::yield_now().await;
        }
        let Ok(view) = shared.control.listed(*id) else {
            continue;
        };
        let (about, trackers) = shared.parts(*id);
        let row = rows.row(&view, &about, &trackers);
        let values: Vec<Value> = row.values().collect();
        let named = fields.iter().filter_map(|at| {
            let name = FIELDS.get(*at).filter(|name| **name != "hash")?;
            Some(((*name).to_owned(), values.get(*at)?.clone()))
        });
        told.insert(id.to_string(), Value::Object(named.collect()));
    }
    told
}

/// An object of objects without anything in it is left out.
fn put(answer: &mut Map<String, Value>, name: &str, value: Value, is_whole: bool) {
    let is_empty = match &value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    if is_whole || !is_empty {
        answer.insert(name.to_owned(), value);
    }
}

/// What is gone; it is told only where there is some.
fn put_gone(answer: &mut Map<String, Value>, name: &str, gone: &[String]) {
    if !gone.is_empty() {
        answer.insert(name.to_owned(), json!(gone));
    }
}
