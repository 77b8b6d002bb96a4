//! Paths as they stand in the torrent, by which files are found that another program put there.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Component, Path, PathBuf};

use proptest::prelude::*;
use tailwater_metainfo::{FileEntry, Info};

fn entry(path: &[&str]) -> String {
    let path: String = path
        .iter()
        .map(|name| format!("{}:{name}", name.len()))
        .collect();
    format!("d6:lengthi1e4:pathl{path}ee")
}

fn folder(files: &str, name: &str) -> String {
    let name = format!("{}:{name}", name.len());
    format!("d5:filesl{files}e4:name{name}12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae")
}

#[test]
fn files_are_found_by_the_name_in_the_torrent() {
    let found = |name: &str, entries: &str| -> Vec<Option<PathBuf>> {
        let torrent = folder(entries, name);
        let info = Info::from_bytes(torrent.as_bytes()).unwrap();
        info.files()
            .iter()
            .map(FileEntry::path_in_torrent)
            .collect()
    };
    let long = "x".repeat(250);
    let entries = [
        &["README"][..],
        &["readme"],
        &["CON", "a"],
        &["new\nline"],
        &[&long],
        // These could not be told from others, or lead elsewhere.
        &["a/b"],
        &["..", "c"],
        &["d", ""],
        &["e\0"],
    ];
    let entries: String = entries.iter().map(|path| entry(path)).collect();
    let inside = [
        None,
        Some("r/readme"),
        Some("r/CON/a"),
        Some("r/new\nline"),
        Some(&format!("r/{long}")),
        None,
        None,
        None,
        None,
    ];
    assert_eq!(
        found("r", &entries),
        inside.map(|path| path.map(PathBuf::from))
    );
    // The folder's name counts too.
    let all = ["nul/README", "nul/readme", "nul/CON/a"].map(|path| Some(PathBuf::from(path)));
    assert_eq!(found("nul", &entries)[..3], all);
    assert_eq!(found("..", &entries)[..5], [None, None, None, None, None]);
}

proptest! {
    #[test]
    fn a_path_in_the_torrent_never_leaves_the_folder(
        name in prop::collection::vec(any::<u8>(), 1..9),
        path in prop::collection::vec(
            prop_oneof![
                Just(b"..".to_vec()),
                Just(b".".to_vec()),
                prop::collection::vec(prop_oneof![Just(b'/'), Just(b'.'), Just(0), any::<u8>()], 0..6),
            ],
            1..4,
        ),
    ) {
        let string = |bytes: &[u8]| [format!("{}:", bytes.len()).as_bytes(), bytes].concat();
        let path: Vec<u8> = path.iter().flat_map(|part| string(part)).collect();
        let torrent = [
            b"d5:filesld6:lengthi1e4:pathl".as_slice(),
            &path,
            b"eee4:name",
            &string(&name),
            b"12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae",
        ];
        if let Ok(info) = Info::from_bytes(&torrent.concat())
            && let Some(found) = info.files()[0].path_in_torrent()
        {
            let is_plain = found.components().all(|part| matches!(part, Component::Normal(_)));
            prop_assert!(is_plain && found.components().count() >= 2, "{found:?}");
            let joined = Path::new("/folder").join(&found);
            prop_assert!(joined.starts_with("/folder") && joined != found);
        }
    }
}
