//! Packets by table and property, and exchanges on a clock of their own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tailwater_types::{InfoHash, PeerId};

use super::*;
use crate::announce::{AnnounceRequest, AnnounceResponse, Event};
use crate::error::TrackerError;
use crate::origin::origin;
use crate::scrape::ScrapeStats;

fn request() -> AnnounceRequest {
    AnnounceRequest::new(InfoHash::new([b'h'; 20]), PeerId::new([b'p'; 20]), 6881)
}

#[test]
fn requests_are_laid_out_as_in_bep_15() {
    assert_eq!(
        Request::Connect.encode(0x0102_0304),
        *b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0\x01\x02\x03\x04"
    );

    let announce = AnnounceRequest {
        downloaded: 1,
        left: 2,
        uploaded: 3,
        event: Some(Event::Started),
        key: Some(0xaabb_ccdd),
        ipv4: Some([10, 0, 0, 1].into()),
        ..request()
    };
    let packet = Request::Announce {
        connection_id: 5,
        request: announce,
        url_data: b"/a".to_vec(),
    }
    .encode(6);
    let expected = [
        &b"\0\0\0\0\0\0\0\x05\0\0\0\x01\0\0\0\x06"[..],
        &[b'h'; 20],
        &[b'p'; 20],
        b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x02\x0a\0\0\x01",
        b"\xaa\xbb\xcc\xdd\xff\xff\xff\xff\x1a\xe1\x02\x02/a",
    ]
    .concat();
    assert_eq!(packet, expected);

    let scrape = Request::Scrape {
        connection_id: 5,
        info_hashes: vec![InfoHash::new([b'h'; 20])],
    };
    assert_eq!(
        scrape.encode(6),
        [&b"\0\0\0\0\0\0\0\x05\0\0\0\x02\0\0\0\x06"[..], &[b'h'; 20]].concat()
    );
}

#[test]
fn answers_are_read_as_in_bep_15() {
    let announce =
        b"\0\0\0\x01\0\0\0\x07\0\0\x07\x08\0\0\0\x02\0\0\0\x03\x01\x02\x03\x04\x1a\xe1\x05\x06\x07";
    let (transaction_id, response) = Response::parse(announce, Family::V4).unwrap();
    let mut expected = AnnounceResponse::new(Duration::from_secs(1800));
    expected.leechers = Some(2);
    expected.seeders = Some(3);
    expected.peers = vec!["1.2.3.4:6881".parse().unwrap()];
    assert_eq!(
        (transaction_id, response),
        (7, Response::Announce(expected))
    );

    let scrape = b"\0\0\0\x02\0\0\0\x07\0\0\0\x01\0\0\0\x02\0\0\0\x03";
    let stats = ScrapeStats {
        seeders: 1,
        completed: 2,
        leechers: 3,
    };
    assert_eq!(
        Response::parse(scrape, Family::V6),
        Ok((7, Response::Scrape(vec![stats])))
    );
    let error = b"\0\0\0\x03\0\0\0\x07no\x1b";
    assert_eq!(
        Response::parse(error, Family::V4),
        Ok((7, Response::Error("no".to_owned())))
    );
}

#[test]
fn short_and_unknown_packets_are_named() {
    let malformed = |reason: &str| {
        Err(TrackerError::Malformed {
            reason: reason.to_owned(),
        })
    };
    for (packet, reason) in [
        (&b""[..], "UDP packet ends before its action"),
        (
            b"\0\0\0\x01\0\0",
            "UDP packet ends before its transaction id",
        ),
        (
            b"\0\0\0\x01\0\0\0\x07\0\0\x07\x08\0\0\0\x02\0\0\0",
            "UDP packet ends before its seeders",
        ),
        (
            b"\0\0\0\0\0\0\0\x07\0\0",
            "UDP packet ends before its connection id",
        ),
        (b"\0\0\0\x09\0\0\0\x07", "UDP answer of action 9"),
    ] {
        assert_eq!(Response::parse(packet, Family::V4), malformed(reason));
    }
    let wrong_protocol = [0; 16];
    assert!(Request::parse(&wrong_protocol).is_err());
    let announce = Request::Announce {
        connection_id: 1,
        request: request(),
        url_data: vec![],
    }
    .encode(1);
    for len in 0..announce.len() {
        assert!(Request::parse(&announce[..len]).is_err(), "{len} bytes");
    }
}

