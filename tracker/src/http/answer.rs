//! Parses a tracker's answer, as leniently as trackers write.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tailwater_bencode::{Dict, Document, Limits, Options, Value, decode_with};
use tailwater_types::InfoHash;

use crate::announce::{AnnounceResponse, DEFAULT_INTERVAL, MAX_PEERS, MAX_TRACKER_ID_LEN};
use crate::error::{RetryIn, TrackerError};
use crate::peers;
use crate::scrape::{ScrapeResponse, ScrapeStats};
use crate::text::displayable;

/// How deeply an answer may be nested; what is asked for takes 3.
const MAX_DEPTH: u32 = 16;
/// How many values an answer may hold: 20 000 peers as dictionaries, of which [`MAX_PEERS`] are
/// used.
const MAX_TOKENS: u32 = 200_000;

/// Reads the body of an answer to an announce.
///
/// # Errors
///
/// [`TrackerError::Refused`] if the tracker gives a failure reason, [`TrackerError::Malformed`]
/// if the body is not an answer.
pub fn parse_announce(body: &[u8]) -> Result<AnnounceResponse, TrackerError> {
    let document = decode(body)?;
    let root = accepted(&document)?;
    let interval = root.get("interval").and_then(seconds);
    let has_peers = root.get("peers").is_some() || root.get("peers6").is_some();
    if interval.is_none() && !has_peers {
        return Err(TrackerError::malformed(
            "neither `interval` nor `peers` in the answer",
        ));
    }
    let mut response = AnnounceResponse::new(interval.unwrap_or(DEFAULT_INTERVAL));
    response.min_interval = root.get("min interval").and_then(seconds);
    response.seeders = root.get("complete").and_then(count);
    response.leechers = root.get("incomplete").and_then(count);
    response.external_ip = root.get_bytes("external ip").and_then(external_ip);
    response.warning = root.get_bytes("warning message").map(displayable);
    let tracker_id = root.get_bytes("tracker id");
    response.tracker_id = tracker_id
        .filter(|id| id.len() <= MAX_TRACKER_ID_LEN)
        .map(<[u8]>::to_vec);
    for (key, read_packed) in [
        ("peers", peers::read_v4 as fn(&[u8], &mut Vec<_>)),
        // BEP 7
        ("peers6", peers::read_v6),
    ] {
        let Some(value) = root.get(key) else { continue };
        if let Some(packed) = value.as_bytes() {
            read_packed(packed, &mut response.peers);
        } else if let Some(list) = value.as_list() {
            let peers = list.iter().take(MAX_PEERS).filter_map(dictionary_peer);
            peers.for_each(|(address, port)| peers::add(address, port, &mut response.peers));
        }
    }
    Ok(response)
}

/// Reads the body of an answer to a scrape of `info_hashes` (BEP 48).
///
/// # Errors
///
/// As [`parse_announce`].
pub fn parse_scrape(body: &[u8], info_hashes: &[InfoHash]) -> Result<ScrapeResponse, TrackerError> {
    let document = decode(body)?;
    let files = accepted(&document)?.get_dict("files");
    let files = files.ok_or_else(|| TrackerError::malformed("no `files` in the answer"))?;
    let stats = |hash: &InfoHash| {
        let entry = files.get_dict(hash.as_bytes())?;
        let field = |key: &str| entry.get(key).and_then(count).unwrap_or(0);
        let stats = ScrapeStats {
            seeders: field("complete"),
            leechers: field("incomplete"),
            completed: field("downloaded"),
        };
        Some((*hash, stats))
    };
    Ok(ScrapeResponse::new(
        info_hashes.iter().filter_map(stats).collect(),
    ))
}

fn decode(body: &[u8]) -> Result<Document<'_>, TrackerError> {
    let mut limits = Limits::default();
    limits.depth = MAX_DEPTH;
    limits.tokens = MAX_TOKENS;
    decode_with(body, &Options::lenient().with_limits(limits)).map_err(|error| {
        let hint = match body.trim_ascii_start().first() {
            Some(b'<') => "HTML instead of bencode: ",
            _ => "",
        };
        TrackerError::malformed(format!("{hint}{error}"))
    })
}

fn accepted<'doc, 'a>(document: &'doc Document<'a>) -> Result<Dict<'doc, 'a>, TrackerError> {
    let root = document.root().as_dict();
    let root = root.ok_or_else(|| TrackerError::malformed("the answer is not a dictionary"))?;
    match root.get_bytes("failure reason") {
        Some(reason) => Err(TrackerError::Refused {
            reason: displayable(reason),
            retry_in: root.get("retry in").and_then(retry_in),
        }),
        None => Ok(root),
    }
}

/// BEP 31: minutes or `never`.
fn retry_in(value: Value<'_, '_>) -> Option<RetryIn> {
    if value.as_bytes() == Some(b"never") {
        return Some(RetryIn::Never);
    }
    let minutes = count(value)?;
    Some(RetryIn::After(Duration::from_secs(u64::from(minutes) * 60)))
}

/// Some trackers write numbers as strings, as the example in BEP 31 does.
fn number(value: Value<'_, '_>) -> Option<i64> {
    value
        .as_int()
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn count(value: Value<'_, '_>) -> Option<u32> {
    u32::try_from(number(value)?).ok()
}

fn seconds(value: Value<'_, '_>) -> Option<Duration> {
    count(value).map(|seconds| Duration::from_secs(seconds.into()))
}

/// BEP 24 has the bytes of the address; some trackers write it out.
fn external_ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    if let Some(written) = str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return Some(written);
    }
    let v6 = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(v6).to_canonical())
}

/// BEP 3's form. BEP 3 allows a host name for `ip`; resolving one at a stranger's word is not
/// worth its cost.
fn dictionary_peer(value: Value<'_, '_>) -> Option<(IpAddr, u16)> {
    let peer = value.as_dict()?;
    let address = peer.get_str("ip")?.parse().ok()?;
    let port = u16::try_from(number(peer.get("port")?)?).ok()?;
    Some((address, port))
}
