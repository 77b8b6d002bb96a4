//! Changes of a torrent's trackers. Their ids are their places in the list.

use std::collections::HashMap;

use serde_json::Value;

use crate::control::{TorrentView, TrackerView};
use crate::transmission::failure::{Failure, Kind};
use crate::transmission::fields::parse_trackers;
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

/// Parameters that change trackers, besides the whole list.
const LISTS: [&str; 3] = ["tracker_add", "tracker_remove", "tracker_replace"];

/// Does what a request asks for of trackers.
pub(super) async fn set(
    shared: &Shared,
    view: &TorrentView,
    params: Params<'_>,
) -> Result<(), Failure> {
    let changes_some = LISTS.iter().any(|name| params.list(name).is_some());
    if !changes_some && params.text("tracker_list").is_none() {
        return Ok(());
    }
    let tiers = changed(&shared.control.trackers(view.id)?, params)?;
    match tiers {
        Some(tiers) => Ok(shared.control.set_trackers(view.id, tiers).await?),
        None => Ok(()),
    }
}

/// The tiers as they are to be; `None` if nothing is asked for.
fn changed(known: &[TrackerView], params: Params<'_>) -> Result<Option<Vec<Vec<String>>>, Failure> {
    if let Some(list) = params.text("tracker_list") {
        return parse_trackers(list).map(Some);
    }
    let removed: Vec<i64> = params
        .ints("tracker_remove")
        .into_iter()
        .flatten()
        .collect();
    let replaced = replacements(params);
    let mut tiers: Vec<(usize, Vec<String>)> = Vec::new();
    for (id, tracker) in (0_i64..).zip(known) {
        if removed.contains(&id) {
            continue;
        }
        let url = replaced.get(&id).copied().unwrap_or(&tracker.url);
        match tiers.last_mut() {
            Some((tier, urls)) if *tier == tracker.tier => urls.push(url.to_owned()),
            _ => tiers.push((tracker.tier, vec![url.to_owned()])),
        }
    }
    for url in params.texts("tracker_add").into_iter().flatten() {
        let is_known = tiers
            .iter()
            .any(|(_, urls)| urls.iter().any(|it| it == url));
        if !is_known {
            // Each is a tier of its own.
            tiers.push((usize::MAX, vec![url.to_owned()]));
        }
    }
    let tiers: Vec<_> = tiers.into_iter().map(|(_, urls)| urls).collect();
    let before = known.iter().map(|tracker| &tracker.url);
    match before.eq(tiers.iter().flatten()) {
        true => Err(Failure::new(Kind::AnnounceList, "")),
        false => Ok(Some(tiers)),
    }
}

/// Pairs of an id and a URL, one after the other; some clients make a list of each pair.
fn replacements(params: Params<'_>) -> HashMap<i64, &str> {
    let list = params.list("tracker_replace").unwrap_or_default();
    let flat = list.iter().flat_map(|item| match item {
        Value::Array(pair) => pair.as_slice(),
        item => std::slice::from_ref(item),
    });
    let flat: Vec<&Value> = flat.collect();
    let pairs = flat.chunks_exact(2);
    let pairs = pairs.filter_map(|pair| Some((pair[0].as_i64()?, pair[1].as_str()?)));
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tracker(url: &str, tier: usize) -> TrackerView {
        TrackerView {
            url: url.to_owned(),
            tier,
            state: "idle".to_owned(),
            error: None,
            warning: None,
            seeders: None,
            leechers: None,
            peers: None,
            last_announce: None,
            next_announce: None,
        }
    }

    #[test]
    fn trackers_are_added_removed_and_replaced() {
        let known = [
            tracker("http://a/", 0),
            tracker("http://b/", 0),
            tracker("http://c/", 1),
        ];
        let changed = |json: Value| changed(&known, Params(json.as_object().unwrap()));
        let is = |json: Value, tiers: &[&[&str]]| {
            assert_eq!(changed(json).unwrap().unwrap(), tiers);
        };
        is(
            json!({"tracker_add": ["http://d/", "http://a/"]}),
            &[&["http://a/", "http://b/"], &["http://c/"], &["http://d/"]],
        );
        is(json!({"tracker_remove": [0, 2]}), &[&["http://b/"]]);
        is(
            json!({"tracker_replace": [1, "http://e/", "x"]}),
            &[&["http://a/", "http://e/"], &["http://c/"]],
        );
        is(
            json!({"tracker_replace": [[0, "http://f/"]]}),
            &[&["http://f/", "http://b/"], &["http://c/"]],
        );
        is(
            json!({"tracker_list": "http://x/\n\nhttp://y/"}),
            &[&["http://x/"], &["http://y/"]],
        );
        is(json!({"tracker_list": ""}), &[]);
        for same in [
            json!({"tracker_add": ["http://a/"]}),
            json!({"tracker_remove": [9]}),
        ] {
            assert_eq!(changed(same).unwrap_err().kind, Kind::AnnounceList);
        }
        assert_eq!(
            changed(json!({"tracker_list": "x"})).unwrap_err().kind,
            Kind::TrackerList
        );
    }
}
