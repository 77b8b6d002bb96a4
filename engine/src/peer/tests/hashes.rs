//! The hash messages of BEP 52: what is served, what is learned, and what follows from lies.

use std::time::Duration;

use tailwater_metainfo::merkle::{HashRange, LayerChunk, PieceLayers};
use tailwater_metainfo::{Info, MerkleHash, Metainfo, merkle};
use tailwater_wire::{HashRequest, Hashes};

use super::*;

const PIECES: u32 = 600;
const PIECE: u32 = 32_768;

/// A v2 torrent of one file with these pieces, and its layer.
fn torrent() -> (Vec<u8>, Vec<MerkleHash>) {
    let layer: Vec<_> = (0..PIECES)
        .map(|number| {
            let [left, right] = leaves(number);
            merkle::parent_hash(&left, &right)
        })
        .collect();
    let root = merkle::root(layer.iter().copied(), 1).unwrap();
    let len = u64::from(PIECES) * u64::from(PIECE);
    let mut info = b"d9:file treed4:filed0:d6:lengthi".to_vec();
    info.extend_from_slice(format!("{len}e11:pieces root32:").as_bytes());
    info.extend_from_slice(root.as_bytes());
    info.extend_from_slice(
        format!("eee12:meta versioni2e4:name4:file12:piece lengthi{PIECE}ee").as_bytes(),
    );
    (info, layer)
}

/// The hashes of the blocks of a piece.
fn leaves(piece: u32) -> [MerkleHash; 2] {
    [0u8, 1].map(|block| merkle::block_hash(&[&piece.to_be_bytes()[..], &[block]].concat()))
}

/// The request for the leaves of a piece.
fn leaf_query(piece: u32) -> HashQuery {
    let missing = known().missing_leaves(piece, 0).unwrap();
    query(&missing)
}

fn unknown() -> PieceLayers {
    let (info, _) = torrent();
    let info = Info::from_bytes(&info).unwrap();
    Metainfo::from_info(info, Vec::new(), Vec::new())
        .piece_layers()
        .clone()
}

fn known() -> PieceLayers {
    let (info, layer) = torrent();
    let root = merkle::root(layer.iter().copied(), 1).unwrap();
    let mut file = b"d4:info".to_vec();
    file.extend_from_slice(&info);
    file.extend_from_slice(b"12:piece layersd32:");
    file.extend_from_slice(root.as_bytes());
    let hashes: Vec<u8> = layer.iter().flat_map(|hash| *hash.as_bytes()).collect();
    file.extend_from_slice(format!("{}:", hashes.len()).as_bytes());
    file.extend_from_slice(&hashes);
    file.extend_from_slice(b"ee");
    Metainfo::from_bytes(&file).unwrap().piece_layers().clone()
}

fn pair(layers: Option<PieceLayers>) -> Pair {
    let mut pair = Pair::new(true);
    let config = Config {
        hashes: layers,
        geometry: Geometry::new(u64::from(PIECES) * u64::from(PIECE), PIECE).unwrap(),
        ..pair.connection.config.clone()
    };
    pair.connection = Connection::new(pair.now, config);
    pair
}

fn query(chunk: &LayerChunk) -> HashQuery {
    HashQuery {
        root: chunk.root,
        range: chunk.range,
    }
}

fn request(query: HashQuery) -> Message {
    Message::HashRequest(Box::new(query.into()))
}

fn answer(query: HashQuery, hashes: &[MerkleHash]) -> Message {
    let hashes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    Message::Hashes(Box::new(Hashes {
        request: query.into(),
        hashes: hashes.into(),
    }))
}

fn reject(query: HashQuery) -> Message {
    Message::HashReject(Box::new(query.into()))
}

#[test]
fn hashes_go_from_one_who_has_the_layers_to_one_who_has_not() {
    let layers = unknown();
    let (mut seed, mut leech) = (pair(Some(known())), pair(Some(layers.clone())));
    let missing = layers.missing();
    assert_eq!(missing.len(), 2);
    for chunk in &missing {
        leech
            .connection
            .handle_command(Command::RequestHashes(query(chunk)));
        let asked = leech.sent();
        assert_eq!(asked, [request(query(chunk))]);
        seed.receive(&asked).unwrap();
        let answered = seed.sent();
        leech.receive(&answered).unwrap();
        let facts = leech.connection.take_facts();
        assert_eq!(facts, [Fact::Hashes(query(chunk), chunk.pieces.clone())]);
    }
    assert_eq!(layers.missing(), []);
}

