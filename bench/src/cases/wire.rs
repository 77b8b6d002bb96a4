//! Messages and encrypted handshakes.

use std::hint::black_box;

use bytes::BytesMut;
use tailwater_types::{InfoHash, PeerId};
use tailwater_wire::mse::{Entropy, Initiator, Method, Methods, Rc4, Responder, ResponderEvent};
use tailwater_wire::{BlockRequest, Decoder, Handshake, Limits, Message, Reserved, piece_header};

use crate::Run;

const BLOCK_LEN: u32 = 16 * 1024;
const INFO_HASH: InfoHash = InfoHash::new([7; 20]);

/// 1000 requests, 1000 `have`, 100 `cancel` and 10 `unchoke`, as a busy peer mixes them.
fn messages() -> Vec<Message> {
    let mut messages = Vec::new();
    for number in 0..1_000 {
        let request = BlockRequest {
            index: number / 16,
            begin: number % 16 * BLOCK_LEN,
            length: BLOCK_LEN,
        };
        messages.push(Message::Request(request));
        messages.push(Message::Have(number));
        if number % 10 == 0 {
            messages.push(Message::Cancel(request));
        }
        if number % 100 == 0 {
            messages.push(Message::Unchoke);
        }
    }
    messages
}

/// Decodes messages without blocks.
pub(crate) fn decode() -> Run {
    let mut received = BytesMut::new();
    let count = messages()
        .iter()
        .map(|message| message.encode(&mut received))
        .count();
    Box::new(move || {
        let mut decoder = Decoder::new(Limits::default());
        let mut decoded = 0;
        while let Some(message) = decoder.decode(&mut received).expect("they are valid") {
            black_box(message);
            decoded += 1;
        }
        assert_eq!(decoded, count);
        Box::new(received)
    })
}

/// Encodes the same messages.
pub(crate) fn encode() -> Run {
    let messages = messages();
    Box::new(move || {
        let mut sent = BytesMut::with_capacity(64 * 1024);
        for message in &messages {
            black_box(message).encode(&mut sent);
        }
        Box::new(sent)
    })
}

/// Takes 64 blocks out of a receive buffer.
pub(crate) fn decode_blocks() -> Run {
    const BLOCKS: u32 = 64;
    let mut received = BytesMut::new();
    for index in 0..BLOCKS {
        received.extend_from_slice(&piece_header(index, 0, BLOCK_LEN));
        received.resize(received.len() + BLOCK_LEN as usize, 0);
    }
    Box::new(move || {
        let mut decoder = Decoder::new(Limits::default());
        let mut blocks = 0;
        while let Some(message) = decoder.decode(&mut received).expect("they are valid") {
            black_box(message);
            blocks += 1;
        }
        assert_eq!(blocks, BLOCKS);
        Box::new(received)
    })
}

/// Both sides of an encrypted handshake, to its end.
pub(crate) fn handshake() -> Run {
    Box::new(|| {
        let handshake = Handshake {
            reserved: Reserved::FAST,
            info_hash: INFO_HASH,
            peer_id: PeerId::new([1; 20]),
        };
        let entropy = |byte| Entropy::new([byte; Entropy::LEN]);
        let mut initiator = Initiator::new(&handshake, Methods::BOTH, entropy(1));
        let mut responder = Responder::new(Methods::BOTH, Method::Rc4, entropy(2));
        let (mut to_initiator, mut to_responder) = (BytesMut::new(), BytesMut::new());
        loop {
            while let Some(bytes) = initiator.poll_transmit() {
                to_responder.extend_from_slice(&bytes);
            }
            if let Some(ResponderEvent::NeedsTorrent(_)) = responder
                .handle_bytes(&mut to_responder)
                .expect("it is valid")
            {
                responder
                    .handle_torrent(Some(INFO_HASH))
                    .expect("it is expected");
            }
            while let Some(bytes) = responder.poll_transmit() {
                to_initiator.extend_from_slice(&bytes);
            }
            if let Some(established) = initiator
                .handle_bytes(&mut to_initiator)
                .expect("it is valid")
            {
                return Box::new(established);
            }
        }
    })
}

/// Enciphers 64 blocks with RC4.
pub(crate) fn keystream() -> Run {
    let mut block = vec![0; BLOCK_LEN as usize];
    let mut cipher = Rc4::new(&[1; 20]);
    Box::new(move || {
        for _ in 0..64 {
            cipher.apply(black_box(&mut block));
        }
        Box::new(block)
    })
}
