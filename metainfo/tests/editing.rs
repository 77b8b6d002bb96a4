//! Trackers and comments of torrents that exist.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use proptest::prelude::*;
use tailwater_metainfo::{Edited, Editor, Metainfo};

const TORRENTS: [&[u8]; 6] = [
    include_bytes!("data/v1-file.torrent"),
    include_bytes!("data/v1-folder.torrent"),
    include_bytes!("data/v2-file.torrent"),
    include_bytes!("data/v2-folder.torrent"),
    include_bytes!("data/hybrid-file.torrent"),
    include_bytes!("data/hybrid-folder.torrent"),
];

const NO_TIERS: [[&str; 0]; 0] = [];

/// A torrent with something around its info dictionary.
fn torrent(outer_before: &str, outer_after: &str) -> Vec<u8> {
    let info = "4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    format!("d{outer_before}{info}{outer_after}e").into_bytes()
}

fn edited(bytes: &[u8], edit: impl FnOnce(&mut Editor<'_>)) -> Edited {
    let mut editor = Editor::new(bytes).unwrap();
    edit(&mut editor);
    editor.finish().unwrap()
}

#[test]
fn torrents_of_every_version_stay_the_same_torrent() {
    for bytes in TORRENTS {
        let before = Metainfo::from_bytes(bytes).unwrap();
        let unchanged = edited(bytes, |_| {});
        assert_eq!(unchanged.bytes, bytes);
        let tiers = [["http://a/announce", "udp://b:1"]];
        let after = edited(bytes, |editor| {
            editor.set_trackers(tiers);
            editor.set_comment(Some("a comment"));
        });
        assert_eq!(after.metainfo.trackers(), tiers);
        assert_eq!(after.metainfo.comment(), Some("a comment"));
        assert_eq!(after.metainfo.info(), before.info());
        for file in before.info().files() {
            assert_eq!(after.metainfo.piece_layer(file), before.piece_layer(file));
        }
        let bare = edited(&after.bytes, |editor| {
            editor.set_trackers(NO_TIERS);
            editor.set_comment(None::<String>);
        });
        assert!(bare.metainfo.trackers().is_empty() && bare.metainfo.comment().is_none());
        assert_eq!(bare.metainfo.info(), before.info());
    }
}

#[test]
fn what_is_not_known_is_kept_as_it_is() {
    let bytes = torrent(
        "8:announce10:http://old13:announce-listll10:http://oldel10:http://tooee4:evilli7ee",
        "3:zzzd1:b0:1:ai1ee",
    );
    let after = edited(&bytes, |editor| editor.set_trackers([["http://new"]]));
    let expected = torrent("8:announce10:http://new4:evilli7ee", "3:zzzd1:b0:1:ai1ee");
    assert_eq!(
        String::from_utf8_lossy(&after.bytes),
        String::from_utf8_lossy(&expected)
    );
}

#[test]
fn a_comment_in_two_encodings_is_one() {
    let bytes = torrent("7:comment3:old13:comment.utf-83:old", "");
    let after = edited(&bytes, |editor| editor.set_comment(Some("new")));
    assert_eq!(after.bytes, torrent("7:comment3:new", ""));
}

#[test]
fn odd_torrents_are_put_in_order_around_their_info() {
    // Keys out of order, one of them twice, and an info dictionary that is not canonical either.
    let info = "4:infod4:name1:a6:lengthi5e12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let bytes = format!("d{info}8:announce10:http://one8:announce10:http://twoe");
    let before = Metainfo::from_bytes(bytes.as_bytes()).unwrap();
    let after = edited(bytes.as_bytes(), |editor| editor.set_comment(Some("x")));
    assert_eq!(after.metainfo.trackers(), [["http://one"]]);
    assert_eq!(
        after.metainfo.info().info_hashes(),
        before.info().info_hashes()
    );
    let text = String::from_utf8(after.bytes).unwrap();
    assert_eq!(text, format!("d8:announce10:http://one7:comment1:x{info}e"));
}

proptest! {
    #[test]
    fn any_tiers_are_read_back(tiers in proptest::collection::vec(proptest::collection::vec("http://[a-z]{1,9}/[ -~é]{0,9}[a-z]", 0..4), 0..4), which in 0..6usize) {
        let after = edited(TORRENTS[which], |editor| editor.set_trackers(tiers.clone()));
        let expected: Vec<Vec<String>> = tiers
            .iter()
            .filter(|tier| !tier.is_empty())
            .map(|tier| tier.iter().map(|url| url.replace(' ', "%20")).collect())
            .collect();
        prop_assert_eq!(after.metainfo.trackers(), expected);
    }
}

/// A torrent with these trackers, as they are encoded.
fn with_trackers(announce: &[u8], list: &[u8]) -> Vec<u8> {
    let field = |key: &str, value: &[u8]| match value {
        b"" => Vec::new(),
        value => [key.as_bytes(), value].concat(),
    };
    let info =
        b"4:infod6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    [
        b"d".to_vec(),
        field("8:announce", announce),
        field("13:announce-list", list),
        info.to_vec(),
    ]
    .concat()
}

