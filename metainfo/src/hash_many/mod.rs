//! Hashes several pieces at a time, each in a lane of the processor's vectors (SIMD).
//!
//! One SHA-1 is a chain: each of its rounds waits for the one before, and most of the processor is idle meanwhile. As
//! many chains as a vector has lanes run side by side in hardly more time than one takes: with AVX-512 sixteen pieces
//! are hashed at more than three times the rate of the processor's own SHA instructions
//! (`cargo bench -p tailwater-metainfo`). The same goes for SHA-256 (BEP 52), where even the blocks of one piece are
//! messages of their own.

mod lanes;
mod sha256;

use crate::{BLOCK_LEN, MerkleHash, PieceHash};
use fearless_simd::Level;
use lanes::{BLOCK, Lanes, Vectors};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// The most pieces that are hashed side by side.
const LANES: usize = 16;

/// How many pieces of the same length are best handed to [`hash_many`] at once on this processor: 16, or 1 if it gains
/// nothing by hashing several.
#[must_use]
pub fn hashed_together() -> usize {
    match Vectors::of(Level::new()) {
        Some(_) => LANES,
        None => 1,
    }
}

/// The SHA-1 of each piece, in their order. A piece is given as its parts, one after the other.
///
/// Pieces that are cut alike, into parts of a multiple of 64 bytes (the last may be of any length), are hashed side by
/// side where that is faster; others one by one.
#[must_use]
pub fn hash_many(pieces: &[&[&[u8]]]) -> Vec<PieceHash> {
    let vectors = Vectors::of(Level::new());
    let groups = pieces.chunks(LANES);
    groups
        .flat_map(|group| hash_group(vectors, group))
        .collect()
}

/// The SHA-1 of `pieces` pieces of `len` bytes each, that are read a part at a time: `read` gets the piece's number,
/// the first byte, and the buffer to fill. As many pieces are read in turn as are hashed side by side.
///
/// `scratch` is the buffer for the parts; if it is too small, it is not used.
///
/// # Errors
///
/// The first of `read`.
pub fn hash_many_from<E>(
    pieces: usize,
    len: usize,
    scratch: &mut [u8],
    mut read: impl FnMut(usize, usize, &mut [u8]) -> Result<(), E>,
) -> Result<Vec<PieceHash>, E> {
    let mut own = Vec::new();
    let scratch = match scratch.len() < LANES * BLOCK {
        true => {
            own.resize(LANES * BLOCK, 0);
            &mut own[..]
        }
        false => scratch,
    };
    let vectors = Vectors::of(Level::new());
    let mut hashes = Vec::with_capacity(pieces);
    for first in (0..pieces).step_by(LANES) {
        let group = first..pieces.min(first + LANES);
        match vectors.filter(|vectors| group.len() >= vectors.worthwhile()) {
            Some(vectors) => {
                let count = group.len();
                let read = |piece, at, part: &mut [u8]| read(first + piece, at, part);
                hashes.extend(read_side_by_side(vectors, count, len, scratch, read)?);
            }
            None => {
                for piece in group {
                    hashes.push(read_one(len, scratch, |at, part| read(piece, at, part))?);
                }
            }
        }
    }
    Ok(hashes)
}

/// The hash of one block, a leaf of a tree (BEP 52). The last block of a file is hashed as short as it is.
#[must_use]
pub fn block_hash(block: &[u8]) -> MerkleHash {
    MerkleHash::new(Sha256::digest(block).into())
}

/// The hashes of blocks, the leaves of a tree (BEP 52), in their order. Whole blocks are hashed side by side where that is
/// faster; shorter ones, such as the last of a file, one by one.
#[must_use]
pub fn block_hashes(blocks: &[&[u8]]) -> Vec<MerkleHash> {
    hash_blocks(Vectors::of(Level::new()), blocks)
}

fn hash_blocks(vectors: Option<Vectors>, blocks: &[&[u8]]) -> Vec<MerkleHash> {
    let mut hashes = Vec::with_capacity(blocks.len());
    for group in blocks.chunks(LANES) {
        let is_whole = |block: &&[u8]| block.len() == BLOCK_LEN as usize;
        let whole = group.iter().take_while(|block| is_whole(block)).count();
        let (whole, others) = group.split_at(whole);
        match (vectors, whole) {
            (Some(vectors), [first, ..]) if whole.len() >= vectors.worthwhile_sha256() => {
                // Lanes that are left over hash the first once more.
                let block = |lane: usize| whole.get(lane).copied().unwrap_or(first);
                let leaves = sha256::hash(vectors, &std::array::from_fn(block));
                hashes.extend(leaves.into_iter().take(whole.len()).map(MerkleHash::new));
            }
            _ => hashes.extend(whole.iter().map(|block| block_hash(block))),
        }
        hashes.extend(others.iter().map(|block| block_hash(block)));
    }
    hashes
}

