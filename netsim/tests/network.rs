//! Tests of the network's promises: timing, order, loss, determinism.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tailwater_netsim::{ConnId, Event, HostId, Link, Network};

const MS: Duration = Duration::from_millis(1);

fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 6881))
}

/// The beginning of time. Simulations must not depend on it, so a real clock is as good as any.
#[expect(
    clippy::disallowed_methods,
    reason = "an `Instant` comes from nowhere else"
)]
fn start() -> Instant {
    Instant::now()
}

fn pair(link: Link) -> (Network, HostId, HostId) {
    let mut net = Network::new(1, start());
    let one = net.add_host(addr(1), link);
    let other = net.add_host(addr(2), link);
    (net, one, other)
}

/// Runs to the end, and lists what happened and when since the beginning.
fn all(net: &mut Network) -> Vec<(Duration, Event)> {
    std::iter::from_fn(|| {
        let (_, event) = net.next_event()?;
        Some((net.elapsed(), event))
    })
    .collect()
}

/// Sends everything over one connection as fast as possible, then closes. Returns what arrived when.
fn transfer(net: &mut Network, from: HostId, to: HostId, data: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let sender = net.connect(from, net.addr(to));
    let mut rest = &data[net.send(sender, data)..];
    let mut arrived = Vec::new();
    let mut is_connected = false;
    while let Some((_, event)) = net.next_event() {
        match event {
            Event::Writable { conn, .. } => {
                assert_eq!(conn, sender);
                rest = &rest[net.send(conn, rest)..];
            }
            Event::Data { host, bytes, .. } => {
                assert_eq!(host, to);
                arrived.push((net.elapsed(), bytes));
            }
            Event::Connected { .. } => is_connected = true,
            _ => {}
        }
        if is_connected && rest.is_empty() {
            net.close(sender);
        }
    }
    arrived
}

