//! When torrents are announced, and which announces are believed.

use super::*;
use crate::testing::epoch;
use std::collections::BTreeMap;
use tailwater_wire::LsdGroup;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const SEED: u64 = 7;

fn hash(number: u8) -> InfoHash {
    InfoHash::new([number; 20])
}

fn hashes(count: u8) -> Vec<InfoHash> {
    (1..=count).map(hash).collect()
}

fn neighbour(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 168, 0, number], 6771))
}

fn packet(port: u16, info_hashes: Vec<InfoHash>) -> Vec<u8> {
    let announce = LocalAnnounce {
        port,
        info_hashes,
        cookie: Some("theirs".parse().unwrap()),
    };
    announce.encode(LsdGroup::V4).unwrap()
}

fn machine(now: Instant, torrents: u8) -> LocalDiscovery {
    let mut machine = LocalDiscovery::new(Some(6881), SEED);
    machine.handle_torrents(now, &hashes(torrents));
    machine
}

/// Runs until `end`; what was sent, and when.
fn run(machine: &mut LocalDiscovery, end: Instant) -> Vec<(Instant, Vec<InfoHash>)> {
    let mut sent = Vec::new();
    while let Some(at) = machine.poll_timeout().filter(|&at| at <= end) {
        let announce = machine.poll_transmit(at).expect("it said so");
        assert!(announce.encode(LsdGroup::V6).is_ok());
        sent.push((at, announce.info_hashes));
        assert!(sent.len() < 10_000, "it never rests");
    }
    sent
}

#[test]
fn a_new_torrent_is_announced_at_once_again_soon_and_then_every_five_minutes() {
    let start = epoch();
    let mut machine = machine(start, 1);
    let sent = run(&mut machine, start + 11 * MINUTE);
    let times: Vec<_> = sent.iter().map(|(at, _)| *at - start).collect();
    let again = 2 * SECOND;
    assert_eq!(
        times,
        [
            Duration::ZERO,
            again,
            again + 5 * MINUTE,
            again + 10 * MINUTE
        ]
    );
    assert!(sent.iter().all(|(_, hashes)| hashes == &[hash(1)]));
}

#[test]
fn what_is_gone_is_announced_no_more() {
    let start = epoch();
    let mut machine = machine(start, 2);
    machine.handle_torrents(start, &[hash(2), hash(3)]);
    let sent = run(&mut machine, start + 20 * MINUTE);
    let told: HashSet<_> = sent.into_iter().flat_map(|(_, hashes)| hashes).collect();
    assert_eq!(told, HashSet::from([hash(2), hash(3)]));
    machine.handle_torrents(start + 20 * MINUTE, &[]);
    assert_eq!(machine.poll_timeout(), None);
    let from = packet(1, vec![hash(2)]);
    assert_eq!(
        machine.handle_packet(start, neighbour(1), &from),
        Err(Ignored::OtherTorrents)
    );
}

#[test]
fn five_torrents_have_packets_of_their_own_at_most_one_a_minute() {
    let start = epoch();
    let mut machine = machine(start, 5);
    let sent = run(&mut machine, start + 60 * MINUTE);
    assert!(sent.iter().all(|(_, hashes)| hashes.len() == 1));
    let (first, rest) = sent.split_at(10);
    assert!(first.iter().all(|(at, _)| *at <= start + 2 * SECOND));
    assert!(rest.is_sorted_by(|before, after| after.0 - before.0 >= MINUTE));
    let mut last = BTreeMap::new();
    for (at, hashes) in first.iter().chain(rest) {
        if let Some(before) = last.insert(hashes[0], *at) {
            // The first round begins while the bucket is empty.
            assert!(*at - before <= 10 * MINUTE, "{:?}", *at - before);
        }
    }
    assert_eq!(last.len(), 5);
}

#[test]
fn more_torrents_share_packets() {
    let start = epoch();
    let mut machine = machine(start, 100);
    let sent = run(&mut machine, start + 60 * MINUTE);
    let first: Vec<_> = sent.iter().filter(|(at, _)| *at == start).collect();
    assert_eq!(first.len(), 5);
    assert!(first.iter().all(|(_, hashes)| hashes.len() <= 24));
    let told: HashSet<_> = first.iter().flat_map(|(_, hashes)| hashes).collect();
    assert_eq!(told.len(), 100);
    let rest: Vec<_> = sent.iter().skip(10).collect();
    assert!(rest.is_sorted_by(|before, after| after.0 - before.0 >= MINUTE));
    let mut last = BTreeMap::new();
    for (at, hashes) in &sent {
        for hash in hashes {
            if let Some(before) = last.insert(*hash, *at) {
                assert!(*at - before <= 10 * MINUTE, "{:?}", *at - before);
            }
        }
    }
}

