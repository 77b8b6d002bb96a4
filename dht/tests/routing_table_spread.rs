//! The owner of many addresses does not fill the table; a node whose id does not fit its address gives way.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use proptest::prelude::*;
use tailwater_dht::{BUCKET_SIZE, Entry, MAX_FAILURES, NodeId, NodeInfo, Outcome, RoutingTable};

const OWN: NodeId = NodeId::new([0; 20]);

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

/// With an id that differs from the own one in the first bit, as most do.
fn far(number: u8, addr: &str) -> NodeInfo {
    let mut id = [number; 20];
    id[0] |= 0x80;
    NodeInfo {
        id: NodeId::new(id),
        addr: addr.parse().unwrap(),
    }
}

/// With an id that BEP 42 lets it have, in the far bucket.
fn secure(addr: &str) -> NodeInfo {
    let addr: SocketAddr = addr.parse().unwrap();
    let ids = (0..=u8::MAX).map(|number| NodeId::for_ip(addr.ip(), [number; 20]));
    let id = ids.into_iter().find(|id| id.bit(0)).unwrap();
    NodeInfo { id, addr }
}

#[test]
fn there_is_one_node_of_an_address() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    assert_eq!(table.on_response(now, far(1, "30.1.1.1:1")), Outcome::Added);
    let near = NodeInfo {
        id: OWN.with_flipped_bit(100),
        addr: "30.1.1.1:2".parse().unwrap(),
    };
    assert!(!table.has_room(&near));
    assert_eq!(
        table.on_response(now, near),
        Outcome::Refused,
        "in any bucket"
    );
    // Unless the first is gone.
    for _ in 0..MAX_FAILURES {
        table.on_timeout(now, &far(1, "30.1.1.1:1"));
    }
    assert!(table.has_room(&near));
    assert_eq!(table.on_response(now, near), Outcome::Added);
    assert_eq!(table.len(), 1);
    table.check_invariants();
}

#[test]
fn who_answers_under_another_id_takes_his_own_place() {
    let now = start();
    for addr in ["30.1.1.1:1", "10.1.1.1:1"] {
        let mut table = RoutingTable::new(OWN, now);
        table.on_response(now, far(1, addr));
        assert_eq!(table.on_response(now, far(2, addr)), Outcome::Added);
        let ids: Vec<_> = table.iter().map(Entry::id).collect();
        assert_eq!(ids, [far(2, addr).id]);
    }
}

#[test]
fn there_is_one_node_of_a_network_in_a_bucket() {
    let now = start();
    for (one, other, elsewhere) in [
        ("30.1.1.1:1", "30.1.1.2:1", "30.1.2.1:1"),
        (
            "[2a01:1:1:1::1]:1",
            "[2a01:1:1:1::2]:1",
            "[2a01:1:1:2::1]:1",
        ),
    ] {
        let mut table = RoutingTable::new(OWN, now);
        assert_eq!(table.on_response(now, far(1, one)), Outcome::Added);
        for number in 8..16_u8 {
            let other = NodeInfo {
                id: OWN.with_flipped_bit(usize::from(number)),
                addr: format!("10.0.0.{number}:1").parse().unwrap(),
            };
            table.on_response(now, other);
        }
        assert!(table.bucket_count() > 1);
        assert_eq!(table.on_response(now, far(2, other)), Outcome::Refused);
        let near = NodeInfo {
            id: OWN.with_flipped_bit(1),
            addr: other.parse().unwrap(),
        };
        assert_eq!(
            table.on_response(now, near),
            Outcome::Added,
            "another bucket"
        );
        assert_eq!(table.on_response(now, far(3, elsewhere)), Outcome::Added);
        table.check_invariants();
    }
}

#[test]
fn in_a_local_network_everybody_is_welcome() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    for port in 1..=8 {
        let addr = format!("192.168.0.1:{port}");
        assert_eq!(table.on_response(now, far(port, &addr)), Outcome::Added);
    }
}

#[test]
fn an_id_that_does_not_fit_gives_way_to_one_that_does() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    let near = NodeInfo {
        id: OWN.with_flipped_bit(5),
        addr: "10.0.0.1:1".parse().unwrap(),
    };
    for number in 0..8 {
        table.on_response(now, far(number, &format!("30.1.{number}.1:1")));
    }
    table.on_response(now, near);
    let misfits = table.iter().filter(|entry| !entry.is_secure()).count();
    assert_eq!(misfits, BUCKET_SIZE);
    assert_eq!(
        table.on_response(now, far(9, "31.1.1.1:1")),
        Outcome::Spared
    );
    for number in 0..8 {
        let fit = secure(&format!("32.1.{number}.1:1"));
        let outcome = table.on_response(now, fit);
        assert!(matches!(outcome, Outcome::Replaced(_)), "{outcome:?}");
    }
    assert!(table.iter().all(Entry::is_secure));
    assert_eq!(
        table.on_response(now, secure("33.1.1.1:1")),
        Outcome::Spared
    );
    table.check_invariants();
}

#[test]
fn a_new_own_id_keeps_whom_it_has_room_for() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    for number in 0..60 {
        table.on_response(now, far(number, &format!("30.1.{number}.1:1")));
        let near = OWN.with_flipped_bit(usize::from(number) + 1);
        let addr = format!("31.1.{number}.1:1").parse().unwrap();
        table.on_response(now, NodeInfo { id: near, addr });
    }
    let moved = table.rearranged(NodeId::new([0x80; 20]), now);
    moved.check_invariants();
    assert_eq!(moved.own_id(), &NodeId::new([0x80; 20]));
    assert!(moved.len() >= 2 * BUCKET_SIZE);
    assert!(moved.iter().all(|entry| {
        table
            .iter()
            .chain(table.spares())
            .any(|e| e.node() == entry.node())
    }));
}

/// Few addresses and networks, so that they collide.
fn nodes() -> impl Strategy<Value = NodeInfo> {
    let ip = prop_oneof![
        6 => (0..6_u8, 0..4_u8).prop_map(|(network, host)| IpAddr::from([30, 1, network, host])),
        1 => (0..6_u8).prop_map(|host| IpAddr::from([10, 0, 0, host])),
        2 => (0..6_u16, 0..3_u16)
            .prop_map(|(network, host)| IpAddr::from([0x2a01, 0, 0, network, 0, 0, 0, host])),
    ];
    (ip, 1..3_u16, 0..24_usize, any::<bool>()).prop_map(|(ip, port, number, is_secure)| {
        let random = [u8::try_from(number).unwrap(); 20];
        let id = if is_secure {
            NodeId::for_ip(ip, random)
        } else {
            NodeId::new(random)
                .with_prefix(&OWN, number % 5)
                .with_flipped_bit(number % 5)
        };
        NodeInfo {
            id,
            addr: SocketAddr::new(ip, port),
        }
    })
}

proptest! {
    #[test]
    fn any_sequence_keeps_the_spread(steps in prop::collection::vec((nodes(), 0..4_u8), 0..300)) {
        let now = start();
        let mut table = RoutingTable::new(OWN, now);
        for (node, step) in steps {
            match step {
                0 => table.on_timeout(now, &node),
                _ => {
                    let had_room = table.has_room(&node) || table.get(&node).is_some();
                    let outcome = table.on_response(now, node);
                    // A node that finds room is never refused, unless it has another's id.
                    let same_id = table.iter().any(|e| e.id() == node.id && e.node() != node);
                    prop_assert!(!had_room || outcome != Outcome::Refused || same_id || node.id == OWN);
                }
            }
            table.check_invariants();
        }
    }
}
