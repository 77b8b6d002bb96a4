//! Messages through the public API: round trips, arbitrary splits, no copies.

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use tailwater_wire::limits::PIECE_HEADER_LEN;
use tailwater_wire::{BlockRequest, Decoder, HashRequest, Hashes, Limits, Message, piece_header};

fn block_requests() -> impl Strategy<Value = BlockRequest> {
    any::<[u32; 3]>().prop_map(|[index, begin, length]| BlockRequest {
        index,
        begin,
        length,
    })
}

fn hash_requests() -> impl Strategy<Value = HashRequest> {
    (any::<[u8; 32]>(), any::<[u32; 4]>()).prop_map(|(pieces_root, numbers)| {
        let [base_layer, index, length, proof_layers] = numbers;
        HashRequest {
            pieces_root,
            base_layer,
            index,
            length,
            proof_layers,
        }
    })
}

fn payloads(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=max).prop_map(Bytes::from)
}

fn messages() -> impl Strategy<Value = Message> {
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        any::<u32>().prop_map(Message::Have),
        any::<u32>().prop_map(Message::SuggestPiece),
        any::<u32>().prop_map(Message::AllowedFast),
        any::<u16>().prop_map(Message::Port),
        payloads(100).prop_map(Message::Bitfield),
        block_requests().prop_map(Message::Request),
        block_requests().prop_map(Message::Cancel),
        block_requests().prop_map(Message::RejectRequest),
        (any::<[u32; 2]>(), payloads(300)).prop_map(|([index, begin], data)| Message::Piece {
            index,
            begin,
            data
        }),
        (any::<u8>(), payloads(100)).prop_map(|(id, payload)| Message::Extended { id, payload }),
        hash_requests().prop_map(|request| Message::HashRequest(Box::new(request))),
        hash_requests().prop_map(|request| Message::HashReject(Box::new(request))),
        (hash_requests(), vec(any::<[u8; 32]>(), 0..4)).prop_map(|(request, hashes)| {
            let hashes = hashes.concat().into();
            Message::Hashes(Box::new(Hashes { request, hashes }))
        }),
        (ids_of_nobody(), 0..200_u32).prop_map(|(id, len)| Message::Unknown { id, len }),
    ]
}

fn ids_of_nobody() -> impl Strategy<Value = u8> {
    prop_oneof![10..=12_u8, 18..=19_u8, 24..=u8::MAX]
}

/// The frame of any message: unknown ones, which cannot be encoded, get zeros for their payload.
fn append_frame(message: &Message, dst: &mut BytesMut) {
    if let Message::Unknown { id, len } = message {
        dst.extend_from_slice(&(len + 1).to_be_bytes());
        dst.extend_from_slice(&[*id]);
        dst.resize(dst.len() + *len as usize, 0);
    } else {
        let before = dst.len();
        message.encode(dst);
        assert_eq!(dst.len() - before, message.encoded_len());
    }
}

fn decoder() -> Decoder {
    Decoder::new(Limits::default())
}

proptest! {
    #[test]
    fn decode_reverses_encode(message in messages()) {
        let mut buf = BytesMut::new();
        append_frame(&message, &mut buf);
        prop_assert_eq!(decoder().decode(&mut buf), Ok(Some(message)));
        prop_assert!(buf.is_empty());
    }

    #[test]
    fn however_the_stream_is_cut_the_messages_are_the_same(
        sent in vec(messages(), 0..20),
        cuts in vec(1..40_usize, 1..20),
    ) {
        let mut stream = BytesMut::new();
        sent.iter().for_each(|message| append_frame(message, &mut stream));
        let mut decoder = decoder();
        let mut buf = BytesMut::new();
        let mut received = Vec::new();
        for cut in cuts.into_iter().cycle() {
            if stream.is_empty() {
                break;
            }
            buf.extend_from_slice(&stream.split_to(cut.min(stream.len())));
            while let Some(message) = decoder.decode(&mut buf).unwrap() {
                received.push(message);
            }
        }
        prop_assert_eq!(received, sent);
        prop_assert!(buf.is_empty());
    }

    #[test]
    fn what_is_missing_makes_progress_and_less_does_not(message in messages()) {
        let mut stream = BytesMut::new();
        append_frame(&message, &mut stream);
        let mut decoder = decoder();
        let mut buf = BytesMut::new();
        loop {
            let missing = decoder.missing();
            prop_assert!(missing > 0 && missing <= stream.len(), "{missing} of {}", stream.len());
            buf.extend_from_slice(&stream.split_to(missing - 1));
            prop_assert_eq!(decoder.decode(&mut buf), Ok(None));
            prop_assert_eq!(decoder.missing(), 1);
            buf.extend_from_slice(&stream.split_to(1));
            match decoder.decode(&mut buf) {
                Ok(Some(decoded)) => {
                    prop_assert_eq!(decoded, message);
                    prop_assert!(stream.is_empty() && decoder.missing() == 0);
                    break;
                }
                other => prop_assert_eq!(other, Ok(None)),
            }
        }
    }
}

