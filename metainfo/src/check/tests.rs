//! Pieces of v1, v2 and hybrid torrents against hashes taken by the letter of BEP 3 and BEP 52.

use super::*;
use crate::{Geometry, Metainfo};
use proptest::prelude::*;

const PIECE: usize = 65_536;

/// A leaf for each 16 KiB, zero leaves up to `leaves`, then pairs up to the root (BEP 52).
fn tree(bytes: &[u8], leaves: usize) -> MerkleHash {
    let blocks = bytes.chunks(16_384);
    let mut layer: Vec<[u8; 32]> = blocks.map(|block| Sha256::digest(block).into()).collect();
    layer.resize(leaves, [0; 32]);
    while layer.len() > 1 {
        let pairs = layer.chunks(2);
        layer = pairs
            .map(|pair| Sha256::digest(pair.concat()).into())
            .collect();
    }
    MerkleHash::new(layer[0])
}

/// A file's root and its piece layer.
fn hashes_of(file: &[u8]) -> (MerkleHash, Vec<MerkleHash>) {
    let blocks = file.len().div_ceil(16_384).next_power_of_two();
    let layer = file.chunks(PIECE).map(|piece| tree(piece, 4)).collect();
    (tree(file, blocks), layer)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

/// A v2-only torrent, or a hybrid one with padding, of files `a`, `b`, and so on.
fn torrent(files: &[Vec<u8>], hybrid: bool, with_layers: bool) -> Vec<u8> {
    let mut tree = Vec::new();
    let mut layers = std::collections::BTreeMap::new();
    let mut list = Vec::new();
    let mut data = Vec::new();
    for (name, file) in (b'a'..).zip(files) {
        let (root, layer) = hashes_of(file);
        tree.extend(string(&[name]));
        tree.extend(format!("d0:d6:lengthi{}e11:pieces root", file.len()).bytes());
        tree.extend(string(root.as_bytes()));
        tree.extend(b"ee");
        if file.len() > PIECE {
            let layer: Vec<u8> = layer.iter().flat_map(|hash| *hash.as_bytes()).collect();
            layers.insert(*root.as_bytes(), layer);
        }
        list.extend(format!("d6:lengthi{}e4:pathl1:{}ee", file.len(), char::from(name)).bytes());
        data.extend_from_slice(file);
        let pad = data.len().next_multiple_of(PIECE) - data.len();
        if pad > 0 {
            let path = format!("l4:.pad{}e", String::from_utf8(string(&[name])).unwrap());
            list.extend(format!("d4:attr1:p6:lengthi{pad}e4:path{path}e").bytes());
            data.resize(data.len() + pad, 0);
        }
    }
    let mut info = b"d9:file treed".to_vec();
    info.extend(tree);
    info.push(b'e');
    if hybrid {
        info.extend([&b"5:filesl"[..], &list, b"e"].concat());
    }
    info.extend(format!("12:meta versioni2e4:name1:t12:piece lengthi{PIECE}e").bytes());
    if hybrid {
        let pieces = data.chunks(PIECE).flat_map(Sha1::digest);
        info.extend([&b"6:pieces"[..], &string(&pieces.collect::<Vec<_>>())].concat());
    }
    info.push(b'e');
    let mut torrent = [&b"d4:info"[..], &info].concat();
    if with_layers {
        torrent.extend(b"12:piece layersd");
        for (root, layer) in layers {
            torrent.extend([string(&root), string(&layer)].concat());
        }
        torrent.push(b'e');
    }
    torrent.push(b'e');
    torrent
}

fn content(seed: u64, len: usize) -> Vec<u8> {
    let bytes = (0..len as u64).map(|at| at.wrapping_mul(seed | 1).to_be_bytes()[6]);
    bytes.collect()
}

/// The bytes of a piece, from the files at the positions that the metainfo gives them.
fn bytes_of(info: &Info, files: &[Vec<u8>], piece: PieceIndex) -> Vec<u8> {
    let range = info.geometry().piece_range(piece);
    let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
    let entries = info.files().iter().filter(|entry| !entry.is_pad());
    for (entry, data) in entries.zip(files) {
        let (from, to) = (
            range.start.max(entry.offset()),
            range.end.min(entry.range().end),
        );
        if from < to {
            let (into, at) = (from - range.start, from - entry.offset());
            let [into, at, len] = [into, at, to - from].map(|at| usize::try_from(at).unwrap());
            bytes[into..into + len].copy_from_slice(&data[at..at + len]);
        }
    }
    bytes
}

fn check(expected: Expected, bytes: &[u8], part: usize) -> bool {
    let mut hasher = PieceHasher::new(expected);
    bytes.chunks(part).for_each(|part| hasher.update(part));
    hasher.is_valid()
}

fn files() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let len = prop_oneof![
        1usize..200_000,
        Just(16_384),
        Just(16_385),
        Just(PIECE),
        Just(PIECE + 1),
        Just(4 * PIECE)
    ];
    proptest::collection::vec((any::<u64>(), len), 1..5).prop_map(|files| {
        files
            .iter()
            .map(|(seed, len)| content(*seed, *len))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn right_pieces_pass_and_others_do_not(
        files in files(),
        hybrid in any::<bool>(),
        part in prop_oneof![Just(1_000usize), Just(16_384), Just(100_000)],
        wrong in any::<prop::sample::Index>(),
    ) {
        let metainfo = Metainfo::from_bytes(&torrent(&files, hybrid, true)).unwrap();
        let (info, hashes) = (metainfo.info(), metainfo.piece_hashes());
        for piece in info.geometry().pieces() {
            let expected = hashes.expected(piece).unwrap();
            match expected {
                Expected::Both { .. } => prop_assert!(hybrid),
                Expected::V2(root) => {
                    prop_assert!(!hybrid);
                    prop_assert_eq!(root.len, info.geometry().piece_len(piece));
                }
                Expected::V1(_) => prop_assert!(false, "each piece is of some file"),
            }
            let mut bytes = bytes_of(info, &files, piece);
            prop_assert!(check(expected, &bytes, part));
            prop_assert!(!check(expected, &bytes[..bytes.len() - 1], part));
            bytes.push(0);
            prop_assert!(!check(expected, &bytes, part));
            bytes.pop();
            let at = wrong.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert!(!check(expected, &bytes, part));
        }
    }
}

#[test]
fn without_layers_only_files_of_one_piece_can_be_checked() {
    let files = [content(1, 100), content(3, 3 * PIECE)];
    let metainfo = Metainfo::from_bytes(&torrent(&files, false, false)).unwrap();
    let info = metainfo.info();
    for hashes in [metainfo.piece_hashes(), info.piece_hashes()] {
        let known = info.geometry().pieces().map(|piece| hashes.expected(piece));
        let known: Vec<bool> = known.map(|expected| expected.is_some()).collect();
        assert_eq!(known, [true, false, false, false]);
    }
    // A hybrid can be checked by its v1 hashes meanwhile.
    let metainfo = Metainfo::from_bytes(&torrent(&files, true, false)).unwrap();
    let info = metainfo.info();
    for piece in info.geometry().pieces().skip(1) {
        let v1 = info.piece_hash(piece).map(Expected::V1);
        assert_eq!(info.piece_hashes().expected(piece), v1);
        assert!(info.piece_hashes().lacks_tree(piece));
    }
    // Those have their trees: the file of one piece, and those of a torrent with its layers.
    let first = info.geometry().piece(0).unwrap();
    assert!(!info.piece_hashes().lacks_tree(first));
    let whole = Metainfo::from_bytes(&torrent(&files, true, true)).unwrap();
    for piece in whole.info().geometry().pieces() {
        assert!(!whole.piece_hashes().lacks_tree(piece));
    }
}

#[test]
fn a_file_of_one_block_has_its_hash_as_root() {
    let file = content(1, 500);
    let metainfo =
        Metainfo::from_bytes(&torrent(std::slice::from_ref(&file), false, true)).unwrap();
    let piece = metainfo.info().geometry().piece(0).unwrap();
    let root = MerkleRoot {
        root: MerkleHash::new(Sha256::digest(&file).into()),
        height: 0,
        len: 500,
    };
    let expected = metainfo.piece_hashes().expected(piece);
    assert_eq!(expected, Some(Expected::V2(root)));
}

/// It has to match its SHA-1 too, which says more of who is to blame.
#[test]
fn a_piece_of_one_block_of_a_hybrid_is_judged_as_a_piece() {
    let file = content(1, 16_384);
    let judged = |is_hybrid| {
        let mut bytes = torrent(std::slice::from_ref(&file), is_hybrid, true);
        // Pieces as long as blocks: that of a tree of one leaf is its root.
        let at = bytes.windows(5).position(|it| it == b"65536").unwrap();
        bytes[at..at + 5].copy_from_slice(b"16384");
        if is_hybrid {
            // Without the padding that the longer piece needed.
            let at = bytes.windows(8).position(|it| it == b"d4:attr1").unwrap();
            let end = at + bytes[at..].windows(3).position(|it| it == b"aee").unwrap() + 3;
            bytes.drain(at..end);
        }
        let metainfo = Metainfo::from_bytes(&bytes).unwrap();
        let piece = metainfo.info().geometry().piece(0).unwrap();
        metainfo.piece_hashes().judge(piece, 0, &content(2, 16_384))
    };
    assert_eq!(judged(false), Some(false));
    assert_eq!(judged(true), None);
}

#[test]
fn a_tree_has_no_more_leaves_than_its_height_allows() {
    let bytes = content(1, 3 * 16_384);
    let root = |height| MerkleRoot {
        root: tree(&bytes, 4),
        height,
        len: 3 * 16_384,
    };
    assert!(check(Expected::V2(root(2)), &bytes, 5_000));
    assert!(!check(Expected::V2(root(1)), &bytes, 5_000));
    assert!(!check(Expected::V2(root(3)), &bytes, 5_000));
}

#[test]
fn a_piece_of_another_torrent_is_not_known() {
    let two = Geometry::new(2, 1).unwrap();
    let hashes = PieceHashes::from_iter([PieceHash::new([0; 20])]);
    assert!(hashes.expected(two.piece(0).unwrap()).is_some());
    assert_eq!(hashes.expected(two.piece(1).unwrap()), None);
    let none = PieceHashes::from_iter([None::<Expected>]);
    assert_eq!(none.expected(two.piece(0).unwrap()), None);
}

#[test]
fn bytes_that_match_one_of_two_hashes_are_told_from_wrong_ones() {
    let bytes = content(3, 40_000);
    let root = |bytes: &[u8]| MerkleRoot {
        root: tree(bytes, 4),
        height: 2,
        len: 40_000,
    };
    let v1 = |bytes: &[u8]| PieceHash::new(Sha1::digest(bytes).into());
    let other = content(4, 40_000);
    let found = |v1, v2| {
        let mut hasher = PieceHasher::new(Expected::Both { v1, v2 });
        hasher.update(&bytes);
        hasher.finish()
    };
    assert_eq!(found(v1(&bytes), root(&bytes)), PieceMatch::Right);
    assert_eq!(found(v1(&bytes), root(&other)), PieceMatch::Disagree);
    assert_eq!(found(v1(&other), root(&bytes)), PieceMatch::Disagree);
    assert_eq!(found(v1(&other), root(&other)), PieceMatch::Wrong);
}

proptest! {
    /// Parts that are given at once count as those that are given in turn, whole blocks or not.
    #[test]
    fn parts_at_once_are_those_in_turn(
        len in 1usize..PIECE,
        first in 0usize..20_000,
        cuts in proptest::collection::vec(prop_oneof![Just(16_384usize), 1usize..40_000], 0..6),
        wrong in any::<bool>(),
    ) {
        let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
        let blocks = len.div_ceil(16_384).next_power_of_two();
        let root = MerkleRoot {
            root: tree(&bytes, blocks),
            height: blocks.ilog2(),
            len: u32::try_from(len).unwrap(),
        };
        let v1 = PieceHash::new(Sha1::digest(&bytes).into());
        let mut sent = bytes;
        sent[len / 2] ^= u8::from(wrong);
        let (before, mut rest) = sent.split_at(first.min(len));
        let mut parts = Vec::new();
        for cut in cuts {
            let (part, behind) = rest.split_at(cut.min(rest.len()));
            parts.push(part);
            rest = behind;
        }
        parts.push(rest);
        for expected in [Expected::V2(root), Expected::Both { v1, v2: root }] {
            let mut hasher = PieceHasher::new(expected);
            hasher.update(before);
            hasher.update_all(&parts);
            prop_assert_eq!(hasher.is_valid(), !wrong);
        }
    }
}
