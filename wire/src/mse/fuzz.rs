//! The body of the fuzz target `wire_mse`.

use bytes::{Buf, BytesMut};
use tailwater_types::{InfoHash, PeerId};

use super::scripted::{Fields, Scripted};
use super::{
    Entropy, Established, Initiator, MAX_INITIAL_PAYLOAD_LEN, MAX_PADDING_LEN, Method, Methods,
    MseError, PUBLIC_KEY_LEN, Responder, ResponderEvent, is_plain_handshake, obfuscated,
};
use crate::{Handshake, Reserved};

const TORRENT: InfoHash = InfoHash::new([7; 20]);
const HEADER_LEN: usize = 12;

/// Settings of one run, then what the peer sends.
///
/// However the peer's bytes are cut, the same comes out. Nothing panics, errors stay, and a machine leaves fewer bytes
/// than a public key in the buffer.
pub fn mse(data: &[u8]) {
    classify(data);
    let Some((header, stream)) = data.split_first_chunk::<HEADER_LEN>() else {
        return;
    };
    let run = Run::new(header);
    let received = run.received(header, stream);
    let whole = run.outcome(&received, received.len().max(1));
    assert_eq!(run.outcome(&received, usize::from(header[1]).max(1)), whole);
    if let Ok(Some(end)) = &whole.end {
        assert!(run.methods.contains(end.method));
        assert!(end.initial_payload.len() <= MAX_INITIAL_PAYLOAD_LEN);
    }
    assert!(whole.sent.len() <= 2 * MAX_PADDING_LEN + PUBLIC_KEY_LEN + 20 + 20 + 14 + 2 + 68);
}

/// The classifier agrees with itself on every prefix.
fn classify(data: &[u8]) {
    let is_plain = data.starts_with(b"\x13BitTorrent protocol");
    for len in 0..=data.len().min(24) {
        match is_plain_handshake(&data[..len]) {
            Some(plain) => assert_eq!(plain, is_plain),
            None => assert!(len < 20),
        }
    }
}

struct Run {
    is_initiator: bool,
    methods: Methods,
    preferred: Method,
}

#[derive(Debug, PartialEq)]
struct Outcome {
    end: Result<Option<End>, MseError>,
    sent: Vec<u8>,
}

#[derive(Debug, PartialEq)]
struct End {
    method: Method,
    initial_payload: Vec<u8>,
    /// What came after the handshake, in clear.
    rest: Vec<u8>,
}

enum Machine {
    Initiator(Initiator),
    Responder(Responder),
}

impl Run {
    fn new(header: &[u8; HEADER_LEN]) -> Self {
        let flags = header[0];
        Self {
            is_initiator: flags & 1 != 0,
            methods: match flags >> 2 & 3 {
                1 => Methods::PLAINTEXT,
                2 => Methods::RC4,
                _ => Methods::BOTH,
            },
            preferred: match flags & 16 {
                0 => Method::Plaintext,
                _ => Method::Rc4,
            },
        }
    }

    fn machine(&self) -> Machine {
        let entropy = Entropy::new([3; Entropy::LEN]);
        match self.is_initiator {
            true => {
                let handshake = Handshake {
                    reserved: Reserved::NONE,
                    info_hash: TORRENT,
                    peer_id: PeerId::new([1; 20]),
                };
                Machine::Initiator(Initiator::new(&handshake, self.methods, entropy))
            }
            false => Machine::Responder(Responder::new(self.methods, self.preferred, entropy)),
        }
    }

    /// The peer's bytes: as they stand in the input, or made of fields that do.
    fn received(&self, header: &[u8; HEADER_LEN], stream: &[u8]) -> Vec<u8> {
        if header[0] & 2 != 0 {
            return stream.to_vec();
        }
        let torrent = match header[0] & 32 {
            0 => TORRENT,
            _ => InfoHash::new([8; 20]),
        };
        let peer = Scripted::new(torrent);
        let mut fields = &header[2..];
        let key_padding = vec![header[1]; usize::from(fields.get_u16() % 600)];
        let mut vc = [0; 8];
        vc[7] = fields.get_u8() / 255;
        let fields = Fields {
            key_padding,
            vc,
            methods: u32::from(fields.get_u8()),
            padding_len: fields.get_u16(),
            padding: usize::from(fields.get_u16() % 600),
            payload_len: fields.get_u16(),
            payload: stream.to_vec(),
        };
        let mut machine = self.machine();
        machine.feed(&mut BytesMut::from(&peer.public()[..])).ok();
        let theirs = machine.sent();
        let rest = match self.is_initiator {
            true => peer.answer(&theirs, &fields),
            false => peer.request(&theirs, &fields),
        };
        [&peer.public()[..], &rest].concat()
    }

    fn outcome(&self, received: &[u8], step: usize) -> Outcome {
        let mut machine = self.machine();
        let (mut buf, mut sent) = (BytesMut::new(), Vec::new());
        let mut parts = received.chunks(step);
        let mut end = Ok(None);
        while matches!(end, Ok(None)) {
            let Some(part) = parts.next() else {
                break;
            };
            buf.extend_from_slice(part);
            end = machine.feed(&mut buf);
            sent.extend(machine.sent());
            if let Ok(None) = end {
                assert!(buf.len() < PUBLIC_KEY_LEN, "{} bytes wait", buf.len());
            }
        }
        let end = match end {
            Ok(None) => Ok(None),
            Ok(Some(mut established)) => {
                let mut rest = buf.to_vec();
                let mut later = parts.collect::<Vec<_>>().concat();
                if let Some(receive) = &mut established.receive {
                    receive.apply(&mut later);
                }
                rest.extend(later);
                let untouched = buf.clone();
                assert!(
                    matches!(machine.feed(&mut buf), Ok(None)),
                    "the end comes once"
                );
                assert_eq!(buf, untouched);
                Ok(Some(End {
                    method: established.method,
                    initial_payload: established.initial_payload.to_vec(),
                    rest,
                }))
            }
            Err(error) => {
                assert!(matches!(machine.feed(&mut buf), Err(again) if again == error));
                Err(error)
            }
        };
        Outcome { end, sent }
    }
}

impl Machine {
    /// Hands bytes over and answers the question for the torrent.
    fn feed(&mut self, buf: &mut BytesMut) -> Result<Option<Established>, MseError> {
        let responder = match self {
            Self::Initiator(initiator) => return initiator.handle_bytes(buf),
            Self::Responder(responder) => responder,
        };
        loop {
            match responder.handle_bytes(buf)? {
                None => return Ok(None),
                Some(ResponderEvent::Established(established)) => return Ok(Some(*established)),
                Some(ResponderEvent::NeedsTorrent(wanted)) => {
                    let found = (wanted == obfuscated(&TORRENT)).then_some(TORRENT);
                    responder.handle_torrent(found)?;
                }
            }
        }
    }

    fn sent(&mut self) -> Vec<u8> {
        let mut poll = || match self {
            Self::Initiator(initiator) => initiator.poll_transmit(),
            Self::Responder(responder) => responder.poll_transmit(),
        };
        let mut sent = Vec::new();
        while let Some(bytes) = poll() {
            sent.extend_from_slice(&bytes);
        }
        sent
    }
}
