//! Tests of the stores of peers and items, and of the limits for each address.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod desk;
mod lab;

use std::net::SocketAddr;

use desk::{Desk, HASH, stored};
use lab::{SECOND, public, seed};
use tailwater_dht::{
    Config, ITEM_LIFETIME, Item, ItemValue, Method, NodeLimits, PEER_LIFETIME, Want,
};
use tailwater_types::InfoHash;

/// An announce, with a token of its own.
fn announce(desk: &mut Desk, from: SocketAddr, info_hash: InfoHash) {
    let get_peers = Method::GetPeers {
        info_hash,
        want: Want::default(),
        no_seed: false,
        scrape: false,
    };
    let token = desk.response(from, get_peers).token.unwrap();
    let announce = Method::AnnouncePeer {
        info_hash,
        port: 1000,
        implied_port: false,
        seed: false,
        token,
    };
    assert!(stored(desk.ask(from, announce)));
}

/// Announces of `from` for as many torrents, each with a token of its own.
fn announce_many(desk: &mut Desk, from: impl Fn(u16) -> SocketAddr, torrents: u16) {
    for number in 0..torrents {
        let mut hash = [0; 20];
        hash[..2].copy_from_slice(&number.to_be_bytes());
        announce(desk, from(number), InfoHash::new(hash));
        desk.now += SECOND / 5;
    }
}

#[test]
fn one_address_cannot_fill_the_peer_store() {
    let config = Config::new(seed(1)).with_families(true, true);
    let mut desk = Desk::with(config);
    announce_many(&mut desk, |_| public(1), 3);
    announce_many(&mut desk, |_| public(2), 3000);
    let stats = desk.node.stats();
    // 2000 torrents would have pushed the first three out.
    assert_eq!((stats.torrents, stats.peers), (100, 103));
    // A subscriber's IPv6 addresses are one.
    let of_subscriber =
        |number: u16| SocketAddr::from(([0x2a01, 0x4f8, 1, 1, 9, 9, 9, number], 6881));
    announce_many(&mut desk, of_subscriber, 500);
    assert_eq!(desk.node.stats().peers, 203);
    // It all ends.
    desk.now += PEER_LIFETIME;
    desk.node.handle_timeout(desk.now);
    assert_eq!(desk.node.stats().peers, 0);
    announce_many(&mut desk, |_| public(2), 3);
    assert_eq!(desk.node.stats().peers, 3);
}

#[test]
fn one_address_cannot_fill_a_torrent() {
    let config = Config::new(seed(1)).with_families(true, true);
    let mut desk = Desk::with(config);
    let get_peers = Method::GetPeers {
        info_hash: HASH,
        want: Want {
            v4: false,
            v6: true,
        },
        no_seed: false,
        scrape: false,
    };
    for host in 0..600_u16 {
        let from = SocketAddr::from(([0x2a01, 0x4f8, 1, 1, 0, 0, 0, host], 6881));
        let token = desk.response(from, get_peers.clone()).token.unwrap();
        assert!(stored(desk.announce(from, token, false)));
        desk.now += SECOND;
    }
    let values = desk
        .response("[2a01:4f8:9::1]:6881".parse().unwrap(), get_peers)
        .values;
    let last = [596, 597, 598, 599_u16];
    let last = last.map(|host| SocketAddr::from(([0x2a01, 0x4f8, 1, 1, 0, 0, 0, host], 1000)));
    assert_eq!(values, last, "the last four");
    // A machine of a local network runs many clients, but not without end.
    let addr = SocketAddr::from(([127, 0, 0, 1], 5));
    let token = desk.token(addr);
    for port in 1..=400 {
        let announce = Method::AnnouncePeer {
            info_hash: HASH,
            port,
            implied_port: false,
            seed: false,
            token,
        };
        assert!(stored(desk.ask(addr, announce)));
        desk.now += SECOND / 4;
    }
    assert_eq!(desk.node.stats().peers, 4 + 250);
}

#[test]
fn one_address_cannot_fill_the_item_store() {
    let mut desk = Desk::new();
    let item =
        |number: u16| Item::Immutable(ItemValue::from_text(number.to_string().as_bytes()).unwrap());
    for number in 0..100 {
        let is_stored = stored(desk.put(public(1), &item(number)));
        assert_eq!(is_stored, number < 50, "item {number}");
        desk.now += SECOND;
    }
    // What is there can be put again, which does not make it the putter's.
    assert!(stored(desk.put(public(1), &item(7))));
    assert!(stored(desk.put(public(2), &item(8))));
    assert!(!stored(desk.put(public(1), &item(50))));
    assert!(stored(desk.put(public(2), &item(50))));
    desk.now += ITEM_LIFETIME;
    desk.node.handle_timeout(desk.now);
    assert_eq!(desk.node.stats().items, 0);
    assert!(stored(desk.put(public(1), &item(51))));
}

#[test]
fn stores_are_bounded() {
    let mut limits = NodeLimits::default();
    (limits.torrents, limits.peers_per_torrent) = (3, 2);
    (limits.peers, limits.items) = (5, 2);
    let mut desk = Desk::with(Config::new(seed(1)).with_limits(limits));
    for number in 0..10 {
        desk.now += SECOND;
        let from = public(usize::from(number));
        for hash in [number, 100] {
            announce(&mut desk, from, InfoHash::new([hash; 20]));
        }
        let item = Item::Immutable(ItemValue::from_text(&[number]).unwrap());
        assert!(stored(desk.put(from, &item)));
        let stats = desk.node.stats();
        assert!(
            stats.torrents <= 3 && stats.peers <= 5 && stats.items <= 2,
            "{stats:?}"
        );
    }
    assert_eq!(desk.node.stats().items, 2);
}
