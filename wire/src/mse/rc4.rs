//! RC4, as MSE uses it.

use std::fmt;

use bytes::{Buf, BytesMut};

use super::limits::DROPPED_KEYSTREAM_LEN;

/// One direction of a connection: an RC4 keystream without its first 1024 bytes.
///
/// It is 1032 bytes large. Enciphering and deciphering are the same operation, and every byte of the stream has to pass exactly once, in order.
///
/// ```
/// use tailwater_wire::mse::Rc4;
///
/// let mut data = *b"any bytes";
/// Rc4::new(&[7; 20]).apply(&mut data);
/// assert_ne!(data, *b"any bytes");
/// Rc4::new(&[7; 20]).apply(&mut data);
/// assert_eq!(data, *b"any bytes");
/// ```
pub struct Rc4 {
    /// Bytes, each in a word of its own: a table of bytes was measured to be a third slower.
    state: [u32; 256],
    /// The next place, and the other index before it moves there.
    i: u8,
    j: u8,
}

impl Rc4 {
    /// The keystream of a key, which MSE makes with SHA-1.
    #[must_use]
    pub fn new(key: &[u8; 20]) -> Self {
        let mut cipher = Self::with_key(key);
        cipher.apply(&mut [0; DROPPED_KEYSTREAM_LEN]);
        cipher
    }

    /// The whole keystream of a key that is not empty.
    fn with_key(key: &[u8]) -> Self {
        let mut state = [0; 256];
        for (word, value) in state.iter_mut().zip(0..) {
            *word = value;
        }
        let mut j = 0u8;
        for (i, key) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(low(state[i])).wrapping_add(*key);
            state.swap(i, usize::from(j));
        }
        Self { state, i: 1, j: 0 }
    }

    /// Enciphers or deciphers bytes where they stand.
    pub fn apply(&mut self, data: &mut [u8]) {
        let mut step = Step {
            i: self.i,
            j: self.j,
            word: self.state[usize::from(self.i)],
        };
        let (words, rest) = data.as_chunks_mut::<8>();
        for word in words {
            let mut key = 0;
            for byte in 0..8 {
                key |= u64::from(step.next(&mut self.state)) << (8 * byte);
            }
            *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
        }
        for byte in rest {
            *byte ^= low(step.next(&mut self.state));
        }
        (self.i, self.j) = (step.i, step.j);
    }

    /// Appends the bytes of `from`, enciphered or deciphered, to `to`; `from` stays as it is.
    pub fn apply_to(&mut self, from: &[u8], to: &mut BytesMut) {
        /// What is copied at once is still in the nearest cache when it is enciphered.
        const PART_LEN: usize = 4096;
        to.reserve(from.len());
        for part in from.chunks(PART_LEN) {
            let start = to.len();
            to.extend_from_slice(part);
            self.apply(&mut to[start..]);
        }
    }

    /// Throws up to `len` enciphered bytes away from the front of `buf`; returns how many of them have not come.
    pub(super) fn skip(&mut self, buf: &mut BytesMut, len: usize) -> usize {
        let here = len.min(buf.len());
        self.apply(&mut buf[..here]);
        buf.advance(here);
        len - here
    }
}

/// The indices of the keystream, and the word at the first of them.
///
/// RC4 is bound by memory: the load of the next place waits for both stores of a swap, because each might hit it. So the
/// load is done before the stores, and the one case in which a store changes that place is told by comparing indices.
/// This more than doubles the speed (`benches/mse.rs`).
struct Step {
    i: u8,
    j: u8,
    word: u32,
}

impl Step {
    #[inline]
    const fn next(&mut self, state: &mut [u32; 256]) -> u32 {
        let word = self.word;
        self.j = self.j.wrapping_add(low(word));
        let next = self.i.wrapping_add(1);
        let ahead = state[next as usize];
        let other = state[self.j as usize];
        state[self.i as usize] = other;
        state[self.j as usize] = word;
        self.word = match self.j == next {
            true => word,
            false => ahead,
        };
        self.i = next;
        state[low(word.wrapping_add(other)) as usize]
    }
}

/// The byte in a word.
const fn low(word: u32) -> u8 {
    word.to_le_bytes()[0]
}

