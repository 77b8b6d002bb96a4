//! The answers of a node: to which queries, to which addresses, and how long.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod desk;
mod lab;

use std::net::SocketAddr;

use desk::{Desk, HASH, get, get_peers, put, question, stored};
use lab::{MINUTE, SECOND, public, seed, start};
use tailwater_dht::{
    BloomFilter, Body, Config, ErrorCode, Event, Family, Item, ItemFields, ItemValue,
    MAX_AMPLIFICATION, Message, Method, MutableItem, Node, NodeId, NodeInfo, NodeLimits,
    PEER_LIFETIME, Query, Response, Salt, SecretKey, TOKEN_ROTATION, Token, Want,
};
use tailwater_types::InfoHash;

#[test]
fn every_answer_tells_where_the_question_came_from() {
    let mut desk = Desk::new();
    let answer = desk.ask(public(3), Method::Ping).unwrap();
    assert_eq!(answer.external_addr, Some(public(3)));
    assert_eq!(answer.transaction_id, 7.into());
    let Body::Response(response) = answer.body else {
        panic!()
    };
    assert_eq!(Some(response.id), desk.node.own_id(Family::V4));
    // The IPv4-mapped address is the same.
    let SocketAddr::V4(addr) = public(4) else {
        panic!()
    };
    let mapped = SocketAddr::from((addr.ip().to_ipv6_mapped(), addr.port()));
    desk.node
        .handle_datagram(desk.now, mapped, &question(Method::Ping));
    let transmit = std::iter::from_fn(|| desk.node.poll_transmit()).find(|t| t.to == public(4));
    assert!(transmit.is_some());
}

#[test]
fn a_token_is_for_one_address_and_ten_minutes_at_most() {
    let mut desk = Desk::new();
    let token = desk.token(public(1));
    let others = desk.announce(public(2), token, false);
    assert!(!stored(others), "another's token");
    assert!(stored(desk.announce(public(1), token, false)));
    desk.now += TOKEN_ROTATION;
    assert!(stored(desk.announce(public(1), token, false)));
    desk.now += TOKEN_ROTATION;
    assert!(
        !stored(desk.announce(public(1), token, false)),
        "an old token"
    );
    let made_up = Token::new(b"made up").unwrap();
    assert!(!stored(desk.announce(public(1), made_up, false)));
}

#[test]
fn a_token_is_for_one_torrent_or_item() {
    let mut desk = Desk::new();
    let from = public(1);
    let token = desk.token(from);
    let announce = |hash| Method::AnnouncePeer {
        info_hash: InfoHash::new([hash; 20]),
        port: 1000,
        implied_port: false,
        seed: false,
        token,
    };
    assert!(!stored(desk.ask(from, announce(1))), "another torrent's");
    assert!(stored(desk.ask(from, announce(0x5a))));
    let refusal = desk.refusal(from, put(token, mutable(1, "a"), None));
    assert_eq!(refusal, ErrorCode::PROTOCOL, "a torrent's");
    let value = |text: &[u8]| Item::Immutable(ItemValue::from_text(text).unwrap());
    let token = desk.item_token(from, &value(b"one"));
    let refusal = desk.refusal(from, put(token, value(b"two"), None));
    assert_eq!(refusal, ErrorCode::PROTOCOL, "another item's");
    assert!(stored(desk.ask(from, put(token, value(b"one"), None))));
}

#[test]
fn announced_peers_are_told_until_they_are_too_old() {
    let mut desk = Desk::new();
    let token = desk.token(public(1));
    desk.announce(public(1), token, false);
    let peer = SocketAddr::new(public(1).ip(), 1000);
    assert_eq!(desk.response(public(2), get_peers(false)).values, [peer]);
    // One port an address: the last one counts.
    let implied = Method::AnnouncePeer {
        info_hash: HASH,
        port: 0,
        implied_port: true,
        seed: false,
        token,
    };
    desk.ask(public(1), implied);
    assert_eq!(
        desk.response(public(2), get_peers(false)).values,
        [public(1)]
    );
    desk.now += PEER_LIFETIME;
    desk.node.handle_timeout(desk.now);
    assert_eq!(desk.response(public(2), get_peers(false)).values, []);
    assert_eq!(desk.node.stats().peers, 0);
}

