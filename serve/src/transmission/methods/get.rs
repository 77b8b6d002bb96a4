//! `torrent_get`

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::{Outcome, of};
use crate::transmission::dialects::Dialect;
use crate::transmission::failure::Failure;
use crate::transmission::fields::{self, Held, Need, Needs, Parts, Row};
use crate::transmission::ids::select;
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

/// So many torrents are written before others have their turn.
const BATCH: usize = 200;

pub(super) async fn get(shared: &Shared, params: Params<'_>, dialect: Dialect) -> Outcome {
    let named = fields(params);
    if named.is_empty() {
        let torrents = of("torrents", Value::Array(Vec::new()));
        return Err(Failure::params("no fields specified").with(torrents));
    }
    let is_table = params.text("format") == Some("table");
    let mut needs = Needs::default();
    for (_, need) in &named {
        needs.add(*need);
    }
    // It is never closed.
    let _permit = shared.lists.acquire().await.ok();
    let selected = select(shared, params);
    let (labels, settings) = (
        fields::label_limits(&shared.control),
        shared.control.settings(),
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default().as_secs();
    shared.at_rest.refresh(shared.control.log());
    let mut rows = Vec::with_capacity(selected.torrents.len() + 1);
    if is_table {
        rows.push(named.iter().map(|(name, _)| *name).collect());
    }
    for (at, view) in selected.torrents.iter().enumerate() {
        if at % BATCH == BATCH - 1 {
            tokio::task::yield_now().await;
        }
        let row = Row {
            view,
            parts: &Parts::of(shared, view, needs).await,
            held: Held::of(view, &labels, &settings),
            numbers: shared.remembered.torrent(view.number),
            dialect,
            now,
        };
        let values = named
            .iter()
            .map(|(name, _)| (*name, fields::value(name, &row)));
        rows.push(match is_table {
            true => values.map(|(_, value)| value).collect(),
            false => Value::Object(
                values
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            ),
        });
    }
    let mut answer: Map<String, Value> = of("torrents", rows);
    if let Some(removed) = selected.removed {
        answer.insert("removed".to_owned(), removed.into());
    }
    Ok(answer)
}

/// The fields that are asked for, each once; those that are not known are left out.
fn fields(params: Params<'_>) -> Vec<(&'static str, Need)> {
    let mut found: Vec<(&'static str, Need)> = Vec::new();
    for name in params.texts("fields").into_iter().flatten() {
        if let Some(field) = fields::need(name)
            && !found.contains(&field)
        {
            found.push(field);
        }
    }
    found
}
