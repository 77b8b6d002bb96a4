//! Trackers of a torrent. Their ids are their places in the list.

use serde_json::{Value, json};

use super::Row;
use crate::control::TrackerView;
use crate::transmission::failure::{Failure, Kind};

/// States of an announce, as Transmission counts them.
const INACTIVE: u8 = 0;
const WAITING: u8 = 1;
const ACTIVE: u8 = 3;

pub(super) fn value(name: &str, row: &Row<'_>) -> Option<Value> {
    let trackers = row.parts.trackers.as_slice();
    let each = trackers.iter().enumerate();
    Some(match name {
        "tracker_list" => list(trackers).into(),
        "tracker_stats" => {
            let stats = each.map(|(id, tracker)| stats(id, tracker, trackers, row.now));
            stats.collect()
        }
        "trackers" => each.map(|(id, tracker)| plain(id, tracker)).collect(),
        _ => return None,
    })
}

/// Announce URLs, one a line, with an empty line between tiers.
fn list(trackers: &[TrackerView]) -> String {
    let mut list = String::new();
    let mut before = None;
    for tracker in trackers {
        if before.is_some_and(|tier| tier != tracker.tier) {
            list.push('\n');
        }
        before = Some(tracker.tier);
        list.push_str(&tracker.url);
        list.push('\n');
    }
    list
}

/// The tiers of such a list.
///
/// # Errors
///
/// When a line is no URL.
pub(in crate::transmission) fn parse(list: &str) -> Result<Vec<Vec<String>>, Failure> {
    let mut tiers = vec![Vec::new()];
    for line in list.lines().map(str::trim) {
        let last = tiers.last_mut();
        match (line, last) {
            ("", Some(last)) if last.is_empty() => {}
            ("", _) => tiers.push(Vec::new()),
            (url, Some(last)) if url.contains("://") => last.push(url.to_owned()),
            _ => return Err(Failure::new(Kind::TrackerList, "")),
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    Ok(tiers)
}

fn plain(id: usize, tracker: &TrackerView) -> Value {
    json!({
        "announce": tracker.url,
        "id": id,
        "scrape": scrape(&tracker.url),
        "sitename": site(&tracker.url),
        "tier": tracker.tier,
    })
}

fn stats(id: usize, tracker: &TrackerView, all: &[TrackerView], now: u64) -> Value {
    let ago = |seconds: Option<u64>| seconds.map_or(0, |ago| now.saturating_sub(ago));
    let has_announced = tracker.last_announce.is_some();
    let has_succeeded = has_announced && tracker.error.is_none();
    let is_in_use = |tracker: &TrackerView| ["working", "announcing"].contains(&&*tracker.state);
    let of_tier = || all.iter().filter(|other| other.tier == tracker.tier);
    // Of a tier one tracker is asked.
    let is_backup = !is_in_use(tracker) && of_tier().any(is_in_use);
    let seeders = tracker.seeders.map_or(-1, i64::from);
    let leechers = tracker.leechers.map_or(-1, i64::from);
    let has_counts = tracker.seeders.is_some() || tracker.leechers.is_some();
    let last = ago(tracker.last_announce);
    let next = tracker
        .next_announce
        .map_or(0, |wait| now.saturating_add(wait));
    json!({
        "announce": tracker.url,
        "announce_state": match tracker.state.as_str() {
            "announcing" => ACTIVE,
            "working" | "failing" => WAITING,
            _ => INACTIVE,
        },
        "download_count": -1,
        "downloader_count": -1,
        "has_announced": has_announced,
        // The counts come with announces.
        "has_scraped": has_counts,
        "host": host(&tracker.url),
        "id": id,
        "is_backup": is_backup,
        "last_announce_peer_count": tracker.peers.unwrap_or(0),
        "last_announce_result": result(tracker),
        "last_announce_start_time": last,
        "last_announce_succeeded": has_succeeded,
        "last_announce_time": last,
        "last_announce_timed_out": false,
        "last_scrape_result": "",
        "last_scrape_start_time": if has_counts { last } else { 0 },
        "last_scrape_succeeded": has_counts,
        "last_scrape_time": if has_counts { last } else { 0 },
        "last_scrape_timed_out": false,
        "leecher_count": leechers,
        "next_announce_time": next,
        "next_scrape_time": 0,
        "scrape": scrape(&tracker.url),
        "scrape_state": INACTIVE,
        "seeder_count": seeders,
        "sitename": site(&tracker.url),
        "tier": tracker.tier,
    })
}

fn result(tracker: &TrackerView) -> &str {
    let trouble = tracker.error.as_deref().or(tracker.warning.as_deref());
    match tracker.last_announce {
        Some(_) => trouble.unwrap_or("Success"),
        None => trouble.unwrap_or_default(),
    }
}

/// The URL for scrapes: the last `announce` in the path becomes `scrape` (BEP 48); `udp` has one URL for both.
fn scrape(announce: &str) -> String {
    if announce.starts_with("udp:") {
        return announce.to_owned();
    }
    match announce.rsplit_once("/announce") {
        Some((before, after)) if !after.contains('/') => format!("{before}/scrape{after}"),
        _ => String::new(),
    }
}

/// The host and port of a URL.
fn host(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let end = after.find(['/', '?', '#']).unwrap_or(after.len());
    &after[..end]
}

/// The name of a site: of `tracker.example.org` it is `example`.
fn site(url: &str) -> &str {
    let host = host(url);
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let labels: Vec<&str> = name.split('.').collect();
    match labels.as_slice() {
        [.., site, _] if !is_address => site,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, of_scrape, of_host, of_site) in [
            (
                "http://tracker.example.org:80/announce?k=1",
                "http://tracker.example.org:80/scrape?k=1",
                "tracker.example.org:80",
                "example",
            ),
            ("udp://a.b:6969", "udp://a.b:6969", "a.b:6969", "a"),
            ("http://10.0.0.1/x", "", "10.0.0.1", "10.0.0.1"),
            ("http://[::1]:7/announce/y", "", "[::1]:7", "::1"),
            ("", "", "", ""),
        ] {
            assert_eq!(
                (scrape(url).as_str(), host(url), site(url)),
                (of_scrape, of_host, of_site)
            );
        }
    }

    #[test]
    fn a_list_has_an_empty_line_between_tiers() {
        let tiers = parse("\n\nhttp://a/\nudp://b/\n\n\n http://c/ \n").unwrap();
        assert_eq!(tiers, [vec!["http://a/", "udp://b/"], vec!["http://c/"]]);
        assert!(parse("").unwrap().is_empty());
        assert_eq!(parse("http://a/\nb").unwrap_err().kind, Kind::TrackerList);
    }
}