fn any_request() -> impl Strategy<Value = AnnounceRequest> {
    let event = prop::option::of(prop_oneof![
        Just(Event::Started),
        Just(Event::Completed),
        Just(Event::Stopped)
    ]);
    let numbers = any::<(u64, u64, u64, u16, u32)>();
    let want = prop::option::of(0..=i32::MAX.cast_unsigned());
    (
        any::<([u8; 20], [u8; 20])>(),
        numbers,
        event,
        want,
        prop::option::of(1u32..),
    )
        .prop_map(
            |((hash, id), (uploaded, downloaded, left, port, key), event, num_want, ip)| {
                AnnounceRequest {
                    uploaded,
                    downloaded,
                    left,
                    event,
                    num_want,
                    key: Some(key),
                    ipv4: ip.map(std::net::Ipv4Addr::from_bits),
                    ..AnnounceRequest::new(InfoHash::new(hash), PeerId::new(id), port)
                }
            },
        )
}

proptest! {
    #[test]
    fn announces_round_trip(
        request in any_request(),
        connection_id: u64,
        transaction_id: u32,
        url_data in prop::collection::vec(any::<u8>(), 0..MAX_URL_DATA_LEN),
    ) {
        let request = Request::Announce { connection_id, request, url_data };
        prop_assert_eq!(Request::parse(&request.encode(transaction_id)), Ok((transaction_id, request)));
    }

    #[test]
    fn the_fuzz_body_holds(data: Vec<u8>) {
        crate::fuzz::udp(&data);
    }
}

/// An exchange, its clock, and the tracker's side.
struct Bench {
    exchange: Exchange,
    start: Instant,
    now: Instant,
}

const REMOTE: ([u8; 4], u16) = ([192, 0, 2, 1], 6969);

impl Bench {
    fn new(connection: Option<Connection>) -> Self {
        let start = origin();
        let exchange = Exchange::announce(
            start,
            REMOTE.into(),
            request(),
            "/announce?k=1",
            connection,
            11,
        );
        Self {
            exchange: exchange.unwrap(),
            start,
            now: start,
        }
    }

    fn remote() -> SocketAddr {
        REMOTE.into()
    }

    /// The packet that goes out now.
    #[track_caller]
    fn sent(&mut self) -> (u32, Request) {
        let transmit = self.exchange.poll_transmit().expect("a packet to send");
        assert_eq!(transmit.to, Self::remote());
        assert_eq!(self.exchange.poll_transmit(), None, "one at a time");
        Request::parse(&transmit.payload).unwrap()
    }

    fn receive(&mut self, transaction_id: u32, response: &Response) {
        let packet = response.encode(transaction_id, Family::V4);
        self.exchange
            .handle_datagram(self.now, Self::remote(), &packet);
    }

    /// Goes to the deadline and says which second it is.
    #[track_caller]
    fn skip(&mut self) -> u64 {
        self.now = self.exchange.poll_timeout().expect("a deadline");
        self.exchange.handle_timeout(self.now);
        (self.now - self.start).as_secs()
    }

    #[track_caller]
    fn connect(&mut self, connection_id: u64) -> u32 {
        let (id, request) = self.sent();
        assert_eq!(request, Request::Connect);
        self.receive(id, &Response::Connect { connection_id });
        self.announced(connection_id)
    }

    #[track_caller]
    fn announced(&mut self, expected: u64) -> u32 {
        match self.sent() {
            (
                id,
                Request::Announce {
                    connection_id,
                    request: sent,
                    url_data,
                },
            ) => {
                assert_eq!(
                    (connection_id, url_data),
                    (expected, b"/announce?k=1".to_vec())
                );
                assert_eq!(
                    sent,
                    AnnounceRequest {
                        key: Some(0),
                        ..request()
                    }
                );
                id
            }
            other => panic!("{other:?}"),
        }
    }
}

