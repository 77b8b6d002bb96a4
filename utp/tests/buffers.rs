//! Buffers grow while they are used, within what all connections of an endpoint share.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod lab;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use lab::World;
use tailwater_netsim::Link;
use tailwater_utp::limits::BASE_RECEIVE_BUFFER;
use tailwater_utp::{Config, Packet};

const MIB: u64 = 1024 * 1024;

fn link() -> Link {
    Link::new(Duration::from_millis(25)).with_rate(12_500_000)
}

/// The largest window that a receiver of 20 MiB advertises.
fn largest_window(receiver: Config) -> usize {
    let mut world = World::new(1);
    world.add(Config::new(1), link());
    world.add(receiver, link());
    let largest = Rc::new(Cell::new(0));
    let seen = Rc::clone(&largest);
    world.watch = Some(Box::new(move |_, from, _, datagram| {
        if from == 1 {
            let window = Packet::decode(datagram).unwrap().header.window;
            seen.set(seen.get().max(usize::try_from(window).unwrap()));
        }
    }));
    world.connect(0, 1, 20 * MIB);
    let is_done = world.run_until(Duration::from_secs(60), |world| {
        let mut streams = world.peers[1].streams.values();
        streams.any(|stream| stream.is_end_read)
    });
    assert!(is_done);
    largest.get()
}

#[test]
fn a_window_grows_with_what_a_round_trip_brings() {
    let largest = largest_window(Config::new(2));
    assert!(largest >= 1 << 20, "{largest}");
    let fixed = largest_window(Config::new(2).buffer_memory(0));
    assert_eq!(fixed, BASE_RECEIVE_BUFFER);
    let bounded = largest_window(Config::new(2).receive_buffer(400_000).unwrap());
    assert_eq!(bounded, 400_000);
}

#[test]
fn all_connections_together_hold_no_more_than_the_memory_that_buffers_share() {
    const SENDERS: usize = 4;
    const SHARED: usize = 1 << 20;
    let mut world = World::new(1);
    for sender in 0..SENDERS {
        world.add(Config::new(u64::try_from(sender).unwrap()), link());
    }
    world.add(Config::new(99).buffer_memory(SHARED), link());
    for sender in 0..SENDERS {
        world.connect(sender, SENDERS, 8 * MIB);
    }
    // The program does not read.
    let held = |world: &World| -> usize {
        let receiver = &world.peers[SENDERS];
        let stats = receiver
            .accepted
            .iter()
            .map(|key| receiver.endpoint.stats(*key).unwrap());
        let received: u64 = stats.map(|stats| stats.bytes_received).sum();
        let read: u64 = receiver.streams.values().map(|stream| stream.read).sum();
        usize::try_from(received - read).unwrap()
    };
    while world.elapsed() < Duration::from_secs(20) {
        world.run_for(Duration::from_millis(10));
        for stream in world.peers[SENDERS].streams.values_mut() {
            stream.read_limit = Some(stream.read);
        }
    }
    let held = held(&world);
    assert!(held > SENDERS * BASE_RECEIVE_BUFFER, "{held}");
    assert!(held <= SENDERS * BASE_RECEIVE_BUFFER + SHARED, "{held}");
}
