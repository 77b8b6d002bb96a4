//! Message stream encryption (MSE, also called protocol encryption, PE): the handshake that hides a connection's
//! BitTorrent handshake and, by choice, everything after it.
//!
//! It defeats filters that look for the BitTorrent handshake, and many peers accept nothing else. It is obfuscation, not
//! secrecy: an attacker who knows the info-hash and sits between the peers reads all, and RC4 has been broken for
//! years. There is no BEP; the specification is the page "Message Stream Encryption" of the Vuze (Azureus) wiki, and
//! where it is silent this module does what libtorrent does.
//!
//! # Messages
//!
//! A opens the connection, B accepts it. `HASH` is SHA-1, `S` the secret of the Diffie-Hellman exchange, `SKEY` the
//! info-hash. `ENCRYPT` is RC4 without its first 1024 bytes, with the key `HASH('keyA', S, SKEY)` from A to B and
//! `HASH('keyB', S, SKEY)` from B to A. `ENCRYPT2` is what B selected: the same RC4 stream continued, or nothing.
//!
//! | | direction | bytes |
//! |---|---|---|
//! | 1 | A → B | `Ya` (96), `PadA` (0 to 512 random bytes) |
//! | 2 | B → A | `Yb` (96), `PadB` (0 to 512 random bytes) |
//! | 3 | A → B | `HASH('req1', S)` (20), `HASH('req2', SKEY) xor HASH('req3', S)` (20), `ENCRYPT(VC` (8 zero bytes)`, crypto_provide` (4)`, len(PadC)` (2)`, PadC` (0 to 512 zero bytes)`, len(IA)` (2)`)`, `ENCRYPT(IA)` |
//! | 4 | B → A | `ENCRYPT(VC` (8)`, crypto_select` (4)`, len(PadD)` (2)`, PadD` (0 to 512 zero bytes)`)`, `ENCRYPT2(payload)` |
//! | 5 | A → B | `ENCRYPT2(payload)` |
//!
//! `Ya` and `Yb` are `2^X mod P` with a private `X` of 160 bits and a 768-bit safe prime `P`. The
//! lengths of `PadA` and `PadB` are not sent: B searches for `HASH('req1', S)`, A for `ENCRYPT(VC)`. `IA`, the initial
//! payload, is A's BitTorrent handshake; it is enciphered even if B then selects plaintext.
//!
//! # Limits
//!
//! | what | limit | where |
//! |---|---|---|
//! | padding before B finds `HASH('req1', S)` | 512 bytes (and 20 of the hash) | [`MAX_PADDING_LEN`] |
//! | padding before A finds `ENCRYPT(VC)` | 512 bytes (and 8 of VC) | [`MAX_PADDING_LEN`] |
//! | `PadC`, `PadD` | 512 bytes | [`MAX_PADDING_LEN`] |
//! | `IA` | 4096 bytes | [`MAX_INITIAL_PAYLOAD_LEN`] |
//! | bytes that [`Initiator`] and [`Responder`] leave in the receive buffer to wait for more | fewer than 96 | [`PUBLIC_KEY_LEN`] |
//! | bytes that a handshake holds beyond the receive buffer | 8 KiB | [`MAX_HELD_LEN`] |
//!
//! Time is the caller's to limit, and so is the number of half-open handshakes: each costs a responder two
//! exponentiations once 96 bytes have come (`cargo bench -p tailwater-wire --bench mse` measures them).
//!
//! # Example
//!
//! ```
//! use bytes::BytesMut;
//! use tailwater_types::{InfoHash, PeerId};
//! use tailwater_wire::mse::{self, Entropy, Initiator, Method, Methods, Responder, ResponderEvent};
//! use tailwater_wire::{Handshake, Reserved};
//!
//! let info_hash = InfoHash::new([7; 20]);
//! let handshake = Handshake { reserved: Reserved::FAST, info_hash, peer_id: PeerId::new([1; 20]) };
//! // A program fills these with getrandom.
//! let mut a = Initiator::new(&handshake, Methods::BOTH, Entropy::new([1; Entropy::LEN]));
//! let mut b = Responder::new(Methods::BOTH, Method::Plaintext, Entropy::new([2; Entropy::LEN]));
//! let (mut to_a, mut to_b) = (BytesMut::new(), BytesMut::new());
//!
//! to_b.extend_from_slice(&a.poll_transmit().expect("Ya, PadA"));
//! assert!(b.handle_bytes(&mut to_b)?.is_none());
//! to_a.extend_from_slice(&b.poll_transmit().expect("Yb, PadB"));
//! assert!(a.handle_bytes(&mut to_a)?.is_none());
//! to_b.extend_from_slice(&a.poll_transmit().expect("the third message"));
//! let Some(ResponderEvent::NeedsTorrent(wanted)) = b.handle_bytes(&mut to_b)? else { panic!() };
//! assert_eq!(wanted, mse::obfuscated(&info_hash));
//! b.handle_torrent(Some(info_hash))?;
//! let Some(ResponderEvent::Established(accepted)) = b.handle_bytes(&mut to_b)? else { panic!() };
//! assert_eq!(accepted.initial_payload[..], handshake.to_bytes());
//! to_a.extend_from_slice(&b.poll_transmit().expect("the fourth message"));
//! let opened = a.handle_bytes(&mut to_a)?.expect("established");
//! assert_eq!(opened.method, Method::Plaintext);
//! # Ok::<(), mse::MseError>(())
//! ```

