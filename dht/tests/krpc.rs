//! The message codec: BEP 5's packets, what is refused, the limits, and the round trip of any message.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};

use proptest::prelude::*;
use tailwater_bencode::DecodeErrorKind;
use tailwater_dht::{
    Body, ClientVersion, ErrorCode, ErrorReply, Item, ItemFields, ItemValue, KrpcErrorKind,
    MAX_BENCODE_DEPTH, MAX_BENCODE_TOKENS, MAX_DATAGRAM_LEN, MAX_ERROR_TEXT_LEN, MAX_NODES,
    MAX_TOKEN_LEN, MAX_TRANSACTION_ID_LEN, MAX_VALUES, Message, Method, MethodName, MutableItem,
    NodeId, NodeInfo, Put, Query, Response, Salt, Samples, ScrapeFilters, SecretKey, Token,
    TransactionId, Want,
};
use tailwater_types::InfoHash;

const ASKING: NodeId = NodeId::new(*b"abcdefghij0123456789");
const OTHER: [u8; 20] = *b"mnopqrstuvwxyz123456";

fn transaction() -> TransactionId {
    TransactionId::new(b"aa").expect("short enough")
}

fn query(method: Method) -> Message {
    Message::new(transaction(), Query::new(ASKING, method).into())
}

fn response(response: Response) -> Message {
    Message::new(transaction(), response.into())
}

fn token() -> Token {
    Token::new(b"aoeusnth").expect("short enough")
}

fn decode(datagram: &str) -> Result<Message, KrpcErrorKind> {
    Message::decode(datagram.as_bytes()).map_err(|error| error.kind)
}

#[test]
fn the_packets_of_bep_5_are_read_and_written() {
    let info_hash = InfoHash::new(OTHER);
    let announce = Method::AnnouncePeer {
        info_hash,
        port: 6881,
        implied_port: true,
        seed: false,
        token: token(),
    };
    let mut peers = Response::new(ASKING);
    peers.token = Some(token());
    peers.values = ["97.120.106.101:11893", "105.100.104.116:28269"]
        .map(|addr| addr.parse().unwrap())
        .to_vec();
    let generic = ErrorReply::new(ErrorCode::GENERIC, "A Generic Error Ocurred");
    let packets = [
        (
            "d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
            Message::new(transaction(), generic.into()),
        ),
        (
            "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
            query(Method::Ping),
        ),
        (
            "d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
            response(Response::new(OTHER.into())),
        ),
        (
            "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            query(Method::FindNode {
                target: OTHER.into(),
                want: Want::default(),
            }),
        ),
        (
            "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            query(Method::GetPeers {
                info_hash,
                want: Want::default(),
                no_seed: false,
                scrape: false,
            }),
        ),
        (
            "d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
            response(peers),
        ),
        (
            "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e\
             5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
            query(announce),
        ),
    ];
    for (datagram, message) in packets {
        assert_eq!(decode(datagram).as_ref(), Ok(&message), "{datagram}");
        assert_eq!(message.encode().escape_ascii().to_string(), datagram);
    }
}

/// BEP 5 abbreviates the nodes of two packets to 9 bytes, which is no whole node.
#[test]
fn a_broken_node_is_ignored() {
    let datagram = "d1:rd2:id20:0123456789abcdefghij5:nodes9:def456...e1:t2:aa1:y1:re";
    let mut expected = Response::new(NodeId::new(*b"0123456789abcdefghij"));
    expected.nodes = Some(Vec::new());
    assert_eq!(decode(datagram), Ok(response(expected)));
}

#[test]
fn the_extensions_stand_where_their_beps_put_them() {
    let want = Want { v4: true, v6: true };
    let mut asked = query(Method::FindNode {
        target: OTHER.into(),
        want,
    });
    asked.version = Some(ClientVersion::new(b"TW01").unwrap());
    if let Body::Query(query) = &mut asked.body {
        query.read_only = true;
    }
    let datagram = "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:find_node\
                    2:roi1e1:t2:aa1:v4:TW011:y1:qe";
    assert_eq!(asked.encode().escape_ascii().to_string(), datagram);
    assert_eq!(decode(datagram), Ok(asked));

    let mut answer = Response::new(ASKING);
    let node = NodeInfo {
        id: OTHER.into(),
        addr: "[6162:6364:6566::]:12593".parse().unwrap(),
    };
    answer.nodes6 = Some(vec![node]);
    let mut answered = response(answer);
    answered.external_addr = Some("65.66.67.68:12594".parse().unwrap());
    let zeros = "\\x00".repeat(10);
    let datagram = format!(
        "d2:ip6:ABCD121:rd2:id20:abcdefghij01234567896:nodes638:mnopqrstuvwxyz123456abcdef{zeros}11e1:t2:aa1:y1:re"
    );
    assert_eq!(answered.encode().escape_ascii().to_string(), datagram);
    assert_eq!(Message::decode(&answered.encode()), Ok(answered));
}