#[test]
fn a_scrape_counts_seeds_and_peers() {
    let mut desk = Desk::new();
    for number in 0..30 {
        let token = desk.token(public(number));
        assert!(stored(desk.announce(public(number), token, number < 10)));
        desk.now += SECOND;
    }
    let response = desk.response(public(50), get_peers(true));
    let filters = response.scrape.expect("filters");
    assert_eq!(filters.seeds.estimate().round(), 10.0);
    assert_eq!(filters.peers.estimate().round(), 20.0);
    assert!(response.values.len() >= 10, "what there is room for");
    // Of the others if they are wanted.
    let no_seed = Method::GetPeers {
        info_hash: HASH,
        want: Want::default(),
        no_seed: true,
        scrape: false,
    };
    let values = desk.response(public(51), no_seed).values;
    let seeds: Vec<_> = (0..10).map(|number| public(number).ip()).collect();
    assert!(values[..20].iter().all(|peer| !seeds.contains(&peer.ip())));
}

#[test]
fn a_machine_of_a_local_network_may_run_several_clients() {
    let mut desk = Desk::new();
    let addr = SocketAddr::from(([192, 168, 1, 7], 5));
    let token = desk.token(addr);
    for port in [2000, 1000, 2000] {
        let announce = Method::AnnouncePeer {
            info_hash: HASH,
            port,
            implied_port: false,
            seed: false,
            token,
        };
        assert!(stored(desk.ask(addr, announce)));
    }
    let peers = [1000, 2000].map(|port| SocketAddr::new(addr.ip(), port));
    assert_eq!(desk.response(addr, get_peers(false)).values, peers);
}

#[test]
fn what_others_have_stored_here_is_found_here() {
    let mut desk = Desk::new();
    let token = desk.token(public(1));
    desk.announce(public(1), token, false);
    let peer = SocketAddr::new(public(1).ip(), 1000);
    let own_id = desk.node.own_id(Family::V4).expect("a node of IPv4");
    let request = desk.node.get_peers(desk.now, &HASH);
    let found = desk.node.poll_event();
    assert!(
        matches!(&found, Some(Event::Peers { request: of, from, peers })
            if (*of, from.id) == (request, own_id) && *peers == [peer]),
        "{found:?}"
    );
    let item = Item::Immutable(ItemValue::new(b"5:hello").expect("a value"));
    assert!(stored(desk.put(public(1), &item)));
    let request = desk.node.get(desk.now, &item.key());
    let found = desk.node.poll_event();
    assert_eq!(found, Some(Event::Item { request, item }));
    // Nothing can be newer, and no other node needs to be asked.
    let ended = desk.node.poll_event();
    assert!(matches!(ended, Some(Event::Finished { request: of, .. }) if of == request));
}

#[test]
fn samples_name_torrents_of_which_there_are_peers() {
    let mut desk = Desk::new();
    let sample = || Method::SampleInfohashes {
        target: NodeId::new([1; 20]),
        want: Want::default(),
    };
    let none = desk
        .response(public(5), sample())
        .samples
        .expect("always there");
    assert_eq!((none.stored, none.info_hashes.len()), (0, 0));
    let token = desk.token(public(1));
    desk.announce(public(1), token, false);
    let one = desk
        .response(public(5), sample())
        .samples
        .expect("always there");
    assert_eq!((one.stored, one.info_hashes), (1, vec![HASH]));
}

fn mutable(seq: i64, text: &str) -> Item {
    let value = ItemValue::from_text(text.as_bytes()).unwrap();
    let secret = SecretKey::from_seed(&[5; 32]);
    Item::Mutable(MutableItem::sign(
        &secret,
        Salt::new(b"salt").unwrap(),
        seq,
        value,
    ))
}

