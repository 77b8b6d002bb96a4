//! Strangers that begin an encrypted handshake (MSE): it makes the other side compute before it knows who asks.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_wire::mse::{Entropy, Initiator, Methods, PUBLIC_KEY_LEN};
use tailwater_wire::{Handshake, Reserved};

use crate::Script;

/// Bytes that are sent at once where there is no end of them.
const PORTION: usize = 16 * 1024;
/// How often a slow stranger sends a byte.
const BYTE_EVERY: Duration = Duration::from_millis(500);

/// One way to misuse the encrypted handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeAttack {
    /// A public key, and nothing more.
    HalfOpen,
    /// A public key that makes the shared secret known to all: 0, 1, or near the modulus.
    DegenerateKey,
    /// A public key, and random bytes without end in which the marker never comes.
    EndlessPadding,
    /// A public key of which a byte comes now and then.
    Dripping,
    /// A handshake without a fault, for a torrent that the other side does not have.
    UnknownTorrent,
}

impl HandshakeAttack {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::HalfOpen,
        Self::DegenerateKey,
        Self::EndlessPadding,
        Self::Dripping,
        Self::UnknownTorrent,
    ];

    /// A short name, for tables and flags.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfOpen => "half-open",
            Self::DegenerateKey => "degenerate-key",
            Self::EndlessPadding => "endless-padding",
            Self::Dripping => "dripping",
            Self::UnknownTorrent => "unknown-torrent",
        }
    }

    /// A connection of it. Each number is another key, or another torrent.
    #[must_use]
    pub fn script(self, number: u64) -> Box<dyn Script> {
        let mut rng = Rng::with_seed(number);
        match self {
            Self::HalfOpen => Box::new(Opening::new(key(&mut rng), After::Nothing)),
            Self::DegenerateKey => {
                Box::new(Opening::new(degenerate(&mut rng, number), After::Nothing))
            }
            Self::EndlessPadding => Box::new(Opening::new(key(&mut rng), After::Random(rng))),
            Self::Dripping => Box::new(Opening::new(key(&mut rng), After::Drip(None))),
            Self::UnknownTorrent => Box::new(Caller::new(&mut rng)),
        }
    }
}

/// Random bytes that are no plain handshake.
fn key(rng: &mut Rng) -> BytesMut {
    let mut key = BytesMut::zeroed(PUBLIC_KEY_LEN);
    rng.fill(&mut key);
    key[0] = 0x80 | rng.u8(..0x7f);
    key
}

/// 0, 1, or what is at or above the modulus, whose first and last 64 bits are ones.
fn degenerate(rng: &mut Rng, number: u64) -> BytesMut {
    let mut key = match number % 4 {
        0 | 1 => BytesMut::zeroed(PUBLIC_KEY_LEN),
        _ => BytesMut::from_iter([0xff; PUBLIC_KEY_LEN]),
    };
    match number % 4 {
        1 => key[PUBLIC_KEY_LEN - 1] = 1,
        3 => key[PUBLIC_KEY_LEN - 1] = rng.u8(..),
        _ => {}
    }
    key
}

/// What follows the public key.
enum After {
    Nothing,
    /// Random bytes, as fast as they are taken.
    Random(Rng),
    /// The key itself comes a byte at a time; the time of the next.
    Drip(Option<Instant>),
}

struct Opening {
    key: BytesMut,
    after: After,
}

impl Opening {
    const fn new(key: BytesMut, after: After) -> Self {
        Self { key, after }
    }
}

impl Script for Opening {
    fn handle_bytes(&mut self, _now: Instant, _bytes: &[u8]) {}

    fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        match &mut self.after {
            After::Drip(next) => {
                if self.key.is_empty() || next.is_some_and(|next| now < next) {
                    return None;
                }
                *next = Some(now + BYTE_EVERY);
                Some(self.key.split_to(1).freeze())
            }
            _ if !self.key.is_empty() => Some(self.key.split().freeze()),
            After::Nothing => None,
            After::Random(rng) => {
                let mut bytes = BytesMut::zeroed(PORTION);
                rng.fill(&mut bytes);
                Some(bytes.freeze())
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.after {
            After::Drip(next) => next.filter(|_| !self.key.is_empty()),
            _ => None,
        }
    }
}

/// The whole handshake, for a torrent of its own.
struct Caller {
    machine: Initiator,
    received: BytesMut,
    is_over: bool,
}

impl Caller {
    fn new(rng: &mut Rng) -> Self {
        let mut random = [0; Entropy::LEN];
        rng.fill(&mut random);
        let mut info_hash = [0; 20];
        rng.fill(&mut info_hash);
        let handshake = Handshake {
            reserved: Reserved::FAST,
            info_hash: InfoHash::new(info_hash),
            peer_id: PeerId::new(info_hash),
        };
        Self {
            machine: Initiator::new(&handshake, Methods::BOTH, Entropy::new(random)),
            received: BytesMut::new(),
            is_over: false,
        }
    }
}

impl Script for Caller {
    fn handle_bytes(&mut self, _now: Instant, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
        let outcome = self.machine.handle_bytes(&mut self.received);
        self.is_over |= outcome.is_err();
    }

    fn poll_send(&mut self, _now: Instant) -> Option<Bytes> {
        self.machine.poll_transmit()
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use tailwater_wire::mse::{Method, MseError, Responder, ResponderEvent, is_plain_handshake};

    use super::*;

    fn responder() -> Responder {
        let entropy = Entropy::new([3; Entropy::LEN]);
        Responder::new(Methods::BOTH, Method::Plaintext, entropy)
    }

    /// What comes of the other side's handshake within so many portions.
    fn answer(attack: HandshakeAttack, number: u64) -> Result<Option<ResponderEvent>, MseError> {
        #[expect(clippy::disallowed_methods, reason = "the beginning of time")]
        let mut now = Instant::now();
        let (mut script, mut responder) = (attack.script(number), responder());
        let mut received = BytesMut::new();
        for _ in 0..200 {
            if let Some(bytes) = script.poll_send(now) {
                received.extend_from_slice(&bytes);
            }
            // From its first byte on it is no plain handshake.
            assert!(is_plain_handshake(&received) != Some(true));
            if let Some(event) = responder.handle_bytes(&mut received)? {
                return Ok(Some(event));
            }
            while let Some(bytes) = responder.poll_transmit() {
                script.handle_bytes(now, &bytes);
            }
            now = script.poll_timeout().unwrap_or(now);
        }
        Ok(None)
    }

    #[test]
    fn each_attack_gets_as_far_as_it_says() {
        use HandshakeAttack::{DegenerateKey, Dripping, EndlessPadding, HalfOpen, UnknownTorrent};
        for number in 0..20 {
            assert!(matches!(answer(HalfOpen, number), Ok(None)));
            assert!(matches!(answer(Dripping, number), Ok(None)));
            assert!(answer(EndlessPadding, number).is_err());
            let unknown = answer(UnknownTorrent, number);
            assert!(matches!(unknown, Ok(Some(ResponderEvent::NeedsTorrent(_)))));
        }
        for number in 0..3 {
            assert!(answer(DegenerateKey, number).is_err(), "{number}");
        }
    }
}
