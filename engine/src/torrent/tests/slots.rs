//! Upload slots, and peers that hold them in vain.

use super::*;

impl Bench {
    /// A peer that wants what we have.
    fn leech(&mut self, number: u8) -> PeerKey {
        let key = self.connect(number, Direction::Incoming).unwrap();
        self.tell(key, [Fact::Interested]);
        key
    }

    fn is_unchoked(&self, key: PeerKey) -> bool {
        !self.engine.peers.connection(key).unwrap().am_choking
    }
}

/// A crowd that wants everything and asks for nothing: the only one that asks gets a slot, and keeps one.
#[test]
fn slots_that_are_held_in_vain_go_to_those_who_wait() {
    let mut bench = Bench::new(Bitfield::all);
    for number in 101..=200 {
        bench.leech(number);
    }
    let honest = bench.leech(1);
    let mut waited = 0;
    while !bench.is_unchoked(honest) {
        bench.later(1);
        waited += 1;
        assert!(waited <= 75, "100 peers have 8 slots for 5 s each");
    }
    // It downloads, and is not chosen less often than those that do not.
    let mut served = 0;
    for _ in 0..120 {
        if bench.is_unchoked(honest) {
            served += 1;
            bench.tell(honest, [Fact::Uploaded(100_000)]);
        }
        bench.later(1);
    }
    assert!(served >= 115, "{served} of 120 s");
}

/// All of one host, as only a loopback address may have so many connections: another host does not wait behind them.
#[test]
fn a_crowd_of_one_host_holds_no_slot_that_another_host_waits_for() {
    let mut bench = Bench::new(Bitfield::all);
    let join = |bench: &mut Bench, ip: [u8; 4], number: u8| {
        let new = NewPeer {
            addr: SocketAddr::from((ip, 20_000 + u16::from(number))),
            id: PeerId::new([number; 20]),
            direction: Direction::Incoming,
            fast: true,
            kind: ConnectionKind::default(),
        };
        let key = bench.engine.handle_connected(bench.now, new).unwrap();
        bench.tell(key, [Fact::Interested]);
        key
    };
    for number in 101..=200 {
        join(&mut bench, [127, 0, 0, 2], number);
    }
    bench.later(30);
    let honest = join(&mut bench, [127, 0, 0, 1], 1);
    for _ in 0..60 {
        assert!(bench.is_unchoked(honest));
        bench.tell(honest, [Fact::Uploaded(100_000)]);
        bench.later(1);
    }
}

#[test]
fn a_slot_in_vain_is_kept_while_it_is_not_needed() {
    let mut bench = Bench::new(Bitfield::all);
    let idle = bench.leech(1);
    bench.later(60);
    assert!(bench.is_unchoked(idle));
    for number in 2..=8 {
        let key = bench.leech(number);
        bench.tell(key, [Fact::Uploaded(100_000)]);
    }
    assert!(bench.is_unchoked(idle), "there are eight");
    let ninth = bench.leech(9);
    bench.later(2);
    assert!(bench.is_unchoked(ninth) && !bench.is_unchoked(idle));
}
