//! The side that accepts the connection.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tailwater_types::InfoHash;

use super::dh::KeyPair;
use super::initiator::padding_len;
use super::keys::{Ciphers, Secret};
use super::limits::{MAX_INITIAL_PAYLOAD_LEN, MAX_PADDING_LEN, PUBLIC_KEY_LEN, VC_LEN};
use super::progress::{Flow, Progress};
use super::sync::Marker;
use super::{Entropy, Established, Method, Methods, MseError, obfuscated};

/// The handshake as seen by the side that accepted the connection ("B").
///
/// Feed it with [`Responder::handle_bytes`] however the bytes are cut, send what [`Responder::poll_transmit`] returns, and
/// over again; the last of it is there after [`ResponderEvent::Established`]. It computes nothing before 96 bytes have come.
pub struct Responder {
    progress: Progress<State>,
    answer: Answer,
}

/// What a [`Responder`] has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponderEvent {
    /// The initiator wants the torrent with this [`obfuscated`] info-hash. Answer with [`Responder::handle_torrent`], then
    /// call [`Responder::handle_bytes`] again; until then it returns this again.
    NeedsTorrent([u8; 20]),
    /// The end of the handshake.
    Established(Box<Established>),
}

/// What stays the same, and what waits to be sent.
struct Answer {
    methods: Methods,
    preferred: Method,
    inner_padding_len: u16,
    out: BytesMut,
}

enum State {
    /// Waits for `Ya`.
    PublicKey(Entropy),
    /// Skips `PadA`.
    Sync(Marker<20>, Box<Secret>),
    /// Waits for the hash that names the torrent.
    TorrentHash(Box<Secret>),
    /// Waits for the caller to find the torrent.
    Torrent([u8; 20], Box<Secret>),
    /// Waits for `VC`, `crypto_provide` and `len(PadC)`.
    Provide(Keyed),
    /// Skips `PadC`.
    Padding(Method, usize, Keyed),
    /// Waits for `len(IA)`.
    PayloadLen(Method, Keyed),
    /// Waits for `IA`.
    Payload(Method, usize, BytesMut, Keyed),
}

/// Once the torrent is known.
struct Keyed {
    info_hash: InfoHash,
    ciphers: Box<Ciphers>,
}

type Step = Result<Flow<State, ResponderEvent>, MseError>;

impl Responder {
    /// Waits for a handshake; of the methods that both sides have, `preferred` is selected if it is one.
    #[must_use]
    pub fn new(methods: Methods, preferred: Method, entropy: Entropy) -> Self {
        Self {
            answer: Answer {
                methods,
                preferred,
                inner_padding_len: entropy.inner_padding_len(),
                out: BytesMut::new(),
            },
            progress: Progress::Running(State::PublicKey(entropy)),
        }
    }

    /// Takes what it can off the front of `buf`; returns what the caller has to know.
    ///
    /// After [`ResponderEvent::Established`], which comes once, what stands in `buf` is deciphered. Until then fewer than
    /// 96 bytes are left in it to wait for more, except while the torrent is asked for.
    ///
    /// # Errors
    ///
    /// What the peer did wrong; every further call returns the same.
    pub fn handle_bytes(&mut self, buf: &mut BytesMut) -> Result<Option<ResponderEvent>, MseError> {
        let Self { progress, answer } = self;
        progress.advance(|state| answer.step(state, buf))
    }

    /// Answers [`ResponderEvent::NeedsTorrent`]: the info-hash of the torrent, or `None` if it is not here.
    ///
    /// Without a question it does nothing.
    ///
    /// # Errors
    ///
    /// [`MseError::UnknownTorrent`] if there is none, or its info-hash is not the one that was asked for; an earlier
    /// error stays.
    pub fn handle_torrent(&mut self, info_hash: Option<InfoHash>) -> Result<(), MseError> {
        let (wanted, secret) = match &self.progress {
            Progress::Running(State::Torrent(wanted, secret)) => (wanted, secret),
            Progress::Failed(error) => return Err(*error),
            Progress::Running(_) | Progress::Done => return Ok(()),
        };
        match info_hash.filter(|found| obfuscated(found) == *wanted) {
            Some(info_hash) => {
                let ciphers = secret.responder_ciphers(&info_hash);
                let keyed = Keyed { info_hash, ciphers };
                self.progress = Progress::Running(State::Provide(keyed));
                Ok(())
            }
            None => self.progress.fail(MseError::UnknownTorrent),
        }
    }

    /// The next bytes to send, until `None`: ask after each [`Responder::handle_bytes`], before reading on, because the peer waits
    /// for them.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        (!self.answer.out.is_empty()).then(|| self.answer.out.split().freeze())
    }
}