#[test]
fn however_torrents_come_and_go_packets_are_bounded() {
    let start = epoch();
    let mut machine = LocalDiscovery::new(Some(6881), SEED);
    let mut sent = 0;
    for second in 0..3600 {
        let now = start + second * SECOND;
        let number = u8::try_from(second % 200).unwrap();
        let current = [hash(number), hash(number / 2)];
        machine.handle_torrents(now, &current);
        let network = Network {
            addr: neighbour(number).ip(),
            prefix: 32,
        };
        machine.handle_networks(now, vec![network]);
        let newcomer = packet(u16::from(number) + 1, vec![hash(number)]);
        let _ = machine.handle_packet(now, neighbour(9), &newcomer);
        for (_, announced) in run(&mut machine, now) {
            // Nothing that has gone is announced.
            let gone = announced.iter().find(|hash| !current.contains(hash));
            assert_eq!(gone, None);
            sent += 1;
        }
    }
    assert!((60..=70).contains(&sent), "{sent}");
}

#[test]
fn without_a_port_we_only_listen() {
    let start = epoch();
    for port in [None, Some(0)] {
        let mut machine = LocalDiscovery::new(port, SEED);
        machine.handle_torrents(start, &hashes(3));
        assert_eq!(machine.poll_timeout(), None);
        assert_eq!(machine.poll_transmit(start + MINUTE), None);
        let heard = machine.handle_packet(start, neighbour(1), &packet(1, hashes(1)));
        assert!(heard.is_ok());
        assert_eq!(machine.poll_timeout(), None);
    }
}

#[test]
fn a_neighbour_is_found_with_the_torrents_that_are_ours() {
    let start = epoch();
    let mut machine = machine(start, 2);
    let theirs = packet(51413, vec![hash(2), hash(9), hash(1), hash(2)]);
    let found = machine.handle_packet(start, neighbour(1), &theirs).unwrap();
    assert_eq!(found.addr, SocketAddr::from(([192, 168, 0, 1], 51413)));
    assert_eq!(found.info_hashes, hashes(2));
    // A link-local address is of use with its interface only.
    let from = SocketAddrV6::new("fe80::1".parse().unwrap(), 6771, 5, 3);
    let found = machine.handle_packet(start, from.into(), &theirs).unwrap();
    let expected = SocketAddrV6::new(*from.ip(), 51413, 0, 3);
    assert_eq!(found.addr, SocketAddr::from(expected));
    let mapped: SocketAddr = "[::ffff:10.0.0.1]:6771".parse().unwrap();
    let found = machine.handle_packet(start, mapped, &theirs).unwrap();
    assert_eq!(found.addr, SocketAddr::from(([10, 0, 0, 1], 51413)));
}

#[test]
fn who_or_what_is_ignored() {
    let start = epoch();
    let mut machine = machine(start, 1);
    let own = machine.poll_transmit(start).unwrap();
    let own = own.encode(LsdGroup::V4).unwrap();
    let theirs = packet(1, hashes(1));
    let port_0 = String::from_utf8(theirs.clone())
        .unwrap()
        .replace("Port: 1", "Port: 0");
    let far = SocketAddr::from(([8, 8, 8, 8], 6771));
    for (from, packet, reason) in [
        (neighbour(1), &own[..], Ignored::Own),
        (far, &theirs, Ignored::Far),
        (
            neighbour(1),
            &packet(1, vec![hash(9)]),
            Ignored::OtherTorrents,
        ),
        (
            neighbour(1),
            b"NOTIFY",
            Ignored::Malformed(LsdError::RequestLine),
        ),
    ] {
        let heard = machine.handle_packet(start, from, packet);
        assert_eq!(heard, Err(reason));
    }
    let heard = machine.handle_packet(start, neighbour(1), port_0.as_bytes());
    assert!(matches!(
        heard,
        Err(Ignored::Malformed(LsdError::Port { .. }))
    ));
    // What is far depends on where we are.
    let network = Network {
        addr: [8, 8, 8, 1].into(),
        prefix: 24,
    };
    machine.handle_networks(start, vec![network]);
    assert!(machine.handle_packet(start, far, &theirs).is_ok());
}

