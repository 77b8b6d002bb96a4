//! Answers by table, and round trips between the encoders and the parsers.

use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use tailwater_types::{InfoHash, PeerId};

use super::*;
use crate::announce::{
    AcceptedEncryption, AnnounceRequest, AnnounceResponse, DEFAULT_INTERVAL, Event, MAX_PEERS,
};
use crate::error::{RetryIn, TrackerError};
use crate::scrape::{ScrapeResponse, ScrapeStats};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_full_answer_is_read() {
    let body = b"d8:completei5e11:external ip4:\x01\x02\x03\x0410:incompletei7e8:intervali1800e12:min intervali900e\
        5:peers12:\x0a\0\0\x01\x1a\xe1\x0a\0\0\x02\x1a\xe16:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1\
        10:tracker id3:abc15:warning message5:carefe";
    // A stray byte after the dictionary is forgiven; a missing one is not.
    let body = &body[..body.len() - 2];
    assert!(parse_announce(body).is_err());
    let body = [&body[..body.len() - 4], b"carefe"].concat();
    let response = parse_announce(&body).unwrap();
    assert_eq!(response.interval, seconds(1800));
    assert_eq!(response.min_interval, Some(seconds(900)));
    assert_eq!((response.seeders, response.leechers), (Some(5), Some(7)));
    assert_eq!(
        response.peers,
        addresses(&["10.0.0.1:6881", "10.0.0.2:6881", "[2001:db8::1]:6881"])
    );
    assert_eq!(response.external_ip, Some([1, 2, 3, 4].into()));
    assert_eq!(response.tracker_id.as_deref(), Some(&b"abc"[..]));
    assert_eq!(response.warning.as_deref(), Some("caref"));
}

#[test]
fn peers_may_be_dictionaries() {
    let body = b"d8:intervali60e5:peersl\
        d2:ip8:10.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti80ee\
        d2:ip11:2001:db8::14:porti81ee\
        d2:ip9:localhost4:porti82ee\
        d2:ip8:10.0.0.24:porti65536ee\
        d2:ip8:10.0.0.34:porti0ee\
        d4:porti1eei5e\
        d2:ip8:10.0.0.44:port2:84eee";
    let response = parse_announce(body).unwrap();
    assert_eq!(
        response.peers,
        addresses(&["10.0.0.1:80", "[2001:db8::1]:81", "10.0.0.4:84"])
    );
}

#[test]
fn odd_answers_are_read_as_far_as_they_go() {
    let defaults = AnnounceResponse::new(DEFAULT_INTERVAL);
    let sixty = AnnounceResponse::new(seconds(60));
    let ip = |text: &str| AnnounceResponse {
        external_ip: Some(text.parse().unwrap()),
        ..sixty.clone()
    };
    let long_id = format!("d8:intervali60e10:tracker id300:{}e", "x".repeat(300));
    for (body, expected) in [
        (&b"d5:peers0:e"[..], defaults.clone()),
        (b"d8:intervali-5e5:peers0:e", defaults.clone()),
        (b"d8:intervali99999999999e5:peers0:e", defaults.clone()),
        (b"d8:interval2:605:peers0:e", sixty.clone()),
        (b"d8:intervali60e5:peersi5ee", sixty.clone()),
        (b"d8:intervali60e5:peers5:shorte", sixty.clone()),
        (b"d5:peers0:8:intervali60ee", sixty.clone()),
        (b"d8:intervali60e8:completei-1ee", sixty.clone()),
        (b"d8:intervali60eetrailing", sixty.clone()),
        (b"d11:external ip7:1.2.3.48:intervali60ee", ip("1.2.3.4")),
        (
            b"d11:external ip16:\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x048:intervali60ee",
            ip("1.2.3.4"),
        ),
        (b"d11:external ip3:abc8:intervali60ee", sixty.clone()),
        (long_id.as_bytes(), sixty.clone()),
    ] {
        assert_eq!(
            parse_announce(body),
            Ok(expected),
            "{}",
            body.escape_ascii()
        );
    }
}

#[test]
fn refusals_are_told_with_their_retry_time() {
    for (body, text, retry_in) in [
        (&b"d14:failure reason4:nopee"[..], "nope", None),
        (
            b"d14:failure reason4:no\x1b[8:retry in1:5e",
            "no [",
            Some(RetryIn::After(seconds(300))),
        ),
        (
            b"d14:failure reason0:8:retry ini5ee",
            "",
            Some(RetryIn::After(seconds(300))),
        ),
        (
            b"d14:failure reason1:x8:retry in5:nevere",
            "x",
            Some(RetryIn::Never),
        ),
        (b"d14:failure reason1:x8:retry in4:soone", "x", None),
        (b"d14:failure reason1:x8:retry ini-5ee", "x", None),
        (b"d14:failure reason1:x8:intervali60ee", "x", None),
    ] {
        let refused = Err(TrackerError::Refused {
            reason: text.to_owned(),
            retry_in,
        });
        assert_eq!(parse_announce(body), refused, "{}", body.escape_ascii());
    }
}

