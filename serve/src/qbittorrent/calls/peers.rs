//! `torrents/addPeers`

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::{Answer, Outcome, selected};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

pub(super) async fn add(shared: &Shared, params: &Params) -> Outcome {
    let [hashes, named] = params.need(["hashes", "peers"])?;
    let count = named.split('|').count();
    let peers: Vec<SocketAddr> = named
        .split('|')
        .filter_map(|it| it.trim().parse().ok())
        .collect();
    if peers.is_empty() {
        return Err(Failure::params("No valid peers were specified"));
    }
    let mut results = Map::new();
    for torrent in selected(shared, hashes) {
        let added = shared.control.add_peers(torrent.id, peers.clone()).await;
        let added = added.map_or(0, |()| peers.len());
        let result = json!({"added": added, "failed": count.saturating_sub(added)});
        results.insert(torrent.id.to_string(), result);
    }
    Ok(Answer::Json(Value::Object(results)))
}
