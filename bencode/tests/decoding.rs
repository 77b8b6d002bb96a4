//! Tests of the decoder: what it accepts, what it refuses at which offset, and the limits.

use proptest::prelude::*;
use std::borrow::Cow;
use tailwater_bencode::DecodeErrorKind::{self, *};
use tailwater_bencode::{
    DecodeError, Item, Limits, Options, decode, decode_prefix, decode_with, encode,
};

#[test]
fn malformed_input_is_refused_where_it_goes_wrong() {
    let cases: &[(&[u8], usize, DecodeErrorKind)] = &[
        (b"", 0, UnexpectedEnd),
        (b"e", 0, UnexpectedByte(b'e')),
        (b"x", 0, UnexpectedByte(b'x')),
        (b"-1:", 0, UnexpectedByte(b'-')),
        (b" 1:a", 0, UnexpectedByte(b' ')),
        (b"l", 1, UnexpectedEnd),
        (b"lx", 1, UnexpectedByte(b'x')),
        (b"l1:a", 4, UnexpectedEnd),
        (b"d", 1, UnexpectedEnd),
        (b"d1:a", 4, UnexpectedEnd),
        (b"d1:ae", 4, MissingValue),
        (b"di1e0:e", 1, KeyNotString),
        (b"dle0:e", 1, KeyNotString),
        (b"dde0:e", 1, KeyNotString),
        (b"d0:0:0:0:e", 5, DuplicateKey),
        (b"d1:b0:1:a0:e", 6, UnsortedKeys),
        (b"d2:aa0:1:a0:e", 7, UnsortedKeys),
        (b"d1:ad1:b0:1:a0:ee", 10, UnsortedKeys),
        (b"i", 1, UnexpectedEnd),
        (b"i1", 2, UnexpectedEnd),
        (b"ie", 0, InvalidInteger),
        (b"i-e", 0, InvalidInteger),
        (b"i--1e", 0, InvalidInteger),
        (b"i1-e", 0, InvalidInteger),
        (b"i+1e", 1, InvalidInteger),
        (b"i 1e", 1, InvalidInteger),
        (b"i1.5e", 2, InvalidInteger),
        (b"i0x1e", 2, InvalidInteger),
        (b"i01e", 0, LeadingZero),
        (b"i-01e", 0, LeadingZero),
        (b"i00e", 0, LeadingZero),
        (b"i-0e", 0, NegativeZero),
        (b"i9223372036854775808e", 0, IntegerOutOfRange),
        (b"i-9223372036854775809e", 0, IntegerOutOfRange),
        (b"1", 1, UnexpectedEnd),
        (b"1:", 0, UnexpectedEnd),
        // A complete string swallows the `e` of its list.
        (b"l5:abcde", 8, UnexpectedEnd),
        (b"3:ab", 0, UnexpectedEnd),
        (b"1a", 1, InvalidLength),
        (b"1-:", 1, InvalidLength),
        (b"01:a", 0, LeadingZero),
        (b"00:", 0, LeadingZero),
        (b"67108865:", 0, StringTooLong(64 << 20)),
        (b"4294967296:", 0, StringTooLong(64 << 20)),
        (b"99999999999999999999999:", 0, StringTooLong(64 << 20)),
        (b"0:0:", 2, TrailingBytes),
        (b"i1e\n", 3, TrailingBytes),
    ];
    for &(input, offset, kind) in cases {
        assert_eq!(
            decode(input).map(|_| ()),
            Err(DecodeError { offset, kind }),
            "{}",
            String::from_utf8_lossy(input)
        );
    }
}

#[test]
fn each_leniency_lets_one_thing_pass() {
    type Allow = fn(&mut Options);
    let cases: &[(&[u8], Allow)] = &[
        (b"d1:b0:1:a0:e", |options| options.unsorted_keys = true),
        (b"d1:a0:1:a0:e", |options| options.duplicate_keys = true),
        (b"i007e", |options| options.leading_zeros = true),
        (b"i-07e", |options| options.leading_zeros = true),
        (b"003:abc", |options| options.leading_zeros = true),
        (b"i-0e", |options| options.negative_zero = true),
        (b"0:?", |options| options.trailing_bytes = true),
    ];
    for &(input, allow) in cases {
        let mut all_but_one = Options::lenient();
        let mut only_one = Options::strict();
        allow(&mut only_one);
        for (flag, value) in [
            (&mut all_but_one.unsorted_keys, only_one.unsorted_keys),
            (&mut all_but_one.duplicate_keys, only_one.duplicate_keys),
            (&mut all_but_one.leading_zeros, only_one.leading_zeros),
            (&mut all_but_one.negative_zero, only_one.negative_zero),
            (&mut all_but_one.trailing_bytes, only_one.trailing_bytes),
        ] {
            *flag = !value;
        }
        assert!(decode(input).is_err());
        assert!(decode_with(input, &only_one).is_ok());
        assert!(decode_with(input, &Options::lenient()).is_ok());
        assert!(decode_with(input, &all_but_one).is_err());
    }
}

#[test]
fn the_first_of_duplicate_keys_wins() {
    let document = decode_with(b"d1:ai1e1:bi2e1:ai3ee", &Options::lenient()).unwrap();
    let dict = document.root().as_dict().unwrap();
    assert_eq!(dict.get_int("a"), Some(1));
    assert_eq!(dict.len(), 3);
    assert_eq!(encode(&Item::from(&document)), b"d1:ai1e1:bi2ee");
}