#[test]
fn what_is_not_known_or_makes_no_sense_is_rejected_and_the_connection_goes_on() {
    let chunk = &unknown().missing()[0];
    let odd = |change: fn(&mut HashRange)| {
        let mut query = query(chunk);
        change(&mut query.range);
        query
    };
    let stranger = HashQuery {
        root: MerkleHash::new([7; 32]),
        ..query(chunk)
    };
    let senseless = [
        stranger,
        // There is no such layer, no such hash, no such length.
        odd(|range| range.base = 9),
        odd(|range| range.base = u32::MAX),
        odd(|range| range.index = 1024),
        odd(|range| range.index = 1),
        odd(|range| range.length = 0),
        odd(|range| range.length = 3),
        odd(|range| range.length = 1 << 31),
        odd(|range| range.proof_layers = 10),
        odd(|range| range.proof_layers = u32::MAX),
        // Of blocks, not of pieces.
        odd(|range| range.base = 0),
    ];
    let mut seed = pair(Some(known()));
    for query in senseless {
        seed.receive(&[request(query)]).unwrap();
        assert_eq!(seed.sent(), [reject(query)]);
    }
    // Nothing is served by one who knows nothing, nor over a connection that is not of v2.
    for layers in [Some(unknown()), None] {
        let mut pair = pair(layers);
        pair.receive(&[request(query(chunk))]).unwrap();
        assert_eq!(pair.sent(), [reject(query(chunk))]);
    }
}

#[test]
fn hashes_that_were_not_asked_for_end_the_connection() {
    let chunk = &unknown().missing()[0];
    let hashes = known().serve(chunk.root, chunk.range).unwrap();
    for layers in [Some(unknown()), None] {
        let mut pair = pair(layers);
        let end = pair.receive(&[answer(query(chunk), &hashes)]).unwrap_err();
        assert_eq!(end, Violation::UnrequestedHashes);
        assert_eq!(end.consequence(), Consequence::Disconnect);
    }
}

#[test]
fn a_proof_of_the_wrong_length_ends_the_connection_and_a_false_one_bans() {
    let layers = unknown();
    let chunk = &layers.missing()[0];
    let hashes = known().serve(chunk.root, chunk.range).unwrap();
    let expected = chunk.range.answer_len();
    let mut false_proof = hashes.clone();
    *false_proof.last_mut().unwrap() = MerkleHash::new([1; 32]);
    let mut false_hash = hashes.clone();
    false_hash[3] = hashes[4];
    let wrong_count = |found| Violation::HashCount { found, expected };
    let more = [&hashes[..], &hashes[..1]].concat();
    let (len, ban) = (hashes.len(), Consequence::Ban);
    for (lie, violation, consequence) in [
        (&hashes[1..], wrong_count(len - 1), Consequence::Disconnect),
        (&more[..], wrong_count(len + 1), Consequence::Disconnect),
        (&[][..], wrong_count(0), Consequence::Disconnect),
        (&false_proof[..], Violation::FalseHashes, ban),
        (&false_hash[..], Violation::FalseHashes, ban),
    ] {
        let mut pair = pair(Some(layers.clone()));
        pair.connection
            .handle_command(Command::RequestHashes(query(chunk)));
        let end = pair.receive(&[answer(query(chunk), lie)]).unwrap_err();
        assert_eq!(end, violation);
        assert_eq!(end.consequence(), consequence);
        assert_eq!(pair.connection.take_facts(), []);
    }
    assert_eq!(layers.missing().len(), 2);
}

#[test]
fn a_query_is_refused_once_and_there_are_few_at_a_time() {
    let layers = unknown();
    let chunk = query(&layers.missing()[0]);
    let mut pair = pair(Some(layers));
    pair.receive(&[reject(chunk)]).unwrap();
    assert_eq!(pair.connection.take_facts(), [], "it was not asked for");
    pair.connection
        .handle_command(Command::RequestHashes(chunk));
    pair.receive(&[reject(chunk), reject(chunk)]).unwrap();
    assert_eq!(pair.connection.take_facts(), [Fact::HashesRefused(chunk)]);
    let most = MAX_HASH_QUERIES + MAX_LEAF_QUERIES;
    for index in 0..u32::try_from(most).unwrap() + 1 {
        let range = HashRange {
            index,
            ..chunk.range
        };
        let query = HashQuery { range, ..chunk };
        pair.connection
            .handle_command(Command::RequestHashes(query));
    }
    assert_eq!(pair.connection.take_facts().len(), 1);
    assert_eq!(pair.sent().len(), most + 1);
}

#[test]
fn ten_thousand_requests_get_a_bounded_number_of_answers() {
    let mut seed = pair(Some(known()));
    let wanted = HashRequest::from(query(&unknown().missing()[0]));
    let flood: Vec<_> = (0..10_000)
        .map(|_| Message::HashRequest(Box::new(wanted)))
        .collect();
    let count = |sent: &[Message]| {
        let served = sent
            .iter()
            .filter(|message| matches!(message, Message::Hashes(_)));
        served.count()
    };
    let turns = seed.receive_all(&flood).unwrap();
    assert_eq!(turns.sent.len() + turns.left / 53, 10_000);
    let burst = count(&turns.sent);
    assert!((256..=512).contains(&burst), "{burst}");
    seed.now += Duration::from_secs(1);
    let turns = seed.receive_all(&flood).unwrap();
    let later = count(&turns.sent);
    assert!((32..=64).contains(&later), "{later}");
}

