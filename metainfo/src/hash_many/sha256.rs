//! SHA-256 (FIPS 180-4) of sixteen messages of the same length, each in a lane of the processor's vectors.

#![cfg_attr(
    not(any(target_arch = "x86", target_arch = "x86_64")),
    allow(
        dead_code,
        unused_variables,
        reason = "elsewhere no vectors are known that hashing gains by"
    )
)]

use super::LANES;
use super::lanes::{BLOCK, Vectors, Words, transpose};
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::Simd as _;
use fearless_simd::prelude::*;

const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// The constants of the rounds.
const ROUNDS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

type State = [[u32; LANES]; 8];
type Blocks<'a> = [&'a [[u8; BLOCK]]; LANES];

/// The hashes of messages of equal length, which is a multiple of [`BLOCK`].
pub(super) fn hash(vectors: Vectors, messages: &[&[u8]; LANES]) -> [[u8; 32]; LANES] {
    let blocks: Blocks<'_> = messages.map(|message| message.as_chunks().0);
    let mut state = INITIAL.map(|word| [word; LANES]);
    compress_with(vectors, &mut state, &blocks);
    let len = blocks[0].as_flattened().len() as u64;
    // A mark behind the message, and its length in bits at the end of the block.
    let mut end = [0; BLOCK];
    end[0] = 0x80;
    end[BLOCK - 8..].copy_from_slice(&(len * 8).to_be_bytes());
    compress_with(vectors, &mut state, &[&[end]; LANES]);
    std::array::from_fn(|lane| {
        let mut hash = [0; 32];
        for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(&state) {
            *bytes = word[lane].to_be_bytes();
        }
        hash
    })
}

fn compress_with(vectors: Vectors, state: &mut State, blocks: &Blocks<'_>) {
    match vectors {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Vectors::Avx2(simd) => simd.vectorize(
            #[inline(always)]
            || compress(simd, state, blocks),
        ),
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Vectors::Avx512(simd) => simd.vectorize(
            #[inline(always)]
            || compress(simd, state, blocks),
        ),
    }
}

/// Sixteen rounds, unrolled: which words take part in which is then known to the compiler, and all stay in registers.
macro_rules! sixteen_rounds {
    ($round:ident, $simd:ident, $words:ident, $hash:ident, $constants:expr) => {
        sixteen_rounds!($round, $simd, $words, $hash, $constants;
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($round:ident, $simd:ident, $words:ident, $hash:ident, $constants:expr; $($at:literal)*) => {
        $( $hash = $round::<_, $at>($simd, &mut $words, $hash, $constants[$at]); )*
    };
}

/// Processes blocks: equally many of all messages.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "a block of each message is taken, not one message after the other"
)]
fn compress<S: Simd>(simd: S, state: &mut State, blocks: &Blocks<'_>) {
    let mut before: [Words<S>; 8] = state.map(|word| word.simd_into(simd));
    for number in 0..blocks[0].len() {
        let mut words = transpose(std::array::from_fn(|lane| {
            let words = blocks[lane][number].as_chunks().0;
            let words: [u32; 16] = std::array::from_fn(|word| u32::from_be_bytes(words[word]));
            words.simd_into(simd)
        }));
        let mut hash = before;
        let [first, later @ ..] = ROUNDS.as_chunks::<16>().0 else {
            return;
        };
        sixteen_rounds!(round, simd, words, hash, first);
        for constants in later {
            sixteen_rounds!(later_round, simd, words, hash, constants);
        }
        before = std::array::from_fn(|word| before[word] + hash[word]);
    }
    for (word, hashed) in state.iter_mut().zip(before) {
        hashed.store_slice(word);
    }
}

/// A round with a word of the block.
#[inline(always)]
fn round<S: Simd, const AT: usize>(
    simd: S,
    words: &mut [Words<S>; 16],
    [a, b, c, d, e, f, g, h]: [Words<S>; 8],
    constant: u32,
) -> [Words<S>; 8] {
    let choice = g ^ (e & (f ^ g));
    let majority = (a & b) | (c & (a | b));
    let first = rotate::<S, 6>(e) ^ rotate::<S, 11>(e) ^ rotate::<S, 25>(e);
    let second = rotate::<S, 2>(a) ^ rotate::<S, 13>(a) ^ rotate::<S, 22>(a);
    let added = words[AT] + Words::splat(simd, constant);
    let first = (h + added) + (first + choice);
    [first + (second + majority), a, b, c, d + first, e, f, g]
}

/// A round with a word that is made of earlier ones, and takes the place of the oldest.
#[inline(always)]
fn later_round<S: Simd, const AT: usize>(
    simd: S,
    words: &mut [Words<S>; 16],
    hash: [Words<S>; 8],
    constant: u32,
) -> [Words<S>; 8] {
    let (early, late) = (words[(AT + 1) % 16], words[(AT + 14) % 16]);
    let early = rotate::<S, 7>(early) ^ rotate::<S, 18>(early) ^ (early >> 3);
    let late = rotate::<S, 17>(late) ^ rotate::<S, 19>(late) ^ (late >> 10);
    words[AT] = (words[AT] + words[(AT + 9) % 16]) + (early + late);
    round::<S, AT>(simd, words, hash, constant)
}

/// To the right.
#[inline(always)]
fn rotate<S: Simd, const RIGHT: u32>(words: Words<S>) -> Words<S> {
    (words >> RIGHT) | (words << (32 - RIGHT))
}
