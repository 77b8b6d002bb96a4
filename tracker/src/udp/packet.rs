//! The packets of BEP 15, both directions.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tailwater_types::{InfoHash, PeerId};

use super::options::{read_url_data, write_url_data};
use super::reader::Reader;
use crate::announce::{AnnounceRequest, AnnounceResponse, Event, MAX_PEERS};
use crate::error::TrackerError;
use crate::peers;
use crate::scrape::{MAX_SCRAPE_HASHES, ScrapeStats};
use crate::text::displayable;

/// The longest packet that is received, in bytes; what goes beyond is cut off. It holds 450 IPv6
/// peers, where trackers send 200 at most.
pub const MAX_PACKET_LEN: usize = 8192;

// The constant that begins a connect request, then the actions (BEP 15).
const PROTOCOL_ID: u64 = 0x0417_2710_1980;
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// The address family of the packets, which decides how peers look in them (BEP 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Peers of 6 bytes.
    V4,
    /// Peers of 18 bytes.
    V6,
}

impl Family {
    /// The family of packets from and to `address`.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        match address.ip().to_canonical().is_ipv4() {
            true => Self::V4,
            false => Self::V6,
        }
    }
}

/// A packet from a client to a tracker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Asks for a connection id.
    Connect,
    /// Announces.
    Announce {
        /// What the tracker answered to [`Connect`](Self::Connect).
        connection_id: u64,
        /// The announce. Its `tracker_id` and `ipv6` have no place in the packet.
        request: AnnounceRequest,
        /// Path and query of the tracker's URL (BEP 41).
        url_data: Vec<u8>,
    },
    /// Scrapes.
    Scrape {
        /// What the tracker answered to [`Connect`](Self::Connect).
        connection_id: u64,
        /// The torrents; at most [`MAX_SCRAPE_HASHES`].
        info_hashes: Vec<InfoHash>,
    },
}

impl Request {
    /// The packet's bytes.
    #[must_use]
    pub fn encode(&self, transaction_id: u32) -> Vec<u8> {
        let (connection_id, action) = match self {
            Self::Connect => (PROTOCOL_ID, CONNECT),
            Self::Announce { connection_id, .. } => (*connection_id, ANNOUNCE),
            Self::Scrape { connection_id, .. } => (*connection_id, SCRAPE),
        };
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&connection_id.to_be_bytes());
        out.extend_from_slice(&action.to_be_bytes());
        out.extend_from_slice(&transaction_id.to_be_bytes());
        match self {
            Self::Connect => {}
            Self::Announce {
                request, url_data, ..
            } => {
                write_announce(request, &mut out);
                write_url_data(url_data, &mut out);
            }
            Self::Scrape { info_hashes, .. } => {
                for hash in info_hashes.iter().take(MAX_SCRAPE_HASHES) {
                    out.extend_from_slice(hash.as_bytes());
                }
            }
        }
        out
    }

    /// Reads a packet, and its transaction id.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Malformed`] if it is too short, or of an unknown action.
    pub fn parse(packet: &[u8]) -> Result<(u32, Self), TrackerError> {
        let mut reader = Reader::new(packet);
        let connection_id = reader.u64("connection id")?;
        let action = reader.u32("action")?;
        let transaction_id = reader.u32("transaction id")?;
        let request = match action {
            CONNECT if connection_id == PROTOCOL_ID => Self::Connect,
            ANNOUNCE => {
                let request = read_announce(&mut reader)?;
                Self::Announce {
                    connection_id,
                    request,
                    url_data: read_url_data(reader.rest()),
                }
            }
            SCRAPE => {
                let (hashes, _) = reader.rest().as_chunks::<20>();
                let hashes = hashes.iter().take(MAX_SCRAPE_HASHES);
                Self::Scrape {
                    connection_id,
                    info_hashes: hashes.map(|hash| InfoHash::new(*hash)).collect(),
                }
            }
            other => {
                return Err(TrackerError::malformed(format!(
                    "UDP request of action {other}"
                )));
            }
        };
        Ok((transaction_id, request))
    }
}