#[test]
fn hashes_of_blocks_are_served_when_the_storage_has_hashed_them() {
    let mut seed = pair(Some(known()));
    let (first, second) = (leaf_query(3), leaf_query(5));
    seed.receive(&[request(first), request(second), request(first)])
        .unwrap();
    assert_eq!(seed.sent(), [], "they wait");
    let asked = seed.connection.next_leaves().unwrap();
    assert_eq!(asked.get(), 3);
    assert_eq!(seed.connection.next_leaves(), None, "one at a time");
    seed.connection.handle_leaves(Some(&leaves(3)));
    // Both requests for the piece are answered.
    let answered = answer(first, &leaves(3));
    assert_eq!(seed.sent(), [answered.clone(), answered.clone()]);
    let asked = seed.connection.next_leaves().unwrap();
    assert_eq!(asked.get(), 5);
    // Another program has changed the file: no false hash goes out.
    seed.connection.handle_leaves(Some(&leaves(4)));
    assert_eq!(seed.sent(), [reject(second)]);
    seed.receive(&[request(second)]).unwrap();
    seed.connection.next_leaves().unwrap();
    seed.connection.handle_leaves(None);
    assert_eq!(seed.sent(), [reject(second)], "it is not held");
    assert_eq!(seed.connection.next_leaves(), None);
    // The other side takes them, and knows them from then on.
    let layers = known();
    let mut leech = pair(Some(layers.clone()));
    leech
        .connection
        .handle_command(Command::RequestHashes(first));
    leech.receive(std::slice::from_ref(&answered)).unwrap();
    let told = vec![std::ops::Range { start: 3, end: 4 }];
    assert_eq!(leech.connection.take_facts(), [Fact::Leaves(first, told)]);
    assert!(layers.knows_leaf(3, 1));
    leech.sent();
    leech.receive(&[request(first)]).unwrap();
    assert_eq!(leech.sent(), [answered], "without the storage");
}

#[test]
fn false_hashes_of_blocks_ban() {
    let layers = known();
    let mut pair = pair(Some(layers.clone()));
    let query = leaf_query(3);
    pair.connection
        .handle_command(Command::RequestHashes(query));
    let end = pair.receive(&[answer(query, &leaves(4))]).unwrap_err();
    assert_eq!(end, Violation::FalseHashes);
    assert_eq!(end.consequence(), Consequence::Ban);
    assert!(!layers.knows_leaf(3, 0));
}

#[test]
fn ten_thousand_requests_for_hashes_of_blocks_hash_a_bounded_number() {
    const LARGE: u32 = 16 * 1024 * 1024;
    let mut info = b"d9:file treed4:filed0:d6:lengthi".to_vec();
    let layer: Vec<_> = (0..8u32)
        .map(|number| merkle::block_hash(&number.to_be_bytes()))
        .collect();
    let root = merkle::root(layer.iter().copied(), 10).unwrap();
    info.extend_from_slice(format!("{}e11:pieces root32:", 8 * u64::from(LARGE)).as_bytes());
    info.extend_from_slice(root.as_bytes());
    info.extend_from_slice(
        format!("eee12:meta versioni2e4:name4:file12:piece lengthi{LARGE}ee").as_bytes(),
    );
    let mut file = [
        b"d4:info",
        &info[..],
        b"12:piece layersd32:",
        root.as_bytes(),
    ]
    .concat();
    file.extend_from_slice(b"256:");
    file.extend(layer.iter().flat_map(|hash| *hash.as_bytes()));
    file.extend_from_slice(b"ee");
    let metainfo = Metainfo::from_bytes(&file).unwrap();
    let layers = metainfo.piece_layers().clone();
    let mut seed = Pair::new(true);
    let config = Config {
        hashes: Some(layers.clone()),
        geometry: metainfo.info().geometry().clone(),
        ..seed.connection.config.clone()
    };
    seed.connection = Connection::new(seed.now, config);
    let queries: Vec<_> = (0..8)
        .map(|piece| query(&layers.missing_leaves(piece, 0).unwrap()))
        .collect();
    let mut hashed = 0;
    let mut flood = |seed: &mut Pair| {
        for number in 0..5_000 {
            seed.receive(&[request(queries[number % queries.len()])])
                .unwrap();
            if seed.connection.next_leaves().is_some() {
                hashed += 1;
                seed.connection.handle_leaves(None);
            }
            seed.sent();
        }
        std::mem::take(&mut hashed)
    };
    assert_eq!(flood(&mut seed), 4, "pieces of 16 MiB at once");
    seed.now += Duration::from_secs(2);
    assert_eq!(flood(&mut seed), 2, "one more each second");
}
