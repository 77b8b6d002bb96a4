//! Announces of local service discovery (BEP 14): what real clients send, what is refused, and the way there and back.

#![expect(clippy::unwrap_used, reason = "what cannot go wrong in a test ends it")]

use proptest::collection::vec;
use proptest::prelude::*;
use tailwater_types::InfoHash;
use tailwater_wire::limits::{
    MAX_LSD_COOKIE_LEN, MAX_LSD_LEN, MAX_LSD_SENT_HASHES, MAX_LSD_SENT_LEN,
};
use tailwater_wire::{LocalAnnounce, LsdCookie, LsdError, LsdGroup};

const A: &str = "4141414141414141414141414141414141414141";
const B: &str = "4242424242424242424242424242424242424242";

/// Received from libtorrent 2.1.1.
const LIBTORRENT: &str = "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\n\
    Infohash: 4141414141414141414141414141414141414141\r\ncookie: 7f25a8e4\r\n\r\n\r\n";

fn announce(port: u16, info_hashes: &[&str], cookie: Option<&str>) -> LocalAnnounce {
    LocalAnnounce {
        port,
        info_hashes: info_hashes
            .iter()
            .map(|hash| hash.parse().unwrap())
            .collect(),
        cookie: cookie.map(|cookie| cookie.parse().unwrap()),
    }
}

fn parse(datagram: &str) -> Result<LocalAnnounce, LsdError> {
    LocalAnnounce::parse(datagram.as_bytes())
}

#[test]
fn libtorrent_is_understood_and_ours_looks_the_same() {
    let expected = announce(6881, &[A], Some("7f25a8e4"));
    assert_eq!(parse(LIBTORRENT), Ok(expected.clone()));
    assert_eq!(
        expected.encode(LsdGroup::V4).unwrap(),
        LIBTORRENT.as_bytes()
    );
    let v6 = LIBTORRENT.replace("239.192.152.143", "[ff15::efc0:988f]");
    assert_eq!(expected.encode(LsdGroup::V6).unwrap(), v6.as_bytes());
}

#[test]
fn what_varies_between_clients_is_tolerated() {
    for (datagram, expected) in [
        // Several torrents, no cookie, no second empty line.
        (
            format!("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: {A}\r\nInfohash: {B}\r\n\r\n"),
            announce(1, &[A, B], None),
        ),
        // Bare line feeds, other cases, blanks, any order.
        (
            format!("BT-SEARCH  * HTTP/1.1\ncookie:\tx-1 \nINFOHASH :{A}\nport:  65535  \n\n"),
            announce(65535, &[A], Some("x-1")),
        ),
        // Headers of a later version, one that is not known, an empty cookie, a body.
        (
            format!(
                "BT-SEARCH * HTTP/1.2\r\nX: y\r\nPort: 80\r\nInfohash: {A}\r\ncookie:\r\n\r\n\0body"
            ),
            announce(80, &[A], None),
        ),
        (
            format!(
                "BT-SEARCH * HTTP/1.1\r\nPort: 080\r\nInfohash: {}\r\n\r\n",
                "aB".repeat(20)
            ),
            announce(80, &[&"ab".repeat(20)], None),
        ),
    ] {
        assert_eq!(parse(&datagram), Ok(expected), "{datagram:?}");
    }
}

#[test]
fn what_begins_or_ends_otherwise_is_refused() {
    let headers = format!("Port: 1\r\nInfohash: {A}\r\n");
    for request in [
        "",
        "\r\n",
        "BT-SEARCH * HTTP/1.1",
        "M-SEARCH * HTTP/1.1\r\n",
        "bt-search * HTTP/1.1\r\n",
        "BT-SEARCH / HTTP/1.1\r\n",
        "BT-SEARCH * HTTP/1.0\r\n",
        "BT-SEARCH * HTTP/2.0\r\n",
        "BT-SEARCH * HTTP/1.1 x\r\n",
        "BT-SEARCH * HTTP/1.1\0\r\n",
    ] {
        let datagram = format!("{request}{headers}\r\n");
        assert_eq!(parse(&datagram), Err(LsdError::RequestLine), "{request:?}");
    }
    assert_eq!(parse(""), Err(LsdError::RequestLine));
    for end in ["", "\r", "x: y"] {
        let datagram = format!("BT-SEARCH * HTTP/1.1\r\n{headers}{end}");
        assert_eq!(parse(&datagram), Err(LsdError::Unfinished), "{end:?}");
    }
}

