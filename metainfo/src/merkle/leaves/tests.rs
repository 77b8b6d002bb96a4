//! Leaves of pieces against whole trees of files, computed naively.

#![expect(
    clippy::cast_possible_truncation,
    clippy::single_range_in_vec_init,
    reason = "the numbers are small, and one range of pieces is what there is"
)]

use std::ops::Range;

use proptest::prelude::*;

use super::super::{Layer, PieceLayers, Proved, block_hash, parent_hash};
use super::*;

const MIB: u64 = 1 << 20;

/// The leaf of each block of a file.
fn leaves(blocks: u64) -> Vec<MerkleHash> {
    (0..blocks)
        .map(|number| block_hash(&number.to_be_bytes()))
        .collect()
}

/// Every layer of a file's tree, padded to a power of two; the leaves first.
fn naive_tree(mut layer: Vec<MerkleHash>) -> Vec<Vec<MerkleHash>> {
    layer.resize(layer.len().next_power_of_two(), zero_hash(0));
    let mut tree = vec![layer];
    while tree.last().unwrap().len() > 1 {
        let pairs = tree.last().unwrap().chunks(2);
        tree.push(pairs.map(|pair| parent_hash(&pair[0], &pair[1])).collect());
    }
    tree
}

/// The answer to a request by the definition of BEP 52.
fn naive_answer(tree: &[Vec<MerkleHash>], range: HashRange) -> Vec<MerkleHash> {
    let start = range.index as usize;
    let mut answer = tree[0][start..start + range.length as usize].to_vec();
    let mut position = start / range.length as usize;
    for up in range.length.ilog2()..=range.proof_layers {
        answer.push(tree[up as usize][position ^ 1]);
        position /= 2;
    }
    answer
}

/// A file of so many blocks, the last of which may be short, as the second file of a torrent. Its piece layer is known, its
/// leaves are not.
struct File {
    layers: PieceLayers,
    tree: Vec<Vec<MerkleHash>>,
    root: MerkleHash,
    height: u32,
    leaves: Vec<MerkleHash>,
}

const FIRST_PIECE: u32 = 7;

impl File {
    fn new(blocks: u64, piece_length: u32) -> Self {
        let leaves = leaves(blocks);
        let tree = naive_tree(leaves.clone());
        let root = tree.last().unwrap()[0];
        let len = blocks * u64::from(BLOCK_LEN) - 3;
        let file = TreeFile {
            root,
            len,
            first_piece: FIRST_PIECE,
        };
        let height = piece_layer_height(piece_length);
        let pieces = len.div_ceil(u64::from(piece_length)) as usize;
        let layers = PieceLayers::new([file], piece_length, |file| {
            let known = &tree[height as usize][..pieces];
            Layer::whole(root, file.len, piece_length, known).unwrap()
        });
        Self {
            layers,
            tree,
            root,
            height,
            leaves,
        }
    }

    fn blocks_of(&self, number: u32) -> Range<usize> {
        let start = (number << self.height) as usize;
        start..(start + (1 << self.height)).min(self.leaves.len())
    }

    fn leaves_of(&self, number: u32) -> &[MerkleHash] {
        &self.leaves[self.blocks_of(number)]
    }

