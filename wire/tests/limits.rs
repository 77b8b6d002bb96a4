//! Tests of the limits on length prefixes from untrusted peers.

use bytes::BytesMut;
use tailwater_wire::limits::{
    DEFAULT_MAX_BITFIELD_LEN, DEFAULT_MAX_BLOCK_LEN, DEFAULT_MAX_EXTENDED_LEN, DEFAULT_MAX_HASHES,
    DEFAULT_MAX_UNKNOWN_LEN, MAX_BLOCK_LEN,
};
use tailwater_wire::{Decoder, Limits, LimitsError, Message, WireError};

const KNOWN: [u8; 19] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20, 21, 22, 23,
];

/// Decodes the first five bytes of a frame.
fn begin(limits: Limits, id: u8, len: u32) -> Result<Option<Message>, WireError> {
    let mut buf = BytesMut::from(&len.to_be_bytes()[..]);
    buf.extend_from_slice(&[id]);
    Decoder::new(limits).decode(&mut buf)
}

#[test]
fn a_frame_that_claims_4_gib_is_refused_by_its_prefix_and_reserves_nothing() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::with_capacity(64);
    let capacity = buf.capacity();
    buf.extend_from_slice(&u32::MAX.to_be_bytes());
    let max = 1 + DEFAULT_MAX_UNKNOWN_LEN;
    let error = WireError::PrefixTooLong { len: u32::MAX, max };
    assert_eq!(decoder.decode(&mut buf), Err(error));
    assert_eq!(buf.capacity(), capacity);
    assert_eq!(decoder.decode(&mut buf), Err(error), "errors stay");
    assert_eq!(buf.len(), 4);
    for id in 0..=u8::MAX {
        assert_eq!(
            begin(Limits::default(), id, max + 1),
            Err(WireError::PrefixTooLong { len: max + 1, max })
        );
    }
}

#[test]
fn fixed_frames_have_one_length() {
    for (ids, expected) in [
        (&[0, 1, 2, 3, 14, 15][..], 1),
        (&[9], 3),
        (&[4, 13, 17], 5),
        (&[6, 8, 16], 13),
        (&[21, 23], 49),
    ] {
        for &id in ids {
            for len in [1, 2, 3, 4, 5, 6, 12, 13, 14, 48, 49, 50, 1_000_000] {
                let result = begin(Limits::default(), id, len);
                if len == expected {
                    assert!(result.is_ok(), "{id} {len}");
                } else {
                    let error = WireError::FrameLength { id, len, expected };
                    assert_eq!(result, Err(error));
                }
            }
        }
    }
}

#[test]
fn frames_with_a_payload_have_a_shortest_and_a_longest_length() {
    for (id, min, max) in [
        (5, 1, 1 + DEFAULT_MAX_BITFIELD_LEN),
        (7, 9, 9 + DEFAULT_MAX_BLOCK_LEN),
        (20, 2, 2 + DEFAULT_MAX_EXTENDED_LEN),
        (22, 49, 49 + 32 * DEFAULT_MAX_HASHES),
        (10, 1, 1 + DEFAULT_MAX_UNKNOWN_LEN),
        (255, 1, 1 + DEFAULT_MAX_UNKNOWN_LEN),
    ] {
        let limits = Limits::default();
        assert!(begin(limits, id, min).is_ok(), "{id} {min}");
        assert!(begin(limits, id, max).is_ok(), "{id} {max}");
        let len = max + 1;
        // The longest of all is refused by its prefix alone.
        let too_long = match max == 1 + DEFAULT_MAX_UNKNOWN_LEN {
            true => WireError::PrefixTooLong { len, max },
            false => WireError::FrameTooLong { id, len, max },
        };
        assert_eq!(begin(limits, id, len), Err(too_long));
        if min > 1 {
            let len = min - 1;
            let too_short = WireError::FrameTooShort { id, len, min };
            assert_eq!(begin(limits, id, len), Err(too_short));
        }
    }
}

