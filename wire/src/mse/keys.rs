//! What is derived from the secret.

use sha1::{Digest, Sha1};
use tailwater_types::InfoHash;

use super::Rc4;
use super::limits::PUBLIC_KEY_LEN;

/// `HASH('req2', info-hash)`: by this an initiator names the torrent it wants.
///
/// A registry keeps a map from it to its torrents, and finds the torrent of an incoming connection in constant time.
#[must_use]
pub fn obfuscated(info_hash: &InfoHash) -> [u8; 20] {
    hash(b"req2", info_hash.as_bytes(), &[])
}

/// `S`, the result of the Diffie-Hellman exchange.
pub(crate) struct Secret([u8; PUBLIC_KEY_LEN]);

/// The cipher states of both directions, seen from one side.
pub(super) struct Ciphers {
    pub(super) send: Rc4,
    pub(super) receive: Rc4,
}

impl Secret {
    pub(super) const fn new(bytes: [u8; PUBLIC_KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// `HASH('req1', S)`: the point where the initiator's padding ends.
    pub(crate) fn sync(&self) -> [u8; 20] {
        hash(b"req1", &self.0, &[])
    }

    /// Hides or shows the obfuscated info-hash: `xor HASH('req3', S)`.
    pub(crate) fn mask(&self, mut obfuscated: [u8; 20]) -> [u8; 20] {
        for (byte, mask) in obfuscated.iter_mut().zip(hash(b"req3", &self.0, &[])) {
            *byte ^= mask;
        }
        obfuscated
    }

    pub(super) fn initiator_ciphers(&self, info_hash: &InfoHash) -> Box<Ciphers> {
        Box::new(Ciphers {
            send: self.cipher(b"keyA", info_hash),
            receive: self.cipher(b"keyB", info_hash),
        })
    }

    pub(super) fn responder_ciphers(&self, info_hash: &InfoHash) -> Box<Ciphers> {
        Box::new(Ciphers {
            send: self.cipher(b"keyB", info_hash),
            receive: self.cipher(b"keyA", info_hash),
        })
    }

    pub(crate) fn cipher(&self, direction: &[u8; 4], info_hash: &InfoHash) -> Rc4 {
        Rc4::new(&hash(direction, &self.0, info_hash.as_bytes()))
    }
}

fn hash(purpose: &[u8; 4], first: &[u8], second: &[u8]) -> [u8; 20] {
    Sha1::new_with_prefix(purpose)
        .chain_update(first)
        .chain_update(second)
        .finalize()
        .into()
}
