//! A layer against the whole tree, computed naively.

use super::*;
use proptest::prelude::*;

/// A whole tree, each layer padded to a power of two: `tree[0]` is the layer of pieces.
fn naive_tree(mut layer: Vec<MerkleHash>, base: u32) -> Vec<Vec<MerkleHash>> {
    layer.resize(layer.len().next_power_of_two(), zero_hash(base));
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
    let first = range.length.ilog2();
    for up in first..=range.proof_layers {
        answer.push(tree[up as usize][position ^ 1]);
        position /= 2;
    }
    answer
}

fn hashes(count: u32) -> Vec<MerkleHash> {
    (0..count)
        .map(|number| super::super::block_hash(&number.to_be_bytes()))
        .collect()
}

const fn piece_length(base: u32) -> u32 {
    BLOCK_LEN << base
}

fn file_len(pieces: u32, base: u32) -> u64 {
    // The last piece is short.
    u64::from(pieces - 1) * u64::from(piece_length(base)) + 1
}

fn whole(pieces: u32, base: u32) -> (Layer, Vec<Vec<MerkleHash>>) {
    let tree = naive_tree(hashes(pieces), base);
    let root = tree.last().unwrap()[0];
    let layer = Layer::whole(
        root,
        file_len(pieces, base),
        piece_length(base),
        &hashes(pieces),
    );
    (layer.unwrap(), tree)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is asked for of a layer, of one chunk or of several: the answer is that of the naive tree, or none where
    /// the request makes no sense.
    #[test]
    fn answers_are_those_of_the_whole_tree(
        pieces in prop_oneof![2u32..70, 500u32..530, 1000u32..1600],
        base in 0u32..3,
        index in 0u32..2048,
        log_length in 0u32..11,
        proof_layers in 0u32..12,
    ) {
        let (layer, tree) = whole(pieces, base);
        let length = 1 << log_length;
        let range = HashRange { base, index: index / length * length, length, proof_layers };
        let layers = u32::try_from(tree.len()).unwrap() - 1;
        let exists = length <= 512 && proof_layers < layers && range.index < pieces
            && range.index + length <= u32::try_from(tree[0].len()).unwrap();
        let expected = exists.then(|| naive_answer(&tree, range));
        prop_assert_eq!(layer.serve(range), expected);
        prop_assert_eq!(layer.hashes(), Some(hashes(pieces)));
    }

    /// A layer that is learned chunk by chunk serves what a whole one does; no other answer is taken.
    #[test]
    fn what_is_learned_is_served(
        pieces in prop_oneof![2u32..70, 500u32..530, 1000u32..1600],
        base in 0u32..3,
        flipped in any::<prop::sample::Index>(),
    ) {
        let (known, _) = whole(pieces, base);
        let learning = Layer::unknown(known.root, file_len(pieces, base), piece_length(base));
        let missing: Vec<_> = learning.missing().collect();
        prop_assert_eq!(missing.len(), pieces.div_ceil(512) as usize);
        for (range, covered) in missing {
            let answer = known.serve(range).unwrap();
            prop_assert_eq!(learning.serve(range), None);
            let mut wrong = answer.clone();
            let at = flipped.index(wrong.len());
            wrong[at] = MerkleHash::new([0xee; 32]);
            prop_assert_eq!(learning.accept(range, &wrong), None);
            prop_assert_eq!(learning.accept(range, &answer[1..]), None);
            prop_assert_eq!(learning.accept(range, &[&answer[..], &answer[..1]].concat()), None);
            let shorter = HashRange { proof_layers: range.proof_layers.wrapping_sub(1), ..range };
            prop_assert_eq!(learning.accept(shorter, &answer), None);
            prop_assert_eq!(learning.get(covered.start), None);
            prop_assert_eq!(learning.accept(range, &answer), Some(covered.clone()));
            prop_assert_eq!(learning.accept(range, &answer), Some(covered));
            prop_assert_eq!(learning.serve(range), Some(answer));
            let half = HashRange { length: range.length / 2, ..range };
            prop_assert_eq!(learning.serve(half), known.serve(half));
        }
        prop_assert_eq!(learning.hashes(), Some(hashes(pieces)));
        prop_assert_eq!(learning.missing().count(), 0);
        prop_assert_eq!(learning.get(pieces), None);
    }
}

#[test]
fn a_layer_that_is_not_of_its_root_is_refused() {
    let (layer, _) = whole(700, 1);
    let mut hashes = hashes(700);
    let whole =
        |hashes: &[MerkleHash]| Layer::whole(layer.root, file_len(700, 1), piece_length(1), hashes);
    assert!(whole(&hashes).is_some());
    assert!(whole(&hashes[..699]).is_none());
    hashes.swap(3, 4);
    assert!(whole(&hashes).is_none());
}

/// 100 GiB: 33 bytes for each piece, proofs and all.
#[test]
fn a_whole_layer_takes_no_more_memory_than_is_said() {
    const LEN: u64 = 100 << 30;
    for (base, most) in [(6, 3_400_000), (4, 13_600_000)] {
        let pieces = u32::try_from(LEN / u64::from(piece_length(base))).unwrap();
        let hashes = hashes(pieces);
        let root = root(hashes.iter().copied(), base).unwrap();
        let layer = Layer::whole(root, LEN, piece_length(base), &hashes).unwrap();
        let of_chunk = |chunk: &Chunk| (chunk.hashes.len() + chunk.uncles.len()) * 32;
        let chunks = layer
            .chunks
            .iter()
            .map(|chunk| of_chunk(chunk.get().unwrap()));
        let slots = size_of_val(&*layer.chunks);
        let memory = chunks.sum::<usize>() + slots;
        assert!(memory < most && memory < 33 * hashes.len(), "{memory}");
    }
}
