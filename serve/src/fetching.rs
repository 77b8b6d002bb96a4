//! Progress of a metadata fetch, in words and as JSON.

use serde::Serialize;
use tailwater_metainfo::InfoHash;
use tailwater_session::FetchProgress;

use crate::words::count;

/// The metadata fetch of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The link's name, or else its hash; empty while a publication is looked for.
    pub name: String,
    /// The torrent's; `None` while a publication is looked for.
    pub info_hash: Option<InfoHash>,
    /// How far the fetch of the metadata is.
    pub progress: FetchProgress,
}

/// The state of a metadata fetch as it is printed and served.
#[derive(Clone, Debug, Serialize)]
pub struct FetchReport<'a> {
    info_hash: InfoHash,
    name: Option<&'a str>,
    #[serde(flatten)]
    progress: FetchProgress,
}

impl<'a> FetchReport<'a> {
    /// A fetch of the torrent with this hash; `name` once the metadata has arrived.
    #[must_use]
    pub const fn new(info_hash: InfoHash, progress: &FetchProgress, name: Option<&'a str>) -> Self {
        Self {
            info_hash,
            name,
            progress: *progress,
        }
    }
}

/// How far a fetch is, in one sentence without a full stop.
#[must_use]
pub fn words(progress: &FetchProgress) -> String {
    let FetchProgress {
        trackers,
        trackers_answered: answered,
        trackers_failed: failed,
        dht_nodes,
        dht_peers,
        peers_known: known,
        peers_connected: connected,
        peers_with_metadata: holders,
        blocks_have: have,
        blocks_total: total,
        ..
    } = *progress;
    if total > 0 {
        let holders = count(holders, "peer");
        return format!(
            "fetching metadata: {have} of {}, from {holders}",
            count(total, "block")
        );
    }
    let trackers = match (trackers, answered, failed) {
        (0, ..) if dht_nodes.is_some() => String::new(),
        (0, ..) => "no trackers to ask; ".to_owned(),
        (_, answered, 0) => format!("{answered} of {} answered; ", count(trackers, "tracker")),
        (_, 0, failed) => format!("{failed} of {} failed; ", count(trackers, "tracker")),
        _ => format!(
            "{answered} of {} answered, {failed} failed; ",
            count(trackers, "tracker")
        ),
    };
    let peers = match (known, connected) {
        (0, 0) => "no peers found".to_owned(),
        _ => format!(
            "{} found, {connected} connected, {holders} with metadata",
            count(known, "peer")
        ),
    };
    let dht = match (dht_nodes, dht_peers) {
        (None, _) => String::new(),
        (Some(0), _) => "looking for DHT nodes; ".to_owned(),
        (Some(nodes), 0) => format!("asking {}; ", count(nodes, "DHT node")),
        (Some(_), named) => format!("the DHT named {}; ", count(named, "peer")),
    };
    format!("waiting for metadata: {trackers}{dht}{peers}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_says_what_it_waits_for() {
        let said = |change: fn(&mut FetchProgress)| {
            let mut progress = FetchProgress::default();
            change(&mut progress);
            words(&progress)
        };
        assert_eq!(
            said(|_| {}),
            "waiting for metadata: no trackers to ask; no peers found"
        );
        assert_eq!(
            said(|progress| (progress.trackers, progress.trackers_failed) = (1, 1)),
            "waiting for metadata: 1 of 1 tracker failed; no peers found"
        );
        assert_eq!(
            said(|progress| {
                (progress.trackers, progress.trackers_answered) = (3, 1);
                (progress.peers_known, progress.peers_connected) = (12, 2);
            }),
            "waiting for metadata: 1 of 3 trackers answered; 12 peers found, 2 connected, 0 with metadata"
        );
        assert_eq!(
            said(|progress| progress.dht_nodes = Some(0)),
            "waiting for metadata: looking for DHT nodes; no peers found"
        );
        assert_eq!(
            said(|progress| {
                (progress.trackers, progress.trackers_failed) = (1, 1);
                progress.dht_nodes = Some(7);
            }),
            "waiting for metadata: 1 of 1 tracker failed; asking 7 DHT nodes; no peers found"
        );
        assert_eq!(
            said(|progress| {
                (progress.dht_nodes, progress.dht_peers) = (Some(7), 3);
                progress.peers_known = 2;
            }),
            "waiting for metadata: the DHT named 3 peers; 2 peers found, 0 connected, 0 with metadata"
        );
        assert_eq!(
            said(|progress| {
                (progress.blocks_have, progress.blocks_total) = (3, 7);
                progress.peers_with_metadata = 1;
            }),
            "fetching metadata: 3 of 7 blocks, from 1 peer"
        );
    }
}
