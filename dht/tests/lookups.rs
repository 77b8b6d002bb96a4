//! Nodes find each other, and what others have announced.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod lab;

use std::net::SocketAddr;
use std::time::Duration;

use lab::{Lab, MINUTE, SECOND, private, public, public6, seed};
use tailwater_dht::{
    Announce, Body, Config, Ending, Event, FIRST_NODE_TIMEOUT, Family, MAX_LOOKUP_QUERIES,
    MAX_LOOKUPS, Message, Method, Node, NodeId, NodeInfo, Response, SECOND_FAMILY_TIMEOUT,
};
use tailwater_netsim::Link;
use tailwater_types::InfoHash;

const HASH: InfoHash = InfoHash::new([0x5a; 20]);
const ON_PORT_1000: Announce = Announce {
    port: Some(1000),
    is_seed: false,
};

#[test]
fn what_one_of_twenty_announces_every_other_finds() {
    let mut lab = Lab::new(1);
    let hosts = lab.network(20, private);
    lab.run(MINUTE);
    let announced = lab.command(hosts[3], |node, now| {
        node.announce(now, &HASH, ON_PORT_1000)
    });
    let report = lab.finish(hosts[3], announced);
    assert_eq!((report.ending, report.stored), (Ending::Complete, 8));
    for host in hosts.iter().copied().filter(|host| *host != hosts[3]) {
        let request = lab.command(host, |node, now| node.get_peers(now, &HASH));
        lab.finish(host, request);
        let peer = (lab.addr(hosts[3]).ip(), 1000).into();
        assert_eq!(lab.peers(host, request), [peer], "host {host}");
    }
}

#[test]
fn a_lookup_ends_with_the_nearest_of_all_nodes() {
    let mut lab = Lab::new(2);
    let hosts = lab.network(100, public);
    lab.run(3 * MINUTE);
    for number in 0..20 {
        let target = NodeId::new([number * 13; 20]);
        let host = hosts[usize::from(number) * 5];
        let request = lab.command(host, |node, now| node.find_node(now, &target));
        let report = lab.finish(host, request);
        let found: Vec<_> = report.closest.iter().map(|node| node.addr).collect();
        assert_eq!(found, lab.truly_closest(&target, host), "lookup {number}");
    }
}

#[test]
fn announces_reach_the_nearest_of_all_nodes() {
    let mut lab = Lab::new(3);
    let hosts = lab.network(60, public);
    lab.run(2 * MINUTE);
    let request = lab.command(hosts[5], |node, now| {
        node.announce(now, &HASH, Announce::default())
    });
    lab.finish(hosts[5], request);
    let mut stored: Vec<_> = lab
        .events_of(hosts[5])
        .filter_map(|event| match event {
            Event::Stored { node, .. } => Some(node.addr),
            _ => None,
        })
        .collect();
    let mut closest = lab.truly_closest(&HASH.into(), hosts[5]);
    stored.sort();
    closest.sort();
    assert_eq!(stored, closest);

    // Without a port the node's own is announced, as the others see it.
    let request = lab.command(hosts[9], |node, now| node.get_peers(now, &HASH));
    lab.finish(hosts[9], request);
    assert_eq!(lab.peers(hosts[9], request), [lab.addr(hosts[5])]);
}

#[test]
fn silent_nodes_do_not_hold_a_lookup_up() {
    let mut lab = Lab::new(4);
    let hosts = lab.network(60, public);
    lab.run(2 * MINUTE);
    // A third falls silent at once; no node has noticed when the lookup begins.
    for host in hosts.iter().skip(1).step_by(3) {
        lab.kill(*host);
    }
    let request = lab.command(hosts[0], |node, now| node.find_node(now, &HASH.into()));
    let report = lab.finish(hosts[0], request);
    let truth = lab.truly_closest(&HASH.into(), hosts[0]);
    let found = report
        .closest
        .iter()
        .filter(|node| truth.contains(&node.addr));
    // The silent ones took the places of others in the answers.
    assert!(found.count() >= 7);
    // One timeout is four seconds; there were several of them.
    assert!(report.elapsed < 2 * SECOND, "{:?}", report.elapsed);
    assert!(report.asked > report.answered);
}

#[test]
fn loss_costs_time_but_no_results() {
    let link = Link::new(Duration::from_millis(50)).with_loss_per_million(100_000);
    let mut lab = Lab::new(5).link(link);
    let hosts = lab.network(50, private);
    lab.run(5 * MINUTE);
    let announced = lab.command(hosts[1], |node, now| {
        node.announce(now, &HASH, ON_PORT_1000)
    });
    lab.finish(hosts[1], announced);
    let mut found = 0;
    for host in &hosts[10..50] {
        let request = lab.command(*host, |node, now| node.get_peers(now, &HASH));
        lab.finish(*host, request);
        found += lab.peers(*host, request).len();
    }
    assert_eq!(found, 40);
}