#[test]
fn mutable_items_only_move_forward() {
    let mut desk = Desk::new();
    let from = public(1);
    let token = desk.item_token(from, &mutable(4, "four"));
    let mut put = |item, cas| {
        desk.now += SECOND;
        match desk.ask(from, put(token, item, cas)).unwrap().body {
            Body::Error(error) => Err(error.code),
            _ => Ok(()),
        }
    };
    assert_eq!(
        put(mutable(4, "four"), Some(9)),
        Ok(()),
        "nothing to compare with"
    );
    assert_eq!(put(mutable(3, "three"), None), Err(ErrorCode::SEQ_TOO_LOW));
    assert_eq!(put(mutable(4, "other"), None), Err(ErrorCode::SEQ_TOO_LOW));
    assert_eq!(put(mutable(4, "four"), None), Ok(()), "again");
    assert_eq!(
        put(mutable(5, "five"), Some(3)),
        Err(ErrorCode::CAS_MISMATCH)
    );
    assert_eq!(put(mutable(5, "five"), Some(4)), Ok(()));

    let item = mutable(5, "five");
    let fields = desk.response(from, get(&item, None)).item.expect("stored");
    assert_eq!(fields.value.as_ref(), Some(item.value()));
    assert_eq!(fields.seq, Some(5));
    // A node that has it gets the number only.
    let known = desk
        .response(from, get(&item, Some(5)))
        .item
        .expect("stored");
    let mut number = ItemFields::default();
    number.seq = Some(5);
    assert_eq!(*known, number);
}

#[test]
fn a_bad_signature_token_or_value_is_refused() {
    let mut desk = Desk::new();
    let from = public(1);
    let token = desk.item_token(from, &mutable(1, "aaaaaaaaaaaaaaa"));
    let good = question(put(token, mutable(1, "aaaaaaaaaaaaaaa"), None));
    let text = good.escape_ascii().to_string();
    assert!(text.contains("15:aaaaaaaaaaaaaaa"));
    let code = |answer: Vec<u8>| match Message::decode(&answer).unwrap().body {
        Body::Error(error) => error.code,
        other => panic!("{other:?}"),
    };
    let at = good
        .windows(4)
        .position(|window| window == b"aaaa")
        .unwrap();
    let mut forged = good.clone();
    forged[at] = b'b';
    let answer = desk.ask_raw(from, &forged).unwrap();
    assert_eq!(code(answer), ErrorCode::INVALID_SIGNATURE);

    let other = Token::new(b"other").unwrap();
    let refusal = desk.refusal(from, put(other, mutable(1, "a"), None));
    assert_eq!(refusal, ErrorCode::PROTOCOL);

    let replace = |from: &[u8], to: &[u8]| {
        let at = good
            .windows(from.len())
            .position(|window| window == from)
            .unwrap();
        [&good[..at], to, &good[at + from.len()..]].concat()
    };
    let long = format!("1:v1001:{}", "x".repeat(1001));
    let answer = desk.ask_raw(from, &replace(b"1:v15:aaaaaaaaaaaaaaa", long.as_bytes()));
    assert_eq!(code(answer.unwrap()), ErrorCode::VALUE_TOO_LONG);
    let long = format!("4:salt65:{}", "x".repeat(65));
    let answer = desk.ask_raw(from, &replace(b"4:salt4:salt", long.as_bytes()));
    assert_eq!(code(answer.unwrap()), ErrorCode::SALT_TOO_LONG);
    let unsorted = b"1:vd1:b0:1:a0:e";
    let answer = desk.ask_raw(from, &replace(b"1:v15:aaaaaaaaaaaaaaa", unsorted));
    assert_eq!(code(answer.unwrap()), ErrorCode::PROTOCOL);
    assert_eq!(desk.node.stats().items, 0);
}

