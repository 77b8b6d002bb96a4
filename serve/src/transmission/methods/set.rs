//! `torrent_set`

use super::{Outcome, announce, nothing};
use crate::control::{Attributes, Limit, TorrentPatch, TorrentView};
use crate::transmission::failure::Failure;
use crate::transmission::fields::{PRIORITY, file_changes};
use crate::transmission::ids::select;
use crate::transmission::params::Params;
use crate::transmission::remembered::{MINUTE, OfTorrent, kilo, rate};
use crate::transmission::server::Shared;

/// Modes of limits on seeding.
const INHERITED: i64 = 0;
const OWN: i64 = 1;
const LIFTED: i64 = 2;
/// The daemon has no ratio of 0; with this one a torrent is paused at its first look too.
const LEAST_RATIO: f64 = 0.000_001;

pub(super) async fn set(shared: &Shared, params: Params<'_>) -> Outcome {
    let mut first = Ok(());
    for view in select(shared, params).torrents {
        let done = one(shared, &view, params).await;
        first = first.and(done);
    }
    first?;
    nothing()
}

async fn one(shared: &Shared, view: &TorrentView, params: Params<'_>) -> Result<(), Failure> {
    let mut numbers = shared.remembered.torrent(view.number);
    let patch = patch(params, view, &mut numbers)?;
    shared.remembered.set_torrent(view.number, numbers);
    if patch != TorrentPatch::default() {
        shared.control.patch(view.id, patch).await?;
    }
    if let Some(name) = params.text("group") {
        shared.control.join_group(view.id, name).await?;
    }
    if let Some(keeps) = params.flag("honors_session_limits") {
        shared.control.keep_session_limits(view.id, keeps).await?;
    }
    if let Some(attributes) = priority(params) {
        shared.control.set_attributes(view.id, attributes).await?;
    }
    if chooses_files(params) {
        let files = shared.control.files(view.id).await?;
        let changes = file_changes(params, &files)?;
        if !changes.is_empty() {
            shared.control.set_files(view.id, changes).await?;
        }
    }
    announce::set(shared, view, params).await
}

/// The priority of a torrent among others: it is kept, and has no effect.
pub(super) fn priority(params: Params<'_>) -> Option<Attributes> {
    let priority = params.int("bandwidth_priority")?;
    let text = match priority {
        -1 | 1 => priority.to_string(),
        // The usual one is not kept.
        0 => String::new(),
        _ => return None,
    };
    Some(Attributes::from([(PRIORITY.to_owned(), text)]))
}

fn chooses_files(params: Params<'_>) -> bool {
    let names = [
        "files_unwanted",
        "files_wanted",
        "priority_high",
        "priority_low",
        "priority_normal",
    ];
    names.iter().any(|name| params.list(name).is_some())
}

/// The most connected peers that a request names; 0 stands for the daemon's number.
pub(super) fn peers(params: Params<'_>) -> Option<usize> {
    let peers = usize::try_from(params.int("peer_limit")?).ok()?;
    (peers > 0).then_some(peers)
}

fn patch(
    params: Params<'_>,
    view: &TorrentView,
    numbers: &mut OfTorrent,
) -> Result<TorrentPatch, Failure> {
    let mut patch = TorrentPatch::default();
    if let Some(labels) = labels(params)? {
        patch.labels = Some(labels);
    }
    patch.download_limit = limit(
        params,
        ["download_limit", "download_limited"],
        view.download_limit,
        &mut numbers.down,
    );
    patch.upload_limit = limit(
        params,
        ["upload_limit", "upload_limited"],
        view.upload_limit,
        &mut numbers.up,
    );
    patch.ratio_limit = ratio(params, view, numbers);
    patch.idle_limit = idle(params, view, numbers);
    if params.int("peer_limit").is_some() {
        patch.max_peers = Some(peers(params));
    }
    patch.sequential = params.flag("sequential_download");
    let place = params.int("queue_position");
    // Places are counted from 1 here.
    let place = place.and_then(|place| u64::try_from(place).ok());
    patch.queue_position = place.map(|place| place.saturating_add(1));
    Ok(patch)
}

fn labels(params: Params<'_>) -> Result<Option<Vec<String>>, Failure> {
    let Some(labels) = params.texts("labels") else {
        return Ok(None);
    };
    let labels: Vec<String> = labels.map(|label| label.trim().to_owned()).collect();
    if labels.iter().any(String::is_empty) {
        return Err(Failure::params("labels cannot be empty"));
    }
    if labels.iter().any(|label| label.contains(',')) {
        return Err(Failure::params("labels cannot contain comma (,) character"));
    }
    Ok(Some(labels))
}

