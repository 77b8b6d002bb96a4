//! The rules of BEP 5's routing table, one by one.

use std::time::{Duration, Instant};

use tailwater_dht::{
    BUCKET_REFRESH, BUCKET_SIZE, Entry, GOOD_FOR, MAX_BUCKETS, MAX_FAILURES, MAX_SPARES, NodeId,
    NodeInfo, Outcome, RoutingTable, Status,
};

const OWN: NodeId = NodeId::new([0; 20]);
const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

/// Node `number` among those that share `shared` leading bits with the own id.
fn node(shared: usize, number: u8) -> NodeInfo {
    let mut bytes = [0; 20];
    bytes[19] = number;
    NodeInfo {
        id: NodeId::new(bytes).with_flipped_bit(shared),
        // Of a local network, where any number of nodes may be neighbours.
        addr: ([10, 0, u8::try_from(shared).expect("few"), number], 6881).into(),
    }
}

/// Bucket 0 full, and one node near enough that the table has been split.
fn full(now: Instant) -> RoutingTable {
    let mut table = RoutingTable::new(OWN, now);
    for number in 0..8 {
        assert_eq!(table.on_response(now, node(0, number)), Outcome::Added);
    }
    assert_eq!(table.on_response(now, node(1, 0)), Outcome::Added);
    assert_eq!(table.bucket_count(), 2);
    table
}

fn contains(table: &RoutingTable, node: NodeInfo) -> bool {
    table.iter().any(|entry| entry.node() == node)
}

#[test]
fn only_the_bucket_of_the_own_id_is_split() {
    let now = start();
    let mut table = full(now);
    assert_eq!(table.on_response(now, node(0, 8)), Outcome::Spared);
    assert_eq!(table.bucket_count(), 2);
    for number in 0..8 {
        table.on_response(now, node(7, number));
    }
    // Those eight are all in the range of the last bucket, until one more shows that seven bits set them apart.
    assert_eq!(table.bucket_count(), 3);
    assert_eq!(table.on_response(now, node(9, 0)), Outcome::Added);
    assert_eq!(table.bucket_count(), 9);
    assert_eq!(table.len(), 8 + 1 + 8 + 1);
    table.check_invariants();
}

#[test]
fn the_nearest_ids_of_all_have_a_place() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    // Every id that differs in the last byte alone.
    for number in 0..=u8::MAX {
        table.on_response(now, node(200, number));
        table.check_invariants();
    }
    assert!(table.bucket_count() <= MAX_BUCKETS);
    for number in 1..16 {
        assert!(contains(&table, node(200, number)), "{number}");
    }
    assert_eq!(
        table.on_response(now, node(200, 0)),
        Outcome::Refused,
        "the own id"
    );
}

#[test]
fn a_node_is_good_for_fifteen_minutes_after_an_answer_or_a_query() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    table.on_response(now, node(0, 0));
    let status = |table: &RoutingTable, at| table.iter().next().map(|entry| entry.status(at));
    assert_eq!(status(&table, now + GOOD_FOR - SECOND), Some(Status::Good));
    assert_eq!(status(&table, now + GOOD_FOR), Some(Status::Questionable));
    assert!(table.on_query(now + GOOD_FOR, &node(0, 0)));
    assert_eq!(status(&table, now + GOOD_FOR), Some(Status::Good));
    assert!(!table.on_query(now, &node(0, 1)), "an unknown node");
    assert_eq!(table.len(), 1);
}

#[test]
fn a_node_is_bad_after_two_timeouts_and_good_again_after_an_answer() {
    let now = start();
    let mut table = RoutingTable::new(OWN, now);
    table.on_response(now, node(0, 0));
    table.on_timeout(now, &node(0, 0));
    assert_eq!(table.closest(&OWN, 8), [node(0, 0)]);
    table.on_timeout(now, &node(0, 0));
    assert_eq!(table.closest(&OWN, 8), []);
    // A query proves that it can send, not that it can be reached.
    table.on_query(now, &node(0, 0));
    assert_eq!(table.closest(&OWN, 8), []);
    assert_eq!(table.on_response(now, node(0, 0)), Outcome::Updated);
    table.on_timeout(now, &node(0, 0));
    assert_eq!(
        table.closest(&OWN, 8),
        [node(0, 0)],
        "timeouts count in a row"
    );
}

#[test]
fn a_bad_node_gives_way() {
    let now = start();
    let mut table = full(now);
    for _ in 0..MAX_FAILURES {
        table.on_timeout(now, &node(0, 3));
    }
    assert_eq!(table.len(), 9, "no node is dropped before there is another");
    let outcome = table.on_response(now, node(0, 8));
    assert_eq!(outcome, Outcome::Replaced(node(0, 3)));
    table.check_invariants();
}