#[test]
fn wrong_headers_are_refused() {
    let line = format!("Infohash: {A}\r\n");
    let offset = 31;
    for (header, error) in [
        ("x".into(), LsdError::Header { offset }),
        (" folded: x".into(), LsdError::Header { offset }),
        (": x".into(), LsdError::Header { offset }),
        ("X: \u{e4}".into(), LsdError::Header { offset }),
        ("X: \0".into(), LsdError::Header { offset }),
        ("X: a\rb".into(), LsdError::Header { offset }),
        ("Port: 1".into(), LsdError::Duplicate { offset }),
        ("Infohash:".into(), LsdError::InfoHash { offset }),
        (
            format!("Infohash: {}", &A[1..]),
            LsdError::InfoHash { offset },
        ),
        (format!("Infohash: {A}41"), LsdError::InfoHash { offset }),
        (
            format!("Infohash: {}", "x".repeat(40)),
            LsdError::InfoHash { offset },
        ),
        ("cookie: a b".into(), LsdError::Cookie),
        (
            format!("cookie: {}", "x".repeat(65)),
            LsdError::CookieTooLong { len: 65 },
        ),
        (
            "cookie: a\r\ncookie: b".into(),
            LsdError::Duplicate { offset: 42 },
        ),
        (
            "cookie:\r\ncookie: b".into(),
            LsdError::Duplicate { offset: 40 },
        ),
    ] {
        let datagram = format!("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n{header}\r\n{line}\r\n");
        assert_eq!(parse(&datagram), Err(error), "{header:?}");
    }
    for port in ["", "0", "65536", "-1", "+1", "1x", "0x1", "1 1"] {
        let datagram = format!("BT-SEARCH * HTTP/1.1\r\nPort: {port}\r\n{line}\r\n");
        assert_eq!(parse(&datagram), Err(LsdError::Port { offset: 22 }));
    }
    let no_port = format!("BT-SEARCH * HTTP/1.1\r\n{line}\r\n");
    assert_eq!(parse(&no_port), Err(LsdError::NoPort));
    let no_hash = "BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n";
    assert_eq!(parse(no_hash), Err(LsdError::NoInfoHash));
}

#[test]
fn length_is_bounded_both_ways() {
    let mut datagram = LIBTORRENT.as_bytes().to_vec();
    datagram.resize(MAX_LSD_LEN, b'\n');
    assert!(LocalAnnounce::parse(&datagram).is_ok());
    datagram.push(b'\n');
    let too_long = LsdError::TooLong {
        len: MAX_LSD_LEN + 1,
        max: MAX_LSD_LEN,
    };
    assert_eq!(LocalAnnounce::parse(&datagram), Err(too_long));

    let cookie = "c".repeat(MAX_LSD_COOKIE_LEN);
    let mut largest = announce(65535, &[A; MAX_LSD_SENT_HASHES], Some(&cookie));
    assert!(largest.encode(LsdGroup::V6).unwrap().len() <= MAX_LSD_SENT_LEN);
    largest.info_hashes.push(A.parse().unwrap());
    assert!(matches!(
        largest.encode(LsdGroup::V6),
        Err(LsdError::TooLong {
            max: MAX_LSD_SENT_LEN,
            ..
        })
    ));
}

#[test]
fn a_number_makes_a_cookie() {
    let cookie = LsdCookie::from(0xff_u64);
    assert_eq!(cookie.as_str(), "00000000000000ff");
    assert_eq!(cookie.as_str().parse(), Ok(cookie));
}

#[test]
fn what_nobody_could_use_is_not_sent() {
    let port_0 = announce(0, &[A], None);
    assert_eq!(port_0.encode(LsdGroup::V4), Err(LsdError::NoPort));
    let no_hash = announce(1, &[], None);
    assert_eq!(no_hash.encode(LsdGroup::V4), Err(LsdError::NoInfoHash));
}

proptest! {
    #[test]
    fn what_is_sent_is_understood(
        port in 1_u16..,
        hashes in vec(any::<[u8; 20]>(), 1..=MAX_LSD_SENT_HASHES),
        cookie in proptest::option::of("[!-~]{1,64}"),
        cut in any::<prop::sample::Index>(),
    ) {
        let announce = LocalAnnounce {
            port,
            info_hashes: hashes.into_iter().map(InfoHash::new).collect(),
            cookie: cookie.map(|cookie| cookie.parse().unwrap()),
        };
        for group in [LsdGroup::V4, LsdGroup::V6] {
            let datagram = announce.encode(group).unwrap();
            prop_assert!(datagram.len() <= MAX_LSD_SENT_LEN);
            prop_assert_eq!(LocalAnnounce::parse(&datagram), Ok(announce.clone()));
            // No part of it that lacks the empty line is an announce.
            let cut = cut.index(datagram.len() - 4);
            prop_assert!(LocalAnnounce::parse(&datagram[..cut]).is_err());
        }
    }
}