mod dh;
mod entropy;
mod error;
#[cfg(feature = "__fuzz")]
pub(crate) mod fuzz;
mod initiator;
mod keys;
mod limits;
mod methods;
mod progress;
mod rc4;
mod responder;
#[cfg(any(test, feature = "__fuzz"))]
mod scripted;
mod sync;
#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;
use tailwater_types::InfoHash;

use crate::Handshake;
use keys::Ciphers;

pub use entropy::Entropy;
pub use error::MseError;
pub use initiator::Initiator;
pub use keys::obfuscated;
pub use limits::{MAX_HELD_LEN, MAX_INITIAL_PAYLOAD_LEN, MAX_PADDING_LEN, PUBLIC_KEY_LEN};
pub use methods::{Method, Methods};
pub use rc4::Rc4;
pub use responder::{Responder, ResponderEvent};

/// A finished handshake: how the rest of the connection is sent and received.
///
/// What stands in the receive buffer after the handshake has been deciphered already, exactly once; what is read later
/// is the caller's to decipher with [`Established::receive`], in the order of the stream.
#[non_exhaustive]
pub struct Established {
    /// What the responder selected.
    pub method: Method,
    /// The torrent whose info-hash was the key.
    pub info_hash: InfoHash,
    /// Enciphers everything that is sent from now on; `None` with [`Method::Plaintext`].
    pub send: Option<Rc4>,
    /// Deciphers everything that is received from now on; `None` with [`Method::Plaintext`].
    pub receive: Option<Rc4>,
    /// The first bytes of the initiator's stream, deciphered: its BitTorrent handshake, if it sent one so early. Empty
    /// on the initiator's side.
    pub initial_payload: Bytes,
}

impl Established {
    /// Ends a handshake; `buf` has what came after it.
    fn new(method: Method, info_hash: InfoHash, ciphers: Box<Ciphers>, buf: &mut [u8]) -> Self {
        let Ciphers { send, mut receive } = *ciphers;
        let (send, receive) = match method {
            Method::Plaintext => (None, None),
            Method::Rc4 => {
                receive.apply(buf);
                (Some(send), Some(receive))
            }
        };
        Self {
            method,
            info_hash,
            send,
            receive,
            initial_payload: Bytes::new(),
        }
    }
}

/// Without the keys.
impl fmt::Debug for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Established")
            .field("method", &self.method)
            .field("info_hash", &self.info_hash)
            .field("initial_payload", &self.initial_payload)
            .finish_non_exhaustive()
    }
}

/// Whether a connection's first bytes are a plain BitTorrent handshake; if not, the peer speaks MSE or another protocol.
///
/// `None` while they could become either: it takes at most 20 bytes to tell.
///
/// ```
/// use tailwater_wire::mse::is_plain_handshake;
///
/// assert_eq!(is_plain_handshake(b"\x13BitTorr"), None);
/// assert_eq!(is_plain_handshake(b"\x13BitTorrent protocol"), Some(true));
/// assert_eq!(is_plain_handshake(b"\x13Bu"), Some(false));
/// ```
#[must_use]
pub fn is_plain_handshake(bytes: &[u8]) -> Option<bool> {
    /// The length of the protocol's name, and the name.
    const PROTOCOL_LEN: usize = 20;
    match Handshake::decode_prefix(bytes) {
        Err(_) => Some(false),
        Ok(_) => (bytes.len() >= PROTOCOL_LEN).then_some(true),
    }
}