fn hash_group(vectors: Option<Vectors>, group: &[&[&[u8]]]) -> Vec<PieceHash> {
    match (vectors, group) {
        (Some(vectors), [first, others @ ..])
            if group.len() >= vectors.worthwhile()
                && is_on_grid(first)
                && others.iter().all(|other| is_cut_alike(first, other)) =>
        {
            hash_side_by_side(vectors, first, group)
        }
        _ => group.iter().map(|piece| hash_one(piece)).collect(),
    }
}

fn is_on_grid(piece: &[&[u8]]) -> bool {
    let but_last = piece.split_last().map_or(&[][..], |(_, parts)| parts);
    but_last.iter().all(|part| part.len().is_multiple_of(BLOCK))
}

fn is_cut_alike(piece: &[&[u8]], other: &[&[u8]]) -> bool {
    let lens = |piece: &[&[u8]]| piece.iter().map(|part| part.len()).collect::<Vec<_>>();
    piece.len() == other.len() && lens(piece) == lens(other)
}

fn hash_one(piece: &[&[u8]]) -> PieceHash {
    let mut hasher = Sha1::new();
    for part in piece {
        hasher.update(part);
    }
    PieceHash::new(hasher.finalize().into())
}

/// At most [`LANES`] pieces, all cut as `first` is. Lanes that are left over hash `first` once more.
fn hash_side_by_side(vectors: Vectors, first: &[&[u8]], group: &[&[&[u8]]]) -> Vec<PieceHash> {
    let mut lanes = Lanes::new(vectors);
    let piece = |lane: usize| group.get(lane).copied().unwrap_or(first);
    let last = first.len().saturating_sub(1);
    for part in 0..last {
        lanes.update(&std::array::from_fn(|lane| piece(lane)[part]));
    }
    let tail = |lane: usize| piece(lane).last().copied().unwrap_or_default();
    let hashes = lanes.finish(&std::array::from_fn(tail));
    let hashes = hashes.into_iter().map(PieceHash::new);
    hashes.take(group.len()).collect()
}

/// At most [`LANES`] pieces. Lanes that are left over hash the last once more.
fn read_side_by_side<E>(
    vectors: Vectors,
    count: usize,
    len: usize,
    scratch: &mut [u8],
    mut read: impl FnMut(usize, usize, &mut [u8]) -> Result<(), E>,
) -> Result<Vec<PieceHash>, E> {
    let mut lanes = Lanes::new(vectors);
    let part_len = scratch.len() / count / BLOCK * BLOCK;
    let mut at = 0;
    let hashes = loop {
        let end = len.min(at + part_len);
        for (piece, part) in scratch.chunks_exact_mut(part_len).take(count).enumerate() {
            read(piece, at, &mut part[..end - at])?;
        }
        let filled = &*scratch;
        let parts = std::array::from_fn(|lane| {
            let start = lane.min(count - 1) * part_len;
            &filled[start..start + (end - at)]
        });
        if end == len {
            break lanes.finish(&parts);
        }
        lanes.update(&parts);
        at = end;
    };
    let hashes = hashes.into_iter().map(PieceHash::new);
    Ok(hashes.take(count).collect())
}

