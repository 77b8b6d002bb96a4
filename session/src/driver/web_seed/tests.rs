//! Tests of URLs, spans and blocks.

mod slow_server;

use bytes::Bytes;
use tailwater_http::UrlTrust;
use tailwater_metainfo::{Geometry, Info, InfoHash};

use super::assembler::Assembler;
use super::source::{Protocol, WebSeedUrl};
use super::spans::{Span, spans};

/// An info dictionary of several files: name, length, and whether it is a pad file.
fn folder(name: &str, files: &[(&str, u64, bool)]) -> Info {
    let mut list = String::new();
    for (path, length, is_pad) in files {
        let attributes = if *is_pad { "4:attr1:p" } else { "" };
        let parts: String = path
            .split('/')
            .map(|part| format!("{}:{part}", part.len()))
            .collect();
        list.push_str(&format!("d{attributes}6:lengthi{length}e4:pathl{parts}ee"));
    }
    let total: u64 = files.iter().map(|(_, length, _)| length).sum();
    let pieces = usize::try_from(total.div_ceil(32_768)).unwrap() * 20;
    let hashes = "h".repeat(pieces);
    let text = format!(
        "d5:filesl{list}e4:name{}:{name}12:piece lengthi32768e6:pieces{pieces}:{hashes}e",
        name.len()
    );
    Info::from_bytes(text.as_bytes()).unwrap()
}

fn single(name: &str, length: u64) -> Info {
    let text = format!(
        "d6:lengthi{length}e4:name{}:{name}12:piece lengthi32768e6:pieces20:{}e",
        name.len(),
        "h".repeat(20)
    );
    Info::from_bytes(text.as_bytes()).unwrap()
}

fn url_of(base: &str, info: &Info, file: usize) -> String {
    let seed = WebSeedUrl::of_stranger(base, Protocol::Files).unwrap();
    seed.of_file(info, &info.files()[file])
}

#[test]
fn the_url_of_a_file_is_the_seeds_or_lies_below_it() {
    let one = single("a film.mkv", 1_000);
    assert_eq!(url_of("http://s/x.mkv", &one, 0), "http://s/x.mkv");
    assert_eq!(url_of("http://s/d/", &one, 0), "http://s/d/a%20film.mkv");
    let many = folder(
        "my album",
        &[("a/b c.mp3", 5, false), ("50%#?.txt", 5, false)],
    );
    for base in ["http://s/d", "http://s/d/"] {
        let first = url_of(base, &many, 0);
        assert_eq!(first, "http://s/d/my%20album/a/b%20c.mp3");
        let second = url_of(base, &many, 1);
        assert_eq!(second, "http://s/d/my%20album/50%25%23%3F.txt");
    }
    // What has a meaning in a URL leads nowhere else.
    let odd = folder("x", &[("../../admin", 5, false), ("./b", 5, false)]);
    for file in 0..2 {
        let url = url_of("http://s/d/", &odd, file);
        assert!(url.starts_with("http://s/d/x/"), "{url}");
        assert!(!url.contains("/."), "{url}");
    }
}

#[test]
fn a_query_names_the_torrent_the_piece_and_the_range() {
    let hash = InfoHash::new([0xab; 20]);
    let seed = WebSeedUrl::of_stranger("http://s/seed.php", Protocol::Query).unwrap();
    let expected = format!(
        "http://s/seed.php?info_hash={}&piece=7&ranges=16384-32767",
        "%AB".repeat(20)
    );
    assert_eq!(seed.of_piece(&hash, 7, 16_384, 32_767), expected);
    let seed = WebSeedUrl::of_stranger("http://s/?id=1", Protocol::Query).unwrap();
    let url = seed.of_piece(&hash, 0, 0, 9);
    assert!(url.starts_with("http://s/?id=1&info_hash=%AB"), "{url}");
}

#[test]
fn a_strangers_url_is_plain_without_a_query_and_the_users_is_named() {
    let trust = |url| WebSeedUrl::of_stranger(url, Protocol::Files).map(|seed| seed.trust);
    assert_eq!(trust("http://s/a/b"), Some(UrlTrust::Plain));
    assert_eq!(trust("http://s/a?b=c"), Some(UrlTrust::Composed));
    assert_eq!(trust("ftp://s/a"), None);
    assert_eq!(trust("nonsense"), None);
    let named = WebSeedUrl::named("http://user:secret@s/a?token=x#y").unwrap();
    assert_eq!(named.trust, UrlTrust::Named);
    assert_eq!(named.shown(), "http://s/a");
}

#[test]
fn a_range_is_split_at_the_borders_of_files() {
    let info = folder(
        "x",
        &[
            ("a", 20_000, false),
            ("empty", 0, false),
            ("pad", 12_768, true),
            ("b", 50_000, false),
        ],
    );
    let span = |file, offset, len, is_pad| Span {
        file,
        offset,
        len,
        is_pad,
    };
    let all = [
        span(0, 0, 20_000, false),
        span(2, 0, 12_768, true),
        span(3, 0, 50_000, false),
    ];
    assert_eq!(spans(&info, 0..82_768), all);
    assert_eq!(
        spans(&info, 16_384..32_768),
        [span(0, 16_384, 3_616, false), span(2, 0, 12_768, true)]
    );
    assert_eq!(spans(&info, 32_768..49_152), [span(3, 0, 16_384, false)]);
    assert_eq!(spans(&info, 5..5), []);
}

#[test]
fn bytes_become_blocks_however_they_are_cut() {
    let geometry = Geometry::new(70_000, 40_000).unwrap();
    let content: Vec<u8> = (0..70_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    for cut in [1, 1_000, 16_384, 65_536, 70_000] {
        let mut assembler = Assembler::new(geometry.clone(), 16_384);
        let mut blocks = Vec::new();
        for part in content[16_384..].chunks(cut) {
            blocks.extend(assembler.push(Bytes::copy_from_slice(part)));
        }
        let places: Vec<_> = blocks
            .iter()
            .map(|(block, _)| (geometry.block_start(*block), block.len()))
            .collect();
        let expected = [
            (16_384, 16_384),
            (32_768, 7_232),
            (40_000, 16_384),
            (56_384, 13_616),
        ];
        assert_eq!(places, expected, "cut by {cut}");
        for (block, data) in blocks {
            let start = usize::try_from(geometry.block_start(block)).unwrap();
            assert!(data[..] == content[start..start + data.len()]);
        }
        // What comes behind the end is dropped.
        assert_eq!(assembler.push(Bytes::from_static(b"more")), []);
    }
}
