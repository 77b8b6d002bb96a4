//! `torrents/info`

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;

use super::{Answer, Outcome};
use crate::control::{TorrentId, TorrentView};
use crate::qbittorrent::categories::Labels;
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;
use crate::qbittorrent::torrent::{FIELDS, Filter, has_metadata};

/// So many torrents are written before others have their turn.
const BATCH: usize = 200;

pub(super) fn count(shared: &Shared) -> Answer {
    Answer::Text(shared.control.torrents().len().to_string())
}

pub(super) async fn info(shared: &Shared, params: &Params) -> Outcome {
    // It is never closed.
    let _permit = shared.lists.acquire().await.ok();
    let wanted = Wanted::of(params);
    let labels = Labels::of(&shared.control);
    let mut torrents = shared.control.torrents();
    torrents.retain(|view| wanted.takes(view, &labels));
    if torrents.is_empty() {
        return Ok(Answer::Json(Value::Array(Vec::new())));
    }
    let rows = shared.rows(labels);
    let sort = params.filled("sort");
    if sort.is_some_and(|name| !FIELDS.contains(&name)) {
        return Err(Failure::params("'sort' parameter is invalid"));
    }
    let mut objects = Vec::with_capacity(torrents.len());
    for (at, view) in torrents.iter().enumerate() {
        if at % BATCH == BATCH - 1 {
            tokio::task::yield_now().await;
        }
        let (about, trackers) = shared.parts(view.id);
        let row = rows.row(view, &about, &trackers);
        let key = sort.and_then(|name| row.value(name)).unwrap_or_default();
        objects.push((key, Value::Object(row.object())));
    }
    if sort.is_some() {
        objects.sort_by(|(one, _), (other, _)| compare(one, other));
        if params.flag("reverse") == Some(true) {
            objects.reverse();
        }
    }
    let objects: Vec<Value> = objects.into_iter().map(|(_, object)| object).collect();
    Ok(Answer::Json(part(objects, params).into()))
}

/// Which torrents are asked for.
struct Wanted<'a> {
    filter: Filter,
    ids: Option<HashSet<TorrentId>>,
    category: Option<&'a str>,
    tag: Option<&'a str>,
    is_private: Option<bool>,
}

impl<'a> Wanted<'a> {
    fn of(params: &'a Params) -> Self {
        let hashes = params.list("hashes", '|');
        let is_all = hashes.is_empty() || hashes == ["all"];
        let ids = hashes.iter().filter_map(|hash| hash.parse().ok());
        Self {
            filter: Filter::named(params.text("filter").unwrap_or_default()),
            ids: (!is_all).then(|| ids.collect()),
            category: params.text("category"),
            tag: params.text("tag"),
            is_private: params.flag("private"),
        }
    }

    fn takes(&self, view: &TorrentView, labels: &Labels) -> bool {
        let has_tag = |tag: &str| match tag {
            "" => labels.tags(&view.labels).is_empty(),
            tag => labels.tags(&view.labels).contains(&tag),
        };
        let is_of = |category: &str| labels.category(&view.labels) == category;
        self.filter.takes(view)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&view.id))
            && self.category.is_none_or(is_of)
            && self.tag.is_none_or(has_tag)
            && self
                .is_private
                .is_none_or(|it| has_metadata(view) && view.is_private == it)
    }
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::MIN);
            number(one).total_cmp(&number(other))
        }
    }
}

/// Those from a place on, at most so many; a place below 0 is counted from the end.
fn part(objects: Vec<Value>, params: &Params) -> Vec<Value> {
    let offset = params.int("offset").unwrap_or(0);
    let from_end = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
    let first = match offset < 0 {
        true => objects.len().saturating_sub(from_end),
        false => from_end,
    };
    let limit = params.int("limit").and_then(|it| usize::try_from(it).ok());
    let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    objects.into_iter().skip(first).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_list_begins_at_either_end() {
        let ask = |query: &str| -> Vec<i64> {
            let params = Params::of_query(query.as_bytes()).unwrap();
            let objects = (0..5).map(Value::from).collect();
            part(objects, &params)
                .iter()
                .filter_map(Value::as_i64)
                .collect()
        };
        assert_eq!(ask(""), [0, 1, 2, 3, 4]);
        assert_eq!(ask("limit=2"), [0, 1]);
        assert_eq!(ask("offset=3"), [3, 4]);
        assert_eq!(ask("offset=-2&limit=1"), [3]);
        assert_eq!(ask("offset=-9"), [0, 1, 2, 3, 4]);
        assert!(ask("offset=9&limit=-1").is_empty());
        assert_eq!(ask("offset=-9223372036854775808"), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn values_of_one_type_are_compared() {
        use serde_json::json;
        assert_eq!(compare(&json!("a"), &json!("b")), Ordering::Less);
        assert_eq!(compare(&json!(2), &json!(1.5)), Ordering::Greater);
        assert_eq!(compare(&json!(true), &json!(true)), Ordering::Equal);
        assert_eq!(compare(&json!(null), &json!(false)), Ordering::Equal);
    }
}
