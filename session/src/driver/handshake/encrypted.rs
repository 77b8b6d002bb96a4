//! Encrypted handshakes (MSE): runs the state machines of `wire::mse` over a stream, and leaves it enciphered if the peers
//! agree on that.

use bytes::BytesMut;
use tailwater_metainfo::InfoHash;
use tailwater_wire::Handshake;
use tailwater_wire::limits::HANDSHAKE_LEN;
use tailwater_wire::mse::{
    Entropy, Established, Initiator, Method, Methods, PUBLIC_KEY_LEN, Responder, ResponderEvent,
};

use super::DialError;
use crate::encryption::Encryption;
use crate::torrent::Encrypted;
use crate::transport::{Cipher, Stream};

/// A stream whose encryption is agreed upon.
pub(super) struct Secured {
    pub(super) encrypted: Encrypted,
    /// What came behind the encrypted handshake, deciphered.
    pub(super) received: BytesMut,
}

/// Opens an encrypted connection. Our BitTorrent handshake goes with it.
pub(super) async fn initiate(
    stream: &mut Stream,
    handshake: &Handshake,
) -> Result<Secured, DialError> {
    let mut machine = Initiator::new(handshake, Methods::BOTH, entropy()?);
    let mut received = BytesMut::with_capacity(PUBLIC_KEY_LEN);
    loop {
        while let Some(bytes) = machine.poll_transmit() {
            stream.write_all(&bytes).await?;
        }
        if let Some(established) = machine.handle_bytes(&mut received)? {
            return Ok(secure(stream, established, received));
        }
        // The third message may wait now.
        if let Some(bytes) = machine.poll_transmit() {
            stream.write_all(&bytes).await?;
        }
        read(stream, &mut received).await?;
    }
}

/// Answers a peer that opens an encrypted connection. `received` is what has come so far; `find` returns the torrent with an
/// obfuscated info-hash.
pub(super) async fn respond(
    stream: &mut Stream,
    mut received: BytesMut,
    policy: Encryption,
    find: impl Fn(&[u8; 20]) -> Option<InfoHash>,
) -> Result<(InfoHash, Secured), DialError> {
    let preferred = match policy {
        Encryption::Require => Method::Rc4,
        _ => Method::Plaintext,
    };
    let mut machine = Responder::new(Methods::BOTH, preferred, entropy()?);
    loop {
        let event = machine.handle_bytes(&mut received)?;
        while let Some(bytes) = machine.poll_transmit() {
            stream.write_all(&bytes).await?;
        }
        match event {
            None => read(stream, &mut received).await?,
            Some(ResponderEvent::NeedsTorrent(wanted)) => machine.handle_torrent(find(&wanted))?,
            Some(ResponderEvent::Established(mut established)) => {
                let info_hash = established.info_hash;
                let mut payload = BytesMut::from(std::mem::take(&mut established.initial_payload));
                payload.unsplit(received);
                return Ok((info_hash, secure(stream, *established, payload)));
            }
            // There is no other event today.
            Some(_) => {}
        }
    }
}

fn secure(stream: &mut Stream, established: Established, received: BytesMut) -> Secured {
    let encrypted = match (established.send, established.receive) {
        (Some(send), Some(receive)) => {
            stream.encipher(Cipher::new(send, receive));
            Encrypted::Everything
        }
        _ => Encrypted::Handshake,
    };
    Secured {
        encrypted,
        received,
    }
}

async fn read(stream: &mut Stream, received: &mut BytesMut) -> Result<(), DialError> {
    received.reserve(PUBLIC_KEY_LEN + HANDSHAKE_LEN);
    match stream.read_buf(received).await? {
        0 => Err(DialError::HungUp),
        _ => Ok(()),
    }
}

/// Fresh randomness: the exponent must not be guessed.
fn entropy() -> Result<Entropy, DialError> {
    let mut bytes = [0; Entropy::LEN];
    getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
    Ok(Entropy::new(bytes))
}