#[test]
fn a_mebibyte_of_list_openings_is_a_clean_error() {
    let input = vec![b'l'; 1 << 20];
    let expected = DecodeError {
        offset: 100,
        kind: TooDeep(100),
    };
    assert_eq!(decode(&input).map(|_| ()), Err(expected));
    // With no limit on the depth it is still a loop.
    let mut limits = Limits::default();
    limits.depth = u32::MAX;
    let unlimited = Options::strict().with_limits(limits);
    assert_eq!(
        decode_with(&input, &unlimited).map(|_| ()),
        Err(DecodeError {
            offset: 1 << 20,
            kind: UnexpectedEnd
        })
    );
    let mut closed = input.clone();
    closed.resize(2 << 20, b'e');
    let document = decode_with(&closed, &unlimited).unwrap();
    assert_eq!(document.token_count(), 1 << 20);
    assert_eq!(document.root().as_list().unwrap().len(), 1);
}

#[test]
fn limits_are_exact() {
    let limited = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        Options::strict().with_limits(limits)
    };
    let depth = limited(|limits| limits.depth = 2);
    assert!(decode_with(b"llee", &depth).is_ok());
    assert!(decode_with(b"lleleldee", &depth).is_err());
    assert_eq!(
        decode_with(b"ldleee", &depth).unwrap_err().kind,
        KeyNotString
    );
    assert_eq!(decode_with(b"llleee", &depth).unwrap_err().kind, TooDeep(2));
    let tokens = limited(|limits| limits.tokens = 3);
    assert!(decode_with(b"d1:a0:e", &tokens).is_ok());
    assert_eq!(
        decode_with(b"d1:ai1e1:b0:e", &tokens).unwrap_err(),
        DecodeError {
            offset: 7,
            kind: TooManyTokens(3)
        }
    );
    let strings = limited(|limits| limits.string_len = 3);
    assert!(decode_with(b"3:abc", &strings).is_ok());
    assert_eq!(
        decode_with(b"4:abcd", &strings).unwrap_err().kind,
        StringTooLong(3)
    );
    let input = limited(|limits| limits.input_len = 3);
    assert!(decode_with(b"1:a", &input).is_ok());
    assert_eq!(
        decode_with(b"2:ab", &input).unwrap_err().kind,
        InputTooLong(3)
    );
}

#[test]
fn a_prefix_ends_where_its_value_ends() {
    let (document, consumed) =
        decode_prefix(b"d5:piecei0ee\0\x01rest", &Options::strict()).unwrap();
    assert_eq!(consumed, 12);
    assert_eq!(document.root().span(), 0..12);
}

#[test]
fn slices_outlive_the_document() {
    fn name(input: &[u8]) -> Option<&[u8]> {
        decode(input).ok()?.root().as_dict()?.get_bytes("name")
    }
    assert_eq!(name(b"d4:name3:abce"), Some(&b"abc"[..]));
}

#[test]
fn a_value_is_only_what_it_is() {
    let document = decode(b"li1e2:\xff\xfe1:ale0:dee").unwrap();
    let values: Vec<_> = document.root().as_list().unwrap().iter().collect();
    assert_eq!(values[0].as_int(), Some(1));
    assert_eq!(values[0].as_bytes(), None);
    assert_eq!(values[1].as_bytes(), Some(&b"\xff\xfe"[..]));
    assert_eq!(values[1].as_str(), None);
    assert_eq!(values[2].as_str(), Some("a"));
    assert!(values[3].as_list().unwrap().is_empty());
    assert!(values[3].as_dict().is_none());
    assert_eq!(values[4].as_str(), Some(""));
    assert!(values[5].as_dict().unwrap().is_empty());
    assert_eq!(format!("{:?}", values[3]), "List at 11..13");
}

fn item() -> impl Strategy<Value = Item<'static>> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..12);
    let leaf = prop_oneof![
        any::<i64>().prop_map(Item::Int),
        bytes().prop_map(Item::from)
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Item::List),
            proptest::collection::btree_map(bytes().prop_map(Cow::Owned), inner, 0..8)
                .prop_map(Item::Dict),
        ]
    })
}

/// Text that is often bencode, and often nearly so.
fn almost_bencode() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("l"),
        Just("d"),
        Just("e"),
        Just("e"),
        Just("i0e"),
        Just("i-0e"),
        Just("i03e"),
        Just("i-17e"),
        Just("0:"),
        Just("1:a"),
        Just("1:b"),
        Just("01:c"),
        Just("2:a"),
        Just("i"),
        Just("-"),
        Just("9"),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(item in item()) {
        let encoded = encode(&item);
        let document = decode(&encoded).unwrap();
        prop_assert_eq!(Item::from(&document), item);
        prop_assert_eq!(document.root().raw(), &encoded[..]);
    }

    #[test]
    fn serde_bencode_agrees_on_canonical_input(item in item()) {
        tailwater_bencode::fuzz::decode_any(&encode(&item));
    }

    #[test]
    fn every_truncation_is_an_error(item in item(), at in any::<proptest::sample::Index>()) {
        let encoded = encode(&item);
        prop_assert!(decode(&encoded[..at.index(encoded.len())]).is_err());
    }

    #[test]
    fn any_bytes_keep_the_promises(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        tailwater_bencode::fuzz::decode_any(&bytes);
    }

    #[test]
    fn near_misses_keep_the_promises(bytes in almost_bencode()) {
        tailwater_bencode::fuzz::decode_any(&bytes);
    }

    #[test]
    fn damaged_input_keeps_the_promises(
        item in item(),
        at in any::<proptest::sample::Index>(),
        byte in prop_oneof![any::<u8>(), Just(b'e'), Just(b'l'), Just(b'0'), Just(b'-')],
    ) {
        let mut encoded = encode(&item);
        let at = at.index(encoded.len());
        encoded[at] = byte;
        tailwater_bencode::fuzz::decode_any(&encoded);
    }
}
