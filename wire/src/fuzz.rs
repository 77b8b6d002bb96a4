//! Bodies of the fuzz targets: each panics when this crate breaks one of its promises.

use bytes::{Bytes, BytesMut};
use tailwater_types::PeerId;

use crate::limits::{
    HANDSHAKE_LEN, MAX_CLIENT_LEN, MAX_LSD_COOKIE_LEN, MAX_LSD_LEN, MAX_LSD_SENT_HASHES,
    MAX_LSD_SENT_LEN, MAX_PEX_PEERS, METADATA_BLOCK_LEN,
};
use crate::{
    Decoder, ExtensionHandshake, ExtensionMessage, Handshake, Holepunch, Limits, LocalAnnounce,
    LsdGroup, Message, MetadataMessage, PexMessage, UploadOnly, WireError, client_name,
};

pub use crate::mse::fuzz::mse;

/// A stream of messages, cut into parts whose length the first byte gives.
///
/// However it is cut, the same messages come out; their encodings and what is left are the input; the decoder never
/// asks for more room than the longest frame.
pub fn messages(data: &[u8]) {
    let Some((step, stream)) = data.split_first() else {
        return;
    };
    let whole = drain(stream, stream.len().max(1));
    assert_eq!(drain(stream, usize::from(*step).max(1)), whole);
    let mut at = 0;
    let mut frame = BytesMut::new();
    for message in &whole.messages {
        if let Message::Unknown { len, .. } = message {
            assert_eq!(message.encoded_len(), 0);
            at += 5 + *len as usize;
            continue;
        }
        frame.clear();
        message.encode(&mut frame);
        assert_eq!(frame.len(), message.encoded_len());
        assert_eq!(stream[at..at + frame.len()], frame);
        at += frame.len();
    }
    // Only an unknown message leaves the buffer before it is whole.
    assert!(whole.rest.is_empty() || stream[at..] == whole.rest);
}

#[derive(Debug, PartialEq)]
struct Drained {
    messages: Vec<Message>,
    error: Option<WireError>,
    rest: Vec<u8>,
}

fn drain(stream: &[u8], step: usize) -> Drained {
    let limits = Limits::default();
    let mut decoder = Decoder::new(limits);
    let mut buf = BytesMut::new();
    let mut drained = Drained {
        messages: Vec::new(),
        error: None,
        rest: Vec::new(),
    };
    let mut unread = stream;
    while !unread.is_empty() {
        let (part, rest) = unread.split_at(step.min(unread.len()));
        unread = rest;
        buf.extend_from_slice(part);
        loop {
            let capacity = buf.capacity();
            let decoded = decoder.decode(&mut buf);
            assert!(buf.capacity() <= capacity, "the decoder allocates nothing");
            assert!(decoder.missing() <= limits.max_frame_len());
            match decoded {
                Ok(Some(message)) => drained.messages.push(message),
                Ok(None) => {
                    assert_ne!(decoder.missing(), 0);
                    break;
                }
                Err(error) => {
                    assert_eq!(decoder.decode(&mut buf), Err(error), "errors stay");
                    drained.error = Some(error);
                    drained.rest = [&buf[..], unread].concat();
                    return drained;
                }
            }
        }
    }
    drained.rest = buf.to_vec();
    drained
}

/// An extension message: its id, then its payload. What decodes can be sent again and is then understood the same way.
pub fn extension(data: &[u8]) {
    let Some((id, payload)) = data.split_first() else {
        return;
    };
    let payload = Bytes::copy_from_slice(payload);
    let Ok(message) = ExtensionMessage::decode(*id, &payload) else {
        return;
    };
    match message {
        ExtensionMessage::Handshake(handshake) => {
            if let Some(client) = &handshake.client {
                assert!(client.len() <= MAX_CLIENT_LEN && !client.chars().any(char::is_control));
            }
            assert_eq!(
                ExtensionHandshake::decode(&handshake.encode()),
                Ok(*handshake)
            );
        }
        ExtensionMessage::Metadata(MetadataMessage::Unknown { msg_type }) => {
            assert!(!(0..=2).contains(&msg_type));
        }
        ExtensionMessage::Metadata(message) => {
            if let MetadataMessage::Data { data, .. } = &message {
                assert!(data.len() <= METADATA_BLOCK_LEN as usize && payload.ends_with(data));
            }
            let encoded = message.encode().into();
            assert_eq!(MetadataMessage::decode(&encoded), Ok(message));
        }
        ExtensionMessage::Pex(message) => {
            assert!(message.added.len() <= 2 * MAX_PEX_PEERS);
            assert!(message.dropped.len() <= 2 * MAX_PEX_PEERS);
            assert_eq!(PexMessage::decode(&message.encode()), Ok(message));
        }
        ExtensionMessage::DontHave(message) => assert_eq!(payload, message.encode()[..]),
        ExtensionMessage::UploadOnly(message) => {
            assert_eq!(UploadOnly::decode(&message.encode()), Ok(message));
        }
        ExtensionMessage::Holepunch(message) => {
            assert_eq!(Holepunch::decode(&message.encode()), Ok(message));
        }
        ExtensionMessage::Unknown { id: unknown } => assert_eq!(unknown, *id),
    }
}

/// The start of a connection: a handshake, and the name of the client behind its peer id, or that of any 20 bytes.
pub fn handshake(data: &[u8]) {
    let mut buf = BytesMut::from(data);
    match Handshake::decode(&mut buf) {
        Ok(Some(handshake)) => {
            assert_eq!([&handshake.to_bytes()[..], &buf].concat(), data);
            assert_printable(handshake.peer_id);
        }
        Ok(None) => assert!(buf.len() < HANDSHAKE_LEN && buf == data),
        Err(_) => assert_eq!(buf, data),
    }
    if let Some(bytes) = data.first_chunk::<20>() {
        assert_printable(PeerId::new(*bytes));
    }
}

fn assert_printable(peer_id: PeerId) {
    if let Some(name) = client_name(&peer_id) {
        assert!(name.len() < 64 && !name.chars().any(char::is_control));
    }
}

/// A datagram of local service discovery. What is read can be sent again, if it is not too much, and is then read the
/// same way.
pub fn lsd(data: &[u8]) {
    let Ok(announce) = LocalAnnounce::parse(data) else {
        return;
    };
    assert!(data.len() <= MAX_LSD_LEN && announce.port != 0);
    // A header with an info-hash has at least 50 bytes.
    assert!((1..=MAX_LSD_LEN / 50).contains(&announce.info_hashes.len()));
    if let Some(cookie) = &announce.cookie {
        assert!((1..=MAX_LSD_COOKIE_LEN).contains(&cookie.as_str().len()));
    }
    for group in [LsdGroup::V4, LsdGroup::V6] {
        match announce.encode(group) {
            Ok(sent) => {
                assert!(sent.len() <= MAX_LSD_SENT_LEN);
                assert_eq!(LocalAnnounce::parse(&sent).as_ref(), Ok(&announce));
            }
            Err(_) => assert!(announce.info_hashes.len() > MAX_LSD_SENT_HASHES),
        }
    }
}
