//! The tracker without its sockets.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tailwater_types::{InfoHash, PeerId};

use super::service::HttpAnswer;
use super::*;
use crate::announce::{AnnounceRequest, Event};
use crate::error::TrackerError;
use crate::http::{announce_url, parse_announce, parse_scrape, scrape_url};
use crate::origin::origin;
use crate::scrape::ScrapeStats;
use crate::udp::{Family, Request, Response};

const HASH: InfoHash = InfoHash::new([7; 20]);
const INTERVAL: Duration = Duration::from_secs(1800);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn request(port: u16) -> AnnounceRequest {
    AnnounceRequest::new(HASH, PeerId::new([b'p'; 20]), port)
}

fn swarms(limits: SwarmLimits) -> Swarms {
    Swarms::new(INTERVAL, limits, 1)
}

/// Announces over one family and returns the peers.
#[track_caller]
fn announce(
    swarms: &mut Swarms,
    now: Instant,
    from: &str,
    request: &AnnounceRequest,
) -> Vec<SocketAddr> {
    let answer = swarms
        .handle_announce(now, ip(from), request, false)
        .unwrap();
    assert_eq!(answer.peer_ids.len(), answer.response.peers.len());
    answer.response.peers
}

fn stats(swarms: &Swarms) -> Option<(u32, u32, u32)> {
    let stats = swarms.scrape(&[HASH]).get(&HASH)?;
    Some((stats.seeders, stats.leechers, stats.completed))
}

#[test]
fn peers_meet_and_leave() {
    let now = origin();
    let mut swarms = swarms(SwarmLimits::default());
    assert_eq!(announce(&mut swarms, now, "10.0.0.1", &request(1)), []);
    let first = "10.0.0.1:1".parse().unwrap();
    assert_eq!(announce(&mut swarms, now, "10.0.0.2", &request(2)), [first]);
    // The same peer again is no second one, and does not meet itself.
    assert_eq!(announce(&mut swarms, now, "10.0.0.2", &request(2)), [first]);
    assert_eq!((swarms.peer_count(), stats(&swarms)), (2, Some((0, 2, 0))));

    let mut done = request(2);
    (done.left, done.event) = (0, Some(Event::Completed));
    announce(&mut swarms, now, "10.0.0.2", &done);
    announce(&mut swarms, now, "10.0.0.2", &done);
    assert_eq!(stats(&swarms), Some((1, 1, 1)), "completed counts once");

    let mut gone = request(1);
    gone.event = Some(Event::Stopped);
    assert_eq!(announce(&mut swarms, now, "10.0.0.1", &gone), []);
    assert_eq!(stats(&swarms), Some((1, 0, 1)));
    gone.port = 2;
    announce(&mut swarms, now, "10.0.0.2", &gone);
    assert_eq!((swarms.torrent_count(), swarms.peer_count()), (0, 0));
    announce(&mut swarms, now, "10.0.0.2", &gone);
    assert_eq!((swarms.torrent_count(), swarms.peer_count()), (0, 0));
}

#[test]
fn silent_peers_expire_after_two_intervals() {
    let start = origin();
    let mut swarms = swarms(SwarmLimits::default());
    announce(&mut swarms, start, "10.0.0.1", &request(1));
    let just_before = start + 2 * INTERVAL - Duration::from_secs(1);
    assert_eq!(
        announce(&mut swarms, just_before, "10.0.0.2", &request(2)).len(),
        1
    );
    // Not handed out any more, even before it is swept away.
    assert_eq!(
        announce(&mut swarms, start + 2 * INTERVAL, "10.0.0.3", &request(3)).len(),
        1
    );
    let mut now = start + 2 * INTERVAL;
    swarms.handle_timeout(now);
    assert_eq!(swarms.peer_count(), 2);
    while let Some(next) = swarms.poll_timeout() {
        assert!(next > now);
        now = next;
        swarms.handle_timeout(now);
    }
    assert_eq!((swarms.torrent_count(), swarms.peer_count()), (0, 0));
    assert!(now <= start + 6 * INTERVAL);
}

#[test]
fn families_are_kept_apart_unless_both_are_wanted() {
    let now = origin();
    let mut swarms = swarms(SwarmLimits::default());
    announce(&mut swarms, now, "10.0.0.1", &request(1));
    announce(&mut swarms, now, "2001:db8::1", &request(2));
    assert_eq!(
        announce(&mut swarms, now, "2001:db8::9", &request(9)),
        ["[2001:db8::1]:2".parse().unwrap()]
    );
    assert_eq!(
        announce(&mut swarms, now, "::ffff:10.0.0.9", &request(9)),
        ["10.0.0.1:1".parse().unwrap()]
    );
    let both = swarms
        .handle_announce(now, ip("10.0.0.1"), &request(1), true)
        .unwrap();
    assert_eq!(both.response.peers.len(), 3);
    assert_eq!(both.response.external_ip, Some(ip("10.0.0.1")));
}

