//! Limits of torrents.

use serde_json::{Map, Value};

use super::actions::each;
use super::{Answer, MINUTE, Outcome, selected};
use crate::control::{Limit, TorrentPatch, TorrentView};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

/// A limit is inherited.
const INHERITED: i64 = -2;
/// The daemon has no ratio of 0; with this one a torrent is paused at its first look too.
const LEAST_RATIO: f64 = 0.000_001;

pub(super) fn download(shared: &Shared, params: &Params) -> Outcome {
    rates(shared, params, |view| view.download_limit)
}

pub(super) fn upload(shared: &Shared, params: &Params) -> Outcome {
    rates(shared, params, |view| view.upload_limit)
}

/// The limits of torrents by their hashes; -1 for those that are not there.
fn rates(shared: &Shared, params: &Params, limit: impl Fn(&TorrentView) -> Option<u64>) -> Outcome {
    let [hashes] = params.need(["hashes"])?;
    let known = selected(shared, hashes);
    let value = |hash: &str| {
        let view = known.iter().find(|view| hash.parse() == Ok(view.id));
        view.map_or((-1).into(), |view| Value::from(limit(view).unwrap_or(0)))
    };
    let all: Map<String, Value> = match hashes {
        "all" => known
            .iter()
            .map(|view| (view.id.to_string(), limit(view).unwrap_or(0).into()))
            .collect(),
        _ => hashes
            .split('|')
            .map(|hash| (hash.to_owned(), value(hash)))
            .collect(),
    };
    Ok(Answer::Json(Value::Object(all)))
}

/// A rate limit; one that is no number, or not above 0, is none.
pub(super) fn rate(params: &Params, name: &str) -> Option<u64> {
    let rate = u64::try_from(params.int(name)?).ok()?;
    (rate > 0).then_some(rate)
}

pub(super) async fn run(shared: &Shared, name: &str, params: &Params) -> Outcome {
    let [hashes] = params.need(["hashes"])?;
    let mut patch = TorrentPatch::default();
    match name {
        "torrents/setShareLimits" => {
            // Sonarr names one of the two times: what is not named stays as it is.
            let time = |name: &str| {
                let named = params.text(name).is_some();
                named.then(|| minutes(params.int(name).unwrap_or(0)))
            };
            patch.ratio_limit = params
                .text("ratioLimit")
                .map(|_| ratio(params.float("ratioLimit").unwrap_or(0.0)));
            patch.seeding_time_limit = time("seedingTimeLimit");
            patch.idle_limit = time("inactiveSeedingTimeLimit");
            if patch == TorrentPatch::default() {
                return Err(Failure::missing());
            }
        }
        "torrents/setDownloadLimit" => {
            params.need(["limit"])?;
            patch.download_limit = Some(rate(params, "limit"));
        }
        _ => {
            params.need(["limit"])?;
            patch.upload_limit = Some(rate(params, "limit"));
        }
    }
    let mut checked = patch.clone();
    checked
        .check()
        .map_err(|error| Failure::params(error.to_string()))?;
    each(selected(shared, hashes), |it| {
        shared.control.patch(it.id, patch.clone())
    })
    .await
}

/// A limit on the ratio: -2 is inherited, and -1 or what else is below 0 is none.
pub(super) fn ratio(limit: f64) -> Option<Limit<f64>> {
    match limit {
        -2.0 => None,
        limit if limit < 0.0 => Some(Limit::NONE),
        limit => Some(Limit::At(limit.max(LEAST_RATIO))),
    }
}

/// The same for minutes.
pub(super) fn minutes(limit: i64) -> Option<Limit<u64>> {
    match u64::try_from(limit) {
        Ok(minutes) => Some(Limit::At(minutes.saturating_mul(MINUTE).max(1))),
        Err(_) if limit == INHERITED => None,
        Err(_) => Some(Limit::NONE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inherited_lifted_or_own() {
        assert_eq!((ratio(-2.0), minutes(-2)), (None, None));
        assert_eq!(
            (ratio(-1.0), minutes(-1)),
            (Some(Limit::NONE), Some(Limit::NONE))
        );
        assert_eq!(
            (ratio(1.5), minutes(2)),
            (Some(Limit::At(1.5)), Some(Limit::At(120)))
        );
        assert_eq!(
            (ratio(0.0), minutes(0)),
            (Some(Limit::At(LEAST_RATIO)), Some(Limit::At(1)))
        );
        let params = Params::of_query(b"a=5&b=0&c=-1&d=x").unwrap();
        assert_eq!(
            ["a", "b", "c", "d", "e"].map(|it| rate(&params, it)),
            [Some(5), None, None, None, None]
        );
    }
}
