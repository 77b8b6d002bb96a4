//! The randomness of one handshake, which the caller supplies.

use std::fmt;

use bytes::BytesMut;

use super::Rc4;
use super::limits::MAX_PADDING_LEN;

/// Random bytes for one handshake: the private exponent, the lengths of both paddings, and the seed of the first.
///
/// A program fills them from the operating system (`getrandom`), and never uses them twice; a test takes any.
pub struct Entropy {
    pub(super) exponent: [u8; EXPONENT_LEN],
    lengths: [u16; 2],
    seed: [u8; SEED_LEN],
}

/// Bytes of a private exponent: 160 bits, which the specification calls enough.
pub(super) const EXPONENT_LEN: usize = 20;
const SEED_LEN: usize = 20;

impl Entropy {
    /// How many random bytes a handshake takes.
    pub const LEN: usize = EXPONENT_LEN + 2 * 2 + SEED_LEN;

    /// Divides the random bytes up.
    #[must_use]
    pub fn new(bytes: [u8; Self::LEN]) -> Self {
        let (mut exponent, mut seed) = ([0; EXPONENT_LEN], [0; SEED_LEN]);
        exponent.copy_from_slice(&bytes[..EXPONENT_LEN]);
        seed.copy_from_slice(&bytes[EXPONENT_LEN + 4..]);
        let length = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Self {
            exponent,
            lengths: [length(EXPONENT_LEN), length(EXPONENT_LEN + 2)],
            seed,
        }
    }

    /// Appends the padding that follows our public key: random bytes, of random number.
    pub(super) fn pad_key(self, out: &mut BytesMut) {
        let start = out.len();
        out.resize(start + padding_len(self.lengths[0]), 0);
        // A keystream is what the rest of the connection looks like, too.
        Rc4::new(&self.seed).apply(&mut out[start..]);
    }

    /// The length of the padding inside our enciphered message, in bytes.
    pub(super) fn inner_padding_len(&self) -> u16 {
        self.lengths[1] % (MAX_PADDING_LEN_U16 + 1)
    }
}

const MAX_PADDING_LEN_U16: u16 = 512;
const _: () = assert!(MAX_PADDING_LEN_U16 as usize == MAX_PADDING_LEN);

const fn padding_len(random: u16) -> usize {
    (random % (MAX_PADDING_LEN_U16 + 1)) as usize
}

/// Without the bytes.
impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").finish_non_exhaustive()
    }
}