/// A rate limit: a number in kB/s, and whether it holds.
pub(super) fn limit(
    params: Params<'_>,
    [number, switch]: [&str; 2],
    now: Option<u64>,
    remembered: &mut u64,
) -> Option<Option<u64>> {
    let named = params.int(number).map(|it| u64::try_from(it).unwrap_or(0));
    let flag = params.flag(switch);
    if named.is_none() && flag.is_none() {
        return None;
    }
    *remembered = named.or(now.map(kilo)).unwrap_or(*remembered);
    let holds = flag.unwrap_or(now.is_some());
    Some(holds.then(|| rate(*remembered)))
}

fn ratio(
    params: Params<'_>,
    view: &TorrentView,
    numbers: &mut OfTorrent,
) -> Option<Option<Limit<f64>>> {
    let (named, mode) = (
        params.float("seed_ratio_limit"),
        params.int("seed_ratio_mode"),
    );
    let own = view.ratio_limit.and_then(Limit::value);
    numbers.ratio = named.or(own).unwrap_or(numbers.ratio);
    mode_of(mode, named.is_some(), view.ratio_limit, || {
        numbers.ratio.max(LEAST_RATIO)
    })
}

fn idle(
    params: Params<'_>,
    view: &TorrentView,
    numbers: &mut OfTorrent,
) -> Option<Option<Limit<u64>>> {
    let named = params.int("seed_idle_limit");
    let named = named.map(|minutes| u64::try_from(minutes).unwrap_or(0));
    let own = view.idle_limit.and_then(Limit::value);
    let own = own.map(|seconds| seconds.div_ceil(MINUTE));
    numbers.idle_minutes = named.or(own).unwrap_or(numbers.idle_minutes);
    let mode = params.int("seed_idle_mode");
    mode_of(mode, named.is_some(), view.idle_limit, || {
        numbers.idle_minutes.saturating_mul(MINUTE).max(1)
    })
}

/// A limit on seeding: its mode, and its number where it is the torrent's own. `None` where nothing changes.
fn mode_of<T: Copy>(
    mode: Option<i64>,
    has_number: bool,
    now: Option<Limit<T>>,
    number: impl FnOnce() -> T,
) -> Option<Option<Limit<T>>> {
    match (mode, now) {
        (Some(INHERITED), _) => Some(None),
        (Some(OWN), _) => Some(Some(Limit::At(number()))),
        (Some(LIFTED), _) => Some(Some(Limit::NONE)),
        // A number alone changes a limit that is the torrent's own already.
        (_, Some(Limit::At(_))) if has_number => Some(Some(Limit::At(number()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_limit_is_a_number_and_a_switch() {
        let ask = |json: Value, now, remembered: &mut u64| {
            let params = Params(json.as_object().unwrap());
            limit(params, ["n", "on"], now, remembered)
        };
        let mut number = 100;
        assert_eq!(ask(json!({}), None, &mut number), None);
        // A number alone does not switch it on.
        assert_eq!(ask(json!({"n": 7}), None, &mut number), Some(None));
        assert_eq!(
            ask(json!({"on": true}), None, &mut number),
            Some(Some(7_000))
        );
        assert_eq!(
            ask(json!({"n": 9}), Some(7_000), &mut number),
            Some(Some(9_000))
        );
        assert_eq!(
            ask(json!({"on": false}), Some(8_000), &mut number),
            Some(None)
        );
        assert_eq!(number, 8);
        assert_eq!(
            ask(json!({"n": -5, "on": 1}), None, &mut number),
            Some(Some(1))
        );
    }

    #[test]
    fn a_mode_says_whose_limit_holds() {
        let at = Some(Limit::At(2.0));
        let ask = |mode, has_number, now| mode_of(mode, has_number, now, || 3.0);
        assert_eq!(ask(Some(0), true, at), Some(None));
        assert_eq!(ask(Some(1), false, None), Some(Some(Limit::At(3.0))));
        assert_eq!(ask(Some(2), false, None), Some(Some(Limit::NONE)));
        assert_eq!(ask(Some(9), false, None), None);
        assert_eq!(ask(None, true, None), None);
        assert_eq!(ask(None, true, at), Some(Some(Limit::At(3.0))));
    }
}
