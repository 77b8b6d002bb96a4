//! Hostile peers against the state machines, on a simulated network: bounds in simulated time and in messages.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::cast_possible_truncation,
    reason = "what cannot go wrong in a test ends it; its beginning of time has to come from somewhere"
)]

mod sim;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use tailwater_engine::torrent::Notice;
use tailwater_hostile::peer::Supply;
use tailwater_hostile::wire::{BlockRequest, Message};
use tailwater_hostile::{Content, Flood, Peer, Pump};
use tailwater_netsim::Link;

use sim::{Manner, Payload, StrangerId, Swarm};

const MINUTE: Duration = Duration::from_secs(60);

fn content() -> Content {
    Content::new(1, "file", 1_000_000, 65_536)
}

/// 1 MB/s both ways, 10 ms to the core.
fn link() -> Link {
    Link::new(Duration::from_millis(10)).with_rate(1_000_000)
}

/// An honest seed, number 0, and a leech, number 1.
fn seed_and_leech(seed: u64) -> Swarm {
    let mut swarm = Swarm::new(seed, Payload::of(&content()));
    swarm.seed(link(), Manner::Honest);
    swarm.leech(link());
    swarm
}

/// How long the leech takes, beside a stranger that calls it if there is one.
fn time(mut swarm: Swarm, stranger: Option<StrangerId>) -> (Duration, Swarm) {
    if let Some(stranger) = stranger {
        swarm.call(stranger, 1);
    }
    let time = swarm.run(5 * MINUTE, |swarm| swarm.is_complete(1));
    (time, swarm)
}

/// Whether the leech ends the connection of a peer that says this behind its handshake.
fn is_ended(said: impl Into<Bytes>) -> bool {
    let said = said.into();
    let mut swarm = Swarm::new(1, Payload::of(&content()));
    let leech = swarm.leech(link());
    let stranger = swarm.stranger(link(), move |number| {
        Pump::new(Peer::new(&content(), number).says_raw(said.clone()))
    });
    swarm.call(stranger, leech);
    swarm.run_for(Duration::from_secs(5));
    assert_eq!(swarm.look_at(stranger).connections, 1);
    swarm.look_at(stranger).ended == 1
}

fn encoded(message: &Message) -> Bytes {
    let mut bytes = bytes::BytesMut::new();
    message.encode(&mut bytes);
    bytes.freeze()
}

#[test]
fn a_corrupt_seeder_is_banned_and_the_download_completes() {
    let mut swarm = seed_and_leech(1);
    let supply = Supply::of(&content()).corrupts();
    let stranger = swarm.stranger(link(), move |number| {
        Pump::new(Peer::seeder(&content(), number, supply.clone()))
    });
    swarm.introduce_stranger(1, stranger);
    let (_, swarm) = time(swarm, None);
    let liar: IpAddr = [10, 0, 1, 1].into();
    let banned = |note: &&Notice| matches!(note, Notice::Banned(_));
    let banned: Vec<_> = swarm.nodes[1].notes.iter().filter(banned).collect();
    assert_eq!(banned, [&Notice::Banned(liar.into())]);
    assert_eq!(swarm.look_at(stranger).ended, 1);
}

#[test]
fn a_block_that_was_never_asked_for_ends_the_connection() {
    let data = content().bytes().slice(..16_384);
    let piece = Message::Piece {
        index: 0,
        begin: 0,
        data,
    };
    assert!(is_ended(encoded(&piece)));
}

#[test]
fn a_message_of_a_wrong_or_absurd_length_ends_the_connection() {
    for frame in [
        &[0, 0, 0, 4, 4, 0, 0, 0][..],
        &[0, 0, 0, 2, 1, 0],
        &[0xff, 0xff, 0xff, 0xff, 7],
        &[0x7f, 0xff, 0xff, 0xff, 5],
        &[0, 1, 0x40, 0x0a, 7],
    ] {
        assert!(is_ended(Bytes::from_static(frame)), "{frame:?}");
    }
    assert!(
        !is_ended(Bytes::from_static(&[0, 0, 0, 1, 2])),
        "interested"
    );
}

#[test]
fn a_request_for_more_than_is_ever_asked_for_ends_the_connection() {
    let wanted = BlockRequest {
        index: 0,
        begin: 0,
        length: 1 << 20,
    };
    assert!(is_ended(encoded(&Message::Request(wanted))));
}

/// The flood shares the leech's line with the honest seed; what a line of twice the flood's rate leaves is the bound.
#[test]
fn no_flood_takes_more_of_a_download_than_its_share_of_the_line() {
    let (alone, _) = time(seed_and_leech(1), None);
    for flood in Flood::ALL {
        let mut swarm = seed_and_leech(1);
        let portion = flood.portion(&content());
        let line = Link::new(Duration::from_millis(10)).with_rate(100_000);
        let stranger = swarm.stranger(line, move |number| {
            Pump::new(flood.peer_saying(&content(), number, portion.clone()))
        });
        let (beside, swarm) = time(swarm, Some(stranger));
        let sent = swarm.look_at(stranger).sent;
        assert!(sent > 1_000, "{}: {sent} bytes", flood.name());
        assert!(
            beside < alone * 3 / 2,
            "{}: {beside:?} against {alone:?}",
            flood.name()
        );
    }
}
