//! Parses the queries that a tracker gets.

use std::str::FromStr;

use tailwater_types::{InfoHash, PeerId};

use super::percent;
use crate::announce::{AcceptedEncryption, AnnounceRequest, Event, MAX_TRACKER_ID_LEN};
use crate::error::TrackerError;
use crate::scrape::MAX_SCRAPE_HASHES;

/// An announce over HTTP, with the form that its answer should have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnnounceQuery {
    /// The announce.
    pub request: AnnounceRequest,
    /// Whether peers may be packed (BEP 23), which is so unless the client says no.
    pub compact: bool,
    /// Whether peers as dictionaries may lack their ids.
    pub no_peer_id: bool,
}

/// Reads the query of an announce, without its question mark.
///
/// # Errors
///
/// [`TrackerError::BadRequest`] naming the parameter: `info_hash`, `peer_id` and `port` must be
/// there; every one that is there must be readable. An unknown `event` is taken for none.
pub fn parse_announce_query(query: &str) -> Result<AnnounceQuery, TrackerError> {
    let mut info_hash = None;
    let mut peer_id = None;
    let mut port = None;
    let mut compact = true;
    let mut no_peer_id = false;
    let mut rest = AnnounceRequest::new(InfoHash::new([0; 20]), PeerId::new([0; 20]), 0);
    for (name, value) in parameters(query) {
        match name {
            "info_hash" => info_hash = Some(InfoHash::new(twenty_bytes(name, value)?)),
            "peer_id" => peer_id = Some(PeerId::new(twenty_bytes(name, value)?)),
            "port" => port = Some(parse(name, value)?),
            "uploaded" => rest.uploaded = parse(name, value)?,
            "downloaded" => rest.downloaded = parse(name, value)?,
            "left" => rest.left = parse(name, value)?,
            "event" => rest.event = event(value),
            // Negative: as many as the tracker likes (BEP 15 has -1).
            "numwant" => rest.num_want = u32::try_from(parse::<i64>(name, value)?).ok(),
            // BEP 7 leaves the form of the key to the client.
            "key" => rest.key = u32::from_str_radix(value, 16).ok(),
            "ip" => rest.ipv4 = value.parse().ok(),
            "ipv6" => rest.ipv6 = text(value).and_then(|ip| ip.parse().ok()),
            "supportcrypto" if value == "1" => {
                let supported = AcceptedEncryption::Supported;
                rest.encryption.get_or_insert(supported);
            }
            "requirecrypto" if value == "1" => {
                rest.encryption = Some(AcceptedEncryption::Required);
            }
            "trackerid" => {
                let id = percent::decode(value);
                rest.tracker_id = (id.len() <= MAX_TRACKER_ID_LEN).then_some(id);
            }
            "compact" => compact = value != "0",
            "no_peer_id" => no_peer_id = value != "0",
            _ => {}
        }
    }
    let missing = |name: &str| TrackerError::bad_request(format!("`{name}` is missing"));
    let request = AnnounceRequest {
        info_hash: info_hash.ok_or_else(|| missing("info_hash"))?,
        peer_id: peer_id.ok_or_else(|| missing("peer_id"))?,
        port: port.ok_or_else(|| missing("port"))?,
        ..rest
    };
    Ok(AnnounceQuery {
        request,
        compact,
        no_peer_id,
    })
}

/// Reads the query of a scrape, without its question mark: the first [`MAX_SCRAPE_HASHES`]
/// torrents.
///
/// # Errors
///
/// [`TrackerError::BadRequest`] if an `info_hash` is not one, or none is there: a scrape of
/// everything is not offered.
pub fn parse_scrape_query(query: &str) -> Result<Vec<InfoHash>, TrackerError> {
    let hashes = parameters(query).filter(|(name, _)| *name == "info_hash");
    let hashes = hashes.take(MAX_SCRAPE_HASHES);
    let hashes: Vec<InfoHash> = hashes
        .map(|(name, value)| twenty_bytes(name, value).map(InfoHash::new))
        .collect::<Result<_, _>>()?;
    if hashes.is_empty() {
        return Err(TrackerError::bad_request("`info_hash` is missing"));
    }
    Ok(hashes)
}

fn parameters(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='))
}

fn twenty_bytes(name: &str, value: &str) -> Result<[u8; 20], TrackerError> {
    let bytes = percent::decode(value);
    let len = bytes.len();
    bytes
        .try_into()
        .map_err(|_| TrackerError::bad_request(format!("`{name}` has {len} bytes instead of 20")))
}

fn text(value: &str) -> Option<String> {
    String::from_utf8(percent::decode(value)).ok()
}

fn parse<T: FromStr>(name: &str, value: &str) -> Result<T, TrackerError> {
    value
        .parse()
        .map_err(|_| TrackerError::bad_request(format!("`{name}` is not a number in range")))
}

/// The event; `None` for a regular announce, which BEP 3 calls `empty`, for BEP 21's `paused`, and for an unknown one:
/// its client is on the torrent all the same.
fn event(value: &str) -> Option<Event> {
    let known = [Event::Started, Event::Completed, Event::Stopped];
    known.into_iter().find(|event| event.as_str() == value)
}
