//! A peer that writes what it likes into each field, for tests and fuzz targets.

use super::dh::KeyPair;
use super::entropy::EXPONENT_LEN;
use super::keys::Secret;
use super::limits::{PUBLIC_KEY_LEN, VC_LEN};
use super::obfuscated;
use tailwater_types::InfoHash;

/// Everything that a peer sends after its public key.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    pub(crate) key_padding: Vec<u8>,
    pub(crate) vc: [u8; VC_LEN],
    pub(crate) methods: u32,
    /// What is claimed and what is sent of `PadC` or `PadD`.
    pub(crate) padding_len: u16,
    pub(crate) padding: usize,
    /// What is claimed of `IA`; what is sent is `payload`. A responder sends neither.
    pub(crate) payload_len: u16,
    /// `IA` and what follows it, or what follows a responder's message.
    pub(crate) payload: Vec<u8>,
}

/// The peer.
pub(crate) struct Scripted {
    keys: KeyPair,
    torrent: InfoHash,
}

impl Scripted {
    pub(crate) fn new(torrent: InfoHash) -> Self {
        Self {
            keys: KeyPair::new([9; EXPONENT_LEN]),
            torrent,
        }
    }

    pub(crate) fn public(&self) -> [u8; PUBLIC_KEY_LEN] {
        self.keys.public()
    }

    fn secret(&self, theirs: &[u8]) -> Secret {
        let theirs = theirs.first_chunk().expect("a public key");
        self.keys.agree(theirs).expect("a key of ours is good")
    }

    /// What an initiator sends after its public key, to a responder that sent `theirs`.
    pub(crate) fn request(&self, theirs: &[u8], fields: &Fields) -> Vec<u8> {
        let secret = self.secret(theirs);
        let mut out = fields.key_padding.clone();
        out.extend_from_slice(&secret.sync());
        out.extend_from_slice(&secret.mask(obfuscated(&self.torrent)));
        let mut clear = fields.head();
        clear.extend_from_slice(&fields.payload_len.to_be_bytes());
        clear.extend_from_slice(&fields.payload);
        secret.cipher(b"keyA", &self.torrent).apply(&mut clear);
        out.extend_from_slice(&clear);
        out
    }

    /// What a responder sends after its public key, to an initiator that sent `theirs`: enciphered to the end if it
    /// selects RC4.
    pub(crate) fn answer(&self, theirs: &[u8], fields: &Fields) -> Vec<u8> {
        let mut cipher = self.secret(theirs).cipher(b"keyB", &self.torrent);
        let mut clear = fields.head();
        let mut payload = fields.payload.clone();
        cipher.apply(&mut clear);
        if fields.methods == 2 {
            cipher.apply(&mut payload);
        }
        [&fields.key_padding[..], &clear, &payload].concat()
    }
}

impl Fields {
    /// What a conforming peer sends.
    #[cfg(test)]
    pub(crate) fn conforming(methods: u32, payload: &[u8]) -> Self {
        Self {
            key_padding: Vec::new(),
            vc: [0; VC_LEN],
            methods,
            padding_len: 0,
            padding: 0,
            payload_len: u16::try_from(payload.len()).expect("a short payload"),
            payload: payload.to_vec(),
        }
    }

    /// The fields that both sides send.
    fn head(&self) -> Vec<u8> {
        let mut clear = self.vc.to_vec();
        clear.extend_from_slice(&self.methods.to_be_bytes());
        clear.extend_from_slice(&self.padding_len.to_be_bytes());
        clear.resize(clear.len() + self.padding, 0);
        clear
    }
}