#[test]
fn what_other_software_writes_is_understood() {
    let ping = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
    let same = [
        // Out of order.
        "d1:y1:q1:t2:aa1:q4:ping1:ad2:id20:abcdefghij0123456789ee",
        // Unknown keys, inside and outside.
        "d1:ad2:id20:abcdefghij01234567893:newli1eee1:q4:ping1:t2:aa1:y1:q1:zdee",
        // Optional fields that make no sense.
        "d1:ad2:id20:abcdefghij0123456789e2:ip5:short1:q4:ping2:ro1:x1:t2:aa1:v17:long long version1:y1:qe",
        // Explicitly not read-only.
        "d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi0e1:t2:aa1:y1:qe",
    ];
    for datagram in same {
        assert_eq!(decode(datagram), decode(ping), "{datagram}");
        assert!(decode(datagram).is_ok());
    }
    let unknown = decode("d1:ad2:id20:abcdefghij0123456789e1:q4:pong1:t2:aa1:y1:qe");
    let name = MethodName::new(b"pong").unwrap();
    assert_eq!(unknown, Ok(query(Method::Unknown(name))));
    // A port is not needed where the datagram's own counts.
    let implied = decode(
        "d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234565:token0:e\
         1:q13:announce_peer1:t2:aa1:y1:qe",
    );
    assert!(implied.is_ok());
    // An error without a text, and one that would upset a terminal.
    let silent = decode("d1:eli202ee1:t2:aa1:y1:ee").unwrap();
    assert_eq!(silent.body, ErrorReply::new(ErrorCode::SERVER, "").into());
    let rude = decode("d1:eli202e6:a\u{1b}[2Jbe1:t2:aa1:y1:ee").unwrap();
    assert_eq!(
        rude.body,
        ErrorReply::new(ErrorCode::SERVER, "a[2Jb").into()
    );
}

#[test]
fn what_is_not_a_message_is_refused_by_field() {
    use KrpcErrorKind::{Invalid, Missing, NotADictionary};
    let announce = |arguments: &str| {
        format!("d1:ad2:id20:abcdefghij0123456789{arguments}e1:q13:announce_peer1:t2:aa1:y1:qe")
    };
    let long = format!(
        "d1:t{}:{}1:y1:qe",
        21,
        "x".repeat(MAX_TRANSACTION_ID_LEN + 1)
    );
    let token = "t".repeat(MAX_TOKEN_LEN + 1);
    let cases = [
        ("le".into(), NotADictionary),
        ("de".into(), Missing("t")),
        ("d1:ti1e1:y1:qe".into(), Invalid("t")),
        (long, Invalid("t")),
        ("d1:t2:aae".into(), Missing("y")),
        ("d1:t2:aa1:y1:xe".into(), Invalid("y")),
        ("d1:t2:aa1:y1:qe".into(), Missing("q")),
        ("d1:q4:ping1:t2:aa1:y1:qe".into(), Missing("a")),
        ("d1:ale1:q4:ping1:t2:aa1:y1:qe".into(), Invalid("a")),
        ("d1:ade1:q4:ping1:t2:aa1:y1:qe".into(), Missing("a.id")),
        (
            "d1:ad2:id2:xxe1:q4:ping1:t2:aa1:y1:qe".into(),
            Invalid("a.id"),
        ),
        (
            format!("d1:ade1:q33:{}1:t2:aa1:y1:qe", "x".repeat(33)),
            Invalid("q"),
        ),
        (
            "d1:ade1:q9:find_node1:t2:aa1:y1:qe".into(),
            Missing("a.target"),
        ),
        (
            "d1:ade1:q9:get_peers1:t2:aa1:y1:qe".into(),
            Missing("a.info_hash"),
        ),
        (announce(""), Missing("a.port")),
        (announce("4:porti0e"), Invalid("a.port")),
        (announce("4:porti65536e"), Invalid("a.port")),
        (announce("4:porti-1e"), Invalid("a.port")),
        (
            announce("9:info_hash20:mnopqrstuvwxyz1234564:porti1e"),
            Missing("a.token"),
        ),
        (
            announce(&format!(
                "9:info_hash20:mnopqrstuvwxyz1234564:porti1e5:token65:{token}"
            )),
            Invalid("a.token"),
        ),
        ("d1:t2:aa1:y1:re".into(), Missing("r")),
        ("d1:rde1:t2:aa1:y1:re".into(), Missing("r.id")),
        ("d1:t2:aa1:y1:ee".into(), Missing("e")),
        ("d1:ele1:t2:aa1:y1:ee".into(), Invalid("e")),
        ("d1:el4:texte1:t2:aa1:y1:ee".into(), Invalid("e")),
    ];
    for (datagram, kind) in cases {
        assert_eq!(decode(&datagram), Err(kind), "{datagram}");
    }
    for broken in ["", "d", "d1:t2:aa", "d1:t2:aa1:y1:qe ", "i1e "] {
        let refused = decode(broken);
        assert!(
            matches!(refused, Err(KrpcErrorKind::Bencode(_))),
            "{broken}: {refused:?}"
        );
    }
}