fn read_one<E>(
    len: usize,
    scratch: &mut [u8],
    mut read: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
) -> Result<PieceHash, E> {
    let mut hasher = Sha1::new();
    let part_len = scratch.len();
    for at in (0..len).step_by(part_len) {
        let part = &mut scratch[..part_len.min(len - at)];
        read(at, part)?;
        hasher.update(part);
    }
    Ok(PieceHash::new(hasher.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// All vectors that this machine has, and none.
    fn vectors() -> Vec<Option<Vectors>> {
        let level = Level::new();
        let lesser = level.as_avx2().map(Level::Avx2);
        let levels = [Some(level), lesser].into_iter().flatten();
        levels.map(Vectors::of).chain([None]).collect()
    }

    fn cut<'a>(piece: &'a [u8], at: &[usize]) -> Vec<&'a [u8]> {
        let mut parts = Vec::new();
        let mut from = 0;
        for &to in at {
            let to = to.clamp(from, piece.len());
            parts.push(&piece[from..to]);
            from = to;
        }
        parts.push(&piece[from..]);
        parts
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However many pieces, of whatever length and cut however: the hashes are those of the library.
        #[test]
        fn the_hashes_are_those_of_sha1(
            len in 0usize..1000,
            others in vec(prop_oneof![9 => Just(None), 1 => (0usize..1000).prop_map(Some)], 0..40),
            cuts in vec(prop_oneof![4 => (0usize..16).prop_map(|n| n * 64), 1 => 0usize..1000], 0..4),
            seed in any::<u64>(),
        ) {
            let mut rng = seed;
            let mut byte = || {
                rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                rng.to_be_bytes()[0]
            };
            let lens = others.into_iter().map(|other| other.unwrap_or(len));
            let pieces: Vec<Vec<u8>> = lens.map(|len| (0..len).map(|_| byte()).collect()).collect();
            let mut cuts = cuts;
            cuts.sort_unstable();
            let parts: Vec<Vec<&[u8]>> = pieces.iter().map(|piece| cut(piece, &cuts)).collect();
            let parts: Vec<&[&[u8]]> = parts.iter().map(Vec::as_slice).collect();
            let expected: Vec<PieceHash> = pieces
                .iter()
                .map(|piece| PieceHash::new(Sha1::digest(piece).into()))
                .collect();
            prop_assert_eq!(&hash_many(&parts), &expected);
            for vectors in vectors() {
                let hashes = parts.chunks(LANES).flat_map(|group| hash_group(vectors, group));
                prop_assert_eq!(&hashes.collect::<Vec<_>>(), &expected);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The same of pieces that are read: every byte is asked for once, and an error ends it.
        #[test]
        fn the_hashes_of_what_is_read_are_those_of_sha1(
            count in 0usize..40,
            len in 1usize..3000,
            scratch in prop_oneof![Just(0), 1024usize..5000],
            failing in proptest::option::of(0usize..40),
        ) {
            let byte = |piece: usize, at: usize| (piece * 31 + at * 7 + (at >> 6)).to_be_bytes()[7];
            let pieces: Vec<Vec<u8>> = (0..count).map(|piece| (0..len).map(|at| byte(piece, at)).collect()).collect();
            let mut asked = vec![0; count];
            let hashes = hash_many_from(count, len, &mut vec![0; scratch], |piece, at, part| {
                if Some(piece) == failing {
                    return Err(piece);
                }
                assert_eq!(at, asked[piece]);
                asked[piece] += part.len();
                part.copy_from_slice(&pieces[piece][at..at + part.len()]);
                Ok(())
            });
            match failing.filter(|piece| *piece < count) {
                Some(piece) => prop_assert_eq!(hashes, Err(piece)),
                None => {
                    let digest = |piece: &Vec<u8>| PieceHash::new(Sha1::digest(piece).into());
                    let expected: Vec<_> = pieces.iter().map(digest).collect();
                    prop_assert_eq!(hashes, Ok(expected));
                    prop_assert_eq!(asked, vec![len; count]);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However many blocks, and some of them short: each leaf is the SHA-256 of its block.
        #[test]
        fn leaves_are_those_of_sha256(
            lens in vec(prop_oneof![6 => Just(16_384usize), 1 => 0usize..16_384, 1 => Just(64)], 0..40),
            seed in any::<u64>(),
        ) {
            let mut rng = seed;
            let mut byte = || {
                rng = rng.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                rng.to_be_bytes()[0]
            };
            let blocks: Vec<Vec<u8>> = lens.iter().map(|len| (0..*len).map(|_| byte()).collect()).collect();
            let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
            let expected: Vec<_> = blocks.iter().map(|block| block_hash(block)).collect();
            prop_assert_eq!(&block_hashes(&blocks), &expected);
            for vectors in vectors() {
                prop_assert_eq!(&hash_blocks(vectors, &blocks), &expected);
            }
        }
    }

    /// Where lanes are not worthwhile, they would not be tried by the test above.
    #[test]
    fn all_lanes_of_all_vectors_are_those_of_sha256() {
        let blocks: Vec<Vec<u8>> = (0..16).map(|lane| vec![lane ^ 0xa5; 16_384]).collect();
        let expected: Vec<_> = blocks
            .iter()
            .map(|block| *block_hash(block).as_bytes())
            .collect();
        for vectors in vectors().into_iter().flatten() {
            let hashes = sha256::hash(vectors, &std::array::from_fn(|lane| &blocks[lane][..]));
            assert_eq!(hashes.as_slice(), expected, "{vectors:?}");
        }
    }

    #[test]
    fn every_end_is_padded_right() {
        for vectors in vectors().into_iter().flatten() {
            for len in 0..=3 * BLOCK {
                let pieces: Vec<Vec<u8>> = (0..16).map(|lane| vec![lane; len]).collect();
                let parts: Vec<[&[u8]; 1]> = pieces.iter().map(|piece| [&piece[..]]).collect();
                let parts: Vec<&[&[u8]]> = parts.iter().map(|parts| &parts[..]).collect();
                let expected: Vec<_> = parts.iter().map(|piece| hash_one(piece)).collect();
                let hashes = hash_side_by_side(vectors, parts[0], &parts);
                assert_eq!(hashes, expected, "{len} bytes, {vectors:?}");
            }
        }
    }
}