fn answer() -> AnnounceResponse {
    let mut response = AnnounceResponse::new(Duration::from_secs(1800));
    response.leechers = Some(1);
    response.seeders = Some(2);
    response
}

#[test]
fn an_announce_connects_first() {
    let mut bench = Bench::new(None);
    let id = bench.connect(77);
    bench.receive(id, &Response::Announce(answer()));
    assert_eq!(
        bench.exchange.poll_outcome(),
        Some(Ok(Reply::Announce(answer())))
    );
    assert_eq!(bench.exchange.poll_outcome(), None);
    assert_eq!(bench.exchange.poll_timeout(), None);
    assert_eq!(bench.exchange.poll_transmit(), None);
    assert!(bench.exchange.connection().unwrap().is_valid(bench.now));
}

#[test]
fn connecting_times_out_as_in_bep_15() {
    let mut bench = Bench::new(None);
    let (first, _) = bench.sent();
    let mut times = Vec::new();
    while bench.exchange.poll_timeout().is_some() {
        times.push(bench.skip());
        if bench.exchange.poll_timeout().is_some() {
            assert_eq!(
                bench.sent(),
                (first, Request::Connect),
                "a late answer still counts"
            );
        }
    }
    assert_eq!(times, [15, 45, 105, 225, 465, 945, 1905, 3825, 7665]);
    assert_eq!(
        bench.exchange.poll_outcome(),
        Some(Err(TrackerError::Timeout {
            after: Duration::from_secs(3840)
        }))
    );
}

#[test]
fn announcing_times_out_into_a_new_connection_as_in_bep_15() {
    let mut bench = Bench::new(None);
    bench.now += Duration::from_secs(2);
    let id = bench.connect(77);
    assert_eq!(bench.skip(), 17);
    assert_eq!(bench.announced(77), id);
    assert_eq!(bench.skip(), 47);
    bench.announced(77);
    assert_eq!(bench.skip(), 107);
    let (_, request) = bench.sent();
    assert_eq!(request, Request::Connect);
    assert_eq!(bench.skip(), 227);
    let id = bench.connect(78);
    bench.receive(id, &Response::Announce(answer()));
    assert!(matches!(bench.exchange.poll_outcome(), Some(Ok(_))));
}

#[test]
fn a_connection_serves_the_next_exchange_for_a_minute() {
    let mut first = Bench::new(None);
    first.connect(77);
    let connection = first.exchange.connection().unwrap();
    assert!(connection.is_valid(first.now + Duration::from_secs(59)));
    assert!(!connection.is_valid(first.now + CONNECTION_LIFETIME));

    let mut second = Bench::new(Some(connection));
    let id = second.announced(77);
    second.receive(id, &Response::Announce(answer()));
    assert!(matches!(second.exchange.poll_outcome(), Some(Ok(_))));

    let late = first.now + CONNECTION_LIFETIME;
    let exchange = Exchange::announce(late, REMOTE.into(), request(), "", Some(connection), 1);
    let mut third = Bench {
        exchange: exchange.unwrap(),
        start: late,
        now: late,
    };
    assert_eq!(third.sent().1, Request::Connect);
}

#[test]
fn an_old_connection_that_fails_is_replaced() {
    let mut first = Bench::new(None);
    first.connect(77);
    let connection = first.exchange.connection();
    for by_error in [true, false] {
        let mut bench = Bench::new(connection);
        let id = bench.announced(77);
        if by_error {
            bench.receive(id, &Response::Error("connection id expired".to_owned()));
        } else {
            bench.skip();
        }
        let id = bench.connect(78);
        bench.receive(id, &Response::Error("really no".to_owned()));
        let refused = TrackerError::Refused {
            reason: "really no".to_owned(),
            retry_in: None,
        };
        assert_eq!(bench.exchange.poll_outcome(), Some(Err(refused)));
    }
}

