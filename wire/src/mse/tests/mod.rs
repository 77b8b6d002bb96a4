//! Tests of both machines, against each other and against a scripted peer.

mod hostile;
mod pairs;
mod vectors;

use bytes::{Bytes, BytesMut};
use tailwater_types::{InfoHash, PeerId};

use super::{
    Entropy, Established, Initiator, Method, Methods, MseError, Responder, ResponderEvent,
    obfuscated,
};
use crate::{Handshake, Reserved};

const TORRENT: InfoHash = InfoHash::new([7; 20]);

fn handshake() -> Handshake {
    Handshake {
        reserved: Reserved::EXTENSION_PROTOCOL | Reserved::FAST,
        info_hash: TORRENT,
        peer_id: PeerId::new(*b"-TW0100-bbbbbbbbbbbb"),
    }
}

fn initiator(methods: Methods) -> Initiator {
    Initiator::new(&handshake(), methods, Entropy::new([1; Entropy::LEN]))
}

fn responder(methods: Methods, preferred: Method) -> Responder {
    Responder::new(methods, preferred, Entropy::new([2; Entropy::LEN]))
}

/// Hands bytes to a responder that has the torrent.
fn respond(b: &mut Responder, buf: &mut BytesMut) -> Result<Option<Established>, MseError> {
    match b.handle_bytes(buf)? {
        None => Ok(None),
        Some(ResponderEvent::Established(established)) => Ok(Some(*established)),
        Some(ResponderEvent::NeedsTorrent(wanted)) => {
            let found = (wanted == obfuscated(&TORRENT)).then_some(TORRENT);
            b.handle_torrent(found)?;
            respond(b, buf)
        }
    }
}

fn all_of(mut poll: impl FnMut() -> Option<Bytes>) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(bytes) = poll() {
        assert!(!bytes.is_empty());
        out.extend_from_slice(&bytes);
    }
    out
}