#[test]
fn memory_is_bounded() {
    let now = origin();
    let limits = SwarmLimits {
        max_torrents: 2,
        max_peers_per_torrent: 3,
        max_peers: 4,
        ..SwarmLimits::default()
    };
    let mut swarms = swarms(limits);
    for port in 1..=9 {
        announce(&mut swarms, now, "10.0.0.1", &request(port));
    }
    assert_eq!((swarms.torrent_count(), swarms.peer_count()), (1, 3));
    let other = |number: u8, port| {
        AnnounceRequest::new(InfoHash::new([number; 20]), PeerId::new([0; 20]), port)
    };
    announce(&mut swarms, now, "10.0.0.1", &other(1, 1));
    announce(&mut swarms, now, "10.0.0.1", &other(1, 2));
    assert_eq!((swarms.torrent_count(), swarms.peer_count()), (2, 4));
    let refused = swarms.handle_announce(now, ip("10.0.0.1"), &other(2, 1), false);
    assert_eq!(refused, Err(SwarmsFull { limit: 2 }));
    // A peer that is there already still gets an answer.
    assert_eq!(announce(&mut swarms, now, "10.0.0.1", &request(1)).len(), 2);
}

#[test]
fn one_address_has_a_share_of_a_torrent_and_of_all() {
    let now = origin();
    let mut swarms = swarms(SwarmLimits::default());
    announce(&mut swarms, now, "203.0.113.1", &request(1));
    let request = |port| AnnounceRequest {
        num_want: Some(0),
        ..request(port)
    };
    for port in 1..=20_000 {
        announce(&mut swarms, now, "203.0.113.9", &request(port));
        announce(
            &mut swarms,
            now,
            &format!("2001:db8::{port:x}"),
            &request(port),
        );
        announce(&mut swarms, now, "127.0.0.1", &request(port));
    }
    assert_eq!(swarms.peer_count(), 1 + 32 + 32 + 256);
    // A known peer is renewed, and one that leaves makes room.
    let mut gone = request(32);
    gone.event = Some(Event::Stopped);
    announce(&mut swarms, now, "203.0.113.9", &gone);
    assert_eq!(swarms.peer_count(), 320);
    announce(&mut swarms, now, "203.0.113.9", &request(20_000));
    announce(&mut swarms, now, "203.0.113.9", &request(20_000));
    assert_eq!(swarms.peer_count(), 321);

    let of = |number: u16| {
        let mut hash = [0; 20];
        hash[..2].copy_from_slice(&number.to_be_bytes());
        AnnounceRequest::new(InfoHash::new(hash), PeerId::new([0; 20]), 1)
    };
    for number in 0..20_000 {
        announce(&mut swarms, now, "203.0.113.9", &of(number));
    }
    // The torrents of others still find a place, and the whole share expires.
    assert_eq!(
        (swarms.torrent_count(), swarms.peer_count()),
        (969, 321 + 968)
    );
    announce(&mut swarms, now, "203.0.113.1", &of(20_000));
    assert_eq!(swarms.torrent_count(), 970);
    swarms.handle_timeout(now + 3 * INTERVAL);
    assert_eq!((swarms.torrent_count(), swarms.peer_count()), (0, 0));
    announce(&mut swarms, now, "203.0.113.9", &of(1));
    assert_eq!(swarms.peer_count(), 1);
}

/// A simulation on one machine, or a swarm behind one gateway, is no attack.
#[test]
fn two_hundred_clients_of_this_host_share_a_swarm() {
    let now = origin();
    let mut swarms = swarms(SwarmLimits::default());
    for port in 1..=200 {
        announce(&mut swarms, now, "127.0.0.1", &request(port));
    }
    assert_eq!(swarms.peer_count(), 200);
}

#[test]
fn answers_are_bounded() {
    let now = origin();
    let mut swarms = swarms(SwarmLimits::default());
    for port in 1..=1000 {
        // One address may not be all of them.
        let from = format!("10.0.0.{}", 1 + port % 10);
        announce(&mut swarms, now, &from, &request(port));
    }
    for (wanted, given) in [
        (None, 50),
        (Some(0), 0),
        (Some(7), 7),
        (Some(u32::MAX), 200),
    ] {
        let asker = AnnounceRequest {
            num_want: wanted,
            ..request(5)
        };
        assert_eq!(announce(&mut swarms, now, "10.0.0.6", &asker).len(), given);
    }
    // A peer that listens nowhere is not handed out.
    announce(&mut swarms, now, "10.0.0.2", &request(0));
    assert_eq!(swarms.peer_count(), 1000);
}

