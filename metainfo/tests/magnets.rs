//! Magnet links.

use proptest::prelude::*;
use tailwater_metainfo::limits::MAX_MAGNET_LEN;
use tailwater_metainfo::{
    HostPort, Info, InfoHash, InfoHashV2, InfoHashes, Magnet, MagnetError, Metainfo,
};

const HEX: &str = "00112233445566778899aabbccddeeff00112233";
const BASE32: &str = "AAISEM2EKVTHPCEZVK54ZXPO74ABCIRT";
const HEX_V2: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

fn parse(text: &str) -> Result<Magnet, MagnetError> {
    text.parse()
}

#[test]
fn all_parameters_are_read_and_written() {
    let link = format!(
        "magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{HEX_V2}&dn=A%20%26%20B&tr=http%3A%2F%2Fa%2Fannounce&tr=udp%3A%2F%2Fb%3A1\
         &ws=http%3A%2F%2Fs%2F&x.pe=10.0.0.1%3A6881&x.pe=%5B%3A%3A1%5D%3A1&so=0,2,4,6-8"
    );
    let magnet = parse(&link).unwrap();
    assert_eq!(magnet.hashes.v1, Some(HEX.parse().unwrap()));
    assert_eq!(magnet.hashes.v2, Some(HEX_V2.parse().unwrap()));
    assert_eq!(magnet.name.as_deref(), Some("A & B"));
    assert_eq!(magnet.trackers, ["http://a/announce", "udp://b:1"]);
    assert_eq!(magnet.web_seeds, ["http://s/"]);
    assert_eq!(
        magnet.peers,
        [
            "10.0.0.1:6881".parse::<HostPort>().unwrap(),
            "[::1]:1".parse().unwrap()
        ]
    );
    assert_eq!(magnet.select_only, [0..=0, 2..=2, 4..=4, 6..=8]);
    assert!(magnet.selects(7) && !magnet.selects(5));
    assert_eq!(magnet.to_string(), link);
}

#[test]
fn other_spellings_mean_the_same() {
    let plain = parse(&format!(
        "magnet:?xt=urn:btih:{HEX}&dn=a%20b&tr=http%3A%2F%2Ft%2F%3Fa%2Bb"
    ))
    .unwrap();
    let spellings = [
        format!("magnet:?xt=urn:btih:{BASE32}&dn=a+b&tr=http://t/?a%2bb"),
        format!(
            "MAGNET:?XT=URN:BTIH:{}&dn=a%20b&tr=http://t/?a+b",
            HEX.to_uppercase()
        ),
        format!(
            "magnet:?xt.1=urn%3Abtih%3A{}&dn=a b&tr.1=http://t/?a+b&tr.2=http://t/?a+b",
            BASE32.to_lowercase()
        ),
        format!(
            " magnet:?foo=bar&xt=urn:ed2k:1&xt=urn:btih:{HEX}&xt=urn:btih:{BASE32}&&dn=a%20b&x.pe=?&tr=&tr=http://t/?a+b\n"
        ),
    ];
    for text in spellings {
        assert_eq!(parse(&text).as_ref(), Ok(&plain), "{text}");
    }
}

#[test]
fn a_link_without_selection_selects_all() {
    let magnet = Magnet::new(InfoHash::new([1; 20]).into());
    assert!(magnet.selects(0) && magnet.selects(u32::MAX));
    assert_eq!(magnet.hashes.wire(), Some(InfoHash::new([1; 20])));
    let v2 = Magnet::new(InfoHashV2::new([2; 32]).into());
    assert_eq!(v2.hashes.wire(), Some(InfoHash::new([2; 20])));
}