#[test]
fn what_is_not_the_answer_is_ignored() {
    let mut bench = Bench::new(None);
    let (id, _) = bench.sent();
    let connect = Response::Connect { connection_id: 77 }.encode(id, Family::V4);
    for from in ["192.0.2.2:6969", "192.0.2.1:6970", "[2001:db8::1]:6969"] {
        bench
            .exchange
            .handle_datagram(bench.now, from.parse().unwrap(), &connect);
    }
    bench.receive(id ^ 1, &Response::Connect { connection_id: 77 });
    bench.receive(id, &Response::Announce(answer()));
    bench.receive(id, &Response::Scrape(Vec::new()));
    bench
        .exchange
        .handle_datagram(bench.now, Bench::remote(), b"");
    assert_eq!(bench.exchange.poll_transmit(), None);
    assert_eq!(bench.exchange.poll_outcome(), None);
    let mapped = "[::ffff:192.0.2.1]:6969".parse().unwrap();
    bench.exchange.handle_datagram(bench.now, mapped, &connect);
    bench.announced(77);
}

#[test]
fn a_truncated_answer_is_an_error() {
    let mut bench = Bench::new(None);
    let id = bench.connect(77);
    let packet = Response::Announce(answer()).encode(id, Family::V4);
    bench
        .exchange
        .handle_datagram(bench.now, Bench::remote(), &packet[..15]);
    assert!(matches!(
        bench.exchange.poll_outcome(),
        Some(Err(TrackerError::Malformed { .. }))
    ));
}

#[test]
fn a_scrape_pairs_counts_with_hashes() {
    let now = origin();
    let hashes = [InfoHash::new([1; 20]), InfoHash::new([2; 20])];
    let exchange = Exchange::scrape(now, REMOTE.into(), &hashes, None, 11).unwrap();
    let mut bench = Bench {
        exchange,
        start: now,
        now,
    };
    let (id, _) = bench.sent();
    bench.receive(id, &Response::Connect { connection_id: 77 });
    let (id, asked) = bench.sent();
    assert_eq!(
        asked,
        Request::Scrape {
            connection_id: 77,
            info_hashes: hashes.to_vec()
        }
    );
    let stats = ScrapeStats {
        seeders: 5,
        leechers: 6,
        completed: 7,
    };
    bench.receive(id, &Response::Scrape(vec![stats]));
    let Some(Ok(Reply::Scrape(scraped))) = bench.exchange.poll_outcome() else {
        panic!("no answer")
    };
    assert_eq!(
        (scraped.get(&hashes[0]), scraped.get(&hashes[1])),
        (Some(stats), None)
    );

    let many = vec![hashes[0]; 75];
    let refused = Exchange::scrape(now, REMOTE.into(), &many, None, 11).err();
    assert_eq!(
        refused,
        Some(TrackerError::TooManyHashes {
            count: 75,
            limit: 74
        })
    );
}

#[test]
fn over_ipv6_the_address_field_is_zero() {
    let now = origin();
    let remote: SocketAddr = "[2001:db8::1]:80".parse().unwrap();
    let request = AnnounceRequest {
        ipv4: Some([10, 0, 0, 1].into()),
        ..request()
    };
    let mut exchange = Exchange::announce(now, remote, request, "", None, 11).unwrap();
    let (id, _) = Request::parse(&exchange.poll_transmit().unwrap().payload).unwrap();
    exchange.handle_datagram(
        now,
        remote,
        &Response::Connect { connection_id: 1 }.encode(id, Family::V6),
    );
    let (id, sent) = Request::parse(&exchange.poll_transmit().unwrap().payload).unwrap();
    assert!(matches!(sent, Request::Announce { request, .. } if request.ipv4.is_none()));
    let mut response = answer();
    response.peers = vec!["[2001:db8::2]:80".parse().unwrap()];
    exchange.handle_datagram(
        now,
        remote,
        &Response::Announce(response.clone()).encode(id, Family::V6),
    );
    assert_eq!(exchange.poll_outcome(), Some(Ok(Reply::Announce(response))));
}

#[test]
fn a_long_path_is_refused() {
    let path = "x".repeat(MAX_URL_DATA_LEN + 1);
    let refused = Exchange::announce(origin(), REMOTE.into(), request(), &path, None, 1).err();
    assert!(matches!(refused, Some(TrackerError::InvalidUrl { .. })));
}