#[test]
fn trackers_that_are_not_touched_keep_their_bytes() {
    // Of the list, one is no text, one has spaces around it, one is no list; what stands in `announce` is not in it.
    let announce = b"10:http://old";
    let before = with_trackers(
        announce,
        b"ll7:wss://w2:\xff\xfeel11: udp://u:1 e8:http://ii7ee",
    );
    let added = edited(&before, |editor| editor.add_trackers([["udp://n:1"]]));
    let list = b"ll7:wss://w2:\xff\xfeel11: udp://u:1 e8:http://ii7el9:udp://n:1ee";
    assert_eq!(added.bytes, with_trackers(announce, list));

    let removed = |gone: &'static [u8]| {
        edited(&before, |editor| {
            assert_eq!(editor.remove_trackers(|url| url == gone), 1);
        })
    };
    let list = b"ll2:\xff\xfeel11: udp://u:1 e8:http://ii7ee";
    assert_eq!(removed(b"wss://w").bytes, with_trackers(announce, list));
    let list = b"ll7:wss://w2:\xff\xfee8:http://ii7ee";
    assert_eq!(removed(b" udp://u:1 ").bytes, with_trackers(announce, list));
    let list = b"ll7:wss://w2:\xff\xfeel11: udp://u:1 e8:http://ii7ee";
    assert_eq!(
        removed(b"http://old").bytes,
        with_trackers(b"7:wss://w", list)
    );
    let none = edited(&before, |editor| {
        assert_eq!(editor.remove_trackers(|url| url == b"nothing"), 0);
    });
    assert_eq!(none.bytes, before);
    let bare = edited(&before, |editor| {
        assert_eq!(editor.remove_trackers(|url| !url.is_empty()), 5);
    });
    assert_eq!(bare.bytes, with_trackers(b"", b"li7ee"));
}

#[test]
fn the_first_tracker_that_is_added_is_announced_to_and_an_old_one_stays_in_front() {
    let bare = with_trackers(b"", b"");
    let one = edited(&bare, |editor| editor.add_trackers([["udp://n:1"]]));
    assert_eq!(one.metainfo.trackers(), [["udp://n:1"]]);
    for list in [&b""[..], b"le", b"llee"] {
        let before = with_trackers(b"10:http://old", list);
        let after = edited(&before, |editor| editor.add_trackers([["udp://n:1"]]));
        let expected = [["http://old"], ["udp://n:1"]];
        assert_eq!(after.metainfo.trackers(), expected, "{list:?}");
        let same = edited(&before, |editor| editor.add_trackers(NO_TIERS));
        assert_eq!(same.metainfo.trackers(), [["http://old"]], "{list:?}");
    }
}