#[test]
fn what_is_no_magnet_is_said_to_be_none() {
    let v1 = |text: &str| MagnetError::HashV1(text.to_owned());
    let v2 = |text: String| MagnetError::HashV2(text);
    let so = |text: &str| MagnetError::SelectOnly(text.to_owned());
    let with = |rest: &str| format!("magnet:?xt=urn:btih:{HEX}&{rest}");
    let cases = [
        (String::new(), MagnetError::Scheme),
        ("magnet:".to_owned(), MagnetError::Scheme),
        ("http://a/?xt=urn:btih:".to_owned(), MagnetError::Scheme),
        ("magnet:?".to_owned(), MagnetError::NoHash),
        ("magnet:?dn=a&xt=urn:sha1:1".to_owned(), MagnetError::NoHash),
        ("magnet:?xt=urn:btih:".to_owned(), v1("")),
        (format!("magnet:?xt=urn:btih:{}", &HEX[1..]), v1(&HEX[1..])),
        (
            format!("magnet:?xt=urn:btih:{}1", &BASE32[1..]),
            v1(&format!("{}1", &BASE32[1..])),
        ),
        (
            format!("magnet:?xt=urn:btmh:{HEX_V2}"),
            v2(HEX_V2.to_owned()),
        ),
        (
            format!("magnet:?xt=urn:btmh:1114{HEX}"),
            v2(format!("1114{HEX}")),
        ),
        (
            format!("magnet:?xt=urn:btmh:1220{HEX}"),
            v2(format!("1220{HEX}")),
        ),
        (
            with(&format!("xt=urn:btih:{}", HEX.replace('0', "1"))),
            MagnetError::TwoTorrents,
        ),
        (with("so="), so("")),
        (with("so=1,"), so("1,")),
        (with("so=3-1"), so("3-1")),
        (with("so=-1"), so("-1")),
        (with("so=+1"), so("+1")),
        (with("so=4294967296"), so("4294967296")),
        (
            with(&"a".repeat(MAX_MAGNET_LEN)),
            MagnetError::TooLong(MAX_MAGNET_LEN + with("").len()),
        ),
    ];
    for (text, error) in cases {
        assert_eq!(parse(&text), Err(error), "{text}");
    }
}

proptest! {
    #[test]
    fn writing_and_reading_is_the_identity(
        hash in any::<[u8; 20]>(),
        hash_v2 in proptest::option::of(any::<[u8; 32]>()),
        name in proptest::option::of("\\PC{1,20}"),
        urls in proptest::collection::hash_set("[a-z]{2,5}:[!-~]{1,20}", 0..4),
        ranges in proptest::collection::vec((any::<u16>(), any::<u16>()), 0..4),
    ) {
        let mut magnet = Magnet::new(InfoHashes {
            v1: Some(InfoHash::new(hash)),
            v2: hash_v2.map(InfoHashV2::new),
        });
        magnet.name = name;
        magnet.trackers = urls.iter().cloned().collect();
        magnet.web_seeds = urls.into_iter().collect();
        magnet.peers = vec![HostPort::new("::1", 1).unwrap(), HostPort::new("host", 65535).unwrap()];
        magnet.select_only = ranges.iter().map(|&(a, b)| u32::from(a.min(b))..=u32::from(a.max(b))).collect();
        prop_assert_eq!(magnet.to_string().parse(), Ok(magnet));
    }

    #[test]
    fn any_text_keeps_the_promises(text in "(magnet:[?])?((xt=urn:btih:[a-z2-7]{32}|dn|tr|so|x[.]pe|=|&|%|[+]|\\PC)){0,12}") {
        tailwater_metainfo::fuzz::magnet(text.as_bytes());
    }
}

#[test]
fn a_link_and_an_info_dictionary_make_a_torrent() {
    let raw = b"d6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let info = Info::from_bytes(raw).unwrap();
    let (trackers, seeds) = (
        vec![vec!["udp://t:1".to_owned()]],
        vec!["http://s/".to_owned()],
    );
    let made = Metainfo::from_info(info.clone(), trackers.clone(), seeds.clone());
    assert_eq!(made.info().raw(), raw);
    assert_eq!(
        (made.trackers(), made.web_seeds()),
        (&trackers[..], &seeds[..])
    );
    let link = made.magnet();
    assert_eq!(link.hashes, info.info_hashes());
    assert_eq!((link.trackers, link.web_seeds), (trackers.concat(), seeds));
}