#[test]
fn only_a_broken_query_is_to_be_answered() {
    let refused = |datagram: &[u8]| Message::decode(datagram).unwrap_err().query;
    assert_eq!(refused(b"d1:q4:ping1:t2:aa1:y1:qe"), Some(transaction()));
    assert_eq!(refused(b"d1:t2:aa1:y1:re"), None);
    assert_eq!(refused(b"d1:t2:aa1:y1:ee"), None);
    assert_eq!(refused(b"d1:t2:aa1:y1:xe"), None);
}

#[test]
fn the_limits_hold() {
    let len = MAX_DATAGRAM_LEN + 1;
    let refused = Message::decode(&vec![b'l'; len]).map_err(|error| error.kind);
    assert_eq!(refused, Err(KrpcErrorKind::DatagramTooLong { len }));
    let ping = |extra: &str| {
        let refused = decode(&format!(
            "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:q1:z{extra}e"
        ));
        refused.map_err(|error| match error {
            KrpcErrorKind::Bencode(error) => error.kind,
            other => panic!("{other}"),
        })
    };
    // The outermost dictionary counts.
    let deep = |depth: usize| "l".repeat(depth - 1) + &"e".repeat(depth - 1);
    let depth = usize::try_from(MAX_BENCODE_DEPTH).unwrap();
    assert!(ping(&deep(depth)).is_ok());
    let too_deep = DecodeErrorKind::TooDeep(MAX_BENCODE_DEPTH);
    assert_eq!(ping(&deep(depth + 1)), Err(too_deep));
    // The rest of this ping is 13 values.
    let many = |tokens: usize| format!("l{}e", "0:".repeat(tokens - 13));
    let tokens = usize::try_from(MAX_BENCODE_TOKENS).unwrap();
    assert!(ping(&many(tokens)).is_ok());
    let too_many = DecodeErrorKind::TooManyTokens(MAX_BENCODE_TOKENS);
    assert_eq!(ping(&many(tokens + 1)), Err(too_many));

    let head = "d1:rd2:id20:abcdefghij0123456789";
    let nodes = "x".repeat(26 * (MAX_NODES + 1));
    let datagram = format!("{head}5:nodes{}:{nodes}e1:t2:aa1:y1:re", nodes.len());
    let Body::Response(response) = decode(&datagram).unwrap().body else {
        panic!()
    };
    assert_eq!(response.nodes.map(|nodes| nodes.len()), Some(MAX_NODES));

    let values = "6:xxxxxx".repeat(MAX_VALUES + 1);
    let datagram = format!(
        "{head}5:token65:{}6:valuesl{values}ee1:t2:aa1:y1:re",
        "x".repeat(65)
    );
    let Body::Response(response) = decode(&datagram).unwrap().body else {
        panic!()
    };
    assert_eq!(response.values.len(), MAX_VALUES);
    assert_eq!(response.token, None);

    // Two bytes a letter: the cut falls between letters, not inside one.
    let text = "é".repeat(MAX_ERROR_TEXT_LEN);
    let datagram = format!("d1:eli201e{}:x{text}e1:t2:aa1:y1:ee", text.len() + 1);
    let Body::Error(error) = decode(&datagram).unwrap().body else {
        panic!()
    };
    assert_eq!(
        error.text,
        format!("x{}", "é".repeat(MAX_ERROR_TEXT_LEN / 2 - 1))
    );
}