#[test]
fn what_is_no_answer_is_refused() {
    let deep = [vec![b'l'; 1 << 20], vec![b'e'; 1 << 20]].concat();
    let many = [
        b"d5:peersl".to_vec(),
        b"i1e".repeat(300_000),
        b"ee".to_vec(),
    ]
    .concat();
    for (body, reason) in [
        (&b""[..], "unexpected end"),
        (b"<html><body>404</body></html>", "HTML instead of bencode"),
        (b"le", "not a dictionary"),
        (b"de", "neither `interval` nor `peers`"),
        (b"d8:intervali60e", "unexpected end"),
        (b"d5:peers9999:", "unexpected end"),
        (&deep, "nested"),
        (&many, "values"),
    ] {
        match parse_announce(body) {
            Err(TrackerError::Malformed { reason: given }) => {
                assert!(given.contains(reason), "{given:?} instead of {reason:?}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn peers_are_bounded() {
    let packed = 60_000;
    let mut body = format!("d8:intervali60e5:peers{packed}:").into_bytes();
    let addresses = (0..10_000u16).map(|n| {
        let [high, low] = n.to_be_bytes();
        [1, 1, high, low]
    });
    body.extend(
        addresses
            .clone()
            .flat_map(|[a, b, c, d]| [a, b, c, d, 1, 1]),
    );
    body.push(b'e');
    assert_eq!(parse_announce(&body).unwrap().peers.len(), MAX_PEERS);
    let dictionary = |address: [u8; 4]| {
        let ip = std::net::Ipv4Addr::from(address).to_string();
        format!("d2:ip{}:{ip}4:porti9ee", ip.len())
    };
    let dictionaries: String = addresses.take(9_000).map(dictionary).collect();
    let body = format!("d5:peersl{dictionaries}ee").into_bytes();
    assert_eq!(parse_announce(&body).unwrap().peers.len(), MAX_PEERS);
}

#[test]
fn a_scrape_is_read_for_the_hashes_asked() {
    let (x, y) = (InfoHash::new([b'x'; 20]), InfoHash::new([b'y'; 20]));
    let body = b"d5:filesd20:xxxxxxxxxxxxxxxxxxxxd8:completei11e10:downloadedi13772e10:incompletei19eee5:flagsdee";
    let stats = ScrapeStats {
        seeders: 11,
        leechers: 19,
        completed: 13772,
    };
    assert_eq!(
        parse_scrape(body, &[y, x]),
        Ok(ScrapeResponse::new(vec![(x, stats)]))
    );
    assert!(matches!(
        parse_scrape(b"de", &[x]),
        Err(TrackerError::Malformed { .. })
    ));
    let refused = TrackerError::Refused {
        reason: "no".to_owned(),
        retry_in: None,
    };
    assert_eq!(parse_scrape(b"d14:failure reason2:noe", &[x]), Err(refused));
}

#[test]
fn a_query_must_be_whole() {
    let hash = "%01".repeat(20);
    let good = format!("info_hash={hash}&peer_id=-XX0000-abcdefghijkl&port=6881");
    let query = parse_announce_query(&good).unwrap();
    assert!(query.compact && !query.no_peer_id);
    assert_eq!(
        query.request,
        AnnounceRequest::new(
            InfoHash::new([1; 20]),
            PeerId::new(*b"-XX0000-abcdefghijkl"),
            6881
        )
    );
    let more =
        format!("{good}&compact=0&no_peer_id=1&event=completed&numwant=-1&left=0&key=ff&x&=&y=z");
    let query = parse_announce_query(&more).unwrap();
    assert_eq!((query.compact, query.no_peer_id), (false, true));
    assert_eq!(
        (
            query.request.event,
            query.request.num_want,
            query.request.left
        ),
        (Some(Event::Completed), None, 0)
    );
    assert_eq!(query.request.key, Some(255));

    for (query, named) in [
        (String::new(), "`info_hash` is missing"),
        (format!("info_hash={hash}&port=1"), "`peer_id` is missing"),
        (
            format!("info_hash={hash}&peer_id=-XX0000-abcdefghijkl"),
            "`port` is missing",
        ),
        (
            "info_hash=abc".to_owned(),
            "`info_hash` has 3 bytes instead of 20",
        ),
        (
            format!("{good}&port=65536"),
            "`port` is not a number in range",
        ),
        (format!("{good}&left=-1"), "`left` is not a number in range"),
    ] {
        assert_eq!(
            parse_announce_query(&query),
            Err(TrackerError::BadRequest {
                reason: named.to_owned()
            }),
            "{query}"
        );
    }
    for event in ["", "empty", "paused", "eaten"] {
        let query = parse_announce_query(&format!("{good}&event={event}"));
        assert_eq!(query.unwrap().request.event, None, "{event}");
    }
    assert!(parse_scrape_query("").is_err());
    assert_eq!(
        parse_scrape_query(&format!("info_hash={hash}&info_hash={hash}"))
            .unwrap()
            .len(),
        2
    );
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        (1u8..224, any::<[u8; 3]>(), 1u16..)
            .prop_map(|(a, [b, c, d], port)| ([a, b, c, d], port).into()),
        (any::<[u8; 15]>(), 1u16..).prop_map(|(rest, port)| {
            let mut octets = [0x20; 16];
            octets[1..].copy_from_slice(&rest);
            (octets, port).into()
        }),
    ]
    // Among them are addresses of IPv6 that embed ones of IPv4: `2002:e000::` stands for a multicast group.
    .prop_filter("a host can listen there", |addr| {
        tailwater_types::address::is_usable(*addr)
    })
}

proptest! {
    #[test]
    fn what_the_server_writes_the_client_reads(
        interval in 0u32..,
        min_interval in prop::option::of(0u32..),
        counts: (Option<u32>, Option<u32>),
        peers in prop::collection::vec(any_address(), 0..60),
        external: Option<std::net::Ipv4Addr>,
        tracker_id in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
    ) {
        let mut response = AnnounceResponse::new(seconds(interval.into()));
        response.min_interval = min_interval.map(|min| seconds(min.into()));
        (response.seeders, response.leechers) = counts;
        response.peers = peers;
        response.external_ip = external.map(Into::into);
        response.tracker_id = tracker_id;
        let ids: Vec<PeerId> = response.peers.iter().map(|_| PeerId::new([b'i'; 20])).collect();
        for format in [PeerFormat::WithIds(&ids), PeerFormat::WithoutIds] {
            prop_assert_eq!(parse_announce(&encode_announce(&response, format)), Ok(response.clone()));
        }
        // Packed, the families come one after the other.
        response.peers.sort_by_key(SocketAddr::is_ipv6);
        prop_assert_eq!(parse_announce(&encode_announce(&response, PeerFormat::Compact)), Ok(response));
    }

    #[test]
    fn what_the_client_asks_the_server_reads(
        ids: ([u8; 20], [u8; 20]),
        numbers: (u64, u64, u64, u16),
        num_want: Option<u32>,
        key: Option<u32>,
        ips: (Option<std::net::Ipv4Addr>, Option<std::net::Ipv6Addr>),
        tracker_id in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        encryption in prop::option::of(prop::sample::select(vec![
            AcceptedEncryption::Supported,
            AcceptedEncryption::Required,
        ])),
        passkey in "[a-z]{0,8}",
    ) {
        let (uploaded, downloaded, left, port) = numbers;
        let mut request = AnnounceRequest::new(InfoHash::new(ids.0), PeerId::new(ids.1), port);
        (request.uploaded, request.downloaded, request.left) = (uploaded, downloaded, left);
        (request.num_want, request.key, request.tracker_id) = (num_want, key, tracker_id);
        (request.ipv4, request.ipv6) = ips;
        request.encryption = encryption;
        request.event = Some(Event::Started);
        let url = announce_url(&format!("http://t/announce?passkey={passkey}"), &request).unwrap();
        let (_, query) = url.split_once('?').unwrap();
        prop_assert_eq!(parse_announce_query(query).unwrap().request, request);
    }

    #[test]
    fn refusals_round_trip(reason in "[ -~]{0,60}", minutes in prop::option::of(1u32..)) {
        let retry_in = minutes.map(|minutes| RetryIn::After(seconds(u64::from(minutes) * 60)));
        let reason = reason.trim_end().to_owned();
        let body = encode_failure(&reason, retry_in);
        prop_assert_eq!(parse_announce(&body), Err(TrackerError::Refused { reason, retry_in }));
    }

    #[test]
    fn the_fuzz_body_holds(data: Vec<u8>) {
        crate::fuzz::http_response(&data);
    }
}
