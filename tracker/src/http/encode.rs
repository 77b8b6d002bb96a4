//! Encodes a tracker's answers.

use std::net::{IpAddr, SocketAddr};

use tailwater_bencode::{Item, encode};
use tailwater_types::PeerId;

use crate::announce::AnnounceResponse;
use crate::error::RetryIn;
use crate::peers;
use crate::scrape::ScrapeResponse;

/// How peers are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerFormat<'a> {
    /// Packed (BEP 23, BEP 7).
    Compact,
    /// As dictionaries, without ids.
    WithoutIds,
    /// As dictionaries (BEP 3); the ids in the order of the peers.
    WithIds(&'a [PeerId]),
}

/// The body of an answer to an announce.
#[must_use]
pub fn encode_announce(response: &AnnounceResponse, format: PeerFormat<'_>) -> Vec<u8> {
    let mut entries = vec![("interval", seconds(response.interval))];
    let mut add =
        |key, value: Option<Item<'static>>| entries.extend(value.map(|value| (key, value)));
    add("min interval", response.min_interval.map(seconds));
    add("complete", response.seeders.map(number));
    add("incomplete", response.leechers.map(number));
    add("tracker id", response.tracker_id.clone().map(Item::from));
    add("warning message", response.warning.clone().map(Item::from));
    add(
        "external ip",
        response.external_ip.map(|ip| match ip {
            IpAddr::V4(v4) => Item::from(v4.octets().to_vec()),
            IpAddr::V6(v6) => Item::from(v6.octets().to_vec()),
        }),
    );
    let ids = match format {
        PeerFormat::Compact => {
            let (v4, v6): (Vec<_>, Vec<_>) = response
                .peers
                .iter()
                .copied()
                .partition(SocketAddr::is_ipv4);
            add("peers", Some(packed(&v4)));
            add("peers6", (!v6.is_empty()).then(|| packed(&v6)));
            return dict(entries);
        }
        PeerFormat::WithoutIds => &[],
        PeerFormat::WithIds(ids) => ids,
    };
    let ids = ids.iter().map(Some).chain(std::iter::repeat(None));
    let list = response
        .peers
        .iter()
        .zip(ids)
        .map(|(peer, id)| dictionary(*peer, id));
    add("peers", Some(Item::list(list)));
    dict(entries)
}

/// The body of a refusal, with BEP 31's `retry in`, in whole minutes.
#[must_use]
pub fn encode_failure(reason: &str, retry_in: Option<RetryIn>) -> Vec<u8> {
    let mut entries = vec![("failure reason", Item::from(reason.to_owned()))];
    entries.extend(retry_in.map(|retry| match retry {
        RetryIn::Never => ("retry in", Item::from("never")),
        RetryIn::After(delay) => {
            let minutes = delay.as_secs().div_ceil(60).max(1);
            (
                "retry in",
                Item::Int(i64::try_from(minutes).unwrap_or(i64::MAX)),
            )
        }
    }));
    dict(entries)
}

/// The body of an answer to a scrape (BEP 48).
#[must_use]
pub fn encode_scrape(response: &ScrapeResponse) -> Vec<u8> {
    let mut files = std::collections::BTreeMap::new();
    for (hash, stats) in &response.torrents {
        let entry = Item::Dict(
            [
                (b"complete".as_slice().into(), number(stats.seeders)),
                (b"downloaded".as_slice().into(), number(stats.completed)),
                (b"incomplete".as_slice().into(), number(stats.leechers)),
            ]
            .into(),
        );
        files.insert(hash.as_bytes().to_vec().into(), entry);
    }
    dict(vec![("files", Item::Dict(files))])
}

fn dict(entries: Vec<(&'static str, Item<'_>)>) -> Vec<u8> {
    let entries = entries
        .into_iter()
        .map(|(key, value)| (key.as_bytes().into(), value));
    encode(&Item::Dict(entries.collect()))
}

fn number(value: u32) -> Item<'static> {
    Item::Int(value.into())
}

fn seconds(duration: std::time::Duration) -> Item<'static> {
    Item::Int(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

fn packed(list: &[SocketAddr]) -> Item<'static> {
    let mut packed = Vec::with_capacity(list.len() * peers::COMPACT_V6_LEN);
    list.iter()
        .for_each(|peer| peers::write(*peer, &mut packed));
    Item::from(packed)
}

fn dictionary(peer: SocketAddr, id: Option<&PeerId>) -> Item<'static> {
    let mut entry = std::collections::BTreeMap::new();
    entry.insert(b"ip".as_slice().into(), Item::from(peer.ip().to_string()));
    entry.insert(b"port".as_slice().into(), Item::Int(peer.port().into()));
    if let Some(id) = id {
        entry.insert(
            b"peer id".as_slice().into(),
            Item::from(id.as_bytes().to_vec()),
        );
    }
    Item::Dict(entry)
}
