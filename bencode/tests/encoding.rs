//! Encoding, and typed access through serde.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tailwater_bencode::{
    DecodeErrorKind, DuplicateKeyError, Encoded, Item, Options, TypedError, decode, encode,
    from_bytes, from_bytes_with, to_bytes,
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Reply {
    interval: u32,
    #[serde(with = "serde_bytes")]
    peers: Vec<u8>,
    #[serde(rename = "warning message", skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

#[test]
fn dictionaries_are_sorted_as_raw_bytes() {
    let entries = ["b", "aa", "Z", "é", "a"].map(|key| (key.as_bytes(), Item::Int(0)));
    let item = Item::dict(entries).unwrap();
    assert_eq!(
        encode(&item),
        "d1:Zi0e1:ai0e2:aai0e1:bi0e2:éi0ee".as_bytes()
    );
}

#[test]
fn a_key_given_twice_is_refused() {
    let entries = [("a".as_bytes(), Item::Int(0)), (b"a", Item::Int(1))];
    assert_eq!(
        Item::dict(entries),
        Err(DuplicateKeyError { key: b"a".to_vec() })
    );
}

#[test]
fn encoded_bytes_are_kept_as_they_are() {
    let unsorted = b"d1:bi01e1:ai1ee";
    assert!(Encoded::new(unsorted, &Options::strict()).is_err());
    assert!(Encoded::new(b"i1ei2e", &Options::lenient()).is_err());
    let info = Encoded::new(unsorted, &Options::lenient()).unwrap();
    let item = Item::dict([("info".as_bytes(), Item::from(info))]).unwrap();
    assert_eq!(encode(&item), b"d4:infod1:bi01e1:ai1eee");
}

#[test]
fn integers_reach_both_ends() {
    for value in [i64::MIN, -1, 0, 1, i64::MAX] {
        let encoded = encode(&Item::Int(value));
        assert_eq!(decode(&encoded).unwrap().root().as_int(), Some(value));
    }
}

#[test]
fn structs_go_both_ways() {
    let reply = Reply {
        interval: 1800,
        peers: vec![127, 0, 0, 1, 0x1a, 0xe1],
        warning: None,
    };
    let encoded = to_bytes(&reply).unwrap();
    assert_eq!(encoded, b"d8:intervali1800e5:peers6:\x7f\0\0\x01\x1a\xe1e");
    assert_eq!(from_bytes::<Reply>(&encoded), Ok(reply));
}

#[test]
fn nothing_malformed_reaches_serde() {
    let deep = [vec![b'l'; 1 << 20], vec![b'e'; 1 << 20]].concat();
    let error = from_bytes::<serde_bencode::value::Value>(&deep).unwrap_err();
    assert!(
        matches!(error, TypedError::Malformed(error) if error.kind == DecodeErrorKind::TooDeep(100))
    );
    let trailing = from_bytes::<i64>(b"i1ei2e").unwrap_err();
    assert!(
        matches!(trailing, TypedError::Malformed(error) if error.kind == DecodeErrorKind::TrailingBytes)
    );
    assert_eq!(
        from_bytes_with::<i64>(b"i1ei2e", &Options::lenient()),
        Ok(1)
    );
}

#[test]
fn the_wrong_shape_is_said_so() {
    assert!(matches!(
        from_bytes::<Reply>(b"de"),
        Err(TypedError::Shape(_))
    ));
    assert!(matches!(
        from_bytes::<Reply>(b"le"),
        Err(TypedError::Shape(_))
    ));
    assert!(matches!(
        from_bytes::<u8>(b"i-1e"),
        Err(TypedError::Shape(_))
    ));
}

#[test]
fn what_has_no_bencode_form_is_refused() {
    assert!(matches!(
        to_bytes(&1.5f64),
        Err(TypedError::NotEncodable(_))
    ));
    assert!(matches!(
        to_bytes(&u64::MAX),
        Err(TypedError::NotEncodable(_))
    ));
    assert!(matches!(
        to_bytes(&None::<i64>),
        Err(TypedError::NotEncodable(_))
    ));
    assert!(matches!(
        to_bytes(&BTreeMap::from([(1, 2)])),
        Err(TypedError::NotEncodable(_))
    ));
}
