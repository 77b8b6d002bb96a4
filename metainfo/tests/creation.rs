//! Torrents made from files.

use proptest::prelude::*;
use sha1::{Digest, Sha1};
use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use tailwater_metainfo::{
    CreateError, Created, Creator, FileEntry, GeometryError, LeftOut, LeftOutReason, Metainfo,
    Progress, Visit, Warning, automatic_piece_length,
};

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn create(creator: &Creator, path: &Path) -> Result<Created, CreateError> {
    creator.create(path, go_on)
}

/// Bytes that differ from place to place.
fn content(len: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Hashes the content the plain way and compares every piece.
fn assert_pieces(metainfo: &Metainfo, content: &[u8]) {
    let info = metainfo.info();
    let geometry = info.geometry();
    assert_eq!(geometry.total(), content.len() as u64);
    let length = geometry.piece_length() as usize;
    for (piece, bytes) in geometry.pieces().zip(content.chunks(length)) {
        let expected: [u8; 20] = Sha1::digest(bytes).into();
        assert_eq!(
            info.piece_hash(piece).map(|hash| *hash.as_bytes()),
            Some(expected)
        );
    }
}

#[test]
fn a_file_with_every_option() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mkv");
    let bytes = content(100_001, 1);
    fs::write(&path, &bytes).unwrap();
    let creator = Creator::new()
        .piece_length(32 * 1024)
        .tier(["http://a/announce", "http://b/announce"])
        .tier(["udp://c:1"])
        .web_seed("http://seed/film.mkv")
        .private(true)
        .comment("a comment")
        .created_by("a program")
        .creation_date(1_700_000_000);
    let created = create(&creator, &path).unwrap();
    let metainfo = &created.metainfo;
    assert_eq!(Metainfo::from_bytes(&created.bytes).as_ref(), Ok(metainfo));
    assert!(tailwater_bencode::decode(&created.bytes).is_ok());
    assert_eq!(metainfo.warnings(), []);
    assert_eq!(
        metainfo.trackers(),
        [
            vec!["http://a/announce", "http://b/announce"],
            vec!["udp://c:1"]
        ]
    );
    assert_eq!(metainfo.web_seeds(), ["http://seed/film.mkv"]);
    assert_eq!(metainfo.comment(), Some("a comment"));
    assert_eq!(metainfo.created_by(), Some("a program"));
    assert_eq!(metainfo.creation_date(), Some(1_700_000_000));
    let info = metainfo.info();
    assert!(info.is_private() && !info.is_multi_file());
    assert_eq!(
        (info.name(), info.geometry().piece_length()),
        ("film.mkv", 32 * 1024)
    );
    assert_pieces(metainfo, &bytes);
}

#[test]
fn a_folder_is_sorted_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("album");
    let files = [
        ("B", 20_000),
        ("a/x", 0),
        ("a/y", 40_000),
        ("a.txt", 1),
        (".hidden", 3),
        ("z", 16_384),
    ];
    for (number, (path, len)) in files.iter().enumerate() {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(*len, u8::try_from(number).unwrap())).unwrap();
    }
    fs::create_dir_all(root.join("empty/inner")).unwrap();
    let created = create(&Creator::new(), &root).unwrap();
    let info = created.metainfo.info();
    let paths: Vec<_> = info
        .files()
        .iter()
        .map(|file| file.path().as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "album/.hidden",
            "album/B",
            "album/a/x",
            "album/a/y",
            "album/a.txt",
            "album/z"
        ]
    );
    assert_eq!(created.empty_folders, [root.join("empty/inner")]);
    let read = |file: &FileEntry| fs::read(file.path().under(folder.path())).unwrap();
    let bytes: Vec<_> = info.files().iter().flat_map(read).collect();
    assert_pieces(&created.metainfo, &bytes);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        fs::write(
            folder.path().join(number.to_string()),
            content(usize::from(number) * 7_001, number),
        )
        .unwrap();
    }
    let made = |threads: usize| {
        let threads = NonZeroUsize::new(threads).unwrap();
        create(&Creator::new().name("x").threads(threads), folder.path())
            .unwrap()
            .bytes
    };
    let one = made(1);
    assert!((2..=8).all(|threads| made(threads) == one));
}

