//! `sync/torrentPeers`. Each answer has all peers: there are a few hundred at most.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::control::PeerView;
use crate::qbittorrent::calls::{Answer, torrent};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::Params;
use crate::qbittorrent::server::Shared;

/// Flags, each with what it says.
const FLAGS: [(char, &str); 10] = [
    ('d', "Interested (local) and choked (peer)"),
    ('D', "Interested (local) and unchoked (peer)"),
    ('u', "Interested (peer) and choked (local)"),
    ('U', "Interested (peer) and unchoked (local)"),
    ('K', "Not interested (local) and unchoked (peer)"),
    ('?', "Not interested (peer) and unchoked (local)"),
    ('I', "Incoming connection"),
    ('E', "Encrypted traffic"),
    ('e', "Encrypted handshake"),
    ('P', "μTP"),
];

pub(in crate::qbittorrent) async fn peers(
    shared: &Shared,
    params: &Params,
) -> Result<Answer, Failure> {
    // Without a hash there is no torrent either, as in the original.
    let view = torrent(shared, params).map_err(|_| Failure::not_found())?;
    let peers = shared.control.peers(view.id).await.unwrap_or_default();
    let all: Map<String, Value> = peers
        .iter()
        .map(|peer| (address(peer), object(peer, view.size)))
        .collect();
    let rid = params.int("rid").unwrap_or(0).clamp(0, 1_000_000);
    Ok(Answer::Json(json!({
        "full_update": true,
        "peers": all,
        "rid": rid % 1_000_000 + 1,
        "show_flags": false,
    })))
}

fn parsed(peer: &PeerView) -> Option<SocketAddr> {
    let addr: SocketAddr = peer.addr.parse().ok()?;
    Some(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
}

fn address(peer: &PeerView) -> String {
    parsed(peer).map_or_else(|| peer.addr.clone(), |addr| addr.to_string())
}

fn object(peer: &PeerView, size: u64) -> Value {
    let addr = parsed(peer);
    let flags: Vec<(char, &str)> = FLAGS
        .into_iter()
        .filter(|(flag, _)| holds(*flag, peer))
        .collect();
    let words: Vec<String> = flags
        .iter()
        .map(|(flag, says)| format!("{flag} = {says}"))
        .collect();
    let flags: Vec<String> = flags.iter().map(|(flag, _)| flag.to_string()).collect();
    json!({
        "client": peer.client.as_deref().unwrap_or_default(),
        "connection": match peer.transport.as_str() {
            "utp" => "μTP",
            _ => "BT",
        },
        "country": "",
        "country_code": "",
        "dl_speed": peer.down_rate,
        "downloaded": peer.downloaded,
        "files": "",
        "flags": flags.join(" "),
        "flags_desc": words.join("\n"),
        "ip": addr.map_or_else(String::new, |addr| addr.ip().to_string()),
        "peer_id_client": "",
        "port": addr.map_or(0, |addr| addr.port()),
        "progress": peer.progress,
        "relevance": if size > 0 && peer.am_interested { 1.0 } else { 0.0 },
        "up_speed": peer.up_rate,
        "uploaded": peer.uploaded,
    })
}

fn holds(flag: char, peer: &PeerView) -> bool {
    match flag {
        'd' => peer.am_interested && peer.peer_choking,
        'D' => peer.am_interested && !peer.peer_choking,
        'u' => peer.peer_interested && peer.am_choking,
        'U' => peer.peer_interested && !peer.am_choking,
        'K' => !peer.am_interested && !peer.peer_choking,
        '?' => !peer.peer_interested && !peer.am_choking,
        'I' => peer.is_incoming,
        'E' => peer.encryption == "rc4",
        'e' => peer.encryption == "handshake",
        'P' => peer.transport == "utp",
        _ => false,
    }
}