#[test]
fn a_lookup_that_comes_before_the_first_node_waits_for_it() {
    let mut lab = Lab::new(6);
    let hosts = lab.network(20, private);
    let config = Config::new(seed(1)).with_bootstrap(vec![lab.addr(hosts[0])]);
    let host = lab.node(private(500), config);
    let request = lab.command(host, |node, now| node.find_node(now, &HASH.into()));
    let report = lab.finish(host, request);
    assert_eq!(report.ending, Ending::Complete);
    assert_eq!(report.closest.len(), 8);
}

#[test]
fn a_node_that_somebody_names_meanwhile_ends_the_wait() {
    let mut lab = Lab::new(8);
    let hosts = lab.network(20, private);
    let named = lab.addr(hosts[3]);
    let host = lab.node(private(500), Config::new(seed(1)));
    let request = lab.command(host, |node, now| node.get_peers(now, &HASH));
    lab.command(host, |node, now| node.add_node(now, named));
    let report = lab.finish(host, request);
    assert_eq!(report.ending, Ending::Complete);
    assert!(report.elapsed < FIRST_NODE_TIMEOUT, "{:?}", report.elapsed);
}

#[test]
fn without_any_node_a_lookup_ends_and_the_next_works_when_the_network_is_back() {
    let mut lab = Lab::new(7);
    let first = lab.host(private(0));
    let config = Config::new(seed(1)).with_bootstrap(vec![lab.addr(first)]);
    let host = lab.node(private(500), config);
    let request = lab.command(host, |node, now| node.get_peers(now, &HASH));
    let report = lab.finish(host, request);
    assert_eq!(report.ending, Ending::NoNodes);
    assert_eq!(report.elapsed, FIRST_NODE_TIMEOUT);
    // It keeps on asking the bootstrap node, ever less often.
    lab.run(10 * MINUTE);
    assert!((3..12).contains(&lab.stray.len()), "{}", lab.stray.len());

    lab.kill(first);
    lab.node(private(0), Config::new(seed(2)));
    lab.run_until(6 * MINUTE, |lab| {
        let mut events = lab.events_of(host);
        events.any(|event| matches!(event, Event::Bootstrapped { .. }))
    });
    let request = lab.command(host, |node, now| node.get_peers(now, &HASH));
    assert_eq!(lab.finish(host, request).ending, Ending::Complete);
}

#[test]
fn a_warm_start_answers_its_first_lookup_in_one_round() {
    let mut lab = Lab::new(8);
    let hosts = lab.network(40, public);
    lab.run(2 * MINUTE);
    let announced = lab.command(hosts[2], |node, now| {
        node.announce(now, &HASH, ON_PORT_1000)
    });
    lab.finish(hosts[2], announced);

    let saved = lab.nodes[&hosts[7]].saved_nodes();
    let id = lab.nodes[&hosts[7]].own_id(Family::V4).unwrap();
    let addr = lab.addr(hosts[7]);
    lab.kill(hosts[7]);
    lab.run(MINUTE);
    let config = Config::new(seed(9))
        .with_id(Family::V4, id)
        .with_nodes(saved);
    let again = lab.node(addr, config);
    let begin = lab.now();
    let request = lab.command(again, |node, now| node.get_peers(now, &HASH));
    lab.run_until(MINUTE, |lab| !lab.peers(again, request).is_empty());
    // Two links of 20 ms, there and back.
    assert_eq!(lab.now() - begin, Duration::from_millis(80));
    assert_eq!(lab.finish(again, request).hops, 1);
    assert_eq!(lab.nodes[&again].own_id(Family::V4), Some(id));
}

#[test]
fn nodes_that_others_mention_become_known() {
    let mut lab = Lab::new(9);
    let hosts = lab.network(20, private);
    let stranger = lab.node(private(700), Config::new(seed(3)));
    lab.run(MINUTE);
    assert!(lab.nodes[&stranger].table(Family::V4).unwrap().is_empty());
    let addr = lab.addr(hosts[4]);
    lab.command(stranger, |node, now| node.add_node(now, addr));
    lab.run(MINUTE);
    assert!(lab.nodes[&stranger].table(Family::V4).unwrap().len() >= 8);
    let mut events = lab.events_of(stranger);
    assert!(events.any(|event| matches!(event, Event::Bootstrapped { .. })));
}

#[test]
fn ping_says_whether_somebody_is_there() {
    let mut lab = Lab::new(10);
    let hosts = lab.network(2, private);
    let (there, nowhere) = (lab.addr(hosts[1]), private(900));
    let pinged = lab.command(hosts[0], |node, now| node.ping(now, there));
    let lost = lab.command(hosts[0], |node, now| node.ping(now, nowhere));
    assert_eq!(lab.finish(hosts[0], lost).answered, 0);
    assert_eq!(lab.finish(hosts[0], pinged).answered, 1);
    let node = NodeInfo {
        id: lab.nodes[&hosts[1]].own_id(Family::V4).unwrap(),
        addr: there,
    };
    let rtt = Duration::from_millis(80);
    let pong = Event::Pong {
        request: pinged,
        node,
        rtt,
    };
    assert!(lab.events_of(hosts[0]).any(|event| *event == pong));
}

