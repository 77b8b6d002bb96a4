//! v2 and hybrid torrents made from files (BEP 52).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use proptest::prelude::*;
use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;
use tailwater_metainfo::{
    BLOCK_LEN, CreateError, Created, Creator, Expected, FileEntry, LeftOutReason, Metainfo,
    Symlinks, TorrentVersion, Visit, merkle,
};

const PIECE: u32 = 4 * BLOCK_LEN;

fn create(version: TorrentVersion, path: &Path) -> Result<Created, CreateError> {
    let creator = Creator::new().version(version).piece_length(PIECE);
    let creator = creator.threads(NonZeroUsize::new(2).unwrap());
    creator.create(path, |_| ControlFlow::Continue(()))
}

fn content(len: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// The bytes at the positions of the torrent, where the files say that they are.
fn laid_out(metainfo: &Metainfo, contents: &[Vec<u8>]) -> Vec<u8> {
    let info = metainfo.info();
    let mut bytes = vec![0; usize::try_from(info.geometry().end()).unwrap()];
    let files = info.files().iter().filter(|file| !file.is_pad());
    for (file, content) in files.zip(contents) {
        let start = usize::try_from(file.offset()).unwrap();
        bytes[start..start + content.len()].copy_from_slice(content);
    }
    bytes
}

/// Each piece is checked by both hashes that its version has, and a changed byte is found.
fn assert_pieces(metainfo: &Metainfo, version: TorrentVersion, bytes: &[u8]) {
    let geometry = metainfo.info().geometry();
    let hashes = metainfo.piece_hashes();
    for piece in geometry.pieces() {
        let range = geometry.piece_range(piece);
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        let expected = hashes.expected(piece);
        match version {
            TorrentVersion::V2 => assert!(matches!(expected, Some(Expected::V2(_)))),
            _ => assert!(matches!(expected, Some(Expected::Both { .. }))),
        }
        assert_eq!(hashes.is_valid(piece, [&bytes[range.clone()]]), Some(true));
        let mut wrong = bytes[range].to_vec();
        wrong[0] ^= 1;
        assert_eq!(hashes.is_valid(piece, [&wrong[..]]), Some(false));
    }
}

const P: usize = PIECE as usize;

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(0),
        Just(1),
        Just(BLOCK_LEN as usize),
        Just(P),
        Just(P + 1),
        0..P,
        P..4 * P,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the lengths of the files: what is made is read without a warning, and each piece is that of the files.
    #[test]
    fn all_pieces_are_those_of_the_files(lengths in prop::collection::vec(length(), 1..7)) {
        prop_assume!(lengths.iter().any(|len| *len > 0));
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("album");
        fs::create_dir_all(root.join("b")).unwrap();
        let numbers = 0u8..;
        let contents: Vec<_> = lengths.iter().zip(numbers).map(|(len, seed)| content(*len, seed)).collect();
        for (number, content) in contents.iter().enumerate() {
            let name = match number % 2 {
                0 => format!("a{number}"),
                _ => format!("b/{number}"),
            };
            fs::write(root.join(name), content).unwrap();
        }
        let (even, odd): (Vec<_>, Vec<_>) = contents.iter().enumerate().partition(|(number, _)| number % 2 == 0);
        let ordered: Vec<_> = even.into_iter().chain(odd).map(|(_, content)| content.clone()).collect();
        for version in [TorrentVersion::V2, TorrentVersion::Hybrid] {
            let created = create(version, &root).unwrap();
            let metainfo = &created.metainfo;
            prop_assert_eq!(metainfo.warnings(), []);
            prop_assert!(tailwater_bencode::decode(&created.bytes).is_ok());
            prop_assert_eq!(metainfo.piece_layers().missing(), []);
            let hashes = metainfo.info().info_hashes();
            prop_assert!(hashes.v2.is_some());
            prop_assert_eq!(hashes.v1.is_some(), version == TorrentVersion::Hybrid);
            assert_pieces(metainfo, version, &laid_out(metainfo, &ordered));
            for (file, content) in metainfo.info().files().iter().filter(|file| !file.is_pad()).zip(&ordered) {
                let leaves = content.chunks(BLOCK_LEN as usize).map(merkle::block_hash);
                prop_assert_eq!(file.pieces_root(), merkle::root(leaves, 0));
            }
        }
    }
}

#[test]
fn a_single_file_has_no_folder_and_no_padding() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mkv");
    let bytes = content(3 * P + 5, 7);
    fs::write(&path, &bytes).unwrap();
    for version in [TorrentVersion::V2, TorrentVersion::Hybrid] {
        let created = create(version, &path).unwrap();
        let info = created.metainfo.info();
        assert!(
            !info.is_multi_file() && info.files().len() == 1,
            "{version:?}"
        );
        assert_eq!(info.geometry().end(), bytes.len() as u64);
        assert_pieces(&created.metainfo, version, &bytes);
    }
}