#[test]
fn a_connection_takes_a_round_trip() {
    let (mut net, one, other) = pair(Link::new(10 * MS));
    let conn = net.connect(one, addr(2));
    let events = all(&mut net);
    let [
        (at, Event::Accepted { host, from, .. }),
        (later, Event::Connected { conn: same, .. }),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((*at, *host, from.ip()), (20 * MS, other, addr(1).ip()));
    assert_eq!((*later, *same), (40 * MS, conn));
}

#[test]
fn nobody_there_is_a_refusal() {
    let (mut net, one, other) = pair(Link::new(10 * MS));
    let nobody = net.connect(one, addr(9));
    net.set_accepting(other, false);
    let behind_nat = net.connect(one, addr(2));
    let refused = |conn| Event::Refused { host: one, conn };
    let events = all(&mut net);
    assert_eq!(
        events,
        [(20 * MS, refused(nobody)), (40 * MS, refused(behind_nat))]
    );
    assert_eq!(net.send(nobody, b"x"), 0);
}

#[test]
fn the_delay_is_exact() {
    // 1 000 bytes at 1 MB/s take 1 ms upwards; at 500 kB/s, 2 ms downwards.
    let link = Link::new(10 * MS).with_up(1_000_000).with_down(500_000);
    let (mut net, one, other) = pair(link);
    net.send_datagram(one, addr(2), vec![1; 1_000]);
    net.send_datagram(one, addr(2), vec![2; 1_000]);
    let datagram = |fill| Event::Datagram {
        host: other,
        from: addr(1),
        bytes: vec![fill; 1_000],
    };
    // The second follows the first through the narrower of the two.
    assert_eq!(
        all(&mut net),
        [(23 * MS, datagram(1)), (25 * MS, datagram(2))]
    );
}

#[test]
fn a_full_buffer_pushes_back_until_bytes_are_acknowledged() {
    let (mut net, one, other) = pair(Link::new(10 * MS).with_send_buffer(1_000));
    let arrived = transfer(&mut net, one, other, &[7; 2_500]);
    let times: Vec<_> = arrived
        .iter()
        .map(|(at, bytes)| (*at, bytes.len()))
        .collect();
    assert_eq!(
        times,
        [(60 * MS, 1_000), (100 * MS, 1_000), (140 * MS, 500)],
        "one buffer a round trip"
    );
}

#[test]
fn what_was_sent_before_a_close_still_arrives() {
    let (mut net, one, _) = pair(Link::new(MS).with_rate(10_000));
    let conn = net.connect(one, addr(2));
    while !matches!(net.next_event(), Some((_, Event::Connected { .. }))) {}
    assert_eq!(net.send(conn, &[7; 5_000]), 5_000);
    net.close(conn);
    net.close(conn);
    assert_eq!(net.send(conn, b"late"), 0);
    let events = all(&mut net);
    let sum: usize = events
        .iter()
        .map(|(_, event)| match event {
            Event::Data { bytes, .. } => bytes.len(),
            _ => 0,
        })
        .sum();
    assert_eq!(sum, 5_000);
    assert!(matches!(events.last(), Some((_, Event::Closed { .. }))));
}

#[test]
fn a_killed_host_is_silent_and_its_peers_are_told() {
    let (mut net, one, other) = pair(Link::new(10 * MS));
    net.connect(one, addr(2));
    while !matches!(net.next_event(), Some((_, Event::Connected { .. }))) {}
    net.set_timer(other, net.now() + MS, 1);
    net.kill(other);
    net.send_datagram(one, addr(2), vec![1]);
    let late = net.connect(one, addr(2));
    let events: Vec<_> = all(&mut net).into_iter().map(|(_, event)| event).collect();
    let host = one;
    assert!(
        matches!(events[..], [Event::Refused { conn, .. }, Event::Closed { .. }]
        | [Event::Closed { .. }, Event::Refused { conn, .. }] if conn == late)
    );
    assert!(events.iter().all(|event| event.host() == host));
}

#[test]
fn timers_fire_once_and_can_be_moved_both_ways() {
    let (mut net, host, _) = pair(Link::new(MS));
    let start = net.now();
    for (token, first, then) in [(1, 10, 10), (2, 10, 30), (3, 10, 5), (4, 10, 20)] {
        net.set_timer(host, start + first * MS, token);
        net.set_timer(host, start + then * MS, token);
    }
    net.cancel_timer(host, 4);
    net.set_timer(host, start, 5);
    let timer = |token| Event::Timer { host, token };
    assert_eq!(
        all(&mut net),
        [
            (Duration::ZERO, timer(5)),
            (5 * MS, timer(3)),
            (10 * MS, timer(1)),
            (30 * MS, timer(2)),
        ]
    );
}

#[test]
fn time_goes_to_the_limit_and_not_beyond() {
    let (mut net, host, _) = pair(Link::new(MS));
    let start = net.now();
    net.set_timer(host, start + 10 * MS, 1);
    assert_eq!(net.next_event_until(start + 4 * MS), None);
    assert_eq!(net.now(), start + 4 * MS);
    assert!(net.next_event_until(start + 10 * MS).is_some());
    assert_eq!(net.next_event(), None);
    assert_eq!(net.now(), start + 10 * MS);
}

#[test]
fn loss_is_about_what_was_asked_for() {
    let link = Link::new(MS).with_loss_per_million(200_000);
    let (mut net, one, _) = pair(link);
    for _ in 0..10_000 {
        net.send_datagram(one, addr(2), vec![0; 10]);
    }
    let arrived = all(&mut net).len();
    assert!((7_800..8_200).contains(&arrived), "{arrived} of 10000");
}

#[test]
fn a_full_queue_drops_the_newest() {
    for link in [
        Link::new(MS).with_up(1_000).with_queue(3_000),
        Link::new(MS).with_down(1_000).with_queue(3_000),
    ] {
        let (mut net, one, _) = pair(link);
        for fill in 0..10 {
            net.send_datagram(one, addr(2), vec![fill; 1_000]);
        }
        let arrived: Vec<_> = all(&mut net)
            .into_iter()
            .filter_map(|(_, event)| match event {
                Event::Datagram { bytes, .. } => bytes.first().copied(),
                _ => None,
            })
            .collect();
        // One on the line, three in the queue.
        assert_eq!(arrived, [0, 1, 2, 3]);
    }
}

#[test]
fn connections_that_share_a_line_take_turns() {
    let mut net = Network::new(1, start());
    let sender = net.add_host(addr(1), Link::new(MS).with_up(100_000));
    let receivers = [2, 3].map(|host| net.add_host(addr(host), Link::new(MS)));
    let data = vec![7; 100_000];
    for receiver in receivers {
        let conn = net.connect(sender, net.addr(receiver));
        assert_eq!(net.send(conn, &data), data.len());
    }
    let mut got = BTreeMap::<HostId, usize>::new();
    while let Some((_, event)) = net.next_event() {
        if let Event::Data { host, bytes, .. } = event {
            *got.entry(host).or_default() += bytes.len();
            let count = |host| got.get(&host).copied().unwrap_or(0);
            assert!(count(receivers[0]).abs_diff(count(receivers[1])) <= 2 * 1_460);
        }
    }
    assert_eq!(got.values().sum::<usize>(), 200_000);
    // 200 kB at 100 kB/s, a round trip to connect and one way for the last byte.
    assert_eq!(
        net.elapsed(),
        Duration::from_secs(2) + 4 * MS + 2 * MS + 2 * MS
    );
}

#[test]
fn ten_thousand_nodes_cost_little() {
    let mut net = Network::new(1, start());
    let addr = |host: u32| SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + host), 6881));
    for host in 0..10_000 {
        let id = net.add_host(addr(host), Link::new(20 * MS));
        net.set_timer(id, net.now() + MS * (host % 1_000), 0);
    }
    let mut answers = 0;
    while let Some((now, event)) = net.next_event() {
        match event {
            Event::Timer { host, token } if token < 5 => {
                let to = (u32::try_from(host.as_usize()).unwrap() * 31 + 7) % 10_000;
                net.send_datagram(host, addr(to), vec![0; 100]);
                net.set_timer(host, now + 1_000 * MS, token + 1);
            }
            Event::Datagram { host, from, bytes } if bytes.len() == 100 => {
                net.send_datagram(host, from, vec![0; 200]);
            }
            Event::Datagram { .. } => answers += 1,
            _ => {}
        }
    }
    assert_eq!(answers, 50_000);
}