    fn pieces(&self) -> u32 {
        u32::try_from(self.leaves.len().div_ceil(1 << self.height)).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is asked for of the leaves of one piece: the answer is that of the naive tree.
    #[test]
    fn answers_are_those_of_the_whole_tree(
        blocks in prop_oneof![2u64..40, 100u64..140, 1_000u64..1_100],
        log_piece in 15u32..21,
        index in 0u32..1_100,
        log_length in 0u32..10,
        proof_layers in 0u32..12,
    ) {
        let file = File::new(blocks, 1 << log_piece);
        let length = 1 << log_length;
        let index = index / length * length;
        let range = HashRange { base: 0, index, length, proof_layers };
        // A whole piece is padded, no piece is made of padding.
        let exists = index >> file.height < file.pieces() && range.fits(file.tree.len() as u32 - 1);
        let inside = match file.pieces() {
            // A file of one piece has no layer above it.
            1 => true,
            _ => index >> file.height == (index + length - 1) >> file.height,
        };
        let number = index >> file.height;
        let expected = (exists && inside).then(|| naive_answer(&file.tree, range));
        let piece = file.layers.leaves_of(file.root, range);
        prop_assert_eq!(piece, expected.as_ref().map(|_| FIRST_PIECE + number));
        prop_assert_eq!(file.layers.serve(file.root, range), None, "no leaf is known");
        if let Some(expected) = expected {
            let leaves = file.leaves_of(number);
            let answer = file.layers.serve_leaves(file.root, range, leaves);
            prop_assert_eq!(answer, Some(expected));
            prop_assert_eq!(file.layers.serve_leaves(file.root, range, &leaves[1..]), None);
        }
    }

    /// Leaves that are learned chunk by chunk are those of the file, judge its blocks and are served; no other answer is
    /// taken.
    #[test]
    fn what_is_learned_judges_blocks_and_is_served(
        blocks in prop_oneof![2u64..40, 100u64..140, 1_000u64..1_100, 2_000u64..2_100],
        log_piece in 15u32..26,
        piece in any::<prop::sample::Index>(),
        block in any::<prop::sample::Index>(),
        flipped in any::<prop::sample::Index>(),
    ) {
        let file = File::new(blocks, 1 << log_piece);
        let number = u32::try_from(piece.index(file.pieces() as usize)).unwrap();
        let of_piece = file.leaves_of(number);
        let piece = FIRST_PIECE + number;
        prop_assume!(of_piece.len() > 1);
        let block = u32::try_from(block.index(of_piece.len())).unwrap();
        let bytes = (u64::from(number << file.height) + u64::from(block)).to_be_bytes();
        let layers = &file.layers;
        prop_assert!(!layers.knows_leaf(piece, block));
        prop_assert_eq!(layers.judge(piece, block, &bytes), None);
        let missing = layers.missing_leaves(piece, block).unwrap();
        prop_assert_eq!(missing.root, file.root);
        prop_assert_eq!(&missing.pieces, &[piece..piece + 1]);
        let range = missing.range;
        let answer = layers.serve_leaves(file.root, range, of_piece).unwrap();
        let mut wrong = answer.clone();
        wrong[flipped.index(answer.len())] = MerkleHash::new([0xee; 32]);
        prop_assert!(layers.accept(file.root, range, &wrong).is_err());
        prop_assert!(layers.accept(file.root, range, &answer[1..]).is_err());
        prop_assert!(layers.accept(file.root, range, &[&answer[..], &answer[..1]].concat()).is_err());
        let deeper = HashRange { proof_layers: range.proof_layers + 1, ..range };
        prop_assert!(layers.accept(file.root, deeper, &answer).is_err());
        prop_assert!(!layers.knows_leaf(piece, block));
        let proved = layers.accept(file.root, range, &answer);
        prop_assert_eq!(proved, Ok(Proved::Leaves(vec![piece..piece + 1])));
        prop_assert!(layers.knows_leaf(piece, block));
        prop_assert_eq!(layers.missing_leaves(piece, block), None);
        // The bytes of a block are stood for by its number, which is shorter than the block.
        let mut whole = bytes.to_vec();
        whole.resize(BLOCK_LEN as usize, 0);
        prop_assert_eq!(layers.judge(piece, block, &whole), Some(false));
        prop_assert_eq!(layers.judge(piece, block, &bytes), Some(false), "it is too short");
        let leaf = layers.0.leaves.branch(piece).and_then(|branch| {
            layers.0.leaves.get(&branch, block, file.root)
        });
        prop_assert_eq!(leaf, Some(of_piece[block as usize]));
        // What is known in whole is served without the storage.
        let chunks = of_piece.len().div_ceil(LEAVES_AT_ONCE as usize);
        prop_assert_eq!(layers.serve(file.root, range).is_some(), chunks == 1);
        for first in (0..of_piece.len()).step_by(LEAVES_AT_ONCE as usize) {
            if let Some(rest) = layers.missing_leaves(piece, first as u32) {
                let answer = layers.serve_leaves(file.root, rest.range, of_piece).unwrap();
                prop_assert!(layers.accept(file.root, rest.range, &answer).is_ok());
            }
        }
        prop_assert_eq!(layers.serve(file.root, range), Some(answer.clone()));
        // And so is what the storage has hashed once.
        let seed = File::new(blocks, 1 << log_piece).layers;
        wrong = of_piece.to_vec();
        wrong[flipped.index(of_piece.len())] = MerkleHash::new([0xee; 32]);
        for false_ones in [&wrong[..], &of_piece[1..]] {
            prop_assert!(!seed.learn_leaves(piece, false_ones));
        }
        prop_assert_eq!(seed.serve(file.root, range), None);
        prop_assert!(seed.learn_leaves(piece, of_piece));
        prop_assert_eq!(seed.serve(file.root, range), Some(answer));
    }
}

#[test]
fn a_block_is_judged_by_its_bytes_up_to_the_end_of_the_file() {
    let block = [vec![1; BLOCK_LEN as usize], vec![2; 100]];
    let leaves = block.each_ref().map(|bytes| block_hash(bytes));
    let root = parent_hash(&leaves[0], &leaves[1]);
    let file = TreeFile {
        root,
        len: u64::from(BLOCK_LEN) + 100,
        first_piece: 0,
    };
    let layers = PieceLayers::new([file], 4 * BLOCK_LEN, |_| unreachable!("one piece"));
    let missing = layers.missing_leaves(0, 1).unwrap();
    let answer = layers.serve_leaves(root, missing.range, &leaves).unwrap();
    assert_eq!(
        layers.accept(root, missing.range, &answer),
        Ok(Proved::Leaves(vec![0..1]))
    );
    assert_eq!(layers.judge(0, 0, &block[0]), Some(true));
    assert_eq!(layers.judge(0, 1, &block[1]), Some(true));
    assert_eq!(layers.judge(0, 1, &block[1][..99]), Some(false));
    // A hybrid torrent has padding there, of which v2 says nothing.
    let padded = [&block[1][..], &[0; 50]].concat();
    assert_eq!(layers.judge(0, 1, &padded), Some(true));
    assert_eq!(layers.judge(0, 2, &[0; 16_384]), None);
    assert_eq!(layers.judge(1, 0, &block[0]), None);
}

#[test]
fn a_piece_of_one_block_has_its_leaf_from_the_start() {
    let bytes = [5; 1_000];
    let file = TreeFile {
        root: block_hash(&bytes),
        len: 1_000,
        first_piece: 3,
    };
    let layers = PieceLayers::new([file], 1 << 20, |_| unreachable!("one piece"));
    assert!(layers.knows_leaf(3, 0));
    assert!(!layers.knows_leaf(3, 1));
    assert_eq!(layers.missing_leaves(3, 0), None);
    assert_eq!(layers.judge(3, 0, &bytes), Some(true));
    assert_eq!(layers.judge(3, 0, &bytes[1..]), Some(false));
}

#[test]
fn files_of_one_content_share_their_leaves() {
    let leaves = leaves(3);
    let root = naive_tree(leaves.clone()).last().unwrap()[0];
    let file = |first_piece| TreeFile {
        root,
        len: 3 * u64::from(BLOCK_LEN),
        first_piece,
    };
    let layers = PieceLayers::new([file(0), file(1)], 1 << 20, |_| unreachable!("one piece"));
    let missing = layers.missing_leaves(1, 2).unwrap();
    assert_eq!(missing.pieces, [0..1, 1..2]);
    let answer = layers.serve_leaves(root, missing.range, &leaves).unwrap();
    layers.accept(root, missing.range, &answer).unwrap();
    assert!(layers.knows_leaf(0, 1) && layers.knows_leaf(1, 1));
}

#[test]
fn the_leaves_of_the_piece_that_was_asked_for_first_go_first() {
    let blocks = 80 * 1_024;
    let file = File::new(blocks, (16 * MIB) as u32);
    let learn = |number: u32| {
        for block in (0..1_024).step_by(LEAVES_AT_ONCE as usize) {
            let piece = FIRST_PIECE + number;
            let missing = file.layers.missing_leaves(piece, block).unwrap();
            let leaves = file.leaves_of(number);
            let answer = file
                .layers
                .serve_leaves(file.root, missing.range, leaves)
                .unwrap();
            file.layers
                .accept(file.root, missing.range, &answer)
                .unwrap();
        }
    };
    (0..80).for_each(learn);
    let known: Vec<_> = (0..80)
        .filter(|number| file.layers.knows_leaf(FIRST_PIECE + number, 0))
        .collect();
    assert_eq!(known, (16..80).collect::<Vec<_>>());
    assert_eq!(file.layers.0.leaves.cache().kept, MAX_LEAVES);
    learn(0);
    assert!(file.layers.knows_leaf(FIRST_PIECE, 1_000));
}

/// What is kept beside 32 bytes a leaf is the more, the shorter the pieces are.
#[test]
fn leaves_take_no_more_memory_than_is_said() {
    for (blocks_of_piece, most) in [(64, 2_300_000), (16, 2_700_000), (2, 5_000_000)] {
        let mut cache = Cache::default();
        let leaves = leaves(blocks_of_piece);
        for piece in 0..80_000 {
            cache.insert(piece, 1, 0, &leaves);
            assert!(cache.kept <= MAX_LEAVES);
        }
        // A table has a byte for each place beside it.
        let place = size_of::<(u32, Box<[Option<Chunk>]>)>() + 1;
        // Its capacity is at most seven eighths of its places.
        let table = cache.pieces.capacity() * 8 / 7 * place;
        let slots = cache.pieces.values().map(|slots| size_of_val(&**slots));
        let order = cache.order.capacity() * size_of::<u32>();
        let memory = cache.kept * 32 + table + slots.sum::<usize>() + order;
        assert!(memory < most, "{blocks_of_piece} blocks a piece: {memory}");
    }
}
