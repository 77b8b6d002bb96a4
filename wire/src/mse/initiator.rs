//! The side that opens the connection.

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tailwater_types::InfoHash;

use super::dh::KeyPair;
use super::keys::{Ciphers, Secret};
use super::limits::{MAX_PADDING_LEN, PUBLIC_KEY_LEN, VC_LEN};
use super::progress::{Flow, Progress};
use super::sync::Marker;
use super::{Entropy, Established, Method, Methods, MseError, obfuscated};
use crate::Handshake;
use crate::limits::HANDSHAKE_LEN;

/// The handshake as seen by the side that opened the connection ("A").
///
/// Send what [`Initiator::poll_transmit`] returns, feed it with [`Initiator::handle_bytes`] however the bytes are cut, and
/// over again. The BitTorrent handshake goes out as initial payload: do not send it again.
pub struct Initiator {
    progress: Progress<State>,
    offer: Offer,
}

/// What stays the same, and what waits to be sent.
struct Offer {
    keys: KeyPair,
    methods: Methods,
    inner_padding_len: u16,
    info_hash: InfoHash,
    payload: [u8; HANDSHAKE_LEN],
    out: BytesMut,
}

enum State {
    /// Waits for `Yb`.
    PublicKey,
    /// Skips `PadB`.
    Sync(Marker<VC_LEN>, Box<Ciphers>),
    /// Waits for `crypto_select` and `len(PadD)`.
    Select(Box<Ciphers>),
    /// Skips `PadD`.
    Padding(Method, usize, Box<Ciphers>),
}

impl Initiator {
    /// Starts a handshake for the torrent of `handshake`, which is sent as initial payload.
    ///
    /// This computes the public key: one exponentiation.
    #[must_use]
    pub fn new(handshake: &Handshake, methods: Methods, entropy: Entropy) -> Self {
        let keys = KeyPair::new(entropy.exponent);
        let mut out = BytesMut::with_capacity(PUBLIC_KEY_LEN + MAX_PADDING_LEN);
        out.put_slice(&keys.public());
        let inner_padding_len = entropy.inner_padding_len();
        entropy.pad_key(&mut out);
        Self {
            progress: Progress::Running(State::PublicKey),
            offer: Offer {
                keys,
                methods,
                inner_padding_len,
                info_hash: handshake.info_hash,
                payload: handshake.to_bytes(),
                out,
            },
        }
    }

    /// Takes what it can off the front of `buf`; returns the end of the handshake, once.
    ///
    /// What then stands in `buf` is deciphered. Until then fewer than 96 bytes are left in it to wait for more.
    ///
    /// # Errors
    ///
    /// What the peer did wrong; every further call returns the same.
    pub fn handle_bytes(&mut self, buf: &mut BytesMut) -> Result<Option<Established>, MseError> {
        let Self { progress, offer } = self;
        progress.advance(|state| offer.step(state, buf))
    }

    /// The next bytes to send, until `None`: ask after each [`Initiator::handle_bytes`], before reading on, because the peer waits
    /// for them.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        (!self.offer.out.is_empty()).then(|| self.offer.out.split().freeze())
    }
}

impl Offer {
    fn step(
        &mut self,
        state: State,
        buf: &mut BytesMut,
    ) -> Result<Flow<State, Established>, MseError> {
        match state {
            State::PublicKey => {
                let Some(theirs) = buf.first_chunk() else {
                    return Ok(Flow::Wait(State::PublicKey));
                };
                let secret = self.keys.agree(theirs)?;
                buf.advance(PUBLIC_KEY_LEN);
                let mut ciphers = secret.initiator_ciphers(&self.info_hash);
                self.send_request(&secret, &mut ciphers);
                let mut vc = [0; VC_LEN];
                ciphers.receive.apply(&mut vc);
                Ok(Flow::Next(State::Sync(Marker::new(vc), ciphers)))
            }
            State::Sync(mut marker, ciphers) => Ok(match marker.take(buf)? {
                true => Flow::Next(State::Select(ciphers)),
                false => Flow::Wait(State::Sync(marker, ciphers)),
            }),
            State::Select(mut ciphers) => {
                let Some(&(mut fields)) = buf.first_chunk::<6>() else {
                    return Ok(Flow::Wait(State::Select(ciphers)));
                };
                buf.advance(fields.len());
                ciphers.receive.apply(&mut fields);
                let mut fields = &fields[..];
                let method = self.methods.selected(fields.get_u32())?;
                let padding = padding_len(fields.get_u16())?;
                Ok(Flow::Next(State::Padding(method, padding, ciphers)))
            }
            State::Padding(method, padding, mut ciphers) => {
                let left = ciphers.receive.skip(buf, padding);
                if left > 0 {
                    return Ok(Flow::Wait(State::Padding(method, left, ciphers)));
                }
                let established = Established::new(method, self.info_hash, ciphers, buf);
                Ok(Flow::Done(established))
            }
        }
    }

    /// The third message.
    fn send_request(&mut self, secret: &Secret, ciphers: &mut Ciphers) {
        let out = &mut self.out;
        out.put_slice(&secret.sync());
        out.put_slice(&secret.mask(obfuscated(&self.info_hash)));
        let start = out.len();
        out.put_bytes(0, VC_LEN);
        out.put_u32(self.methods.bits());
        out.put_u16(self.inner_padding_len);
        out.put_bytes(0, usize::from(self.inner_padding_len));
        out.put_u16(PAYLOAD_LEN);
        out.put_slice(&self.payload);
        ciphers.send.apply(&mut out[start..]);
    }
}

const PAYLOAD_LEN: u16 = 68;
const _: () = assert!(PAYLOAD_LEN as usize == HANDSHAKE_LEN);

/// Checks the length of `PadC` or `PadD`.
pub(super) fn padding_len(len: u16) -> Result<usize, MseError> {
    match usize::from(len) {
        padding @ 0..=MAX_PADDING_LEN => Ok(padding),
        _ => Err(MseError::PaddingTooLong { len }),
    }
}

/// Without the keys.
impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator")
            .field("info_hash", &self.offer.info_hash)
            .field("methods", &self.offer.methods)
            .finish_non_exhaustive()
    }
}
