//! Trackers of a torrent.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::actions::each;
use super::{Answer, Outcome, nothing, torrent};
use crate::control::TrackerView;
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

/// States of a tracker, as the original counts them.
const DISABLED: u8 = 0;
const NOT_CONTACTED: u8 = 1;
const WORKING: u8 = 2;
const UPDATING: u8 = 3;
const NOT_WORKING: u8 = 4;

pub(super) fn list(shared: &Shared, params: &Params) -> Outcome {
    let view = torrent(shared, params)?;
    let fixed = &shared.fixed;
    let sources = [
        ("** [DHT] **", fixed.dht),
        ("** [PeX] **", true),
        ("** [LSD] **", fixed.local_discovery),
    ];
    let sources = sources.map(|(name, is_used)| source(name, is_used, view.is_private));
    let trackers = shared.control.trackers(view.id)?;
    let trackers = trackers.iter().map(object);
    Ok(Answer::Json(sources.into_iter().chain(trackers).collect()))
}

/// A source of peers that is no tracker. How many peers it named is not known.
fn source(name: &str, is_used: bool, is_private: bool) -> Value {
    json!({
        "msg": if is_private { "This torrent is private" } else { "" },
        "num_downloaded": 0,
        "num_leeches": 0,
        "num_peers": 0,
        "num_seeds": 0,
        "status": if is_used && !is_private { WORKING } else { DISABLED },
        "tier": -1,
        "url": name,
    })
}

fn object(tracker: &TrackerView) -> Value {
    let count = |count: Option<u32>| count.map_or(-1, i64::from);
    let peers = tracker.peers.and_then(|peers| i64::try_from(peers).ok());
    json!({
        "msg": tracker.error.as_deref().or(tracker.warning.as_deref()).unwrap_or_default(),
        "num_downloaded": -1,
        "num_leeches": count(tracker.leechers),
        "num_peers": peers.unwrap_or(-1),
        "num_seeds": count(tracker.seeders),
        "status": match tracker.state.as_str() {
            "announcing" => UPDATING,
            "working" => WORKING,
            "failing" => NOT_WORKING,
            "disabled" => DISABLED,
            _ => NOT_CONTACTED,
        },
        "tier": tracker.tier,
        "url": tracker.url,
    })
}

/// The URLs by tier.
fn tiers(trackers: &[TrackerView]) -> Vec<Vec<String>> {
    let mut tiers: Vec<(usize, Vec<String>)> = Vec::new();
    for tracker in trackers {
        match tiers.last_mut() {
            Some((tier, urls)) if *tier == tracker.tier => urls.push(tracker.url.clone()),
            _ => tiers.push((tracker.tier, vec![tracker.url.clone()])),
        }
    }
    tiers.into_iter().map(|(_, urls)| urls).collect()
}

/// Adds URLs, one a line, to the tiers from the first on; an empty line stands before the next tier. Those that are there stay.
fn with_added(mut tiers: Vec<Vec<String>>, lines: &str) -> Vec<Vec<String>> {
    let mut at = 0;
    for line in lines.lines().map(str::trim) {
        let is_known = tiers.iter().flatten().any(|url| url == line);
        match (line, tiers.get_mut(at)) {
            ("", _) => at += 1,
            _ if is_known => {}
            (url, Some(tier)) => tier.push(url.to_owned()),
            (url, None) => {
                at = tiers.len();
                tiers.push(vec![url.to_owned()]);
            }
        }
    }
    tiers
}

pub(super) async fn add(shared: &Shared, params: &Params) -> Outcome {
    let [_, urls] = params.need(["hash", "urls"])?;
    let view = torrent(shared, params)?;
    let tiers = with_added(tiers(&shared.control.trackers(view.id)?), urls);
    shared.control.set_trackers(view.id, tiers).await?;
    nothing()
}

pub(super) async fn edit(shared: &Shared, params: &Params) -> Outcome {
    let [_, before, after] = params.need(["hash", "origUrl", "newUrl"])?;
    let view = torrent(shared, params)?;
    if before == after {
        return nothing();
    }
    if !after.contains("://") {
        return Err(Failure::params("New tracker URL is invalid"));
    }
    let mut tiers = tiers(&shared.control.trackers(view.id)?);
    if tiers.iter().flatten().any(|url| url == after) {
        return Err(Failure::conflict("New tracker URL already exists"));
    }
    let mut urls = tiers.iter_mut().flatten();
    let url = urls.find(|url| *url == before);
    let url = url.ok_or_else(|| Failure::conflict("Tracker not found"))?;
    after.clone_into(url);
    shared.control.set_trackers(view.id, tiers).await?;
    // One that does not run is not announced.
    let _ = shared.control.reannounce(view.id);
    nothing()
}

pub(super) async fn remove(shared: &Shared, params: &Params) -> Outcome {
    let [hash, _] = params.need(["hash", "urls"])?;
    let urls = params.list("urls", '|').into_iter();
    // A URL that has the separator in it is sent with percents.
    let urls: Vec<String> = urls
        .map(|url| percent_decode_str(url).decode_utf8_lossy().into_owned())
        .collect();
    let torrents = match hash {
        "*" => shared.control.torrents(),
        _ => vec![torrent(shared, params)?],
    };
    let without = |mut tiers: Vec<Vec<String>>| {
        tiers
            .iter_mut()
            .for_each(|tier| tier.retain(|url| !urls.contains(url)));
        tiers.retain(|tier| !tier.is_empty());
        tiers
    };
    each(torrents, |it| {
        let known = shared.control.trackers(it.id).map(|known| tiers(&known));
        let without = &without;
        async move {
            let known = known?;
            let left = without(known.clone());
            match left == known {
                true => Ok(()),
                false => shared.control.set_trackers(it.id, left).await,
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_stands_before_the_next_tier() {
        let known = || vec![vec!["http://a/".to_owned()], vec!["http://b/".to_owned()]];
        let added = with_added(
            known(),
            "http://c/\n\n http://d/ \nhttp://a/\n\n\n\nhttp://e/\nhttp://f/",
        );
        assert_eq!(
            added,
            [
                vec!["http://a/", "http://c/"],
                vec!["http://b/", "http://d/"],
                vec!["http://e/", "http://f/"]
            ]
        );
        assert_eq!(with_added(known(), "\n\n"), known());
        assert_eq!(with_added(Vec::new(), "x"), [["x"]]);
    }
}