#[test]
fn unknown_queries_and_broken_ones_are_refused_and_the_rest_is_ignored() {
    let mut desk = Desk::new();
    let from = public(1);
    let unknown = b"d1:ad2:id20:abcdefghij0123456789e1:q3:foo1:t2:aa1:y1:qe";
    let answer = Message::decode(&desk.ask_raw(from, unknown).unwrap()).unwrap();
    assert!(matches!(answer.body, Body::Error(error) if error.code == ErrorCode::METHOD_UNKNOWN));
    let broken = b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe";
    let answer = Message::decode(&desk.ask_raw(from, broken).unwrap()).unwrap();
    assert!(matches!(answer.body, Body::Error(error) if error.code == ErrorCode::PROTOCOL));
    for garbage in [
        &b""[..],
        b"garbage",
        b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
    ] {
        assert_eq!(desk.ask_raw(from, garbage), None);
    }
    // Nothing is sent to addresses that cannot receive.
    for nowhere in [
        "0.0.0.0:1",
        "224.0.0.1:1",
        "255.255.255.255:1",
        "20.1.2.3:0",
    ] {
        assert_eq!(
            desk.ask_raw(nowhere.parse().unwrap(), &question(Method::Ping)),
            None
        );
    }
}

#[test]
fn a_read_only_node_is_silent_and_says_so() {
    let mut desk = Desk::with(Config::new(seed(1)).with_read_only(true));
    assert_eq!(desk.ask(public(1), Method::Ping), None);
    desk.node.ping(desk.now, public(2));
    let transmit = desk.node.poll_transmit().expect("its own question");
    let Body::Query(query) = Message::decode(&transmit.payload).unwrap().body else {
        panic!()
    };
    assert!(query.read_only);
}

#[test]
fn who_only_reads_does_not_enter_the_table() {
    for (read_only, greeted) in [(true, 0), (false, 1)] {
        let mut desk = Desk::new();
        let mut query = Query::new(NodeId::new([9; 20]), Method::Ping);
        query.read_only = read_only;
        let question = Message::new(7.into(), query.into()).encode();
        desk.node.handle_datagram(desk.now, public(1), &question);
        let asked = std::iter::from_fn(|| desk.node.poll_transmit())
            .filter(|t| matches!(Message::decode(&t.payload).unwrap().body, Body::Query(_)));
        assert_eq!(asked.count(), greeted, "read-only: {read_only}");
    }
}

#[test]
fn one_noisy_address_is_cut_off_and_the_others_are_not() {
    let mut desk = Desk::new();
    let limit = usize::try_from(NodeLimits::default().queries_per_address).unwrap();
    let answered = (0..10 * limit).filter(|_| desk.ask(public(1), Method::Ping).is_some());
    assert_eq!(answered.count(), 2 * limit);
    assert!(desk.ask(public(2), Method::Ping).is_some());
    desk.now += SECOND;
    let answered = (0..10 * limit).filter(|_| desk.ask(public(1), Method::Ping).is_some());
    assert_eq!(answered.count(), limit);
}

#[test]
fn there_is_a_limit_for_all_together_too() {
    let mut limits = NodeLimits::default();
    limits.queries = 50;
    limits.addresses = 40;
    let mut desk = Desk::with(Config::new(seed(1)).with_limits(limits));
    let answered = (0..500).filter(|number| desk.ask(public(*number), Method::Ping).is_some());
    // From the 41st address on they share one allowance.
    assert_eq!(answered.count(), 40 + 40);
}