#[test]
fn the_most_recent_spare_takes_a_bad_nodes_place() {
    let now = start();
    let mut table = full(now);
    for number in 8..8 + 2 * u8::try_from(MAX_SPARES).unwrap() {
        assert_eq!(table.on_response(now, node(0, number)), Outcome::Spared);
    }
    assert_eq!(table.spares().count(), MAX_SPARES);
    table.on_timeout(now, &node(0, 23));
    for _ in 0..MAX_FAILURES {
        table.on_timeout(now, &node(0, 3));
    }
    assert!(contains(&table, node(0, 22)));
    assert!(!contains(&table, node(0, 3)));
    assert_eq!(table.spares().count(), MAX_SPARES - 2);
    table.check_invariants();
}

#[test]
fn an_id_keeps_its_address_until_it_is_bad() {
    let now = start();
    let mut table = full(now);
    let moved = NodeInfo {
        addr: "203.0.113.9:1".parse().unwrap(),
        ..node(0, 3)
    };
    assert_eq!(table.on_response(now, moved), Outcome::Refused);
    // Nor do timeouts of the one count for the other.
    table.on_timeout(now, &moved);
    table.on_timeout(now, &moved);
    assert!(!table.on_query(now, &moved));
    assert!(table.iter().all(|entry| !Entry::is_bad(entry)));
    table.on_timeout(now, &node(0, 3));
    table.on_timeout(now, &node(0, 3));
    assert_eq!(table.on_response(now, moved), Outcome::Replaced(node(0, 3)));
}

#[test]
fn questionable_nodes_are_pinged_one_by_one_while_a_spare_waits() {
    let mut now = start();
    let mut table = full(now);
    for number in [5, 2, 7] {
        now += SECOND;
        table.on_response(now, node(0, number));
    }
    now += GOOD_FOR;
    assert_eq!(table.poll_ping(now), None, "nobody waits");
    table.on_response(now, node(0, 8));
    assert!(table.poll_timeout().is_some_and(|at| at <= now));

    // The least recently seen first, and no other meanwhile.
    assert_eq!(table.poll_ping(now), Some(node(0, 0)));
    assert_eq!(table.poll_ping(now), None);
    table.on_response(now, node(0, 0));
    assert_eq!(table.poll_ping(now), Some(node(0, 1)));

    // One that does not answer is tried once more.
    table.on_timeout(now, &node(0, 1));
    assert_eq!(table.poll_ping(now), Some(node(0, 1)));
    table.on_timeout(now, &node(0, 1));
    assert!(contains(&table, node(0, 8)) && !contains(&table, node(0, 1)));
    assert_eq!(table.poll_ping(now), None, "nobody waits any more");
    table.check_invariants();
}

#[test]
fn an_unchanged_bucket_is_refreshed_with_an_id_in_its_range() {
    let now = start();
    let mut table = full(now);
    let later = now + BUCKET_REFRESH;
    assert_eq!(table.poll_timeout(), Some(later));
    assert_eq!(table.poll_refresh(later - SECOND, [0xff; 20]), None);
    // A change in one bucket is none in the other.
    table.on_response(later - SECOND, node(1, 0));
    for random in [[0; 20], [0xff; 20], [0x55; 20]] {
        let mut table = table.clone();
        let target = table.poll_refresh(later, random).unwrap();
        assert_eq!(OWN.common_prefix_len(&target), 0);
        assert_eq!(table.poll_refresh(later, random), None, "not twice");
        assert_eq!(table.poll_timeout(), Some(later - SECOND + BUCKET_REFRESH));
        let target = table
            .poll_refresh(later + BUCKET_REFRESH - SECOND, random)
            .unwrap();
        assert!(OWN.common_prefix_len(&target) >= 1);
    }
}

#[test]
fn others_are_told_of_good_nodes_only() {
    let now = start();
    let mut table = full(now);
    let later = now + GOOD_FOR;
    table.on_response(later, node(0, 4));
    assert_eq!(table.closest_good(later, &OWN, BUCKET_SIZE), [node(0, 4)]);
    assert_eq!(table.closest(&OWN, BUCKET_SIZE).len(), BUCKET_SIZE);
    assert_eq!(table.closest(&OWN, 0), []);
    assert_eq!(table.closest(&OWN, usize::MAX).len(), 9);
}

#[test]
fn time_may_go_backwards() {
    let now = start() + 2 * GOOD_FOR;
    let mut table = full(now);
    let earlier = now - GOOD_FOR;
    table.on_response(earlier, node(0, 0));
    table.on_query(earlier, &node(0, 1));
    assert_eq!(table.closest_good(now, &OWN, 100).len(), 9);
    assert_eq!(table.poll_refresh(earlier, [0; 20]), None);
    assert_eq!(table.poll_timeout(), Some(now + BUCKET_REFRESH));
}