#[test]
fn files_with_the_same_content_share_their_layer() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("twins");
    fs::create_dir(&root).unwrap();
    let bytes = content(2 * P, 3);
    fs::write(root.join("one"), &bytes).unwrap();
    fs::write(root.join("two"), &bytes).unwrap();
    let created = create(TorrentVersion::V2, &root).unwrap();
    let files = created.metainfo.info().files();
    assert_eq!(files[0].pieces_root(), files[1].pieces_root());
    let bytes = [bytes.clone(), bytes].concat();
    assert_pieces(&created.metainfo, TorrentVersion::V2, &bytes);
}

#[test]
fn a_preview_has_the_names_and_the_pieces_without_reading_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("album");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a"), content(3 * P, 1)).unwrap();
    fs::write(root.join("b"), content(5, 2)).unwrap();
    for version in [TorrentVersion::V2, TorrentVersion::Hybrid] {
        let creator = Creator::new().version(version).piece_length(PIECE);
        let found = creator.find(&root, |_, _| Visit::Take).unwrap();
        let preview = creator.preview(&found).unwrap();
        let created = create(version, &root).unwrap();
        assert_eq!(preview.warnings(), []);
        let (preview, made) = (preview.info(), created.metainfo.info());
        assert_eq!(preview.geometry(), made.geometry());
        let paths = |info: &tailwater_metainfo::Info| -> Vec<_> {
            info.files()
                .iter()
                .map(|file| file.path().clone())
                .collect()
        };
        assert_eq!(paths(preview), paths(made));
    }
}

#[cfg(unix)]
#[test]
fn links_are_kept_where_they_lead_to_something_inside() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("t");
    fs::create_dir_all(root.join("deep/er")).unwrap();
    fs::write(root.join("deep/file"), content(5, 1)).unwrap();
    fs::write(dir.path().join("outside"), content(7, 2)).unwrap();
    let real = root.canonicalize().unwrap();
    let inside = [
        ("a", "deep/file".into(), "t/deep/file"),
        ("deep/er/up", "../file".into(), "t/deep/file"),
        ("folder", "deep".into(), "t/deep"),
        ("nothing", "./missing".into(), "t/missing"),
        ("whole", real.join("deep/file"), "t/deep/file"),
    ];
    for (name, target, _) in &inside {
        symlink(target, root.join(name)).unwrap();
    }
    for version in [
        TorrentVersion::V1,
        TorrentVersion::V2,
        TorrentVersion::Hybrid,
    ] {
        let creator = Creator::new().version(version).symlinks(Symlinks::Keep);
        let made = creator
            .create(&root, |_| ControlFlow::Continue(()))
            .unwrap();
        let files = made
            .metainfo
            .info()
            .files()
            .iter()
            .filter(|file| !file.is_pad());
        let links: Vec<_> = files
            .clone()
            .filter_map(|file| Some((file.path().as_str(), file.symlink_target()?.as_str())))
            .collect();
        let expected: Vec<_> = inside
            .iter()
            .map(|(name, _, target)| (format!("t/{name}"), *target))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, target)| (&**name, *target))
            .collect();
        assert_eq!(links, expected, "{version:?}");
        assert_eq!(files.map(FileEntry::length).sum::<u64>(), 5);
        let followed = Creator::new().version(version);
        // Without it, the link to nothing cannot be shared.
        assert!(
            followed
                .create(&root, |_| ControlFlow::Continue(()))
                .is_err()
        );
    }
    let outside = [
        ("b", "../outside".into()),
        ("deep/b", "../../outside".into()),
        ("etc", Path::new("/etc").to_owned()),
        // Behind a link, `..` leads elsewhere than it says.
        ("folder-up", "folder/../deep/er/../../deep/file".into()),
        ("root", ".".into()),
    ];
    symlink("deep/er", root.join("far")).unwrap();
    symlink("far/../file", root.join("behind")).unwrap();
    for (name, target) in &outside {
        symlink(target, root.join(name)).unwrap();
    }
    let creator = Creator::new().symlinks(Symlinks::Keep);
    let found = creator.find(&root, |_, _| Visit::Take).unwrap();
    let left: Vec<_> = found.left_out().iter().collect();
    assert!(
        left.iter()
            .all(|left| matches!(left.reason, LeftOutReason::LeadsOut)),
        "{left:?}"
    );
    let names = left
        .iter()
        .map(|left| left.path.strip_prefix(&root).unwrap().to_str().unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["b", "behind", "deep/b", "etc", "root"]
    );
}
