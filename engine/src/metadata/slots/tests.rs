//! Which connections get slots and which lose them, with a simulated clock.

use super::*;
use crate::testing::epoch;

const MS: Duration = Duration::from_millis(1);

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn dialled(slots: &Slots, now: Instant, addr: SocketAddr) -> Admission {
    slots.admission(now, Way::Dialled, addr, false)
}

/// Thirty peers of this machine that are asked for a block each.
fn full(now: Instant) -> Slots {
    let mut slots = Slots::default();
    for number in 0..30 {
        let peer = at(10 + number);
        assert_eq!(dialled(&slots, now, peer), Admission::Free);
        let key = LinkKey(number.into());
        slots.queue(now, key, peer);
        slots.connected(now, key);
        slots.asked(now, key);
    }
    slots
}

#[test]
fn an_address_has_one_connection_a_local_one_a_few_and_this_machine_any_number() {
    let now = epoch();
    for (ip, most) in [
        ("9.9.9.9", 1),
        ("[2001:db8::1]", 1),
        ("192.168.0.7", 4),
        ("127.0.0.1", 30),
    ] {
        let mut slots = Slots::default();
        let mut count = 0;
        while count < 40
            && dialled(&slots, now, addr(&format!("{ip}:{}", 1_000 + count))) == Admission::Free
        {
            let peer = addr(&format!("{ip}:{}", 1_000 + count));
            slots.queue(now, LinkKey(count), peer);
            count += 1;
        }
        assert_eq!(count, most, "{ip}");
    }
    let mut slots = Slots::default();
    slots.queue(now, LinkKey(1), addr("[2001:db8::1]:1"));
    let same = addr("[2001:db8::ffff:1]:2");
    assert!(matches!(dialled(&slots, now, same), Admission::Wait(_)));
    let other = addr("[2001:db8:0:1::1]:1");
    assert_eq!(dialled(&slots, now, other), Admission::Free);
    // The user may name several clients of one host.
    let named = slots.admission(now, Way::Dialled, same, true);
    assert_eq!(named, Admission::Free);
    // A host that we are calling may call us.
    let caller = slots.admission(now, Way::Called, same, false);
    assert_eq!(caller, Admission::Free);
    slots.connected(now, LinkKey(1));
    let caller = slots.admission(now, Way::Called, same, false);
    assert!(matches!(caller, Admission::Wait(_)));
}

#[test]
fn a_peer_that_dribbles_makes_room_and_one_that_helps_stays() {
    let start = epoch();
    let mut slots = full(start);
    let ends = start + 500 * MS;
    assert_eq!(dialled(&slots, start, at(9)), Admission::Wait(ends));
    assert_eq!(slots.opens(start, Way::Dialled), ends);
    // The first sends what it is asked for, the second a block and no more, the third refuses.
    for _ in 0..4 {
        for key in [LinkKey(0), LinkKey(1)] {
            slots.asked(start, key);
        }
    }
    let soon = start + 400 * MS;
    (0..4).for_each(|_| slots.answered(soon, LinkKey(0), 16_384));
    slots.answered(soon, LinkKey(1), 16_384);
    slots.answered(soon, LinkKey(2), 0);
    let mut gone = Vec::new();
    while let Admission::Displace(key) = dialled(&slots, ends, at(9)) {
        slots.displace(key);
        slots.queue(
            ends,
            LinkKey(100 + key.0),
            at(200 + u16::try_from(key.0).unwrap()),
        );
        gone.push(key.0);
    }
    assert_eq!(gone.len(), 29);
    assert!(!gone.contains(&0));
    assert_eq!(gone.last(), Some(&1), "what gave least goes first");
    // It helps, and still does not keep its slot for ever.
    for _ in 0..1_000 {
        slots.asked(soon, LinkKey(0));
        slots.answered(start + 3_900 * MS, LinkKey(0), 65_536);
    }
    slots.asked(soon, LinkKey(0));
    let only = |slot: &Slot| slot.addr == at(10);
    let before = slots.first_to_go(start + 3_999 * MS, only);
    assert_eq!(before, Admission::Wait(start + 4_000 * MS));
    let after = slots.first_to_go(start + 4_000 * MS, only);
    assert_eq!(after, Admission::Displace(LinkKey(0)));
}

#[test]
fn a_peer_that_nothing_was_asked_of_is_not_blamed_for_it() {
    let start = epoch();
    let mut slots = Slots::default();
    for number in 0..10 {
        slots.call(start, LinkKey(number), at(10));
    }
    let caller = |slots: &Slots, now| slots.admission(now, Way::Called, at(9), false);
    assert_eq!(caller(&slots, start), Admission::Wait(start + 1_500 * MS));
    // What it owes, it has to send.
    let late = start + 1_000 * MS;
    slots.asked(late, LinkKey(3));
    slots.answered(late + 100 * MS, LinkKey(3), 100);
    let end = start + 1_500 * MS;
    assert_eq!(caller(&slots, end), Admission::Displace(LinkKey(0)));
    assert_eq!(slots.slots[&LinkKey(3)].ends(), start + 2_600 * MS);
}

#[test]
fn an_address_that_lost_its_slot_gets_a_longer_turn() {
    let now = epoch();
    let mut slots = Slots::default();
    for turn in [500, 1_000, 2_000, 4_000, 8_000, 8_000] {
        slots.queue(now, LinkKey(1), at(1));
        slots.connected(now, LinkKey(1));
        slots.asked(now, LinkKey(1));
        assert_eq!(slots.slots[&LinkKey(1)].ends(), now + turn * MS);
        slots.displace(LinkKey(1));
    }
    assert_eq!(slots.count_dialling(), 0);
    // A call that is not answered ends too.
    slots.queue(now, LinkKey(2), at(2));
    assert!(slots.slots[&LinkKey(2)].ends() >= now + 60_000 * MS);
    slots.dial(now, LinkKey(2));
    assert_eq!(slots.dialling(at(2)), Some(LinkKey(2)));
    let late = now + 1_000 * MS;
    assert_eq!(slots.slots[&LinkKey(2)].ends(), late);
    assert_eq!(slots.next_late_dial(), Some(late));
    assert_eq!(slots.late_dial(late - MS), None);
    assert_eq!(slots.late_dial(late), Some(LinkKey(2)));
    assert_eq!(slots.count_dialled(), 1);
}
