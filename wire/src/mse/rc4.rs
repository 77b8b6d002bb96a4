//! RC4, as MSE uses it.

use std::fmt;

use bytes::{Buf, BytesMut};

use super::limits::DROPPED_KEYSTREAM_LEN;

/// One direction of a connection: an RC4 keystream without its first 1024 bytes.
///
/// Enciphering and deciphering are the same operation, and every byte of the stream has to pass exactly once, in order.
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
    state: [u8; 256],
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
        for (byte, value) in state.iter_mut().zip(0..=u8::MAX) {
            *byte = value;
        }
        let mut j = 0u8;
        for (i, key) in (0..256).zip(key.iter().cycle()) {
            j = j.wrapping_add(state[i]).wrapping_add(*key);
            state.swap(i, usize::from(j));
        }
        Self { state, i: 0, j: 0 }
    }

    /// Enciphers or deciphers bytes where they stand.
    pub fn apply(&mut self, data: &mut [u8]) {
        let (words, rest) = data.as_chunks_mut::<8>();
        for word in words {
            let mut key = [0; 8];
            for byte in &mut key {
                *byte = self.next();
            }
            *word = (u64::from_ne_bytes(*word) ^ u64::from_ne_bytes(key)).to_ne_bytes();
        }
        for byte in rest {
            *byte ^= self.next();
        }
    }

    /// Appends the bytes of `from`, enciphered or deciphered, to `to`.
    pub fn apply_to(&mut self, from: &[u8], to: &mut BytesMut) {
        let start = to.len();
        to.extend_from_slice(from);
        self.apply(&mut to[start..]);
    }

    /// Throws up to `len` enciphered bytes away from the front of `buf`; returns how many of them have not come.
    pub(super) fn skip(&mut self, buf: &mut BytesMut, len: usize) -> usize {
        let here = len.min(buf.len());
        self.apply(&mut buf[..here]);
        buf.advance(here);
        len - here
    }

    #[inline]
    const fn next(&mut self) -> u8 {
        self.i = self.i.wrapping_add(1);
        let a = self.state[self.i as usize];
        self.j = self.j.wrapping_add(a);
        let b = self.state[self.j as usize];
        self.state[self.i as usize] = b;
        self.state[self.j as usize] = a;
        self.state[a.wrapping_add(b) as usize]
    }
}

/// Without the key.
impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4").finish_non_exhaustive()
    }
}