fn node_ids() -> impl Strategy<Value = NodeId> {
    any::<[u8; 20]>().prop_map(NodeId::new)
}

fn hashes() -> impl Strategy<Value = InfoHash> {
    any::<[u8; 20]>().prop_map(InfoHash::new)
}

fn short_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..=max)
}

fn tokens() -> impl Strategy<Value = Token> {
    short_bytes(MAX_TOKEN_LEN).prop_map(|bytes| Token::new(&bytes).expect("short enough"))
}

fn wants() -> impl Strategy<Value = Want> {
    any::<(bool, bool)>().prop_map(|(v4, v6)| Want { v4, v6 })
}

fn v4() -> impl Strategy<Value = SocketAddrV4> {
    any::<([u8; 4], u16)>().prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port))
}

fn v6() -> impl Strategy<Value = SocketAddrV6> {
    any::<([u8; 16], u16)>().prop_map(|(ip, port)| SocketAddrV6::new(ip.into(), port, 0, 0))
}

fn addrs() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        v4().prop_map(SocketAddr::from),
        v6().prop_map(SocketAddr::from)
    ]
}

fn nodes<A: std::fmt::Debug>(
    addrs: impl Strategy<Value = A>,
) -> impl Strategy<Value = Option<Vec<NodeInfo<A>>>> {
    let node = (node_ids(), addrs).prop_map(|(id, addr)| NodeInfo { id, addr });
    prop::option::of(prop::collection::vec(node, 0..=16))
}

fn values() -> impl Strategy<Value = ItemValue> {
    prop::collection::vec(any::<u8>(), 0..=100)
        .prop_map(|text| ItemValue::from_text(&text).expect("short enough"))
}

/// A signature costs a while in a debug build, and the codec does not look at it: one key signs all.
fn items() -> impl Strategy<Value = Item> {
    let salt = prop::collection::vec(any::<u8>(), 0..=64);
    (values(), any::<bool>(), salt, 0..=i64::MAX).prop_map(|(value, is_mutable, salt, seq)| {
        if !is_mutable {
            return Item::Immutable(value);
        }
        let salt = Salt::new(&salt).expect("short enough");
        let secret = SecretKey::from_seed(&[7; 32]);
        Item::Mutable(MutableItem::sign(&secret, salt, seq, value))
    })
}

fn extras() -> impl Strategy<
    Value = (
        Option<Box<ScrapeFilters>>,
        Option<Item>,
        Option<Box<Samples>>,
    ),
> {
    let filters = prop::collection::vec(addrs(), 0..4).prop_map(|addrs| {
        let mut filters = ScrapeFilters::default();
        addrs
            .iter()
            .for_each(|addr| filters.seeds.insert(addr.ip()));
        Box::new(filters)
    });
    let samples = (
        0..=21_600_u16,
        0..=i64::MAX,
        prop::collection::vec(hashes(), 0..20),
    );
    let samples = samples.prop_map(|(interval_secs, stored, info_hashes)| {
        let mut samples = Samples::default();
        samples.interval_secs = interval_secs;
        samples.stored = stored;
        samples.info_hashes = info_hashes;
        Box::new(samples)
    });
    // One at a time: all together do not fit into a datagram.
    prop_oneof![
        Just((None, None, None)),
        filters.prop_map(|filters| (Some(filters), None, None)),
        items().prop_map(|item| (None, Some(item), None)),
        samples.prop_map(|samples| (None, None, Some(samples))),
    ]
}

fn fields_of(item: Item) -> Box<ItemFields> {
    let mut fields = ItemFields::default();
    fields.value = Some(item.value().clone());
    if let Item::Mutable(item) = item {
        fields.key = Some(item.key());
        fields.seq = Some(item.seq());
        fields.signature = Some(*item.signature());
    }
    Box::new(fields)
}

