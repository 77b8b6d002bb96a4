//! Items and mutable torrents: the vectors of BEP 44 and BEP 46, and their way through a network.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

mod lab;

use lab::{Lab, MINUTE, private};
use tailwater_dht::{
    ErrorCode, Event, InvalidSignatureError, Item, ItemKey, ItemValue, ItemValueError, MutableItem,
    MutableTorrent, MutableTorrentError, PublicKey, Salt, SecretKey, Signature,
};
use tailwater_types::InfoHash;

const KEY: &str = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548";
const TORRENT_KEY: &str = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";

fn hello() -> ItemValue {
    ItemValue::new(b"12:Hello World!").unwrap()
}

fn salt(text: &str) -> Salt {
    Salt::new(text.as_bytes()).unwrap()
}

fn signature(hex: &str) -> Signature {
    let bytes: Vec<u8> = (0..64)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    Signature::new(bytes.try_into().unwrap())
}

/// BEP 44 gives the private key in its expanded form, so the signatures are checked, not made.
#[test]
fn the_signatures_of_bep_44_are_valid() {
    let key: PublicKey = KEY.parse().unwrap();
    let cases = [
        (
            "",
            "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff\
             1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
            "4a533d47ec9c7d95b1ad75f576cffc641853b750",
        ),
        (
            "foobar",
            "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d\
             df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
            "411eba73b6f087ca51a3795d9c8c938d365e32c1",
        ),
    ];
    for (text, hex, target) in cases {
        let signed = signature(hex);
        let item = MutableItem::from_parts(key, salt(text), 1, hello(), signed).unwrap();
        assert_eq!(Item::Mutable(item).target().to_string(), target);
        let other = MutableItem::from_parts(key, salt(text), 2, hello(), signed);
        assert_eq!(other, Err(InvalidSignatureError));
        let other = MutableItem::from_parts(key, salt("other"), 1, hello(), signed);
        assert_eq!(other, Err(InvalidSignatureError));
    }
    let target = "e5f96f6f38320f0f33959cb4d3d656452117aadb";
    assert_eq!(Item::Immutable(hello()).target().to_string(), target);
}

#[test]
fn links_of_bep_46_name_their_items() {
    let cases = [
        ("", "cc3f9d90b572172053626f9980ce261a850d050b"),
        ("&s=6e", "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f"),
    ];
    for (rest, target) in cases {
        let link = format!("magnet:?xs=urn:btpk:{TORRENT_KEY}{rest}");
        let torrent: MutableTorrent = link.parse().unwrap();
        assert_eq!(torrent.target().to_string(), target);
        assert_eq!(torrent.to_string(), link);
    }
    for (link, error) in [
        ("magnet:?xt=urn:btih:1234", MutableTorrentError::NoKey),
        ("http:?xs=urn:btpk:12", MutableTorrentError::NoKey),
        ("magnet:?xs=urn:btpk:12", MutableTorrentError::InvalidKey),
        (
            &format!("magnet:?xs=urn:btpk:{TORRENT_KEY}&s=6"),
            MutableTorrentError::InvalidSalt,
        ),
        (
            &format!("magnet:?xs=urn:btpk:{TORRENT_KEY}&s=zz"),
            MutableTorrentError::InvalidSalt,
        ),
        (
            &format!("magnet:?xs=urn:btpk:{TORRENT_KEY}&s={}", "00".repeat(65)),
            MutableTorrentError::InvalidSalt,
        ),
    ] {
        assert_eq!(link.parse::<MutableTorrent>(), Err(error), "{link}");
    }
    let info_hash = InfoHash::new([0x42; 20]);
    let value = MutableTorrent::value(&info_hash);
    assert!(value.as_bytes().starts_with(b"d2:ih20:BBBB"));
    assert_eq!(MutableTorrent::info_hash(&value), Some(info_hash));
    assert_eq!(MutableTorrent::info_hash(&hello()), None);
}