#[test]
fn an_address_that_may_not_be_there_cannot_be_flooded_with_long_answers() {
    let mut desk = Desk::new();
    let value = ItemValue::from_text(&[b'x'; 990]).unwrap();
    let item = Item::Immutable(value);
    assert!(stored(desk.put(public(1), &item)));
    let question = question(get(&item, None));
    let (victim, mut sent, mut received) = (public(2), 0, 0);
    for _ in 0..60 {
        for _ in 0..20 {
            sent += question.len();
            received += desk
                .ask_raw(victim, &question)
                .map_or(0, |answer| answer.len());
        }
        desk.now += SECOND;
    }
    let limits = NodeLimits::default();
    let granted = usize::try_from(limits.unproven_bytes_per_address).unwrap() * 64;
    assert!(
        received <= granted + MAX_AMPLIFICATION * sent,
        "{received} for {sent}"
    );
    // Without the limit it would be all of this.
    assert!(received < 1000 * 20 * 60 / 4);
    // The first ones get what they want.
    assert!(desk.response(public(3), get(&item, None)).item.is_some());
}

#[test]
fn both_families_are_named_if_both_are_wanted() {
    let config = Config::new(seed(1)).with_families(true, true);
    let mut desk = Desk::with(config);
    let find = |v4, v6| Method::FindNode {
        target: NodeId::new([1; 20]),
        want: Want { v4, v6 },
    };
    for (v4, v6, nodes, nodes6) in [
        (false, false, true, false),
        (true, false, true, false),
        (false, true, false, true),
        (true, true, true, true),
    ] {
        let response = desk.response(public(1), find(v4, v6));
        assert_eq!(
            (response.nodes.is_some(), response.nodes6.is_some()),
            (nodes, nodes6)
        );
    }
    let response = desk.response(lab::public6(1), find(false, false));
    assert_eq!(
        (response.nodes.is_some(), response.nodes6.is_some()),
        (false, true)
    );
}

#[test]
fn the_external_address_is_voted_on_and_the_id_follows() {
    let mut desk = Desk::new();
    let external: SocketAddr = "84.124.73.14:6881".parse().unwrap();
    let liar: SocketAddr = "43.213.53.83:6881".parse().unwrap();
    let before = desk.node.own_id(Family::V4).unwrap();
    let mut vote = |voter: usize, seen: SocketAddr| {
        desk.node.ping(desk.now, public(voter));
        while let Some(transmit) = desk.node.poll_transmit() {
            let question = Message::decode(&transmit.payload).unwrap();
            let id = NodeId::for_ip(public(voter).ip(), [u8::try_from(voter).unwrap(); 20]);
            if transmit.to != public(voter) || !matches!(question.body, Body::Query(_)) {
                continue;
            }
            let mut answer = Message::new(question.transaction_id, Response::new(id).into());
            answer.external_addr = Some(seen);
            desk.node
                .handle_datagram(desk.now, public(voter), &answer.encode());
        }
        desk.node.check_invariants();
        desk.node.own_id(Family::V4).unwrap()
    };
    // One voter may say it as often as it likes.
    for _ in 0..20 {
        assert_eq!(vote(0, liar), before);
    }
    for voter in 1..5 {
        assert_eq!(vote(voter, external), before);
    }
    let after = vote(5, external);
    assert!(after.is_valid_for(external.ip()));
    assert!(!before.is_valid_for(external.ip()));
    let events: Vec<_> = std::iter::from_fn(|| desk.node.poll_event()).collect();
    assert!(events.contains(&Event::ExternalIp { ip: external.ip() }));
    assert!(events.contains(&Event::NewId {
        family: Family::V4,
        id: after
    }));
    assert_eq!(desk.node.table(Family::V4).unwrap().own_id(), &after);
    assert_eq!(
        desk.node.table(Family::V4).unwrap().len(),
        6,
        "nobody is forgotten"
    );
}