fn methods() -> impl Strategy<Value = Method> {
    let port = (any::<bool>(), any::<u16>()).prop_map(|(implied, port)| match implied {
        true => (true, port),
        false => (false, port.max(1)),
    });
    prop_oneof![
        Just(Method::Ping),
        (node_ids(), wants()).prop_map(|(target, want)| Method::FindNode { target, want }),
        (hashes(), wants(), any::<(bool, bool)>()).prop_map(|(info_hash, want, flags)| {
            Method::GetPeers {
                info_hash,
                want,
                no_seed: flags.0,
                scrape: flags.1,
            }
        }),
        (hashes(), port, any::<bool>(), tokens()).prop_map(
            |(info_hash, (implied_port, port), seed, token)| Method::AnnouncePeer {
                info_hash,
                port,
                implied_port,
                seed,
                token,
            }
        ),
        (node_ids(), prop::option::of(any::<i64>()), wants())
            .prop_map(|(target, seq, want)| Method::Get { target, seq, want }),
        (tokens(), items(), prop::option::of(any::<i64>())).prop_map(|(token, item, cas)| {
            let mut put = Put::new(token, item);
            put.cas = cas;
            Method::Put(Box::new(put))
        }),
        (node_ids(), wants()).prop_map(|(target, want)| Method::SampleInfohashes { target, want }),
        "x[a-z]{1,3}".prop_map(|name| Method::Unknown(
            MethodName::new(name.as_bytes()).expect("short enough")
        )),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    let values = prop::collection::vec(addrs(), 0..=10);
    let fields = (
        node_ids(),
        nodes(v4()),
        nodes(v6()),
        values,
        prop::option::of(tokens()),
        extras(),
    );
    prop_oneof![
        (node_ids(), methods(), any::<bool>()).prop_map(|(id, method, read_only)| {
            let mut query = Query::new(id, method);
            query.read_only = read_only;
            query.into()
        }),
        fields.prop_map(
            |(id, nodes, nodes6, values, token, (scrape, item, samples))| {
                let mut response = Response::new(id);
                if scrape.is_none() && item.is_none() && samples.is_none() {
                    (response.nodes, response.nodes6) = (nodes, nodes6);
                }
                (response.values, response.token) = (values, token);
                (response.scrape, response.samples) = (scrape, samples);
                response.item = item.map(fields_of);
                response.into()
            }
        ),
        (any::<i64>(), "[ -~é]{0,60}").prop_map(|(code, text)| ErrorReply::new(
            ErrorCode(code),
            text
        )
        .into()),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let transaction = short_bytes(MAX_TRANSACTION_ID_LEN);
    let version = prop::option::of(any::<[u8; 4]>());
    (transaction, version, prop::option::of(addrs()), bodies()).prop_map(
        |(transaction, version, external_addr, body)| {
            let mut message = Message::new(
                TransactionId::new(&transaction).expect("short enough"),
                body,
            );
            message.version =
                version.map(|bytes| ClientVersion::new(&bytes).expect("short enough"));
            message.external_addr = external_addr;
            message
        },
    )
}

proptest! {
    #[test]
    fn every_message_round_trips(message in messages()) {
        let datagram = message.encode();
        prop_assert!(tailwater_bencode::decode(&datagram).is_ok());
        prop_assert_eq!(Message::decode(&datagram), Ok(message));
    }

    #[test]
    fn no_damage_breaks_a_promise(message in messages(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut datagram = message.encode();
        let at = at.index(datagram.len());
        datagram[at] = byte;
        tailwater_dht::fuzz::krpc(&datagram);
        tailwater_dht::fuzz::krpc(&datagram[..at]);
    }

    #[test]
    fn compact_nodes_stand_back_to_back(list in prop::collection::vec((node_ids(), v4()), 0..20), max in 0..20_usize, rest in 0..26_usize) {
        let nodes: Vec<_> = list.into_iter().map(|(id, addr)| NodeInfo { id, addr }).collect();
        let mut expected = Vec::new();
        for node in &nodes {
            expected.extend(node.id.as_bytes());
            expected.extend(node.addr.ip().octets());
            expected.extend(node.addr.port().to_be_bytes());
        }
        let mut compact = NodeInfo::list_to_compact(&nodes);
        prop_assert_eq!(&compact, &expected);
        compact.resize(compact.len() + rest, 0);
        let read = NodeInfo::<SocketAddrV4>::list_from_compact(&compact, max);
        prop_assert_eq!(&read[..], &nodes[..max.min(nodes.len())]);
    }
}