#[test]
fn progress_counts_to_the_end_and_cancels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, content(200_000, 1)).unwrap();
    let creator = Creator::new().piece_length(16 * 1024);
    let mut seen = Vec::new();
    let report = |progress: Progress| {
        assert_eq!(progress.total, 200_000);
        seen.push(progress.done);
        ControlFlow::Continue(())
    };
    creator.create(&path, report).unwrap();
    assert_eq!(
        (seen.first(), seen.last(), seen.len()),
        (Some(&0), Some(&200_000), 14)
    );
    assert!(seen.is_sorted());
    for stop_after in [0, 1, 5] {
        let mut calls = 0;
        let cancel = |_| {
            calls += 1;
            if calls > stop_after {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        assert!(matches!(
            creator.create(&path, cancel),
            Err(CreateError::Cancelled)
        ));
        assert_eq!(calls, stop_after + 1);
    }
}

#[test]
fn what_cannot_be_shared_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty");
    fs::write(&path, []).unwrap();
    assert!(matches!(
        create(&Creator::new(), &path),
        Err(CreateError::Geometry(GeometryError::Empty))
    ));
    assert!(matches!(
        create(&Creator::new(), folder.path()),
        Err(CreateError::Geometry(GeometryError::Empty))
    ));
    let missing = create(&Creator::new(), &folder.path().join("missing")).unwrap_err();
    assert!(missing.to_string().starts_with("cannot open "), "{missing}");
    for length in [0, 1, 16 * 1024 - 1, 48 * 1024, 1 << 29] {
        let creator = Creator::new().piece_length(length);
        assert!(
            matches!(create(&creator, &path), Err(CreateError::PieceLength(found)) if found == length)
        );
    }
    fs::write(&path, [0]).unwrap();
    assert!(matches!(
        create(&Creator::new().name(".."), &path),
        Err(CreateError::UnusableName(name)) if name == ".."
    ));
}

#[test]
fn a_file_that_shrinks_meanwhile_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, content(64 * 1024, 1)).unwrap();
    // The first call comes after the lengths are known and before anything is read.
    let shrink = |progress: Progress| {
        if progress.done == 0 {
            fs::write(&path, [0]).unwrap();
        }
        ControlFlow::Continue(())
    };
    let result = Creator::new().create(folder.path(), shrink);
    assert!(matches!(result, Err(CreateError::Changed(changed)) if changed == path));
}

#[cfg(unix)]
#[test]
fn symlinks_are_followed_but_not_in_circles() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir_all(root.join("inner")).unwrap();
    fs::write(folder.path().join("outside"), b"outside").unwrap();
    symlink("../outside", root.join("link")).unwrap();
    let created = create(&Creator::new(), &root).unwrap();
    assert_eq!(
        created.metainfo.info().files()[0].path().as_str(),
        "root/link"
    );
    assert_pieces(&created.metainfo, b"outside");
    symlink("..", root.join("inner/up")).unwrap();
    assert!(
        matches!(create(&Creator::new(), &root), Err(CreateError::Unshareable(found)) if matches!(&found[..], [LeftOut { path, reason: LeftOutReason::Loop, .. }] if *path == root.join("inner/up")))
    );
    fs::remove_file(root.join("inner/up")).unwrap();
    symlink("nowhere", root.join("inner/broken")).unwrap();
    assert!(
        matches!(create(&Creator::new(), &root), Err(CreateError::Unshareable(found)) if matches!(&found[..], [LeftOut { path, reason: LeftOutReason::DanglingLink, .. }] if *path == root.join("inner/broken")))
    );
}

#[cfg(unix)]
#[test]
fn what_cannot_be_shared_is_found_together_and_by_name() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let inside = |name: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(name));
    let _listener = std::os::unix::net::UnixListener::bind(inside(b"socket")).unwrap();
    std::os::unix::fs::symlink("nowhere", inside(b"broken")).unwrap();
    std::os::unix::fs::symlink("itself", inside(b"itself")).unwrap();
    fs::write(inside(b"\xff"), [0]).unwrap();
    fs::create_dir(inside(b"\xfe")).unwrap();
    fs::write(inside(b"good"), b"good").unwrap();
    let creator = Creator::new().name("x");
    let found = creator.find(folder.path(), |_, _| Visit::Take).unwrap();
    let left_out: Vec<_> = found
        .left_out()
        .iter()
        .map(|left_out| (left_out.path.clone(), left_out.reason.to_string()))
        .collect();
    let [broken, itself, socket, fe, ff] = &left_out[..] else {
        panic!("{left_out:?}");
    };
    let expect = |name: &[u8], reason: &str| (inside(name), reason.to_owned());
    assert_eq!(*broken, expect(b"broken", "it is a link to nothing"));
    assert_eq!(itself.0, inside(b"itself"));
    assert!(itself.1.starts_with("it cannot be read: "), "{itself:?}");
    assert_eq!(
        *socket,
        expect(b"socket", "it is neither a file nor a folder")
    );
    assert_eq!(*fe, expect(b"\xfe", "its name is not UTF-8"));
    assert_eq!(*ff, expect(b"\xff", "its name is not UTF-8"));
    // What is left is a torrent; without a word about the rest there is none.
    let created = creator.hash(&found, go_on).unwrap();
    assert_eq!(created.metainfo.info().files().len(), 1);
    assert_pieces(&created.metainfo, b"good");
    let refused = create(&creator, folder.path()).unwrap_err().to_string();
    assert!(
        refused.ends_with("it is a link to nothing; nor can 4 others"),
        "{refused}"
    );
}

