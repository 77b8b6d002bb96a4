//! The bodies of the fuzz targets; each asserts, and none may panic for another reason.

use std::net::SocketAddr;
use std::time::Duration;

use tailwater_types::{InfoHash, PeerId};

use crate::announce::{AnnounceRequest, MAX_PEERS, MAX_TRACKER_ID_LEN};
use crate::error::TrackerError;
use crate::http::{self, PeerFormat};
use crate::origin::origin;
use crate::text::MAX_TEXT_LEN;
use crate::udp::{Exchange, Family, MAX_RETRANSMISSIONS, Request, Response};

/// An HTTP body: as the answer to an announce, to a scrape, and as a query to the server.
pub fn http_response(data: &[u8]) {
    match http::parse_announce(data) {
        Ok(response) => {
            assert!(response.peers.len() <= MAX_PEERS);
            assert!(response.peers.iter().all(|peer| peer.port() != 0));
            assert!(
                response
                    .warning
                    .as_ref()
                    .is_none_or(|text| text.len() <= MAX_TEXT_LEN)
            );
            assert!(
                response
                    .tracker_id
                    .as_ref()
                    .is_none_or(|id| id.len() <= MAX_TRACKER_ID_LEN)
            );
            for format in [PeerFormat::Compact, PeerFormat::WithoutIds] {
                let again = http::parse_announce(&http::encode_announce(&response, format));
                let mut again = again.expect("what we write, we read");
                // Packing separates the families.
                let mut expected = response.clone();
                again.peers.sort_unstable();
                expected.peers.sort_unstable();
                assert_eq!(again, expected);
            }
        }
        Err(TrackerError::Refused { reason, .. }) => {
            assert!(reason.len() <= MAX_TEXT_LEN && !reason.contains(char::is_control));
        }
        Err(_) => {}
    }
    let hashes = [InfoHash::new([b'x'; 20]), InfoHash::new([0; 20])];
    if let Ok(scraped) = http::parse_scrape(data, &hashes) {
        assert_eq!(
            http::parse_scrape(&http::encode_scrape(&scraped), &hashes),
            Ok(scraped)
        );
    }
    if let Ok(query) = str::from_utf8(data) {
        if let Ok(parsed) = http::parse_announce_query(query) {
            let url = http::announce_url("http://t/announce", &parsed.request);
            let url = url.expect("the tracker's URL is good");
            let (_, query) = url.split_once('?').expect("a query was added");
            let again = http::parse_announce_query(query).map(|query| query.request);
            assert_eq!(again, Ok(parsed.request));
        }
        let _ = http::parse_scrape_query(query);
        let _ = http::announce_url(query, &request());
        let _ = http::scrape_url(query, &hashes);
    }
}

/// A UDP packet: as a request, as an answer in both families, and as every answer in an exchange.
pub fn udp(data: &[u8]) {
    if let Ok((transaction_id, request)) = Request::parse(data) {
        let again = Request::parse(&request.encode(transaction_id));
        assert_eq!(again, Ok((transaction_id, request)));
    }
    for family in [Family::V4, Family::V6] {
        let Ok((transaction_id, response)) = Response::parse(data, family) else {
            continue;
        };
        assert_eq!(Response::transaction_id(data), Some(transaction_id));
        let encoded = response.encode(transaction_id, family);
        let again = Response::parse(&encoded, family).expect("what we write, we read");
        if let (Response::Announce(first), (_, Response::Announce(again))) = (&response, &again) {
            assert!(first.peers.len() <= MAX_PEERS && again.peers.len() <= first.peers.len());
        } else {
            assert_eq!(again, (transaction_id, response));
        }
    }
    exchange(data);
    #[cfg(feature = "server")]
    server(data);
}

/// Feeds datagrams, each with the right transaction id, and lets time pass: the exchange ends
/// after a bounded number of packets, with one outcome.
fn exchange(data: &[u8]) {
    let mut now = origin();
    let remote = SocketAddr::from(([192, 0, 2, 1], 80));
    let Ok(mut exchange) = Exchange::announce(now, remote, request(), "/announce", None, 1) else {
        unreachable!("the path is short")
    };
    let mut packets = data.chunks(24);
    let mut outcome = None;
    for _ in 0..4 * MAX_RETRANSMISSIONS + 4 {
        if let Some(transmit) = exchange.poll_transmit() {
            let Ok((transaction_id, _)) = Request::parse(&transmit.payload) else {
                unreachable!("what we write, we read")
            };
            for packet in packets.by_ref().take(2) {
                let mut packet = packet.to_vec();
                if let Some(id) = packet.get_mut(4..8) {
                    id.copy_from_slice(&transaction_id.to_be_bytes());
                }
                exchange.handle_datagram(now, remote, &packet);
            }
        }
        outcome = outcome.or_else(|| exchange.poll_outcome());
        match exchange.poll_timeout() {
            Some(at) => {
                now = at.max(now + Duration::from_millis(1));
                exchange.handle_timeout(now);
            }
            None => break,
        }
    }
    outcome = outcome.or_else(|| exchange.poll_outcome());
    assert!(
        outcome.is_some() && exchange.poll_timeout().is_none(),
        "the exchange never ends"
    );
}

/// An address that is not proven gets no more bytes than it sent.
#[cfg(feature = "server")]
fn server(data: &[u8]) {
    let config = crate::server::ServerConfig::default();
    let mut service = crate::server::Service::new(origin(), &config, 1, [9; 32]);
    let from = SocketAddr::from(([192, 0, 2, 1], 4000));
    if let Some(answer) = service.handle_udp(origin(), from, data) {
        assert!(answer.len() <= data.len());
    }
}

fn request() -> AnnounceRequest {
    AnnounceRequest::new(InfoHash::new([1; 20]), PeerId::new([2; 20]), 6881)
}