#[test]
fn a_cancelled_request_is_not_heard_of_again() {
    let mut lab = Lab::new(11);
    let hosts = lab.network(20, private);
    lab.run(MINUTE);
    let request = lab.command(hosts[0], |node, now| node.find_node(now, &HASH.into()));
    lab.command(hosts[0], |node, _| node.cancel(request));
    lab.run(MINUTE);
    assert_eq!(lab.report(hosts[0], request), None);
}

#[test]
fn more_lookups_than_the_limit_end_at_once() {
    let mut lab = Lab::new(12);
    let hosts = lab.network(20, private);
    lab.run(MINUTE);
    let requests: Vec<_> = (0..=MAX_LOOKUPS)
        .map(|_| lab.command(hosts[0], |node, now| node.find_node(now, &HASH.into())))
        .collect();
    let last = lab
        .report(hosts[0], requests[MAX_LOOKUPS])
        .expect("it has ended");
    assert_eq!(last.ending, Ending::Busy);
    for request in &requests[..MAX_LOOKUPS] {
        assert_eq!(lab.finish(hosts[0], *request).ending, Ending::Complete);
    }
}

#[test]
fn both_networks_stand_side_by_side() {
    let mut lab = Lab::new(13);
    let v4 = lab.network(20, public);
    let v6 = lab.network(20, public6);
    lab.run(MINUTE);
    for hosts in [&v4, &v6] {
        let announced = lab.command(hosts[1], |node, now| {
            node.announce(now, &HASH, ON_PORT_1000)
        });
        assert_eq!(lab.finish(hosts[1], announced).stored, 8);
        let request = lab.command(hosts[2], |node, now| node.get_peers(now, &HASH));
        lab.finish(hosts[2], request);
        let peer = (lab.addr(hosts[1]).ip(), 1000).into();
        assert_eq!(lab.peers(hosts[2], request), [peer]);
    }
}

#[test]
fn a_network_that_is_not_there_does_not_hold_up_the_other() {
    for (known6, at_least, less_than) in [
        // No known node could name another: nothing is worth waiting for.
        (None, Duration::ZERO, SECOND),
        (Some(public6(9)), SECOND_FAMILY_TIMEOUT, 2 * SECOND),
    ] {
        let mut lab = Lab::new(17);
        let hosts = lab.network(10, public);
        lab.run(MINUTE);
        let bootstrap = [Some(lab.addr(hosts[0])), known6];
        let config = Config::new(seed(99))
            .with_families(true, true)
            .with_bootstrap(bootstrap.into_iter().flatten().collect());
        let host = lab.node(public(50), config);
        let begin = lab.now();
        let request = lab.command(host, |node, now| node.get_peers(now, &HASH));
        let report = lab.finish(host, request);
        let took = lab.now() - begin;
        assert_eq!(report.ending, Ending::Complete);
        assert_eq!(report.closest.len(), 8);
        assert!(at_least <= took && took < less_than, "{took:?}");
    }
}

/// How many questions a lookup asks of nodes that each name eight that are nearer.
fn questions_when_led_on(addr: impl Fn(usize) -> SocketAddr) -> u32 {
    let target = NodeId::from(HASH);
    // Each is nearer than all before it.
    let lure = |number: usize| {
        let mut id = *target.as_bytes();
        let rest = 0xffff - u16::try_from(number).unwrap();
        id[18] ^= rest.to_be_bytes()[0];
        id[19] ^= rest.to_be_bytes()[1];
        NodeInfo {
            id: NodeId::new(id),
            addr: addr(number),
        }
    };
    let mut now = lab::start();
    let mut node = Node::new(now, Config::new(seed(1)));
    node.add_node(now, lure(0).addr);
    let mut named = 1;
    let mut request = None;
    let report = loop {
        while let Some(transmit) = node.poll_transmit() {
            let question = Message::decode(&transmit.payload).unwrap();
            let Body::Query(query) = &question.body else {
                continue;
            };
            let known = (0..named).map(lure).find(|lure| lure.addr == transmit.to);
            let mut response = Response::new(known.expect("was named").id);
            if matches!(query.method, Method::GetPeers { .. }) {
                response.nodes = Some(
                    (named..named + 8)
                        .map(|number| lure(number).as_v4().unwrap())
                        .collect(),
                );
                named += 8;
            }
            now += Duration::from_millis(1);
            let answer = Message::new(question.transaction_id, response.into());
            node.handle_datagram(now, transmit.to, &answer.encode());
            node.check_invariants();
        }
        match request {
            None => request = Some(node.get_peers(now, &HASH)),
            Some(_) => {
                now = node.poll_timeout().expect("a lookup is under way");
                node.handle_timeout(now);
            }
        }
        let finished = std::iter::from_fn(|| node.poll_event()).find_map(|event| match event {
            Event::Finished { report, .. } => Some(report),
            _ => None,
        });
        if let Some(report) = finished {
            break report;
        }
    };
    report.asked
}

#[test]
fn a_lookup_that_is_led_on_and_on_ends() {
    // A node of a local network may have any id.
    assert_eq!(questions_when_led_on(private), MAX_LOOKUP_QUERIES);
    // Elsewhere ids that BEP 42 does not permit are asked a few times only.
    assert_eq!(questions_when_led_on(public), 24);
}