#[test]
fn values_are_short_and_canonical() {
    assert!(matches!(
        ItemValue::new(b"d1:b0:1:a0:e"),
        Err(ItemValueError::Bencode(_))
    ));
    assert!(matches!(
        ItemValue::new(b"i1ei2e"),
        Err(ItemValueError::Bencode(_))
    ));
    assert!(ItemValue::from_text(&[0; 996]).is_ok());
    let len = 1001;
    assert_eq!(
        ItemValue::from_text(&[0; 997]),
        Err(ItemValueError::TooLong { len })
    );
}

fn items(lab: &Lab, host: usize) -> Vec<Item> {
    let items = lab.events_of(host).filter_map(|event| match event {
        Event::Item { item, .. } => Some(item.clone()),
        _ => None,
    });
    items.collect()
}

#[test]
fn an_immutable_item_is_found_by_everybody_and_ends_the_lookup() {
    let mut lab = Lab::new(1);
    let hosts = lab.network(40, private);
    lab.run(MINUTE);
    let item = Item::Immutable(hello());
    let request = lab.command(hosts[3], |node, now| node.put(now, &item, None));
    assert_eq!(lab.finish(hosts[3], request).stored, 8);
    let request = lab.command(hosts[30], |node, now| node.get(now, &item.key()));
    let report = lab.finish(hosts[30], request);
    assert_eq!(items(&lab, hosts[30]), [item]);
    assert!(report.asked <= 12, "{}", report.asked);
}

#[test]
fn the_newest_version_wins_and_a_compare_and_swap_fails_if_it_is_late() {
    let mut lab = Lab::new(2);
    let hosts = lab.network(30, private);
    lab.run(MINUTE);
    let secret = SecretKey::from_seed(&[1; 32]);
    let version = |seq, text: &[u8]| {
        let value = ItemValue::from_text(text).unwrap();
        Item::Mutable(MutableItem::sign(&secret, salt("news"), seq, value))
    };
    for (host, item, cas) in [
        (hosts[1], version(1, b"one"), None),
        (hosts[2], version(2, b"two"), Some(1)),
    ] {
        let request = lab.command(host, |node, now| node.put(now, &item, cas));
        assert_eq!(lab.finish(host, request).stored, 8);
    }
    let late = version(3, b"late");
    let request = lab.command(hosts[3], |node, now| node.put(now, &late, Some(1)));
    let report = lab.finish(hosts[3], request);
    assert_eq!(report.stored, 0);
    assert_eq!(
        report.refusal.map(|error| error.code),
        Some(ErrorCode::CAS_MISMATCH)
    );
    assert_eq!(
        items(&lab, hosts[3]),
        [version(2, b"two")],
        "it hears of the newer one"
    );

    let key = ItemKey::Mutable {
        key: secret.public_key(),
        salt: salt("news"),
    };
    let request = lab.command(hosts[20], |node, now| node.get(now, &key));
    lab.finish(hosts[20], request);
    assert_eq!(items(&lab, hosts[20]).last(), Some(&version(2, b"two")));
}

#[test]
fn a_mutable_torrent_is_followed() {
    let mut lab = Lab::new(3);
    let hosts = lab.network(20, private);
    lab.run(MINUTE);
    let secret = SecretKey::from_seed(&[1; 32]);
    let torrent = MutableTorrent {
        key: secret.public_key(),
        salt: Salt::default(),
    };
    for (seq, host) in [(1, hosts[1]), (2, hosts[2])] {
        let value = MutableTorrent::value(&InfoHash::new([u8::try_from(seq).unwrap(); 20]));
        let item = Item::Mutable(MutableItem::sign(&secret, torrent.salt, seq, value));
        let request = lab.command(host, |node, now| node.put(now, &item, None));
        lab.finish(host, request);
    }
    let request = lab.command(hosts[9], |node, now| node.get(now, &torrent.item_key()));
    lab.finish(hosts[9], request);
    let newest = items(&lab, hosts[9]).pop().expect("found");
    let info_hash = MutableTorrent::info_hash(newest.value());
    assert_eq!(info_hash, Some(InfoHash::new([2; 20])));
}
