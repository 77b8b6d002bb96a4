//! SHA-1 (FIPS 180-4) of sixteen messages of the same length, each in a lane of the processor's vectors.

#![cfg_attr(
    not(any(target_arch = "x86", target_arch = "x86_64")),
    allow(
        dead_code,
        unused_variables,
        reason = "elsewhere no vectors are known that hashing gains by"
    )
)]

use super::LANES;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::x86::{Avx2, Avx512};
use fearless_simd::{Level, prelude::*, u32x16};

/// The block length of SHA-1, in bytes.
pub(super) const BLOCK: usize = 64;

const INITIAL: [u32; 5] = [
    0x6745_2301,
    0xefcd_ab89,
    0x98ba_dcfe,
    0x1032_5476,
    0xc3d2_e1f0,
];
/// The constants of the four times twenty rounds.
const ROUND: [u32; 4] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6];

/// The vector instructions that make hashing faster.
#[derive(Clone, Copy, Debug)]
pub(super) enum Vectors {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx2(Avx2),
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx512(Avx512),
}

impl Vectors {
    /// Those that a processor of this level has.
    pub(super) const fn of(level: Level) -> Option<Self> {
        match level {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx2(vectors) => Some(Self::Avx2(vectors)),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx512(vectors) => Some(Self::Avx512(vectors)),
            _ => None,
        }
    }

    /// From how many messages on lanes are faster than `sha1`. Measured with SHA instructions at hand; without them it
    /// would be from fewer on.
    pub(super) const fn worthwhile(self) -> usize {
        match self {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2(_) => 11,
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512(_) => 5,
        }
    }

    /// The same for SHA-256 and blocks of 16 KiB. SHA instructions are faster than the lanes of AVX2.
    pub(super) fn worthwhile_sha256(self) -> usize {
        match self {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2(_) => match std::arch::is_x86_feature_detected!("sha") {
                true => usize::MAX,
                false => 8,
            },
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512(_) => 9,
        }
    }

    fn compress(self, state: &mut [[u32; LANES]; 5], blocks: &[&[[u8; BLOCK]]; LANES]) {
        match self {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2(simd) => simd.vectorize(
                #[inline(always)]
                || compress(simd, state, blocks),
            ),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512(simd) => simd.vectorize(
                #[inline(always)]
                || compress(simd, state, blocks),
            ),
        }
    }
}

/// The hashes of the messages so far.
pub(super) struct Lanes {
    vectors: Vectors,
    /// Each of the five words of a hash, of all messages.
    state: [[u32; LANES]; 5],
    /// The bytes of each message that are in it.
    len: u64,
}

impl Lanes {
    pub(super) const fn new(vectors: Vectors) -> Self {
        let mut state = [[0; LANES]; 5];
        let mut word = 0;
        while word < INITIAL.len() {
            state[word] = [INITIAL[word]; LANES];
            word += 1;
        }
        Self {
            vectors,
            state,
            len: 0,
        }
    }

    /// Appends to each message: equally many bytes to all, a multiple of [`BLOCK`].
    pub(super) fn update(&mut self, parts: &[&[u8]; LANES]) {
        let blocks = parts.map(|part| part.as_chunks().0);
        self.vectors.compress(&mut self.state, &blocks);
        self.len += blocks[0].as_flattened().len() as u64;
    }

    /// Appends the rest of each message, equally many bytes to all, and returns the hashes.
    pub(super) fn finish(mut self, tails: &[&[u8]; LANES]) -> [[u8; 20]; LANES] {
        self.update(tails);
        let rest = tails.map(|tail| tail.as_chunks::<BLOCK>().1);
        let bits = (self.len + rest[0].len() as u64) * 8;
        let padded = rest.map(|rest| pad(rest, bits));
        // The length takes eight bytes and the mark before it one; where they do not fit in, a block more.
        let blocks = (rest[0].len() + 9).div_ceil(BLOCK);
        self.update(
            &padded
                .each_ref()
                .map(|last| &last.as_flattened()[..blocks * BLOCK]),
        );
        std::array::from_fn(|lane| {
            let mut hash = [0; 20];
            for (bytes, word) in hash.as_chunks_mut().0.iter_mut().zip(&self.state) {
                *bytes = word[lane].to_be_bytes();
            }
            hash
        })
    }
}