#[test]
fn hashes_come_whole() {
    for (len, whole) in [
        (49, true),
        (50, false),
        (80, false),
        (81, true),
        (82, false),
    ] {
        let result = begin(Limits::default(), 22, len);
        assert_eq!(
            result == Err(WireError::PartialHash { len }),
            !whole,
            "{len}"
        );
    }
}

#[test]
fn limits_follow_the_torrent_and_the_configuration() {
    let limits = Limits::default().with_piece_count(1313).unwrap();
    assert_eq!(limits.max_bitfield_len(), 165);
    assert!(begin(limits, 5, 166).is_ok());
    assert!(begin(limits, 5, 167).is_err());

    let limits = Limits::default().with_max_block_len(MAX_BLOCK_LEN).unwrap();
    assert!(begin(limits, 7, 9 + MAX_BLOCK_LEN).is_ok());
    assert!(begin(limits, 7, 10 + MAX_BLOCK_LEN).is_err());
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    for found in [0, 16 * 1024 - 1, MAX_BLOCK_LEN + 1, u32::MAX] {
        let result = Limits::default().with_max_block_len(found);
        assert_eq!(result, Err(LimitsError::Block { found }));
    }
    for found in [0, (1 << 21) + 1, u32::MAX] {
        let result = Limits::default().with_piece_count(found);
        assert_eq!(result, Err(LimitsError::PieceCount { found }));
    }
}

#[test]
fn no_frame_is_longer_than_the_limits_say() {
    for limits in [
        Limits::default(),
        Limits::default().with_piece_count(1).unwrap(),
        Limits::default().with_max_block_len(MAX_BLOCK_LEN).unwrap(),
    ] {
        let len = u32::try_from(limits.max_frame_len()).unwrap() - 4;
        let allowed = |len| KNOWN.into_iter().any(|id| begin(limits, id, len).is_ok());
        assert!(!allowed(len + 1), "{limits:?}");
        assert!(allowed(len), "{limits:?}");
    }
}

#[test]
fn an_unknown_message_is_thrown_away_as_it_comes() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::from(&DEFAULT_MAX_UNKNOWN_LEN.to_be_bytes()[..]);
    buf.extend_from_slice(&[200]);
    let len = DEFAULT_MAX_UNKNOWN_LEN - 1;
    let mut left = len as usize;
    while left > 0 {
        assert_eq!(decoder.decode(&mut buf), Ok(None));
        assert!(buf.is_empty());
        assert!(decoder.missing() <= 16 * 1024);
        let step = left.min(5000);
        buf.resize(step, 0xff);
        left -= step;
    }
    buf.extend_from_slice(b"\0\0\0\x01\x01");
    let unknown = Message::Unknown { id: 200, len };
    assert_eq!(decoder.decode(&mut buf), Ok(Some(unknown)));
    assert_eq!(decoder.decode(&mut buf), Ok(Some(Message::Unchoke)));
}

#[test]
fn limits_can_change_between_frames() {
    let mut decoder = Decoder::new(Limits::default());
    let mut buf = BytesMut::from(&b"\0\0\0\x03\x05\xff\xff\0\0\0\x03\x05\xff\xff"[..]);
    assert!(decoder.decode(&mut buf).is_ok());
    decoder.set_limits(Limits::default().with_piece_count(8).unwrap());
    assert_eq!(
        decoder.decode(&mut buf),
        Err(WireError::FrameTooLong {
            id: 5,
            len: 3,
            max: 2
        })
    );
}

#[test]
fn errors_name_the_message() {
    for (id, len, text) in [
        (4, 9, "have frame of 9 bytes where 5 are due"),
        (7, 8, "piece frame of 8 bytes where at least 9 are due"),
        (
            7,
            1_000_000,
            "piece frame of 1000000 bytes where at most 16393 are allowed",
        ),
        (99, u32::MAX, "a frame of 4294967295 bytes"),
    ] {
        let error = begin(Limits::default(), id, len).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
    }
}
