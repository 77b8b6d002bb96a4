//! `--show`: the peers, web seeds and trackers of a torrent, as lines below it.

use std::cmp::Reverse;
use std::time::Instant;

use tailwater_serve::size::Size;
use tailwater_session::torrent::{Encrypted, Transport};
use tailwater_session::{PeerStats, Torrent, WebSeedState, WebSeedStats};

use super::width::{aligned_right, padded, shortened, width};
use crate::args::Show;
use crate::known::{Asked, Known};
use crate::out::Harmless;
use crate::words::{count, eta, percent, rate};

/// Columns of a client's name.
const CLIENT: usize = 24;

/// The lines, each as a list of parts, the most important first.
pub(super) async fn of(torrent: &Torrent, show: Show, known: &Known) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    if show.is_nothing() {
        return lines;
    }
    if show.trackers {
        let trackers = known.trackers(torrent.info_hash());
        let now = Instant::now();
        lines.extend(trackers.iter().map(|(url, asked)| tracker(url, asked, now)));
    }
    if show.peers {
        // A torrent that is closed has none.
        let peers = torrent.peers().await.unwrap_or_default();
        lines.extend(peer_lines(peers, torrent.info().geometry().piece_count()));
        lines.extend(torrent.web_seeds().iter().map(web_seed));
    }
    lines
}

fn tracker(url: &str, asked: &Asked, now: Instant) -> Vec<String> {
    let mut parts = vec![Harmless(url).to_string()];
    parts.push(match &asked.answer {
        Ok(peers) => count(*peers, "peer"),
        Err(error) => format!("failed: {}", Harmless(error)),
    });
    if let Some(next) = asked.next_at {
        parts.push(format!(
            "again in {}",
            eta(next.saturating_duration_since(now))
        ));
    }
    parts
}

/// The busiest first.
fn peer_lines(mut peers: Vec<PeerStats>, pieces: u32) -> Vec<Vec<String>> {
    peers.sort_by_key(|peer| {
        (
            Reverse(peer.down_rate.saturating_add(peer.up_rate)),
            peer.addr,
        )
    });
    let widest = peers.iter().map(|peer| width(&peer.addr.to_string())).max();
    let widest = widest.unwrap_or(0);
    let line = |peer: &PeerStats| {
        let client = peer.client.as_deref().unwrap_or("unknown client");
        let client = shortened(&Harmless(client).to_string(), CLIENT);
        let has = percent(u64::from(peer.pieces), u64::from(pieces));
        vec![
            padded(&peer.addr.to_string(), widest),
            aligned_right(&format!("{has} %"), 5),
            aligned_right(&format!("↓ {}", rate(peer.down_rate)), 12),
            aligned_right(&format!("↑ {}", rate(peer.up_rate)), 12),
            flags(peer),
            client,
        ]
    };
    peers.iter().map(line).collect()
}

fn web_seed(seed: &WebSeedStats) -> Vec<String> {
    let state = match seed.state {
        WebSeedState::Idle => "not used",
        WebSeedState::Ready => "ready",
        WebSeedState::Downloading => "sends",
        WebSeedState::Waiting => "waits",
        WebSeedState::Failed => "given up",
        WebSeedState::Banned => "banned",
        // Any that a later session may add.
        _ => "unknown",
    };
    let mut parts = vec![
        Harmless(server(&seed.url)).to_string(),
        format!("web seed, {state}"),
        format!("↓ {}", rate(seed.down_rate)),
        format!("{} received", Size(seed.downloaded)),
    ];
    parts.extend(
        seed.last_error
            .as_deref()
            .map(|it| Harmless(it).to_string()),
    );
    parts
}

/// The host and port of a URL.
fn server(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(host, _)| host)
}

/// The flags that other clients use: `D` it sends us what we want, `d` it does not; `U` and `u` the same for what it
/// wants; `I` it connected to us; `P` it is connected over uTP; `E` everything is encrypted, `e` the handshake was.
fn flags(peer: &PeerStats) -> String {
    let down = match (peer.am_interested, peer.peer_choking) {
        (true, false) => 'D',
        (true, true) => 'd',
        (false, _) => '-',
    };
    let up = match (peer.peer_interested, peer.am_choking) {
        (true, false) => 'U',
        (true, true) => 'u',
        (false, _) => '-',
    };
    let incoming = if peer.is_incoming { 'I' } else { '-' };
    let utp = match peer.kind.transport {
        Transport::Utp => 'P',
        _ => '-',
    };
    let encrypted = match peer.kind.encrypted {
        Encrypted::Everything => 'E',
        Encrypted::Handshake => 'e',
        _ => '-',
    };
    [down, up, incoming, utp, encrypted].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn trackers_say_what_they_answered_and_when_they_are_asked_again() {
        let now = Instant::now();
        let mut asked = Asked {
            answer: Ok(1),
            next_at: Some(now + Duration::from_secs(1_743)),
        };
        assert_eq!(
            tracker("udp://t:1", &asked, now),
            ["udp://t:1", "1 peer", "again in 29 min 3 s"]
        );
        asked.answer = Err("cannot connect: connection refused".to_owned());
        asked.next_at = None;
        assert_eq!(
            tracker("udp://t:1", &asked, now),
            ["udp://t:1", "failed: cannot connect: connection refused"]
        );
    }
}