#[test]
fn two_machines_have_cookies_of_their_own() {
    let start = epoch();
    let mut one = machine(start, 1);
    let mut other = LocalDiscovery::new(Some(6881), SEED + 1);
    other.handle_torrents(start, &hashes(1));
    let sent = one.poll_transmit(start).unwrap();
    let sent = sent.encode(LsdGroup::V4).unwrap();
    assert!(other.handle_packet(start, neighbour(1), &sent).is_ok());
}

#[test]
fn a_newcomer_is_answered_once_and_soon() {
    let start = epoch();
    let mut machine = machine(start, 1);
    run(&mut machine, start + MINUTE);
    let now = start + 90 * SECOND;
    let theirs = packet(1, hashes(1));
    machine.handle_packet(now, neighbour(1), &theirs).unwrap();
    let answers = run(&mut machine, now + ANSWER_WITHIN);
    assert_eq!(answers.len(), 1);
    // It repeats itself, and comes again later: it knows us.
    for later in [2 * SECOND, 2 * MINUTE, 4 * MINUTE] {
        machine
            .handle_packet(now + later, neighbour(1), &theirs)
            .unwrap();
        assert_eq!(run(&mut machine, now + later + ANSWER_WITHIN), []);
    }
    // A neighbour that comes a moment after an announce has received that, or will find us by being called.
    run(&mut machine, now + 6 * MINUTE);
    let announced = machine.torrents[&hash(1)].announced.unwrap();
    let now = announced + 59 * SECOND;
    machine.handle_packet(now, neighbour(2), &theirs).unwrap();
    assert_eq!(run(&mut machine, now + ANSWER_WITHIN), []);
}

#[test]
fn a_crowd_is_not_answered() {
    let start = epoch();
    let mut machine = machine(start, 1);
    run(&mut machine, start + 2 * SECOND);
    let theirs = packet(1, hashes(1));
    let now = start + 3 * SECOND;
    for number in 0..100 {
        machine
            .handle_packet(now, neighbour(number), &theirs)
            .unwrap();
    }
    assert_eq!(machine.torrents[&hash(1)].neighbours.len(), MAX_NEIGHBOURS);
    let now = start + 2 * MINUTE;
    machine.handle_packet(now, neighbour(200), &theirs).unwrap();
    assert_eq!(run(&mut machine, now + SECOND), []);
    // They fall silent: a neighbour that comes then is answered again.
    let now = now + NEIGHBOUR_FOR;
    run(&mut machine, now);
    let now = now + 2 * MINUTE;
    machine.handle_packet(now, neighbour(201), &theirs).unwrap();
    assert_eq!(run(&mut machine, now + SECOND).len(), 1);
}

#[test]
fn in_a_new_network_all_is_announced_at_once() {
    let start = epoch();
    let network = |addr: [u8; 4]| Network {
        addr: addr.into(),
        prefix: 24,
    };
    let mut machine = LocalDiscovery::new(Some(6881), SEED);
    machine.handle_networks(start, vec![network([10, 0, 0, 1])]);
    machine.handle_torrents(start, &hashes(1));
    run(&mut machine, start + 2 * SECOND);
    let now = start + 10 * SECOND;
    // Another address in the same network is no new network, nor is one that is left.
    machine.handle_networks(now, vec![network([10, 0, 0, 2])]);
    machine.handle_networks(now, vec![]);
    assert_eq!(run(&mut machine, now), []);
    machine.handle_networks(now, vec![network([10, 0, 1, 1])]);
    assert_eq!(run(&mut machine, now + 2 * SECOND).len(), 2);
}

#[test]
fn a_flood_is_bounded() {
    let start = epoch();
    let mut machine = machine(start, 1);
    let theirs = packet(1, hashes(1));
    let heard = (0..100_000)
        .filter(|_| machine.handle_packet(start, neighbour(1), &theirs).is_ok())
        .count();
    assert_eq!(heard, 100);
    assert_eq!(
        machine.handle_packet(start, neighbour(1), &theirs),
        Err(Ignored::TooMany)
    );
    // Other senders are still read.
    assert!(machine.handle_packet(start, neighbour(2), &theirs).is_ok());
}