impl Answer {
    fn step(&mut self, state: State, buf: &mut BytesMut) -> Step {
        Ok(match state {
            State::PublicKey(entropy) => return self.exchange(entropy, buf),
            State::Sync(mut marker, secret) => match marker.take(buf)? {
                true => Flow::Next(State::TorrentHash(secret)),
                false => Flow::Wait(State::Sync(marker, secret)),
            },
            State::TorrentHash(secret) => match buf.first_chunk() {
                Some(masked) => {
                    let wanted = secret.mask(*masked);
                    buf.advance(wanted.len());
                    Flow::Next(State::Torrent(wanted, secret))
                }
                None => Flow::Wait(State::TorrentHash(secret)),
            },
            State::Torrent(wanted, secret) => Flow::Tell(
                State::Torrent(wanted, secret),
                ResponderEvent::NeedsTorrent(wanted),
            ),
            State::Provide(keyed) => return self.select(keyed, buf),
            State::Padding(method, padding, mut keyed) => {
                match keyed.ciphers.receive.skip(buf, padding) {
                    0 => Flow::Next(State::PayloadLen(method, keyed)),
                    left => Flow::Wait(State::Padding(method, left, keyed)),
                }
            }
            State::PayloadLen(method, mut keyed) => match buf.first_chunk() {
                Some(&(mut field)) => {
                    buf.advance(field.len());
                    keyed.ciphers.receive.apply(&mut field);
                    let len = payload_len(u16::from_be_bytes(field))?;
                    Flow::Next(State::Payload(
                        method,
                        len,
                        BytesMut::with_capacity(len),
                        keyed,
                    ))
                }
                None => Flow::Wait(State::PayloadLen(method, keyed)),
            },
            State::Payload(method, left, mut payload, mut keyed) => {
                let part = buf.split_to(left.min(buf.len()));
                keyed.ciphers.receive.apply_to(&part, &mut payload);
                match left - part.len() {
                    0 => Flow::Done(keyed.establish(method, payload, buf)),
                    left => Flow::Wait(State::Payload(method, left, payload, keyed)),
                }
            }
        })
    }

    /// Takes the first message and makes the second.
    fn exchange(&mut self, entropy: Entropy, buf: &mut BytesMut) -> Step {
        let Some(theirs) = buf.first_chunk() else {
            return Ok(Flow::Wait(State::PublicKey(entropy)));
        };
        let keys = KeyPair::new(entropy.exponent);
        let secret = keys.agree(theirs)?;
        buf.advance(PUBLIC_KEY_LEN);
        self.out.reserve(PUBLIC_KEY_LEN + MAX_PADDING_LEN);
        self.out.put_slice(&keys.public());
        entropy.pad_key(&mut self.out);
        let marker = Marker::new(secret.sync());
        Ok(Flow::Next(State::Sync(marker, Box::new(secret))))
    }

    /// Takes the methods that are provided, selects one, and makes the fourth message.
    fn select(&mut self, mut keyed: Keyed, buf: &mut BytesMut) -> Step {
        let Some(&(mut fields)) = buf.first_chunk::<{ VC_LEN + 6 }>() else {
            return Ok(Flow::Wait(State::Provide(keyed)));
        };
        buf.advance(fields.len());
        keyed.ciphers.receive.apply(&mut fields);
        let (vc, mut fields) = fields.split_at(VC_LEN);
        if *vc != [0; VC_LEN] {
            return Err(MseError::Verification);
        }
        let method = self.methods.select(fields.get_u32(), self.preferred)?;
        let padding = padding_len(fields.get_u16())?;

        let out = &mut self.out;
        let start = out.len();
        out.put_bytes(0, VC_LEN);
        out.put_u32(method.bit());
        out.put_u16(self.inner_padding_len);
        out.put_bytes(0, usize::from(self.inner_padding_len));
        keyed.ciphers.send.apply(&mut out[start..]);
        Ok(Flow::Next(State::Padding(method, padding, keyed)))
    }
}

impl Keyed {
    fn establish(self, method: Method, payload: BytesMut, buf: &mut BytesMut) -> ResponderEvent {
        let mut established = Established::new(method, self.info_hash, self.ciphers, buf);
        established.initial_payload = payload.freeze();
        ResponderEvent::Established(Box::new(established))
    }
}

fn payload_len(len: u16) -> Result<usize, MseError> {
    match usize::from(len) {
        payload @ 0..=MAX_INITIAL_PAYLOAD_LEN => Ok(payload),
        _ => Err(MseError::InitialPayloadTooLong { len }),
    }
}

/// Without the keys.
impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("methods", &self.answer.methods)
            .field("preferred", &self.answer.preferred)
            .finish_non_exhaustive()
    }
}
