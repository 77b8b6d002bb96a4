//! Connected peers of a torrent.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::Row;
use crate::control::PeerView;

pub(super) fn value(name: &str, row: &Row<'_>) -> Option<Value> {
    let peers = row.parts.peers.as_slice();
    let count = |is_so: fn(&PeerView) -> bool| peers.iter().filter(|it| is_so(it)).count();
    Some(match name {
        "peers" => peers.iter().map(peer).collect(),
        // Who named a peer is known for those alone that connected to us.
        "peers_from" => json!({
            "from_cache": 0,
            "from_dht": 0,
            "from_incoming": count(|peer| peer.is_incoming),
            "from_lpd": 0,
            "from_ltep": 0,
            "from_pex": 0,
            "from_tracker": 0,
        }),
        "peers_getting_from_us" => count(is_getting).into(),
        "peers_sending_to_us" => count(is_sending).into(),
        _ => return None,
    })
}

const fn is_sending(peer: &PeerView) -> bool {
    peer.down_rate > 0
}

const fn is_getting(peer: &PeerView) -> bool {
    peer.up_rate > 0
}

fn peer(peer: &PeerView) -> Value {
    let addr: Option<SocketAddr> = peer.addr.parse().ok();
    let address = match addr {
        Some(addr) => addr.ip().to_canonical().to_string(),
        None => peer.addr.clone(),
    };
    json!({
        "address": address,
        "bytes_to_client": peer.downloaded,
        "bytes_to_peer": peer.uploaded,
        "client_is_choked": peer.peer_choking,
        "client_is_interested": peer.am_interested,
        "client_name": peer.client.as_deref().unwrap_or_default(),
        "flag_str": flags(peer),
        "is_downloading_from": is_sending(peer),
        "is_encrypted": peer.encryption == "rc4",
        "is_incoming": peer.is_incoming,
        "is_uploading_to": is_getting(peer),
        "is_utp": peer.transport == "utp",
        "peer_id": "",
        "peer_is_choked": peer.am_choking,
        "peer_is_interested": peer.peer_interested,
        "port": addr.map_or(0, |addr| addr.port()),
        "progress": peer.progress,
        "rate_to_client": peer.down_rate,
        "rate_to_peer": peer.up_rate,
    })
}

/// What a peer is doing, a letter for each.
fn flags(peer: &PeerView) -> String {
    let mut flags = String::new();
    let mut add = |is_so: bool, flag: char| {
        if is_so {
            flags.push(flag);
        }
    };
    add(peer.transport == "utp", 'T');
    let unchoked = !peer.peer_choking;
    add(is_sending(peer), 'D');
    add(!is_sending(peer) && peer.am_interested && !unchoked, 'd');
    add(unchoked && !peer.am_interested, 'K');
    let unchokes = !peer.am_choking;
    add(is_getting(peer), 'U');
    add(!is_getting(peer) && peer.peer_interested && !unchokes, 'u');
    add(unchokes && !peer.peer_interested, '?');
    add(peer.encryption == "rc4", 'E');
    add(peer.is_incoming, 'I');
    flags
}
