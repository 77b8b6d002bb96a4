//! Torrents that are built to cost much, and what they cost at most.

use tailwater_metainfo::{
    Attributes, FieldProblem, Info, Limits, Metainfo, MetainfoError, SafePath, Warning,
};

fn entry(length: u64, path: &[&str]) -> String {
    let path: String = path
        .iter()
        .map(|name| format!("{}:{name}", name.len()))
        .collect();
    format!("d6:lengthi{length}e4:pathl{path}ee")
}

fn folder(files: &str) -> Vec<u8> {
    format!("d5:filesl{files}e4:name1:r12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae")
        .into_bytes()
}

fn problem(result: Result<Info, MetainfoError>) -> FieldProblem {
    match result {
        Err(MetainfoError::Field { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_size_is_checked_before_anything_else() {
    let large = vec![b'l'; Limits::default().len + 1];
    let error = MetainfoError::TooLarge {
        len: 10_000_001,
        max: 10_000_000,
    };
    assert_eq!(Metainfo::from_bytes(&large), Err(error.clone()));
    assert_eq!(Info::from_bytes(&large), Err(error));
}

#[test]
fn five_hundred_names_are_tried_and_no_more() {
    let files = |count: usize| folder(&entry(1, &["a"]).repeat(count));
    let info = Info::from_bytes(&files(501)).unwrap();
    assert_eq!(info.files()[500].path().as_str(), "r/a.500");
    assert_eq!(
        problem(Info::from_bytes(&files(502))),
        FieldProblem::DuplicateNames(500)
    );
}

#[test]
fn warnings_are_counted_where_they_are_not_kept() {
    let info = Info::from_bytes(&folder(&entry(1, &["a"]).repeat(301))).unwrap();
    assert_eq!(info.warnings().len(), 101);
    assert_eq!(info.warnings().last(), Some(&Warning::More(200)));
}

/// A file tree in which every file's path repeats the names of 90 folders.
fn bomb(files: usize) -> Vec<u8> {
    let name = "n".repeat(200);
    let mut tree: String = (0..files)
        .map(|number| format!("6:{number:06}d0:d6:lengthi0eee"))
        .collect();
    for _ in 0..90 {
        tree = format!("200:{name}d{tree}e");
    }
    format!("d9:file treed{tree}e12:meta versioni2e4:name1:r12:piece lengthi16384ee").into_bytes()
}

#[test]
fn a_file_tree_cannot_unfold_without_bound() {
    assert_eq!(
        problem(Info::from_bytes(&bomb(20_000))),
        FieldProblem::PathBytes(64 * 1024 * 1024)
    );
}

#[test]
fn limits_can_be_changed() {
    let mut limits = Limits::default();
    limits.directory_depth = 2;
    limits.path_bytes = 12;
    let read = |files: &str| Info::from_bytes_with(&folder(files), &limits);
    assert!(read(&entry(1, &["a", "b"])).is_ok());
    assert_eq!(
        problem(read(&entry(1, &["a", "b", "c"]))),
        FieldProblem::TooDeep(2)
    );
    assert_eq!(
        problem(read(&entry(1, &["abcdefgh", "abcdefgh"]))),
        FieldProblem::PathBytes(12)
    );
    limits.tokens = 5;
    assert!(matches!(
        Info::from_bytes_with(&folder(&entry(1, &["a"])), &limits),
        Err(MetainfoError::Bencode(_))
    ));
}

#[test]
fn many_deep_paths_stay_cheap() {
    // As many folders as fit: each path has 100 components of its own.
    let files: String = (0..2_000)
        .map(|number| {
            let mut path = vec!["x"; 100];
            let first = number.to_string();
            path[0] = &first;
            entry(u64::from(number == 0), &path)
        })
        .collect();
    let info = Info::from_bytes(&folder(&files)).unwrap();
    assert_eq!(info.files().len(), 2_000);
}

#[test]
fn attributes_and_links_are_kept() {
    let link = "d4:attr2:lx4:pathl1:ke12:symlink pathl1:d1:aee";
    let pad = "d4:attr1:p6:lengthi9e4:pathl4:.pad1:9ee";
    let bitcomet = entry(1, &["_____padding_file_0_"]);
    let info = Info::from_bytes(&folder(&format!(
        "{}{link}{pad}{bitcomet}",
        entry(1, &["d", "a"])
    )))
    .unwrap();
    let files = info.files();
    assert_eq!(
        files[1].symlink_target().map(SafePath::as_str),
        Some("r/d/a")
    );
    assert_eq!(files[1].length(), 0);
    let mut expected = Attributes::default();
    expected.executable = true;
    expected.symlink = true;
    assert_eq!(files[1].attributes(), expected);
    assert_eq!(
        [0, 1, 2, 3].map(|number| files[number].is_pad()),
        [false, false, true, true]
    );
    assert_eq!(info.payload_len(), 1);
    assert_eq!(info.geometry().total(), 11);
}

#[test]
fn originals_are_kept_for_display() {
    let torrent = String::from_utf8(folder(&entry(1, &["a/b"]))).unwrap();
    let torrent = torrent.replace("1:r12:", "3:r\u{7}s12:");
    let info = Info::from_bytes(torrent.as_bytes()).unwrap();
    assert_eq!(
        (info.name(), info.original_name()),
        ("r_s", Some("r\u{7}s"))
    );
    let file = &info.files()[0];
    assert_eq!(
        (file.path().as_str(), file.original_path()),
        ("r_s/ab", Some("a/b"))
    );
}

#[test]
fn a_private_torrent_is_private_however_it_says_so() {
    for (flag, expected) in [
        ("i0e", false),
        ("i1e", true),
        ("i2e", true),
        ("1:1", true),
        ("le", false),
    ] {
        let torrent = format!(
            "d6:lengthi5e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaa7:private{flag}e"
        );
        assert_eq!(
            Info::from_bytes(torrent.as_bytes()).unwrap().is_private(),
            expected,
            "{flag}"
        );
    }
}