#[test]
fn poisoned_answers_are_not_followed() {
    let config = Config::new(seed(1)).with_bootstrap(vec![public(0)]);
    let mut desk = Desk::with(config);
    let own_id = desk.node.own_id(Family::V4).unwrap();
    let question = desk.node.poll_transmit().expect("asks the bootstrap node");
    let question = Message::decode(&question.payload).unwrap();
    let named = |id: NodeId, addr: &str| NodeInfo {
        id,
        addr: addr.parse().unwrap(),
    };
    let mut nodes = vec![
        named(NodeId::new([1; 20]), "10.0.0.1:6881"),
        named(NodeId::new([2; 20]), "192.168.1.1:80"),
        named(NodeId::new([3; 20]), "127.0.0.1:53"),
        named(NodeId::new([6; 20]), "100.64.0.1:6881"),
        named(NodeId::new([7; 20]), "240.0.0.1:6881"),
        named(NodeId::new([4; 20]), "30.1.2.3:0"),
        named(NodeId::new([5; 20]), "239.1.2.3:6881"),
        named(own_id, "31.1.2.3:6881"),
    ];
    // One address, many ids.
    nodes.extend((10..30).map(|number| named(NodeId::new([number; 20]), "32.1.2.3:6881")));
    let mut response = Response::new(NodeId::for_ip(public(0).ip(), [1; 20]));
    response.nodes = Some(nodes);
    let answer = Message::new(question.transaction_id, response.into());
    desk.node
        .handle_datagram(desk.now, public(0), &answer.encode());
    let mut asked: Vec<_> = std::iter::from_fn(|| desk.node.poll_transmit())
        .map(|t| t.to)
        .collect();
    asked.retain(|to| *to != public(0));
    assert_eq!(asked, ["32.1.2.3:6881".parse().unwrap()]);
    desk.now += MINUTE;
    desk.node.handle_timeout(desk.now);
    desk.node.check_invariants();
}

#[test]
fn an_answer_from_elsewhere_or_to_no_question_is_ignored() {
    let mut desk = Desk::new();
    let request = desk.node.ping(desk.now, public(1));
    let question = desk.node.poll_transmit().unwrap();
    let id = Message::decode(&question.payload).unwrap().transaction_id;
    let answer = Message::new(id, Response::new(NodeId::new([3; 20])).into()).encode();
    desk.node.handle_datagram(desk.now, public(2), &answer);
    let other = Message::new(99.into(), Response::new(NodeId::new([3; 20])).into()).encode();
    desk.node.handle_datagram(desk.now, public(1), &other);
    assert_eq!(desk.node.poll_event(), None);
    desk.node.handle_datagram(desk.now, public(1), &answer);
    let pong = desk.node.poll_event();
    assert!(matches!(pong, Some(Event::Pong { request: id, .. }) if id == request));
    assert_eq!(desk.node.stats().nodes[0], 1);
}

#[test]
fn bloom_filters_are_those_of_bep_33() {
    let mut filter = BloomFilter::default();
    for last in 0..=255 {
        filter.insert(std::net::Ipv4Addr::new(192, 0, 2, last).into());
    }
    for last in 0..=0x3e7 {
        filter.insert(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into());
    }
    let expected = "\
        F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE \
        FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3 FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B \
        7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7 EFDCF24F \
        D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3 \
        FA1FC77B FE07FFF9 05B7B7FF C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5 \
        BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E B1BFBB53 E8ABFB57 \
        62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6 \
        FD8F72EF";
    let hex: String = filter
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    assert_eq!(hex, expected.replace(' ', ""));
    assert!((filter.estimate() - 1224.9308).abs() < 0.0001);
    assert_eq!(BloomFilter::default().estimate(), 0.0);
}

/// An owner that does not take out what is to be sent costs the network, not the machine.
#[test]
fn datagrams_that_nobody_takes_do_not_pile_up() {
    let config = Config::new(seed(1)).with_bootstrap(vec![public(0)]);
    let mut node = Node::new(start(), config);
    let mut now = start();
    for number in 0..20_000_u32 {
        now += SECOND;
        let from = public(usize::try_from(number % 5000).unwrap());
        node.handle_datagram(now, from, &question(Method::Ping));
        node.ping(now, from);
        node.handle_timeout(now);
        while node.poll_event().is_some() {}
    }
    node.check_invariants();
    assert!(node.memory_bytes() < 8 * 1024 * 1024);
}