/// Without the key.
impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key, and the keystream at offsets.
    type Vector = (&'static [u8], &'static [(usize, u128)]);

    const RFC_6229: [Vector; 3] = [
        (
            &[1, 2, 3, 4, 5],
            &[
                (0, 0xb239_6305_f03d_c027_ccc3_524a_0a11_18a8),
                (16, 0x6982_944f_18fc_82d5_89c4_03a4_7a0d_0919),
                (240, 0x28cb_1132_c96c_e286_421d_caad_b8b6_9eae),
                (256, 0x1cfc_f62b_03ed_db64_1d77_dfcf_7f8d_8c93),
                (496, 0x42b7_d0cd_d918_a8a3_3dd5_1781_c81f_4041),
                (512, 0x6459_8444_32a7_da92_3cfb_3eb4_9806_61f6),
                (752, 0xec10_327b_de2b_eefd_18f9_2776_8045_7e22),
                (768, 0xeb62_638d_4f0b_a1fe_9fca_20e0_5bf8_ff2b),
                (1008, 0x4512_9048_e6a0_ed0b_56b4_9033_8f07_8da5),
                (1024, 0x30ab_bcc7_c20b_0160_9f23_ee2d_5f6b_b7df),
                (1520, 0x3294_f744_d8f9_7905_07e7_0f62_e5bb_ceea),
                (1536, 0xd872_9db4_1882_259b_ee4f_8253_25f5_a130),
                (2032, 0x1eb1_4a0c_13b3_bf47_fa2a_0ba9_3ad4_5b8b),
                (2048, 0xcc58_2f8b_a9f2_65e2_b1be_9112_e975_d2d7),
            ],
        ),
        (
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16],
            &[(0, 0x9ac7_cc9a_609d_1ef7_b293_2899_cde4_1b97)],
        ),
        (
            &[
                0x1a, 0xda, 0x31, 0xd5, 0xcf, 0x68, 0x82, 0x21, 0xc1, 0x09, 0x16, 0x39, 0x08, 0xeb,
                0xe5, 0x1d, 0xeb, 0xb4, 0x62, 0x27, 0xc6, 0xcc, 0x8b, 0x37, 0x64, 0x19, 0x10, 0x83,
                0x32, 0x22, 0x77, 0x2a,
            ],
            &[(4096, 0x370b_1c1f_e655_916d_97fd_0d47_ca1d_72b8)],
        ),
    ];

    #[test]
    fn the_keystream_is_that_of_rfc_6229() {
        for (key, vectors) in RFC_6229 {
            let mut stream = vec![0; 5000];
            Rc4::with_key(key).apply(&mut stream);
            for &(at, expected) in vectors {
                assert_eq!(stream[at..at + 16], expected.to_be_bytes(), "{key:?} {at}");
            }
        }
    }

    #[test]
    fn the_first_1024_bytes_are_dropped() {
        let key = [5; 20];
        let mut whole = vec![0; 1024 + 100];
        Rc4::with_key(&key).apply(&mut whole);
        let mut stream = [0; 100];
        Rc4::new(&key).apply(&mut stream);
        assert_eq!(stream, whole[1024..]);
    }

    /// Every index meets every other in a long stream: also the case that the look-ahead has to correct.
    #[test]
    fn a_long_stream_is_that_of_the_crate_rc4_however_it_is_cut() {
        use rc4::{KeyInit, StreamCipher};

        for key in 0..20 {
            let key = [key; 20];
            let data: Vec<u8> = (0..100_000).map(|byte: u32| low(byte * 7)).collect();
            let mut expected = data.clone();
            let mut theirs = rc4::Rc4::new_from_slice(&key).unwrap();
            theirs.apply_keystream(&mut expected);

            let mut ours = Rc4::with_key(&key);
            let mut found = data.clone();
            let mut left = &mut found[..];
            for len in (0..30).cycle() {
                let (part, rest) = left.split_at_mut(len.min(left.len()));
                ours.apply(part);
                left = rest;
                if left.is_empty() {
                    break;
                }
            }
            assert_eq!(found, expected);

            let mut to = BytesMut::from(&b"before"[..]);
            Rc4::with_key(&key).apply_to(&data, &mut to);
            assert_eq!(&to[..6], b"before");
            assert_eq!(to[6..], expected);
        }
    }
}