fn service() -> Service {
    Service::new(origin(), &ServerConfig::default(), 1, [9; 32])
}

fn get(service: &mut Service, url: &str) -> HttpAnswer {
    let target = url.strip_prefix("http://t").unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    service.handle_http(origin(), ip("10.0.0.1"), path, query)
}

#[test]
fn http_answers_and_refuses() {
    let mut service = service();
    let url = announce_url("http://t/announce", &request(1)).unwrap();
    let answer = get(&mut service, &url);
    let response = parse_announce(&answer.body).unwrap();
    assert_eq!((answer.status, response.interval), (200, INTERVAL));
    assert_eq!((response.seeders, response.leechers), (Some(0), Some(1)));
    let other = announce_url("http://t/announce", &request(2)).unwrap();
    for (form, contains) in [
        ("compact=1", &b"5:peers6:\x0a\0\0\x01\0\x01"[..]),
        (
            "compact=0&no_peer_id=0",
            b"d2:ip8:10.0.0.17:peer id20:pppppppppppppppppppp4:porti1ee",
        ),
        ("compact=0", b"d2:ip8:10.0.0.14:porti1ee"),
    ] {
        let body = get(&mut service, &format!("{other}&{form}")).body;
        assert!(
            body.windows(contains.len()).any(|part| part == contains),
            "{}",
            body.escape_ascii()
        );
    }
    let scraped = get(
        &mut service,
        &scrape_url("http://t/announce", &[HASH]).unwrap(),
    )
    .body;
    let stats = ScrapeStats {
        seeders: 0,
        leechers: 2,
        completed: 0,
    };
    assert_eq!(
        parse_scrape(&scraped, &[HASH]).unwrap().get(&HASH),
        Some(stats)
    );

    let refused = get(&mut service, "http://t/announce?info_hash=abc");
    assert_eq!(refused.status, 200);
    assert!(matches!(
        parse_announce(&refused.body),
        Err(TrackerError::Refused { .. })
    ));
    assert_eq!(get(&mut service, "http://t/").status, 404);
    let stats = service.stats();
    assert_eq!(
        (stats.announces, stats.scrapes, stats.rejected, stats.peers),
        (4, 1, 2, 2)
    );
}

#[test]
fn udp_tells_nothing_to_who_has_not_proven_its_address() {
    let mut service = service();
    let now = origin();
    let from: SocketAddr = "10.0.0.1:4000".parse().unwrap();
    let connect = Request::Connect.encode(3);
    let answer = service.handle_udp(now, from, &connect).unwrap();
    assert_eq!(answer.len(), connect.len());
    let Ok((3, Response::Connect { connection_id })) = Response::parse(&answer, Family::V4) else {
        panic!("{answer:?}")
    };

    let announce = |connection_id| Request::Announce {
        connection_id,
        request: request(1),
        url_data: vec![],
    };
    let forged = announce(connection_id ^ 1).encode(4);
    let answer = service.handle_udp(now, from, &forged).unwrap();
    assert!(answer.len() <= forged.len());
    assert!(matches!(
        Response::parse(&answer, Family::V4),
        Ok((4, Response::Error(_)))
    ));
    let elsewhere = "10.0.0.2:4000".parse().unwrap();
    let answer = service
        .handle_udp(now, elsewhere, &announce(connection_id).encode(5))
        .unwrap();
    assert!(matches!(
        Response::parse(&answer, Family::V4),
        Ok((5, Response::Error(_)))
    ));
    assert_eq!(service.stats().peers, 0);

    // An error would be longer than these.
    let scrape = Request::Scrape {
        connection_id: 1,
        info_hashes: vec![],
    }
    .encode(6);
    assert_eq!(service.handle_udp(now, from, &scrape), None);
    assert_eq!(service.handle_udp(now, from, &connect[..15]), None);

    let answer = service
        .handle_udp(now, from, &announce(connection_id).encode(7))
        .unwrap();
    assert!(matches!(
        Response::parse(&answer, Family::V4),
        Ok((7, Response::Announce(_)))
    ));
    let unknown = InfoHash::new([1; 20]);
    let scrape = Request::Scrape {
        connection_id,
        info_hashes: vec![unknown, HASH],
    }
    .encode(8);
    let answer = service.handle_udp(now, from, &scrape).unwrap();
    let leecher = ScrapeStats {
        leechers: 1,
        ..ScrapeStats::default()
    };
    let expected = Response::Scrape(vec![ScrapeStats::default(), leecher]);
    assert_eq!(Response::parse(&answer, Family::V4), Ok((8, expected)));
}
