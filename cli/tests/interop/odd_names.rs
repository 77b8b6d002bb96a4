//! Odd names in torrent files: we make the same paths of them as libtorrent, so that what one has downloaded the other
//! finds.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::{enabled, libtorrent, ours};

/// Of these the names are made. Windows' device names are not among them: we rename those on every system.
const ODD: &[&[u8]] = &[
    b"a",
    b"B",
    b".",
    b"..",
    b"/",
    b"\\",
    b" ",
    b":",
    b"?\"*",
    b"\0",
    b"\x1f",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xe9",
    b"\xf0\x9f",
    b"\xfb",
    "\u{85}".as_bytes(),
    "é".as_bytes(),
    "日".as_bytes(),
    "😀".as_bytes(),
    "\u{202e}".as_bytes(),
    "\u{200b}".as_bytes(),
    "\u{200d}".as_bytes(),
    "\u{2060}".as_bytes(),
    "\u{2066}".as_bytes(),
    "\u{61c}".as_bytes(),
    "\u{feff}".as_bytes(),
];
/// Behind names that are too long without them. Where the extension alone makes a name too long, libtorrent cuts it in two.
const EXTENSIONS: [&str; 4] = ["", ".mkv", ".8letters", ".9_letters"];

fn string(bytes: &[u8]) -> Vec<u8> {
    [format!("{}:", bytes.len()).as_bytes(), bytes].concat()
}

fn name(rng: &mut fastrand::Rng) -> Vec<u8> {
    if rng.u8(..8) == 0 {
        let extension = EXTENSIONS[rng.usize(..EXTENSIONS.len())];
        return format!("{}{extension}", "x".repeat(rng.usize(241..300))).into_bytes();
    }
    let parts = (0..rng.usize(..5)).map(|_| ODD[rng.usize(..ODD.len())]);
    parts.collect::<Vec<_>>().concat()
}

/// A torrent of some files of odd names in a folder of an odd name.
fn torrent(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut files = Vec::new();
    let count = rng.usize(2..6);
    for _ in 0..count {
        let path: Vec<u8> = (0..rng.usize(1..4))
            .flat_map(|_| string(&name(rng)))
            .collect();
        files.extend([&b"d6:lengthi1e4:pathl"[..], &path, b"ee"].concat());
    }
    let mut folder = name(rng);
    if folder.is_empty() {
        folder.push(b'T');
    }
    let (before, after) = (b"d4:infod5:filesl", b"12:piece lengthi16384e6:pieces");
    let (folder, pieces) = (string(&folder), string(&[b'a'; 20]));
    [
        before,
        &files[..],
        b"e4:name",
        &folder,
        after,
        &pieces,
        b"ee",
    ]
    .concat()
}

#[test]
fn the_paths_are_those_of_libtorrent() {
    if !enabled() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(11);
    let torrents: Vec<PathBuf> = (0..300)
        .map(|number| {
            let path = folder.path().join(format!("{number}.torrent"));
            fs::write(&path, torrent(&mut rng)).unwrap();
            path
        })
        .collect();
    let paths = |said: &Value| -> Vec<String> {
        let files = said["files"].as_array().unwrap().iter();
        files
            .map(|file| file["path"].as_str().unwrap().to_owned())
            .collect()
    };
    for (torrent, theirs) in torrents.iter().zip(libtorrent::inspect_all(&torrents)) {
        let ours = ours::inspect(torrent);
        let bytes = fs::read(torrent).unwrap();
        let shown = bytes.escape_ascii();
        assert_eq!(ours["info_hash_v1"], theirs["info_hash_v1"], "{shown}");
        assert_eq!(ours["name"], theirs["name"], "{shown}");
        let (ours, theirs) = (paths(&ours), paths(&theirs));
        let differ = ours
            .iter()
            .zip(&theirs)
            .find(|(ours, theirs)| ours != theirs);
        assert_eq!(differ, None, "{shown}");
        assert_eq!(ours.len(), theirs.len(), "{shown}");
    }
}