/// A message's end: less than a block, a mark, and the length of the whole in bits at the end of the block that has
/// room for it.
fn pad(rest: &[u8], bits: u64) -> [[u8; BLOCK]; 2] {
    let mut padded = [[0; BLOCK]; 2];
    let bytes = padded.as_flattened_mut();
    bytes[..rest.len()].copy_from_slice(rest);
    bytes[rest.len()] = 0x80;
    let end = (rest.len() + 9).next_multiple_of(BLOCK);
    bytes[end - 8..end].copy_from_slice(&bits.to_be_bytes());
    padded
}

pub(super) type Words<S> = u32x16<S>;

/// Twenty rounds, unrolled: which words take part in which is then known to the compiler, and all stay in registers.
macro_rules! twenty_rounds {
    ($words:ident, $hash:ident, $first:literal, $add:ident, $mix:ident) => {
        twenty_rounds!($words, $hash, $first, $add, $mix: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
    };
    ($words:ident, $hash:ident, $first:literal, $add:ident, $mix:ident: $($number:literal)*) => {
        $( $hash = round(&mut $words, $hash, $first + $number, $add, $mix); )*
    };
}

/// Processes blocks: equally many of all messages.
#[inline(always)]
#[expect(
    clippy::needless_range_loop,
    reason = "a block of each message is taken, not one message after the other"
)]
fn compress<S: Simd>(simd: S, state: &mut [[u32; LANES]; 5], blocks: &[&[[u8; BLOCK]]; LANES]) {
    let mut before: [Words<S>; 5] = state.map(|word| word.simd_into(simd));
    let [add0, add1, add2, add3] = ROUND.map(|add| Words::splat(simd, add));
    for number in 0..blocks[0].len() {
        let mut words = transpose(std::array::from_fn(|lane| {
            let words = blocks[lane][number].as_chunks().0;
            let words: [u32; 16] = std::array::from_fn(|word| u32::from_be_bytes(words[word]));
            words.simd_into(simd)
        }));
        let mut hash = before;
        twenty_rounds!(words, hash, 0, add0, choose);
        twenty_rounds!(words, hash, 20, add1, parity);
        twenty_rounds!(words, hash, 40, add2, majority);
        twenty_rounds!(words, hash, 60, add3, parity);
        before = std::array::from_fn(|word| before[word] + hash[word]);
    }
    for (word, hashed) in state.iter_mut().zip(before) {
        hashed.store_slice(word);
    }
}

/// Transposes words by lane into lanes by word. Four perfect shuffles of 256 words swap the halves of each word's
/// index.
#[inline(always)]
pub(super) fn transpose<S: Simd>(mut rows: [Words<S>; 16]) -> [Words<S>; 16] {
    for _ in 0..4 {
        let old = rows;
        rows = std::array::from_fn(|row| {
            let (low, high) = (old[row / 2], old[row / 2 + 8]);
            match row % 2 {
                0 => low.zip_low(high),
                _ => low.zip_high(high),
            }
        });
    }
    rows
}

#[inline(always)]
fn round<S: Simd>(
    words: &mut [Words<S>; 16],
    [a, b, c, d, e]: [Words<S>; 5],
    number: usize,
    add: Words<S>,
    mix: impl Fn(Words<S>, Words<S>, Words<S>) -> Words<S>,
) -> [Words<S>; 5] {
    let at = number % 16;
    if number >= 16 {
        let earlier = [13, 8, 2].map(|back| words[(at + back) % 16]);
        words[at] = rotate::<S, 1>(
            earlier
                .into_iter()
                .fold(words[at], |word, other| word ^ other),
        );
    }
    let next = (e + add) + words[at] + mix(b, c, d) + rotate::<S, 5>(a);
    [next, a, rotate::<S, 30>(b), c, d]
}

#[inline(always)]
fn rotate<S: Simd, const LEFT: u32>(words: Words<S>) -> Words<S> {
    (words << LEFT) | (words >> (32 - LEFT))
}

#[inline(always)]
fn choose<S: Simd>(b: Words<S>, c: Words<S>, d: Words<S>) -> Words<S> {
    d ^ (b & (c ^ d))
}

#[inline(always)]
fn parity<S: Simd>(b: Words<S>, c: Words<S>, d: Words<S>) -> Words<S> {
    b ^ c ^ d
}

#[inline(always)]
fn majority<S: Simd>(b: Words<S>, c: Words<S>, d: Words<S>) -> Words<S> {
    (b & c) | (d & (b | c))
}