#[test]
fn files_and_folders_are_left_out_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/inner")).unwrap();
    fs::create_dir_all(folder.path().join("b/inner")).unwrap();
    for name in ["a/inner/x", "a/y", "b/inner/x", "b/z.tmp"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let mut seen = Vec::new();
    let visit = |path: &Path, is_folder: bool| {
        seen.push((path.to_owned(), is_folder));
        let is_unwanted = path.ends_with("inner") || path.extension().is_some();
        if path.starts_with("b") && is_unwanted {
            Visit::Skip
        } else {
            Visit::Take
        }
    };
    let creator = Creator::new().name("x").source("here");
    let found = creator.find(folder.path(), visit).unwrap();
    let files: Vec<_> = found.files().collect();
    assert_eq!(files, [("a/inner/x".to_owned(), 9), ("a/y".to_owned(), 3)]);
    // What is in a folder that is left out is not looked at; the folder that lost everything was not empty.
    assert!(!seen.iter().any(|(path, _)| path == Path::new("b/inner/x")));
    assert!(seen.contains(&("b/inner".into(), true)) && seen.contains(&("b/z.tmp".into(), false)));
    assert!(found.empty_folders().is_empty());
    assert_eq!(creator.geometry(&found).unwrap().total(), 12);
    let stopped = creator.find(folder.path(), |_, _| Visit::Stop);
    assert!(matches!(stopped, Err(CreateError::Cancelled)));
    let created = creator.hash(&found, go_on).unwrap();
    let text = String::from_utf8_lossy(&created.bytes).into_owned();
    assert!(text.contains("6:source4:here"), "{text}");
    let other = Creator::new().name("x").hash(&found, go_on).unwrap();
    assert_ne!(
        other.metainfo.info().info_hashes(),
        created.metainfo.info().info_hashes()
    );
}

#[cfg(unix)]
#[test]
fn names_that_a_download_changes_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("aux.c"), [0]).unwrap();
    let created = create(&Creator::new().name("kernel"), folder.path()).unwrap();
    assert!(matches!(
        created.metainfo.warnings(),
        [Warning::PathChanged { file: 0, .. }]
    ));
    assert_eq!(
        created.metainfo.info().files()[0].original_path(),
        Some("aux.c")
    );
}

#[test]
fn automatic_piece_lengths_follow_the_table() {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    const GIB: u64 = 1024 * MIB;
    let table = [
        (1, 16 * KIB),
        (32 * MIB, 16 * KIB),
        (32 * MIB + 1, 32 * KIB),
        (128 * MIB, 64 * KIB),
        (512 * MIB, 256 * KIB),
        (2 * GIB, MIB),
        (8 * GIB, 4 * MIB),
        (32 * GIB, 16 * MIB),
        (1024 * GIB, 16 * MIB),
        (8 * 1024 * GIB, 64 * MIB),
        (u64::MAX, 256 * MIB),
    ];
    for (total, expected) in table {
        assert_eq!(
            u64::from(automatic_piece_length(total)),
            expected,
            "{total}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_lengths_hash_as_one_stream(lengths in proptest::collection::vec(prop_oneof![Just(0usize), 1usize..40_000, Just(16_384)], 1..12)) {
        prop_assume!(lengths.iter().sum::<usize>() > 0);
        let folder = tempfile::tempdir().unwrap();
        let mut stream = Vec::new();
        for (number, &length) in lengths.iter().enumerate() {
            let bytes = content(length, u8::try_from(number).unwrap());
            fs::write(folder.path().join(format!("{number:02}")), &bytes).unwrap();
            stream.extend(bytes);
        }
        let creator = Creator::new().name("x").threads(NonZeroUsize::new(3).unwrap());
        assert_pieces(&create(&creator, folder.path()).unwrap().metainfo, &stream);
    }
}