/// A random run of many connections, determined by `seed` alone.
fn random_run(seed: u64, links: &[(u64, u64, u64)]) -> (u64, Duration, usize) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut net = Network::new(seed, start());
    let hosts: Vec<_> = (1..)
        .zip(links)
        .map(|(host, &(delay, up, down))| {
            let link = Link::new(Duration::from_micros(delay))
                .with_up(up)
                .with_down(down)
                .with_loss_per_million(100_000);
            net.add_host(addr(host), link)
        })
        .collect();
    for &host in &hosts {
        net.set_timer(host, net.now(), 0);
    }
    let mut conns: Vec<ConnId> = Vec::new();
    let mut events = 0;
    while let Some((now, event)) = net.next_event() {
        events += 1;
        match event {
            Event::Timer { host, .. } if events < 300 => {
                let to = net.addr(hosts[rng.usize(..hosts.len())]);
                conns.push(net.connect(host, to));
                net.send_datagram(host, to, vec![0; rng.usize(..1_400)]);
                net.set_timer(host, now + MS * rng.u32(..50), 0);
            }
            Event::Connected { conn, .. } | Event::Accepted { conn, .. } => {
                net.send(conn, &vec![rng.u8(..); rng.usize(..20_000)]);
            }
            Event::Data { conn, .. } if rng.u8(..) < 20 => net.close(conn),
            Event::Data { .. } if rng.u8(..) < 5 => {
                net.reset(conns[rng.usize(..conns.len())]);
            }
            _ => {}
        }
    }
    (net.digest(), net.elapsed(), events)
}

fn links() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    let rate = || prop_oneof![Just(0), 50_000u64..5_000_000];
    prop::collection::vec((0u64..100_000, rate(), rate()), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_arrive_in_order_and_complete(
        len in 0usize..300_000,
        delay in 0u64..100_000,
        up in prop_oneof![Just(0), 1_000u64..10_000_000],
        down in prop_oneof![Just(0), 1_000u64..10_000_000],
        buffer in 1_000usize..100_000,
    ) {
        let link = Link::new(Duration::from_micros(delay))
            .with_up(up)
            .with_down(down)
            .with_send_buffer(buffer);
        let (mut net, one, other) = pair(link);
        let data: Vec<u8> = (0..len).map(|at| (at % 251).to_le_bytes()[0]).collect();
        let arrived = transfer(&mut net, one, other, &data);
        let bytes: Vec<u8> = arrived.into_iter().flat_map(|(_, bytes)| bytes).collect();
        prop_assert!(bytes == data);
    }

    #[test]
    fn throughput_never_exceeds_the_rate(
        senders in 1u8..5,
        up in 10_000u64..1_000_000,
        down in 10_000u64..1_000_000,
    ) {
        let mut net = Network::new(1, start());
        let sink = net.add_host(addr(200), Link::new(MS).with_down(down));
        for host in 1..=senders {
            let sender = net.add_host(addr(host), Link::new(MS * u32::from(host)).with_up(up));
            let conn = net.connect(sender, net.addr(sink));
            net.send(conn, &[7; 60_000]);
        }
        // Up to any moment: no more than the line could carry since the first byte could have been sent.
        let mut sum = 0u128;
        let mut from = BTreeMap::<ConnId, u128>::new();
        while let Some((_, event)) = net.next_event() {
            if let Event::Data { conn, bytes, .. } = event {
                let time = net.elapsed().as_nanos();
                sum += bytes.len() as u128;
                prop_assert!(sum * 1_000_000_000 <= u128::from(down) * time);
                let own = from.entry(conn).or_default();
                *own += bytes.len() as u128;
                prop_assert!(*own * 1_000_000_000 <= u128::from(up) * time);
            }
        }
        prop_assert_eq!(sum, 60_000 * u128::from(senders));
        // Nor much less: the narrowest line is busy from the first byte to the last.
        let ideal = (u128::from(senders) * 60_000 * 1_000_000_000 / u128::from(down))
            .max(60_000 * 1_000_000_000 / u128::from(up));
        prop_assert!(net.elapsed().as_nanos() <= ideal * 2 + 100_000_000 + 4_000_000_000_000 / u128::from(up));
    }

    #[test]
    fn one_seed_one_trace(seed: u64, links in links()) {
        let run = random_run(seed, &links);
        prop_assert_eq!(run, random_run(seed, &links));
        prop_assert_ne!(run.0, random_run(seed ^ 1, &links).0);
    }
}
