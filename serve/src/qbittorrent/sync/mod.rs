//! `sync/maindata`: what has changed since a client asked last, by the number that it was told then (`rid`); and
//! `sync/torrentPeers`.

mod peers;
mod state;
mod table;
mod tracked;

use std::collections::BTreeMap;

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

/// The torrents that are told, by the numbers of their fields.
type Wanted = Vec<(TorrentId, Vec<usize>)>;

pub(super) async fn maindata(shared: &Shared, params: &Params) -> Result<Answer, Failure> {
    // It is never closed.
    let _permit = shared.lists.acquire().await.ok();
    let since = params.int("rid").and_then(|rid| u32::try_from(rid).ok());
    let labels = Labels::of(&shared.control);
    let server = state::server(shared).await;
    let (mut answer, wanted, is_whole) = {
        let mut table = shared.table.lock();
        table.refresh(shared, &labels, &server);
        let since = since.filter(|rid| table.knows(*rid));
        let mut answer = Map::from_iter([("rid".to_owned(), table.newest().into())]);
        if since.is_none() {
            answer.insert("full_update".to_owned(), true.into());
        }
        let since = since.unwrap_or(0);
        table.tell(since, &labels, &server, &mut answer);
        (answer, table.torrents_since(since), since == 0)
    };
    let torrents = torrents(shared, labels, &wanted);
    if is_whole || !torrents.is_empty() {
        answer.insert("torrents".to_owned(), Value::Object(torrents));
    }
    Ok(Answer::Json(Value::Object(answer)))
}

/// The wanted fields of torrents, as they are now.
fn torrents(shared: &Shared, labels: Labels, wanted: &Wanted) -> Map<String, Value> {
    if wanted.is_empty() {
        return Map::new();
    }
    let rows = shared.rows(labels);
    let views: BTreeMap<TorrentId, _> = shared
        .control
        .torrents()
        .into_iter()
        .map(|view| (view.id, view))
        .collect();
    let told = wanted.iter().filter_map(|(id, fields)| {
        let view = views.get(id)?;
        let (about, trackers) = shared.parts(*id);
        let values: Vec<Value> = rows.row(view, &about, &trackers).values().collect();
        let named = fields.iter().filter_map(|at| {
            let name = FIELDS.get(*at).filter(|name| **name != "hash")?;
            Some(((*name).to_owned(), values.get(*at)?.clone()))
        });
        Some((id.to_string(), Value::Object(named.collect())))
    });
    told.collect()
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