#[test]
fn frames_look_as_the_beps_say() {
    let block = BlockRequest {
        index: 1,
        begin: 0x4000,
        length: 0x4000,
    };
    let block_bytes = b"\0\0\0\x01\0\0\x40\0\0\0\x40\0";
    for (message, head, tail) in [
        (Message::KeepAlive, &b"\0\0\0\0"[..], &b""[..]),
        (Message::Choke, b"\0\0\0\x01\x00", b""),
        (Message::Unchoke, b"\0\0\0\x01\x01", b""),
        (Message::Interested, b"\0\0\0\x01\x02", b""),
        (Message::NotInterested, b"\0\0\0\x01\x03", b""),
        (Message::Have(258), b"\0\0\0\x05\x04", b"\0\0\x01\x02"),
        (
            Message::Bitfield(Bytes::from_static(b"\xf0\x80")),
            b"\0\0\0\x03\x05",
            b"\xf0\x80",
        ),
        (Message::Request(block), b"\0\0\0\x0d\x06", block_bytes),
        (Message::Cancel(block), b"\0\0\0\x0d\x08", block_bytes),
        (Message::Port(6881), b"\0\0\0\x03\x09", b"\x1a\xe1"),
        (Message::SuggestPiece(3), b"\0\0\0\x05\x0d", b"\0\0\0\x03"),
        (Message::HaveAll, b"\0\0\0\x01\x0e", b""),
        (Message::HaveNone, b"\0\0\0\x01\x0f", b""),
        (
            Message::RejectRequest(block),
            b"\0\0\0\x0d\x10",
            block_bytes,
        ),
        (Message::AllowedFast(3), b"\0\0\0\x05\x11", b"\0\0\0\x03"),
    ] {
        let mut buf = BytesMut::new();
        message.encode(&mut buf);
        assert_eq!(buf, [head, tail].concat(), "{message:?}");
    }
}

#[test]
fn extension_and_hash_frames_look_as_the_beps_say() {
    let payload = Bytes::from_static(b"de");
    let mut buf = BytesMut::new();
    Message::Extended { id: 9, payload }.encode(&mut buf);
    assert_eq!(&buf[..], b"\0\0\0\x04\x14\x09de");

    let request = HashRequest {
        pieces_root: [b'r'; 32],
        base_layer: 1,
        index: 2,
        length: 4,
        proof_layers: 8,
    };
    let fields = [&[b'r'; 32][..], b"\0\0\0\x01\0\0\0\x02\0\0\0\x04\0\0\0\x08"].concat();
    let hashes = Bytes::from_static(&[b'h'; 64]);
    for (message, head, tail) in [
        (
            Message::HashRequest(Box::new(request)),
            b"\0\0\0\x31\x15",
            &b""[..],
        ),
        (
            Message::HashReject(Box::new(request)),
            b"\0\0\0\x31\x17",
            b"",
        ),
        (
            Message::Hashes(Box::new(Hashes { request, hashes })),
            b"\0\0\0\x71\x16",
            &[b'h'; 64],
        ),
    ] {
        let mut buf = BytesMut::new();
        message.encode(&mut buf);
        assert_eq!(buf, [head, &fields[..], tail].concat(), "{message:?}");
    }
}

#[test]
fn a_header_and_its_block_are_a_piece_message() {
    let data = Bytes::from(vec![7; 16_384]);
    let mut buf = BytesMut::from(&piece_header(5, 0x8000, 16_384)[..]);
    buf.extend_from_slice(&data);
    let message = Message::Piece {
        index: 5,
        begin: 0x8000,
        data,
    };
    let mut encoded = BytesMut::new();
    message.encode(&mut encoded);
    assert_eq!(encoded, buf);
    assert_eq!(decoder().decode(&mut buf), Ok(Some(message)));
}

#[test]
fn a_block_is_not_copied_and_outlives_the_buffer() {
    let mut buf = BytesMut::new();
    for index in 0..3 {
        buf.extend_from_slice(&piece_header(index, 0, 16_384));
        buf.extend_from_slice(&[u8::try_from(index).unwrap(); 16_384]);
    }
    let places: Vec<*const u8> = (0..3)
        .map(|n| buf[n * (PIECE_HEADER_LEN + 16_384) + PIECE_HEADER_LEN..].as_ptr())
        .collect();
    let mut decoder = decoder();
    let mut blocks = Vec::new();
    while let Some(message) = decoder.decode(&mut buf).unwrap() {
        let Message::Piece { data, .. } = message else {
            panic!("{message:?}");
        };
        blocks.push(data);
    }
    drop(buf);
    assert_eq!(blocks.len(), 3);
    for (n, (block, place)) in blocks.iter().zip(places).enumerate() {
        assert_eq!(block.as_ptr(), place);
        assert!(block.iter().all(|byte| usize::from(*byte) == n));
    }
}

#[test]
fn a_message_without_a_frame_adds_nothing() {
    let request = HashRequest {
        pieces_root: [0; 32],
        base_layer: 0,
        index: 0,
        length: 2,
        proof_layers: 0,
    };
    let hashes = Bytes::from_static(&[0; 33]);
    for message in [
        Message::Unknown { id: 99, len: 4 },
        Message::Hashes(Box::new(Hashes { request, hashes })),
    ] {
        let mut buf = BytesMut::from(&b"before"[..]);
        message.encode(&mut buf);
        assert_eq!(&buf[..], b"before");
        assert_eq!(message.encoded_len(), 0);
    }
}
