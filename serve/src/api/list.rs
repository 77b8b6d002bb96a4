//! The list of torrents: filtered, sorted, a part of it, with the fields that are asked for.

use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::{IntoParams, ToSchema};

use super::input::{Query, written};
use super::problem::Problem;
use super::server::Shared;
use crate::control::{Control, TorrentId, TorrentState, TorrentView};

/// How many torrents are listed if nothing else is said.
const DEFAULT_LIMIT: usize = 100;
/// The most that are listed at once.
const MAX_LIMIT: usize = 5_000;

/// Writes the fields that a mask has, in the order of their bits.
macro_rules! fields {
    ($($field:ident),* $(,)?) => {
        /// The fields of a torrent that can be asked for.
        pub const FIELDS: &[&str] = &[$(stringify!($field)),*];

        impl Serialize for Selected<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(None)?;
                let mut rest = self.fields;
                $(
                    if rest & 1 == 1 {
                        map.serialize_entry(stringify!($field), &self.torrent.$field)?;
                    }
                    rest >>= 1;
                )*
                let _ = rest;
                map.end()
            }
        }
    };
}

fields!(
    id,
    number,
    name,
    title,
    state,
    state_progress,
    error,
    warning,
    labels,
    queue_position,
    forced,
    added,
    completed,
    last_activity,
    size,
    have,
    left,
    progress,
    downloaded,
    uploaded,
    wasted,
    ratio,
    down_rate,
    up_rate,
    eta,
    is_stalled,
    downloading_seconds,
    seeding_seconds,
    download_limit,
    upload_limit,
    max_peers,
    upload_slots,
    ratio_limit,
    idle_limit,
    seeding_time_limit,
    completed_folder,
    sequential,
    on_demand,
    super_seeding,
    storage,
    folder,
    is_private,
    file_count,
    piece_length,
    piece_count,
    pieces_have,
    peers,
    seeds,
    known_peers,
    comment,
    created_by,
    created,
    magnet,
);

/// Fields that lists do not have unless they are asked for.
const RARE: [&str; 3] = ["comment", "created_by", "magnet"];

/// A torrent with some of its fields: bit n of `fields` is for the nth of [`FIELDS`].
struct Selected<'a> {
    torrent: &'a TorrentView,
    fields: u64,
}

/// What is asked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// How many to leave out at the beginning.
    offset: usize,
    /// The most to list, up to 5000. Default: 100.
    limit: Option<usize>,
    /// Field to sort by, with `-` before it for the other direction: added, name, size, progress, ratio, `down_rate`,
    /// `up_rate`, `queue_position`. Default: added.
    sort: Option<String>,
    /// Only torrents in this state.
    state: Option<TorrentState>,
    /// Only torrents with this label.
    label: Option<String>,
    /// Only torrents with this text in their names, in any case.
    search: Option<String>,
    /// The fields to list, with commas between them. Default: all but comment, `created_by` and magnet.
    fields: Option<String>,
    /// Only torrents that have changed since this revision, of an earlier answer; 0 for all. It goes with fields and limit
    /// alone. Ask again at once while `has_more`.
    since: Option<u64>,
}

/// A part of the list.
#[derive(Serialize, ToSchema)]
pub(super) struct TorrentList {
    /// How many there are that are meant, those that are not listed included.
    total: usize,
    /// How many were left out at the beginning.
    offset: usize,
    /// Those that are listed.
    torrents: Vec<TorrentView>,
    /// What to ask with next time; it is there if `since` was asked.
    revision: Option<u64>,
    /// All torrents begin here: drop what is known. With `since`.
    is_whole: Option<bool>,
    /// More have changed. With `since`.
    has_more: Option<bool>,
    /// Those that were removed. With `since`.
    #[schema(value_type = Option<Vec<String>>)]
    removed: Option<Vec<TorrentId>>,
}

#[derive(Serialize)]
struct Page<'a> {
    total: usize,
    offset: usize,
    torrents: Vec<Selected<'a>>,
}

/// What has changed since a revision.
#[derive(Serialize)]
struct ChangesPage<'a> {
    total: usize,
    revision: u64,
    is_whole: bool,
    has_more: bool,
    removed: &'a [TorrentId],
    torrents: Vec<Selected<'a>>,
}

/// Torrents, a part of them.
#[utoipa::path(get, path = "/api/v1/torrents", tag = "torrents", params(ListQuery),
    responses(
        (status = 200, description = "A part of the list, with an ETag", body = TorrentList),
        (status = 304, description = "It is as the If-None-Match header says"),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn list(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let json = match query.since {
        None => page(&shared.control, &query)?,
        Some(since) => changes(&shared.control, &query, since)?,
    };
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let known = headers.get_all(IF_NONE_MATCH).iter();
    let mut known = known.filter_map(|value| value.to_str().ok());
    if known.any(|known| is_listed(known, &etag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, etag)]).into_response());
    }
    let json_type = "application/json".to_owned();
    Ok(([(CONTENT_TYPE, json_type), (ETAG, etag)], json).into_response())
}