fn write_announce(request: &AnnounceRequest, out: &mut Vec<u8>) {
    let event: u32 = match request.event {
        None => 0,
        Some(Event::Completed) => 1,
        Some(Event::Started) => 2,
        Some(Event::Stopped) => 3,
    };
    // Signed on the wire, where -1 leaves it to the tracker.
    let num_want = request
        .num_want
        .and_then(|wanted| i32::try_from(wanted).ok())
        .unwrap_or(-1);
    out.extend_from_slice(request.info_hash.as_bytes());
    out.extend_from_slice(request.peer_id.as_bytes());
    out.extend_from_slice(&request.downloaded.to_be_bytes());
    out.extend_from_slice(&request.left.to_be_bytes());
    out.extend_from_slice(&request.uploaded.to_be_bytes());
    out.extend_from_slice(&event.to_be_bytes());
    out.extend_from_slice(&request.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
    out.extend_from_slice(&request.key.unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&num_want.to_be_bytes());
    out.extend_from_slice(&request.port.to_be_bytes());
}

fn read_announce(reader: &mut Reader<'_>) -> Result<AnnounceRequest, TrackerError> {
    let info_hash = InfoHash::new(reader.array("info-hash")?);
    let peer_id = PeerId::new(reader.array("peer id")?);
    let downloaded = reader.u64("downloaded")?;
    let left = reader.u64("left")?;
    let uploaded = reader.u64("uploaded")?;
    let event = match reader.u32("event")? {
        1 => Some(Event::Completed),
        2 => Some(Event::Started),
        3 => Some(Event::Stopped),
        _ => None,
    };
    let ipv4 = Ipv4Addr::from_bits(reader.u32("IP address")?);
    let key = reader.u32("key")?;
    let num_want = reader.u32("num_want")?.cast_signed();
    let port = reader.u16("port")?;
    Ok(AnnounceRequest {
        uploaded,
        downloaded,
        left,
        event,
        num_want: u32::try_from(num_want).ok(),
        key: Some(key),
        ipv4: (!ipv4.is_unspecified()).then_some(ipv4),
        ..AnnounceRequest::new(info_hash, peer_id, port)
    })
}

/// A packet from a tracker to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// To be sent with announces and scrapes; good for a minute.
    Connect {
        /// The id.
        connection_id: u64,
    },
    /// The answer to an announce.
    Announce(AnnounceResponse),
    /// The counts, in the order of the request.
    Scrape(Vec<ScrapeStats>),
    /// The tracker refuses.
    Error(String),
}

impl Response {
    /// The transaction id of a packet, whatever else it holds; `None` if it is too short.
    #[must_use]
    pub fn transaction_id(packet: &[u8]) -> Option<u32> {
        let id = packet.get(4..)?.first_chunk()?;
        Some(u32::from_be_bytes(*id))
    }

    /// The packet's bytes. Peers of the other family are left out.
    #[must_use]
    pub fn encode(&self, transaction_id: u32, family: Family) -> Vec<u8> {
        let action = match self {
            Self::Connect { .. } => CONNECT,
            Self::Announce(_) => ANNOUNCE,
            Self::Scrape(_) => SCRAPE,
            Self::Error(_) => ERROR,
        };
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&action.to_be_bytes());
        out.extend_from_slice(&transaction_id.to_be_bytes());
        match self {
            Self::Connect { connection_id } => out.extend_from_slice(&connection_id.to_be_bytes()),
            Self::Announce(response) => {
                let interval = u32::try_from(response.interval.as_secs()).unwrap_or(u32::MAX);
                out.extend_from_slice(&interval.to_be_bytes());
                out.extend_from_slice(&response.leechers.unwrap_or(0).to_be_bytes());
                out.extend_from_slice(&response.seeders.unwrap_or(0).to_be_bytes());
                let ours = response
                    .peers
                    .iter()
                    .filter(|peer| Family::of(**peer) == family);
                ours.take(MAX_PEERS)
                    .for_each(|peer| peers::write(*peer, &mut out));
            }
            Self::Scrape(stats) => {
                for entry in stats.iter().take(MAX_SCRAPE_HASHES) {
                    out.extend_from_slice(&entry.seeders.to_be_bytes());
                    out.extend_from_slice(&entry.completed.to_be_bytes());
                    out.extend_from_slice(&entry.leechers.to_be_bytes());
                }
            }
            Self::Error(reason) => out.extend_from_slice(reason.as_bytes()),
        }
        out
    }

    /// Reads a packet, and its transaction id. Peers are read in the form of `family`.
    ///
    /// # Errors
    ///
    /// [`TrackerError::Malformed`] if it is too short, or of an unknown action.
    pub fn parse(packet: &[u8], family: Family) -> Result<(u32, Self), TrackerError> {
        let mut reader = Reader::new(packet);
        let action = reader.u32("action")?;
        let transaction_id = reader.u32("transaction id")?;
        let response = match action {
            CONNECT => Self::Connect {
                connection_id: reader.u64("connection id")?,
            },
            ANNOUNCE => {
                let interval = reader.u32("interval")?;
                let leechers = reader.u32("leechers")?;
                let seeders = reader.u32("seeders")?;
                let mut response = AnnounceResponse::new(Duration::from_secs(interval.into()));
                response.leechers = Some(leechers);
                response.seeders = Some(seeders);
                match family {
                    Family::V4 => peers::read_v4(reader.rest(), &mut response.peers),
                    Family::V6 => peers::read_v6(reader.rest(), &mut response.peers),
                }
                Self::Announce(response)
            }
            SCRAPE => {
                let (entries, _) = reader.rest().as_chunks::<12>();
                Self::Scrape(
                    entries
                        .iter()
                        .take(MAX_SCRAPE_HASHES)
                        .map(read_stats)
                        .collect(),
                )
            }
            ERROR => Self::Error(displayable(reader.rest())),
            other => {
                return Err(TrackerError::malformed(format!(
                    "UDP answer of action {other}"
                )));
            }
        };
        Ok((transaction_id, response))
    }
}

fn read_stats(entry: &[u8; 12]) -> ScrapeStats {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
    ScrapeStats {
        seeders: u32::from_be_bytes([a, b, c, d]),
        completed: u32::from_be_bytes([e, f, g, h]),
        leechers: u32::from_be_bytes([i, j, k, l]),
    }
}