/// Whether a list of entity tags has one, weak or not.
pub(super) fn is_listed(list: &str, etag: &str) -> bool {
    let mut tags = list.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Reads what a query says of fields and order, as the list does.
#[cfg(feature = "__fuzz")]
pub(super) fn check(query: &ListQuery) {
    let _ = mask(query.fields.as_deref());
    let _ = query.sort.as_deref().map(order);
    let _ = limit(query);
}

/// What has changed since a revision. A filter would hide what no longer passes it.
fn changes(control: &Control, query: &ListQuery, since: u64) -> Result<Vec<u8>, Problem> {
    let ListQuery {
        offset,
        sort,
        state,
        label,
        search,
        ..
    } = query;
    let is_alone = sort.is_none() && state.is_none() && label.is_none() && search.is_none();
    if *offset != 0 || !is_alone {
        let detail = "the query: since goes with fields and limit alone";
        return Err(Problem::bad_request(detail));
    }
    let fields = mask(query.fields.as_deref())?;
    let limit = limit(query)?;
    if limit == 0 {
        let detail = "the query: with since, limit is at least 1";
        return Err(Problem::bad_request(detail));
    }
    let mut changed = control.torrents_since(since, limit);
    complete(control, &mut changed.torrents, fields)?;
    let torrents = changed.torrents.iter();
    let torrents = torrents.map(|torrent| Selected { torrent, fields });
    written(&ChangesPage {
        total: changed.total,
        revision: changed.revision,
        is_whole: changed.is_whole,
        has_more: changed.has_more,
        removed: &changed.removed,
        torrents: torrents.collect(),
    })
}

fn limit(query: &ListQuery) -> Result<usize, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    match limit <= MAX_LIMIT {
        true => Ok(limit),
        false => {
            let detail = format!("the query: limit is at most {MAX_LIMIT}");
            Err(Problem::bad_request(detail))
        }
    }
}

/// Adds what lists rarely have, if it is asked for.
fn complete(control: &Control, torrents: &mut [TorrentView], fields: u64) -> Result<(), Problem> {
    if fields & mask(Some(&RARE.join(",")))? != 0 {
        for torrent in torrents {
            // One that was removed meanwhile is shown as it was.
            if let Ok(all) = control.torrent(torrent.id) {
                *torrent = all;
            }
        }
    }
    Ok(())
}

fn page(control: &Control, query: &ListQuery) -> Result<Vec<u8>, Problem> {
    let limit = limit(query)?;
    let fields = mask(query.fields.as_deref())?;
    let order = query.sort.as_deref().map(order).transpose()?;
    let mut torrents = control.torrents();
    torrents.retain(|torrent| is_meant(torrent, query));
    if let Some(order) = order {
        torrents.sort_by(order);
    }
    let total = torrents.len();
    let mut shown: Vec<_> = torrents
        .into_iter()
        .skip(query.offset)
        .take(limit)
        .collect();
    complete(control, &mut shown, fields)?;
    let torrents = shown.iter().map(|torrent| Selected { torrent, fields });
    written(&Page {
        total,
        offset: query.offset,
        torrents: torrents.collect(),
    })
}

/// The fields of a list of names, as bits.
fn mask(names: Option<&str>) -> Result<u64, Problem> {
    let bit = |name: &str| FIELDS.iter().position(|field| *field == name);
    let Some(names) = names else {
        let rare = RARE.iter().filter_map(|name| bit(name));
        let all = u64::MAX >> (u64::BITS as usize - FIELDS.len());
        return Ok(rare.fold(all, |all, bit| all & !(1 << bit)));
    };
    let mut mask = 0;
    for name in names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        let bit = bit(name).ok_or_else(|| {
            let name: String = name.chars().take(100).collect();
            Problem::bad_request(format!("the query: a torrent has no field {name:?}"))
        })?;
        mask |= 1 << bit;
    }
    Ok(mask)
}

fn is_meant(torrent: &TorrentView, query: &ListQuery) -> bool {
    let has_label = |label: &String| torrent.labels.contains(label);
    let has_text = |text: &String| {
        let name = torrent.name.to_lowercase();
        name.contains(&text.to_lowercase())
    };
    query.state.is_none_or(|state| state == torrent.state)
        && query.label.as_ref().is_none_or(has_label)
        && query.search.as_ref().is_none_or(has_text)
}

type Order = Box<dyn Fn(&TorrentView, &TorrentView) -> Ordering>;

fn order(sort: &str) -> Result<Order, Problem> {
    type View = TorrentView;
    let (field, is_reversed) = match sort.strip_prefix('-') {
        Some(field) => (field, true),
        None => (sort, false),
    };
    let by: fn(&View, &View) -> Ordering = match field {
        "added" => |a, b| (a.added, a.number).cmp(&(b.added, b.number)),
        "name" => |a, b| a.name.to_lowercase().cmp(&b.name.to_lowercase()),
        "size" => |a, b| a.size.cmp(&b.size),
        "progress" => |a, b| a.progress.total_cmp(&b.progress),
        "ratio" => |a, b| a.ratio.total_cmp(&b.ratio),
        "down_rate" => |a, b| a.down_rate.cmp(&b.down_rate),
        "up_rate" => |a, b| a.up_rate.cmp(&b.up_rate),
        "queue_position" => |a, b| a.queue_position.cmp(&b.queue_position),
        _ => {
            let detail = "the query: sort is added, name, size, progress, ratio, down_rate, up_rate or \
                queue_position, with - before it for the other direction";
            return Err(Problem::bad_request(detail));
        }
    };
    Ok(match is_reversed {
        true => Box::new(move |a, b| by(b, a)),
        false => Box::new(by),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_the_fields_that_are_named() {
        assert_eq!(mask(Some("id,name")).unwrap(), 0b101);
        assert_eq!(mask(Some("")).unwrap(), 0);
        assert!(mask(Some("nome")).is_err());
        let usual = mask(None).unwrap();
        assert_eq!(usual.count_ones() as usize, FIELDS.len() - RARE.len());
    }

    #[test]
    fn entity_tags_are_compared_weakly() {
        assert!(is_listed("\"a\", W/\"b\"", "\"b\""));
        assert!(is_listed("*", "\"b\""));
        assert!(!is_listed("\"a\"", "\"b\""));
    }
}
